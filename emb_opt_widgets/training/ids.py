"""Ids as numbers that torch can compare. Knows nothing of what they name."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from emb_opt_widgets.errors import InputError

__all__ = ["as_codes", "check_alike"]


def as_codes(ids: Any, n: int | None = None, what: str = "ids") -> torch.Tensor:
    """Ids as one int64 tensor: whole numbers as they are, text by 63 bits of its BLAKE2 hash.

    Equal ids give equal codes, in every process and at every call.

    Args:
        ids: `(n,)` or `(n, 1)` whole numbers (tensor, array or list), or a list of `str` and `int`.
        n: How many there must be. None: any number.
        what: The argument's name, for the error.

    Returns:
        `(n,)` int64, on the device the ids are on.

    Raises:
        InputError: Another shape, another length, or neither whole numbers nor text.
    """
    codes = ids if isinstance(ids, torch.Tensor) else _from_python(ids, what)
    if codes.dtype.is_floating_point or codes.dtype.is_complex or codes.dtype == torch.bool:
        raise InputError(f"{what} are not ids", expected="whole numbers or text", got=str(codes.dtype))
    if codes.ndim == 2 and codes.shape[1] == 1:
        codes = codes[:, 0]
    if codes.ndim != 1 or (n is not None and len(codes) != n):
        wanted = "n" if n is None else n
        raise InputError(
            f"{what} have the wrong shape", expected=f"({wanted},) or ({wanted}, 1)", got=tuple(codes.shape)
        )
    return codes.to(torch.int64)


def check_alike(what: str, ids: Any, other: str, others: Any) -> None:
    """Hold two groups of ids to be such that some could be equal.

    Raises:
        InputError: One is text throughout, the other whole numbers.
    """
    kinds = _kinds(ids), _kinds(others)
    if all(kinds) and not kinds[0] & kinds[1]:
        got = " and ".join(next(iter(kind)) for kind in kinds)
        raise InputError(f"{what} can equal none of {other}", expected="both whole numbers, or both text", got=got)


def _kinds(ids: Any) -> set[str]:
    if isinstance(ids, torch.Tensor):
        return {"whole numbers"} if len(ids) else set()
    array = np.asarray(ids, dtype=object) if isinstance(ids, (list, tuple)) else np.asarray(ids)
    if array.dtype != object:
        return {"text" if array.dtype.kind == "U" else "whole numbers"} if array.size else set()
    return {"text" if isinstance(value, str) else "whole numbers" for value in array.ravel().tolist()}


def _from_python(ids: Any, what: str) -> torch.Tensor:
    array = np.asarray(ids, dtype=object) if isinstance(ids, (list, tuple)) else np.asarray(ids)
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind not in "OU":
        raise InputError(f"{what} are not ids", expected="whole numbers or text", got=f"dtype {array.dtype}")
    codes = np.array([_code(value, what) for value in array.ravel().tolist()], dtype=np.int64)
    return torch.from_numpy(codes.reshape(array.shape))


def _code(value: Any, what: str) -> int:
    if isinstance(value, str):
        return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "little") >> 1
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return int(value)
    raise InputError(f"{what} are not ids", expected="whole numbers or text", got=f"{value!r:.60}")
