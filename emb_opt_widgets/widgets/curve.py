"""The best-so-far curve and the means of the rounds, thin enough to draw. Pure: knows no widgets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["POINTS", "Curve", "best_so_far", "round_means", "thinned"]

POINTS = 1_000
"""Points of a curve at most."""
Float64 = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """Points to draw.

    Attributes:
        x: `(m,)` calls paid by then, from 1.
        y: `(m,)` values.
    """

    x: Float64
    y: Float64


def best_so_far(scores: Float64, sign: float) -> Curve:
    """The corners of the best score against calls, and its last point.

    Args:
        scores: `(n,)` in the order of payment; NaN where a score failed.
        sign: 1.0 when high scores are sought, else -1.0.
    """
    gains = np.where(np.isfinite(scores), scores * sign, -np.inf)
    best = np.maximum.accumulate(gains)
    corners = np.flatnonzero(best > np.concatenate([[-np.inf], best[:-1]]))
    if not len(corners):
        return Curve(np.empty(0), np.empty(0))
    corners = thinned(corners)
    x: Float64 = np.append(corners + 1.0, float(len(scores)))
    return Curve(x, np.append(best[corners], best[-1]) * sign)


def round_means(scores: Float64, rounds: npt.NDArray[np.int64]) -> Curve:
    """The mean of each round's scores, where it ended.

    Args:
        scores: `(n,)` in the order of payment; NaN where a score failed.
        rounds: `(n,)` the round in which each was paid for, never falling.
    """
    fine = np.flatnonzero(np.isfinite(scores))
    if not len(fine):
        return Curve(np.empty(0), np.empty(0))
    starts = np.flatnonzero(np.diff(rounds[fine], prepend=-1))
    counts = np.diff(np.append(starts, len(fine)))
    with np.errstate(over="ignore", invalid="ignore"):
        means: Float64 = np.add.reduceat(scores[fine], starts) / counts
        if not np.isfinite(means).all():
            means = np.nan_to_num(np.add.reduceat(scores[fine] / np.repeat(counts, counts), starts))
    ends: Float64 = fine[starts + counts - 1].astype(np.float64) + 1.0
    kept = thinned(np.arange(len(means)))
    return Curve(ends[kept], means[kept])


def thinned(rows: npt.NDArray[np.int64], most: int = POINTS) -> npt.NDArray[np.int64]:
    """At most `most` of `(n,)` rows, the first and the last among them, evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(np.int64))]
