"""Growable columns, ragged batches and random streams: what the hot path is made of.

Knows nothing of searches.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Columns", "RaggedColumn", "enlarged", "first_places", "groups_by_length", "stream", "whiten"]

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


def enlarged(array: npt.NDArray[Any], need: int) -> npt.NDArray[Any]:
    """A copy with room for at least `need` rows, and then some: twice as many, or a quarter more where it is large."""
    more = 2 * len(array) if array.nbytes < 1 << 24 else len(array) + len(array) // 4
    grown = np.empty((max(need, more), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


class Columns:
    """Columns of equal length that grow together, amortised.

    Args:
        fields: Name to (dtype, trailing shape).
    """

    __slots__ = ("_arrays", "_n")

    def __init__(self, fields: dict[str, tuple[Any, tuple[int, ...]]]) -> None:
        self._arrays = {name: np.empty((16, *shape), dtype) for name, (dtype, shape) in fields.items()}
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The column as a view; valid until the next `extend`."""
        return self._arrays[name][: self._n]

    def extend(self, n: int, **values: Any) -> None:
        """Append `n` rows; every field must be given, a scalar fills all of them."""
        need = self._n + n
        for name, array in self._arrays.items():
            if need > len(array):
                self._arrays[name] = array = enlarged(array, need)
            array[self._n : need] = values[name]
        self._n = need

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return sum(a.nbytes for a in self._arrays.values())


class RaggedColumn:
    """Integer lists of different lengths in one growable array."""

    __slots__ = ("_starts", "_values")

    def __init__(self) -> None:
        self._values = Columns({"value": (np.int32, ())})
        self._starts = Columns({"start": (np.int64, ()), "stop": (np.int64, ())})

    def __len__(self) -> int:
        return len(self._starts)

    def extend(self, n: int) -> None:
        """Append `n` empty lists."""
        self._starts.extend(n, start=0, stop=0)

    def set(self, indices: Int64, values: Int32, offsets: Int64) -> None:
        """Give the lists at `indices` their values, ragged by `offsets`."""
        base = len(self._values)
        self._values.extend(len(values), value=values)
        self._starts["start"][indices] = base + offsets[:-1]
        self._starts["stop"][indices] = base + offsets[1:]

    def append(self, index: int, values: Int32) -> None:
        """Lengthen one list."""
        old = self[index]
        self.set(np.array([index]), np.concatenate([old, values]), np.array([0, len(old) + len(values)]))

    def __getitem__(self, index: int) -> Int32:
        start, stop = int(self._starts["start"][index]), int(self._starts["stop"][index])
        return self._values["value"][start:stop]

    def gather(self, indices: Int64) -> tuple[Int32, Int64]:
        """The lists at `indices`, concatenated, with their offsets `(q + 1,)`."""
        starts = self._starts["start"][indices]
        lengths = self._starts["stop"][indices] - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return self._values["value"][flat], offsets

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return self._values.nbytes + self._starts.nbytes


def groups_by_length(offsets: Int64) -> Iterator[tuple[Int64, Int64]]:
    """Ragged rows grouped by length, so that each group is one rectangular, vectorised computation.

    A group's numbers equal those of a row-by-row loop to the last bit, which padding would not give.

    Yields:
        `(rows (g,), positions (g, length))` for each length above 0: the rows' indices, and where their
        values stand in the flat array.
    """
    lengths = np.diff(offsets)
    for length in np.unique(lengths[lengths > 0]):
        rows = np.flatnonzero(lengths == length)
        yield rows, offsets[rows][:, None] + np.arange(length)


def first_places(values: npt.NDArray[Any], size: int) -> Int64:
    """Where each value first stands.

    Args:
        values: `(m,)` integers from 0 to `size - 1`.
        size: How many there may be.

    Returns:
        `(size,)`; only the places of values that occur mean anything.
    """
    out = np.empty(size, np.int64)
    out[values[::-1]] = np.arange(len(values) - 1, -1, -1)
    return out


def whiten(values: Float64) -> Float64:
    """Zero mean and unit variance along the last axis: `(x − mean) / √(var + 1e-8)`, as `emb_opt.utils.whiten`."""
    mean = values.mean(axis=-1, keepdims=True)
    out: Float64 = (values - mean) / np.sqrt(values.var(axis=-1, keepdims=True) + 1e-8)
    return out


def stream(seed: int, round: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose in one round: the same after a resume, whatever ran before it."""
    return np.random.default_rng([seed, round, zlib.crc32(purpose.encode())])
