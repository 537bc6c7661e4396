"""An id for anything: the same for equal things, in every process and on every machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from emb_opt_widgets.errors import InputError

__all__ = ["identity"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def identity(item: Any) -> int | str:
    """The id of an item that has none.

    Args:
        item: Anything. A str or an int is its own id.

    Returns:
        The item, or 32 hexadecimal digits of the SHA-256 of its content: the bytes where it has `tobytes` (arrays,
        images), its parts where it is a container, else its repr.

    Raises:
        InputError: The item's repr tells only where in memory it is.
    """
    if isinstance(item, (np.integer, np.str_)):
        item = item.item()
    if type(item) in (int, str) and (isinstance(item, str) or -(2**63) <= item < 2**63):
        own: int | str = item
        return own
    digest = hashlib.sha256()
    _feed(digest, item)
    return digest.hexdigest()[:32]


def _feed(digest: Any, item: Any) -> None:
    name = f"{type(item).__module__}.{type(item).__qualname__}"
    if isinstance(item, (bytes, bytearray, memoryview)):
        content = bytes(item)
    elif isinstance(item, Mapping):
        parts = [part for pair in item.items() for part in pair]
        return _feed_all(digest, name, parts)
    elif isinstance(item, (tuple, list)):
        return _feed_all(digest, name, item)
    else:
        array = item.detach().cpu().numpy() if hasattr(item, "detach") else item
        if hasattr(array, "tobytes") and str(getattr(array, "dtype", "")) != "object":
            shape = getattr(array, "shape", getattr(array, "size", None))
            name += f"{shape}{getattr(array, 'dtype', getattr(array, 'mode', ''))}"
            content = array.tobytes()
        else:
            content = _text(item).encode()
    digest.update(f"{name}:{len(content)}:".encode())
    digest.update(content)


def _feed_all(digest: Any, name: str, parts: Any) -> None:
    digest.update(f"{name}:{len(parts)}[".encode())
    for part in parts:
        _feed(digest, part)


def _text(item: Any) -> str:
    text = repr(item)
    if _ADDRESS.search(text):
        raise InputError(
            "A decoded item has no lasting id",
            expected="a str, an int, bytes, an array, or an object whose repr tells its content",
            got=f"{text:.80}",
            hint="Let decode answer with text (a SMILES, a path), or with an Items that names the ids",
        )
    return text
