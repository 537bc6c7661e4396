"""Vectors in a numpy array, in memory or on disk, compared block by block; never copied as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources.nearest import Metric

__all__ = ["ArrayRows", "kept_dtype", "not_finite"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

_CHECK_ELEMENTS = 1 << 22
_PRODUCT_ELEMENTS = 1 << 21
_FEW_QUERIES = 8
_EXTREME = 1e18


@cache
def _faiss() -> Any:
    """faiss where it is installed and safe to load, else None."""
    if sys.platform == "darwin" and "torch" in sys.modules and "faiss" not in sys.modules:
        return None  # two OpenMP runtimes in one process crash there
    try:
        import faiss
    except ImportError:
        return None
    return faiss


def kept_dtype(dtype: Any) -> Any:
    """The type vectors of this type are searched in: float64 for float64, else float32."""
    kind = np.dtype(dtype)
    if kind.kind not in "fiu":
        raise InputError(
            "The embeddings are not numbers",
            expected="an array (n, d) of floats",
            got=f"dtype {kind}",
            hint="Convert them first: np.asarray(embeddings, dtype=np.float32)",
        )
    return np.float64 if kind.kind == "f" and kind.itemsize >= 8 else np.float32


def not_finite(row: int) -> InputError:
    """The error for a vector that cannot be compared."""
    return InputError(
        "A vector is not finite",
        expected="finite numbers in every row of the embeddings",
        got=f"NaN or infinity (or a length that overflows) in row {row}",
        hint="Drop such rows first: embeddings[np.isfinite(embeddings).all(axis=1)]",
    )


class ArrayRows:
    """Implements `nearest.Rows` over a numpy array.

    One float32 number for each row is kept beside the array. Rows are compared by a key that grows with the distance:
    half the squared length minus the product with the query ("l2"), the negative product ("ip"), the negative
    product over the row's length ("cosine").

    Args:
        array: `(n, d)` numbers; an `np.memmap` stays on disk and is checked as its blocks are first read.
        metric: How rows are compared.
    """

    def __init__(self, array: Array, metric: Metric) -> None:
        self.n: int = array.shape[0]
        self.dim: int = array.shape[1]
        self.metric: Metric = metric
        self.norm = 0.0
        self.deviation = 0.0
        self.rounding = 2.0**-24
        self.dtype = kept_dtype(array.dtype)
        self._array = array
        self._on_disk = isinstance(array, np.memmap)
        self._beside = np.zeros(0 if metric == "ip" else self.n, np.float32)
        self._size = max(1, _CHECK_ELEMENTS // self.dim)
        self._checked = np.zeros(-(-self.n // self._size), dtype=bool)
        for start in range(0, 0 if self._on_disk else self.n, self._size):
            self._check(start)

    def extended(self, vectors: Array) -> ArrayRows:
        """These rows, and others after them."""
        if self._on_disk:
            raise InputError(
                "An array on disk does not grow",
                expected="an array in memory",
                got="np.memmap",
                hint="Write the larger file, and go on with it: load(path, source=…)",
            )
        return ArrayRows(np.concatenate([self._array, vectors.astype(self._array.dtype)]), self.metric)

    def _check(self, start: int) -> None:
        """Look at a block once: are its vectors finite, and how long are they."""
        if self._checked[start // self._size]:
            return
        block = self._array[start : start + self._size]
        wide = block.dtype.kind != "f" or block.dtype.itemsize < 4 or self.metric == "cosine"
        with np.errstate(over="ignore", invalid="ignore"):
            squared = np.einsum("ij,ij->i", block, block, dtype=np.float64 if wide else None)
            if not np.isfinite(squared).all():
                squared = np.einsum("ij,ij->i", block, block, dtype=np.float64)
            if not np.isfinite(squared).all():
                raise not_finite(start + int(np.flatnonzero(~np.isfinite(squared))[0]))
            lengths = np.sqrt(squared, dtype=np.float64)
            self.norm = max(self.norm, float(lengths.max()) * 1.001)
            if self.metric == "l2":
                self._beside[start : start + self._size] = squared * 0.5
            elif self.metric == "cosine":
                inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
                if max(lengths.max(), inverse.max()) > _EXTREME:
                    self.deviation = np.inf
                self._beside[start : start + self._size] = inverse
        self._checked[start // self._size] = True

    def _blocks(self, size: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Blocks of rows in float32, views where possible; each checked before its first use."""
        for outer in range(0, self.n, self._size):
            self._check(outer)
            end = min(outer + self._size, self.n)
            for start in range(outer, end, size):
                yield start, np.ascontiguousarray(self._array[start : min(start + size, end)], dtype=np.float32)

    def _keys(self, queries: Array, start: int, block: Array) -> Array:
        keys: Array = queries @ block.T
        beside = self._beside[start : start + len(block)]
        if self.metric == "l2":
            return np.subtract(beside, keys, out=keys)
        np.negative(keys, out=keys)
        return keys if self.metric == "ip" else np.multiply(keys, beside, out=keys)

    def candidates(self, queries: npt.NDArray[np.float32], k: int) -> tuple[Array, Integers]:
        plain = self._array.dtype == np.float32 and self._array.flags.c_contiguous and self._array.flags.aligned
        few = len(queries) < _FEW_QUERIES and not self._on_disk and self.metric != "cosine"
        if plain and few and _faiss() is not None:
            return self._by_faiss(queries, k)
        keys, rows = self._by_products(queries, k)
        if self.metric == "l2":
            keys = 2 * keys + np.einsum("ij,ij->i", queries, queries)[:, None]
        return (1 + keys if self.metric == "cosine" else keys), rows

    def _by_faiss(self, queries: Array, k: int) -> tuple[Array, Integers]:
        faiss = _faiss()
        metric = faiss.METRIC_L2 if self.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        far, rows = faiss.knn(queries, self._array, k, metric=metric)
        if self.metric == "ip":
            np.negative(far, out=far)
        far[rows < 0] = np.inf
        return far, rows

    def _by_products(self, queries: Array, k: int) -> tuple[Array, Integers]:
        """The `k` smallest keys: after the first block, only keys below the worst kept one are looked at."""
        best = np.empty((len(queries), 0), np.float32)
        found = np.empty((len(queries), 0), np.int64)
        for start, block in self._blocks(max(1024, 4 * k, _PRODUCT_ELEMENTS // len(queries))):
            keys = self._keys(queries, start, block)
            if best.shape[1] < k:
                keys[np.isnan(keys)] = np.inf
                rows = np.broadcast_to(np.arange(start, start + len(block)), keys.shape)
            else:
                keys, rows = _below(keys, best.max(axis=1), start)
            best, found = _smallest(np.concatenate([best, keys], 1), np.concatenate([found, rows], 1), k)
        return best, found

    def within(
        self, queries: npt.NDArray[np.float32], limits: npt.NDArray[np.float64]
    ) -> Iterator[tuple[Integers, Integers]]:
        edge = limits if self.metric == "ip" else limits - 1
        if self.metric == "l2":
            edge = (limits - np.einsum("ij,ij->i", queries, queries, dtype=np.float64)) / 2
        for start, block in self._blocks(max(1024, _PRODUCT_ELEMENTS // len(queries))):
            owners, rows = np.nonzero(~(self._keys(queries, start, block) > edge[:, None]))
            yield owners.astype(np.int64), rows.astype(np.int64) + start

    def take(self, rows: Integers) -> Array:
        return np.asarray(self._array[rows]).astype(self.dtype, copy=False)

    def read(self, part: slice) -> Array:
        """Consecutive rows, read-only, as a view where the type allows it."""
        block = np.asarray(self._array[part]).astype(self.dtype, copy=False).view()
        block.flags.writeable = False
        return block

    def check_read(self, block: Array, rows: Integers) -> None:
        """Vectors read from disk may not have been looked at yet."""
        if self._on_disk and not np.isfinite(block).all():
            raise not_finite(int(rows[np.flatnonzero(~np.isfinite(block).all(axis=1))[0]]))


def _below(keys: Array, worst: Array, start: int) -> tuple[Array, Integers]:
    """The keys below each query's worst, ragged rows filled up with infinity and -1."""
    hits = np.flatnonzero((keys < worst[:, None]).ravel())
    owners, columns = np.divmod(hits, keys.shape[1])
    counts = np.bincount(owners, minlength=len(keys))
    place = np.arange(len(hits)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(keys), int(counts.max()))
    near, rows = np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int64)
    near[owners, place] = keys.ravel()[hits]
    rows[owners, place] = columns + start
    return near, rows


def _smallest(keys: Array, rows: Array, k: int) -> tuple[Array, Integers]:
    if keys.shape[1] <= k:
        return keys, rows
    chosen = np.argpartition(keys, k - 1, axis=1)[:, :k]
    return np.take_along_axis(keys, chosen, 1), np.take_along_axis(rows, chosen, 1)
