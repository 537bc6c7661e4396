"""Event bodies as bytes and back: a JSON head, then the arrays as they are. Canonical: equal bodies, equal bytes.

uint32 length of the head (little-endian) · head, UTF-8 JSON with sorted keys · arrays, little-endian, end to end
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.events import BODIES, Body, logged
from emb_opt_widgets.errors import DamagedFileError

__all__ = ["decode", "encode", "plain_json"]

_ARRAY = "$array"
_OTHER = "$repr"


def encode(body: Body) -> bytes:
    """The bytes of an event's body."""
    blobs: list[bytes] = []
    head = {name: _pack(value, blobs) for name, value in sorted(logged(body).items())}
    text = json.dumps(head, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
    return b"".join([struct.pack("<I", len(text)), text, *blobs])


def decode(kind: str, data: bytes, bodies: Mapping[str, type[Body]] = BODIES) -> Body:
    """The body of an event of this kind.

    Raises:
        DamagedFileError: The bytes are not such a body.
    """
    try:
        (length,) = struct.unpack_from("<I", data)
        head = json.loads(data[4 : 4 + length])
        reader = _Reader(memoryview(data)[4 + length :])
        return bodies[kind](**{name: reader.unpack(value) for name, value in head.items()})
    except (AttributeError, KeyError, ValueError, TypeError, RecursionError, struct.error) as error:
        raise DamagedFileError(
            f"An event of kind {kind!r} cannot be read",
            hint="The file is damaged; restore it from a copy",
        ) from error


def plain_json(value: Any) -> Any:
    """A value as JSON can hold it; what it cannot hold becomes its `repr`, marked as such."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return plain_json(value.item())
    if isinstance(value, np.ndarray):
        return plain_json(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): plain_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(v) for v in value]
    if hasattr(value, "model_dump"):
        return plain_json(value.model_dump())
    return {_OTHER: repr(value)[:10_000]}


def _pack(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype != object:
        array = np.ascontiguousarray(value)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        blobs.append(array.tobytes())
        return {_ARRAY: [array.dtype.str, list(array.shape)]}
    if isinstance(value, np.ndarray):
        return plain_json(value.tolist())
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        return [_pack(v, blobs) for v in value]
    return plain_json(value)


class _Reader:
    def __init__(self, rest: memoryview) -> None:
        self._rest = rest

    def unpack(self, value: Any) -> Any:
        if isinstance(value, dict) and _ARRAY in value:
            return self._array(*value[_ARRAY])
        if isinstance(value, list) and any(isinstance(v, dict) and _ARRAY in v for v in value):
            return [self.unpack(v) for v in value]
        return value

    def _array(self, dtype: str, shape: list[int]) -> npt.NDArray[Any]:
        count = int(np.prod(shape, dtype=np.int64))
        size = count * np.dtype(dtype).itemsize
        if size > len(self._rest):
            raise ValueError("truncated")
        array = np.frombuffer(self._rest[:size], dtype).reshape(shape)
        self._rest = self._rest[size:]
        return array
