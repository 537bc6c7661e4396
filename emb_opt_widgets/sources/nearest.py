"""Exact nearest rows, whatever holds them: quick candidates in float32, then the true order in float64.

A float32 matrix product tells the distance of a vector only to within rounding, and differently for one query
than for a hundred. So a few more candidates than `k` are taken, their distances computed directly in float64, and
the rest is ruled out by a bound on the rounding error. A query for which the bound does not decide (equal vectors at
the k-th place, or as good as equal) is looked at once more, among all rows within the bound. The answer is that of
the slow, obvious loop: by distance, then by row number, whatever the batch, the block size or the processor.

Knows nothing of ids or payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["METRICS", "Metric", "Rows", "distances", "nearest", "unit"]

Metric = Literal["l2", "ip", "cosine"]
METRICS: tuple[Metric, ...] = ("l2", "ip", "cosine")

Array = npt.NDArray[Any]
Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]

_QUERIES = 4096
_REFINE_ELEMENTS = 1 << 20


class Rows(Protocol):
    """Vectors by row, and what can be told of them quickly in float32.

    Attributes:
        n: Rows.
        dim: Length of a vector.
        metric: How they are compared.
        norm: The largest length of a row.
        deviation: For cosine, what a row's scaling can add to the error: 0, or infinity for extreme lengths.
        rounding: Relative rounding error of one operation in `candidates` and `within`.
    """

    n: int
    dim: int
    metric: Metric
    norm: float
    deviation: float

    @property
    def rounding(self) -> float: ...

    def candidates(self, queries: npt.NDArray[np.float32], k: int) -> tuple[Array, npt.NDArray[np.int64]]:
        """About the `k` nearest rows: distances and row numbers, `(q, k)`, in any order; -1 where there is none."""

    def within(
        self, queries: npt.NDArray[np.float32], limits: npt.NDArray[np.float64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """All pairs `(query, row)` whose distance in float32 is not above the query's limit, block by block."""

    def take(self, rows: npt.NDArray[np.int64]) -> Array:
        """`(m, d)`: the vectors of these rows."""


def unit(queries: Array) -> npt.NDArray[np.float64]:
    """Rows scaled to length 1; a zero row stays zero."""
    wide = queries.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    out: npt.NDArray[np.float64] = wide / np.where(lengths > 0, lengths, 1.0)[:, None]
    return out


def distances(metric: Metric, queries: npt.NDArray[np.float64], vectors: Array) -> npt.NDArray[np.float64]:
    """Distances in float64, computed directly.

    Args:
        metric: "l2": squared Euclidean; "ip": the negative inner product; "cosine": 1 - cosine, and 1 where a
            vector is zero.
        queries: `(q, d)`.
        vectors: `(q, m, d)`, those to compare with each query.

    Returns:
        `(q, m)`, smaller is nearer.
    """
    wide = vectors.astype(np.float64)
    q = queries[:, None]
    if metric == "l2":
        wide -= q
        squared: npt.NDArray[np.float64] = np.einsum("qmd,qmd->qm", wide, wide)
        return squared
    product = np.einsum("qmd,qmd->qm", wide, np.broadcast_to(q, wide.shape))
    if metric == "ip":
        negative: npt.NDArray[np.float64] = -product
        return negative
    lengths = np.sqrt(np.einsum("qmd,qmd->qm", wide, wide))
    lengths *= np.sqrt(np.einsum("qd,qd->q", queries, queries))[:, None]
    cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    out: npt.NDArray[np.float64] = np.maximum(1.0 - cosine, 0.0)
    return out


