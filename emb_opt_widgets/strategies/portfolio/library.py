"""What is known of a library without scoring anything: centre, scale, metrics, cells. Never a copy of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies.portfolio.linear_algebra import NUMPY, Algebra
from emb_opt_widgets.strategies.portfolio.rows import BLOCK, Rows

__all__ = ["PLAIN", "Library", "Metric", "stable_order"]

Array = npt.NDArray[Any]

PLAIN = "kernel0"
METRICS = {PLAIN: 0.0, "kernel0.5": 0.5}
"""Powers of the variance divided out of each principal axis, by the name of the kernel that uses the metric."""
_SAMPLE = 20_000
_KEPT = 2048
"""Of the sample, for metrics that are made later."""
_CELLS = 256
_ROUNDING = 1e-14
"""Of the squared mean: a variance below it is not known from one."""
_SMALLEST = 1e-70
"""The least variance whose scale single precision holds."""


def stable_order(rows: Array) -> Array:
    """A pseudo-random order of rows that depends on their numbers alone: subsets stay what they were."""
    mixed = (rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)
    return np.argsort(mixed, kind="stable")


def _go_on() -> None:
    """Nobody interrupts."""


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A linear map of scaled rows, and how their squared lengths are standardised.

    Attributes:
        map: `(d, d)` float32; None is the identity.
        mean, deviation: Of the mapped rows' squared lengths.
    """

    map: npt.NDArray[np.float32] | None
    mean: float
    deviation: float

    def apply(self, block: Array) -> Array:
        """Scaled rows `(m, d)`, mapped."""
        return block if self.map is None else block @ self.map

    def lengths(self, block: Array) -> Array:
        """Squared lengths `(m,)` of mapped rows, standardised."""
        out: Array = (np.einsum("ij,ij->i", block, block) - np.float32(self.mean)) / np.float32(self.deviation)
        return out


class Library:
    """Vectors and the statistics that follow from them alone.

    Args:
        rows: The vectors `(n, d)`.
        cells: Whether they are also sorted into cells (k-means of a sample), for the operators that need regions.
        algebra: What the models over it compute with.
        placed: Rows to their vectors, left where they live; None where numpy holds them.
        checkpoint: Called every tenth of a second or so while it is read through; a round sets its own.

    Attributes:
        metrics: Those that are known before any score, by name.
        centres: `(c, d)` scaled centres of the cells. cell: `(n,)` the cell of each row. cell_size: `(c,)`.
    """

    def __init__(
        self, rows: Rows, cells: bool = True, algebra: Algebra = NUMPY,
        placed: Callable[[Array], Any] | None = None, checkpoint: Callable[[], None] = _go_on,
    ) -> None:  # fmt: skip
        self.rows = rows
        self.algebra = algebra
        self.checkpoint = checkpoint
        self._placed = placed
        self.n, self.dim = rows.n, rows.dim
        self._mean, self._scale = _centre(rows, checkpoint)
        self._mean32 = self._mean.astype(np.float32)
        sample = self.block(stable_order(np.arange(self.n))[: min(_SAMPLE, self.n)])
        values, axes = _principal_axes(sample)
        self.metrics = {
            name: _standardised(_unstretched(power, values, axes) if power else None, sample)
            for name, power in METRICS.items()
            if self.dim > 1 or not power
        }
        self._sample = sample[:_KEPT].copy()
        if cells:
            self._sort_into_cells(sample, int(np.clip(np.sqrt(self.n), 2, _CELLS)))

    def _scaled(self, block: Array) -> Array:
        if block.dtype == np.float64:
            return ((block - self._mean) * float(self._scale)).astype(np.float32)
        out: Array = block.astype(np.float32, copy=False) - self._mean32
        out *= self._scale
        return out

    def metric(self, mapping: Array) -> Metric:
        """That of a map `(d, d)`, brought to unit mean variance."""
        return _standardised(mapping, self._sample)

    def block(self, rows: Array) -> Array:
        """Rows `(m, d)` centred and scaled, float32."""
        return self._scaled(self.rows.take(rows))

    def blocks(self, step: int = BLOCK) -> Iterator[tuple[int, Array]]:
        """All rows in order, centred and scaled, at most `step` at a time, with the row of the first."""
        for start, block in self.rows.blocks(step):
            self.checkpoint()
            yield start, self._scaled(block)

    def placed(self, rows: Array) -> Any:
        """As `block`, where the models compute."""
        if self._placed is None:
            return self.algebra.place(self.block(rows))
        place = self.algebra.place
        return place((place(self._placed(rows), wide=True) - place(self._mean, wide=True)) * float(self._scale))

    def placed_blocks(self, step: int = BLOCK) -> Iterator[tuple[int, Any]]:
        """As `blocks`, where the models compute."""
        for start in range(0, self.n, step) if self._placed is not None else ():
            yield start, self.placed(np.arange(start, min(start + step, self.n)))
        for start, block in self.blocks(step) if self._placed is None else ():
            yield start, self.algebra.place(block)

    def original(self, block: Array) -> npt.NDArray[np.float64]:
        """Scaled vectors `(m, d)` in the source's own units."""
        out: npt.NDArray[np.float64] = block.astype(np.float64) / float(self._scale) + self._mean
        return out

    def scaled(self, vectors: Array) -> Array:
        """Vectors `(m, d)` of the source's units, centred and scaled."""
        return self._scaled(vectors)

    def members(self, cell: int) -> Array:
        """The rows in a cell."""
        return self._by_cell[self._cell_start[cell] : self._cell_start[cell + 1]]

    def _sort_into_cells(self, sample: Array, k: int) -> None:
        centres = sample[: min(k, len(sample))].copy()
        for _ in range(5):
            self.checkpoint()
            nearest = np.concatenate([_nearest(sample[i : i + BLOCK], centres) for i in range(0, len(sample), BLOCK)])
            count = np.bincount(nearest, minlength=len(centres))
            total = np.stack([np.bincount(nearest, column, len(centres)) for column in sample.T], axis=1)
            centres = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centres).astype(np.float32)
        self.centres: Array = centres
        self.cell = np.empty(self.n, np.int16)
        for start, block in self.blocks():
            self.cell[start : start + len(block)] = _nearest(block, centres)
        self.cell_size = np.bincount(self.cell, minlength=len(centres))
        self._by_cell: Array = np.argsort(self.cell, kind="stable").astype(np.int32 if self.n < 2**31 else np.int64)
        self._cell_start = np.concatenate([[0], np.cumsum(self.cell_size)])


