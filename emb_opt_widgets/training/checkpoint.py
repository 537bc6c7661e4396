"""All of a training's state in one safetensors file, and back, bit for bit. Knows nothing of what the state means."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emb_opt_widgets.errors import DamagedFileError, FileError, InputError, MissingDependencyError

__all__ = ["from_bytes", "pack", "read_checkpoint", "safetensors", "to_bytes", "unpack", "write_checkpoint"]

_PLAIN = "state"
_CHUNK = 1 << 24


def safetensors() -> Any:
    """safetensors' module for torch, or the line that installs it."""
    try:
        import safetensors.torch as found
    except ImportError as error:
        raise MissingDependencyError(
            "Keeping a training in a file needs safetensors", hint="pip install 'emb_opt_widgets[training]'"
        ) from error
    return found


def pack(value: Any, tensors: dict[str, torch.Tensor], name: str = "") -> Any:
    """A nested state as plain values; its tensors go to `tensors`, under their paths.

    Args:
        value: Mappings, lists, tuples, tensors, arrays, numbers, text and None.
        tensors: Filled.
        name: The path so far.

    Raises:
        InputError: Something else is in it.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.Tensor):
        return {"$tensor": _put(value.detach(), tensors, name)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return {"$array": _put(torch.from_numpy(value), tensors, name)}
    if isinstance(value, np.generic):
        return pack(value.item(), tensors, name)
    if isinstance(value, Mapping):
        pairs = [[pack(k, tensors), pack(v, tensors, f"{name}/{k}" if name else str(k))] for k, v in value.items()]
        return {"$counter" if isinstance(value, Counter) else "$pairs": pairs}
    if isinstance(value, (list, tuple)):
        parts = [pack(part, tensors, f"{name}/{i}") for i, part in enumerate(value)]
        return {"$tuple": parts} if isinstance(value, tuple) else parts
    raise InputError(
        f"The state at {name!r} cannot be kept in a file",
        expected="tensors, arrays, numbers, text, lists and mappings",
        got=type(value).__name__,
        hint="Leave path out, or give the part a state_dict of such values",
    )


def _put(tensor: torch.Tensor, tensors: dict[str, torch.Tensor], name: str) -> str:
    """A copy of its own: parts that share memory would not be written."""
    if tensor.layout != torch.strided:
        raise InputError(f"The tensor {name!r} cannot be kept in a file", expected="a dense tensor", got=tensor.layout)
    while name in tensors:
        name += "'"
    tensors[name] = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor)
    return name


def unpack(plain: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """The nested state that `pack` was given."""
    if isinstance(plain, list):
        return [unpack(part, tensors) for part in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, inner),) = plain.items()
    if kind == "$tensor":
        return tensors[inner]
    if kind == "$array":
        return tensors[inner].numpy()
    if kind == "$tuple":
        return tuple(unpack(part, tensors) for part in inner)
    pairs = {unpack(key, tensors): unpack(value, tensors) for key, value in inner}
    return Counter(pairs) if kind == "$counter" else pairs


def to_bytes(value: Any) -> torch.Tensor:
    """A nested state as `(n,)` uint8, to be sent to another process.

    Raises:
        InputError: The state holds what cannot be sent.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain = json.dumps(pack(value, tensors), separators=(",", ":")).encode()
    body = safetensors().save(tensors)
    return torch.frombuffer(bytearray(len(plain).to_bytes(8, "little") + plain + body), dtype=torch.uint8)


def from_bytes(sent: torch.Tensor) -> Any:
    """The nested state that `to_bytes` was given; on the host."""
    raw = sent.numpy().tobytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    return unpack(json.loads(raw[8:end]), safetensors().load(raw[end:]))


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> int:
    """Write a state; when this returns it is whole and on the disk, or the file of before is untouched.

    Returns:
        The file's CRC-32.

    Raises:
        FileError: It cannot be written.
        InputError: The state holds what a file cannot.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain = json.dumps(pack(state, tensors), separators=(",", ":"))
    beside = path.with_name(path.name + ".part")
    try:
        safetensors().save_file(tensors, beside, metadata={_PLAIN: plain})
        with open(beside, "rb+") as file:
            crc = _crc(file)
            os.fsync(file.fileno())
        os.replace(beside, path)
        if os.name != "nt":
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except Exception as error:
        beside.unlink(missing_ok=True)
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        raise FileError(
            f"{path.name} cannot be written ({error})", hint="Make room or change permissions; run() goes on from here"
        ) from error
    return crc


def read_checkpoint(path: Path, crc: int | None = None) -> Any:
    """The state of a file.

    Args:
        path: The file. crc: What its CRC-32 must be. None: anything.

    Raises:
        DamagedFileError: It is not there, or not as it was written.
    """
    opened = safetensors().safe_open
    try:
        if crc is not None:
            with open(path, "rb") as file:
                if _crc(file) != crc:
                    raise ValueError("its checksum differs")
        with opened(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            plain = json.loads(file.metadata()[_PLAIN])
        return unpack(plain, tensors)
    except Exception as error:
        raise DamagedFileError(
            f"The checkpoint {path.name} cannot be read ({error})",
            expected="a file that a training wrote",
            got="something else" if path.exists() else "no such file",
            hint="A copy of a training needs its .safetensors files too",
        ) from error


def _crc(file: Any) -> int:
    crc = 0
    while block := file.read(_CHUNK):
        crc = zlib.crc32(block, crc)
    return crc