def nearest(rows: Rows, queries: Array, k: int) -> Found:
    """The `k` nearest rows of each query, by distance, then by row number.

    Args:
        rows: What is searched.
        queries: `(q, d)`, finite.
        k: At most `rows.n`.

    Returns:
        Row numbers and distances, `(q, k)`.
    """
    if len(queries) <= _QUERIES:
        return _nearest(rows, queries, k)
    parts = [_nearest(rows, queries[i : i + _QUERIES], k) for i in range(0, len(queries), _QUERIES)]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _nearest(rows: Rows, queries: Array, k: int) -> Found:
    wide = queries.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = np.ascontiguousarray(unit(queries) if rows.metric == "cosine" else queries, dtype=np.float32)
        taken = min(rows.n, k + max(8, k // 8))
        rough, found = rows.candidates(narrow, taken)
        exact = _refine(rows, wide, found)
        order = np.lexsort((found, exact), axis=1)[:, :k]
        found, exact = np.take_along_axis(found, order, 1), np.take_along_axis(exact, order, 1)
        last = exact[:, k - 1]
        bound = _rounding_bound(rows, wide, last)
        open_ = ~np.isfinite(last) if taken == rows.n else ~(last + bound < rough.max(axis=1))
        if open_.any():
            some = np.flatnonzero(open_)
            limits = np.where(np.isfinite(last), last + bound, np.inf)[some]
            found[some], exact[some] = _look_again(rows, wide[some], narrow[some], limits, k)
    return found, exact


def _refine(rows: Rows, queries: npt.NDArray[np.float64], found: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    q, m = found.shape
    out = np.empty((q, m))
    width = min(m, max(1, _REFINE_ELEMENTS // rows.dim))
    step = max(1, _REFINE_ELEMENTS // (width * rows.dim))
    for top in range(0, q, step):
        for left in range(0, m, width):
            part = found[top : top + step, left : left + width]
            vectors = rows.take(np.maximum(part, 0).ravel()).reshape(*part.shape, rows.dim)
            out[top : top + step, left : left + width] = distances(rows.metric, queries[top : top + step], vectors)
    out[found < 0] = np.inf
    return out


def _rounding_bound(
    rows: Rows, queries: npt.NDArray[np.float64], last: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """By how much a float32 distance that matters can be off: `d` roundings, each relative to the terms' size.

    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1. A row nearer than `last` has at
    most the length of the query plus `sqrt(last)`.
    """
    length = np.sqrt(np.einsum("qd,qd->q", queries, queries))
    steps = (rows.dim + 16) * rows.rounding
    tiny = rows.dim * 1e-37 * (1.0 + length + rows.norm)
    if rows.metric == "l2":
        reach = length + np.minimum(rows.norm, length + np.sqrt(last))
        bound = steps * reach**2 + tiny
    elif rows.metric == "ip":
        bound = steps * length * rows.norm + tiny
    else:
        bound = np.full(len(queries), steps * 2 + rows.deviation)
    overflows = (rows.metric != "cosine") & ((length + rows.norm) ** 2 > 1e37)
    out: npt.NDArray[np.float64] = np.where(overflows, np.inf, bound)
    return out


def _look_again(
    rows: Rows,
    queries: npt.NDArray[np.float64],
    narrow: npt.NDArray[np.float32],
    limits: npt.NDArray[np.float64],
    k: int,
) -> Found:
    whose, where = np.empty(0, np.int64), np.empty(0, np.int64)
    how_far = np.empty(0)
    step = max(1, _REFINE_ELEMENTS // rows.dim)
    for owners, numbers in rows.within(narrow, limits):
        for start in range(0, len(owners), step):
            part = slice(start, start + step)
            vectors = rows.take(numbers[part])[:, None]
            exact = distances(rows.metric, queries[owners[part]], vectors)[:, 0]
            whose = np.concatenate([whose, owners[part]])
            where = np.concatenate([where, numbers[part]])
            how_far = np.concatenate([how_far, exact])
            order = np.lexsort((where, how_far, whose))
            whose, where, how_far = whose[order], where[order], how_far[order]
            rank = np.arange(len(whose)) - np.searchsorted(whose, whose)
            kept = rank < k
            whose, where, how_far = whose[kept], where[kept], how_far[kept]
    return where.reshape(len(queries), k), how_far.reshape(len(queries), k)