def _centre(rows: Rows, checkpoint: Callable[[], None]) -> tuple[npt.NDArray[np.float64], np.float32]:
    """The mean vector, and one over the root of the mean variance."""
    total, square, count = np.zeros(rows.dim), np.zeros(rows.dim), 0
    for _, block in rows.blocks(BLOCK):
        checkpoint()
        wide = block.astype(np.float64)
        total += wide.sum(axis=0)
        square += (wide * wide).sum(axis=0)
        count += len(wide)
    if not np.isfinite(square).all():
        raise InputError("An embedding is not finite", expected="finite numbers", got="NaN, infinity, or beyond 1e150")
    mean = total / max(count, 1)
    variance = float(np.maximum(square / max(count, 1) - mean**2, 0).mean())
    known = max(_ROUNDING * float((mean**2).mean()) if len(mean) else 0.0, _SMALLEST)
    return mean, np.float32(1 / np.sqrt(variance) if variance > known else 1.0)


def _principal_axes(sample: Array) -> tuple[Array, Array]:
    d = sample.shape[1]
    covariance = np.atleast_2d(np.cov(sample.T.astype(np.float64))) if len(sample) > 1 else np.eye(d)
    values, axes = np.linalg.eigh(covariance)
    return values, axes


def _unstretched(power: float, values: Array, axes: Array) -> Array:
    """The map that divides a power of the variance out of each principal axis."""
    floor = 1e-6 * max(float(values.max()), 1e-12)
    out: Array = axes * np.maximum(values, floor) ** (-power / 2)
    return out


def _standardised(mapping: Array | None, sample: Array) -> Metric:
    """A map's metric: the map brought to unit mean variance on the sample, and the squared lengths there."""
    if mapping is not None:
        spread = float((sample @ mapping).var(axis=0).mean())
        mapping = (mapping / np.sqrt(max(spread, 1e-12))).astype(np.float32)
    mapped = sample if mapping is None else sample @ mapping
    lengths = np.einsum("ij,ij->i", mapped, mapped)
    return Metric(mapping, float(lengths.mean()), float(lengths.std()) or 1.0)


def _nearest(block: Array, centres: Array) -> Array:
    out: Array = np.argmax(block @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres), axis=1)
    return out
