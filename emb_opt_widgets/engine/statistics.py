"""Statistics of scored queries, over all their valid hits, cached ones included; and of measurements of one item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import groups_by_length

__all__ = ["bounded", "combined", "pooled_noise", "ragged_statistics"]

Float64 = npt.NDArray[np.float64]


_HUGE = 1e100


def bounded(scores: Float64) -> Float64:
    """Scores cut to ±1e100, so that sums and squares of any finite scores stay finite."""
    return np.clip(scores, -_HUGE, _HUGE)


def ragged_statistics(
    scores: Float64, valid: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64], sign: float
) -> tuple[npt.NDArray[np.int64], Float64, Float64]:
    """Per query: number of valid hits, their mean score, and their best score (NaN where there are none).

    Args:
        scores: `(m,)` of the hits, ragged by `offsets`.
        valid: `(m,)`.
        offsets: `(q + 1,)`.
        sign: 1.0 when high scores are sought, else -1.0.

    Returns:
        `(n_valid (q,), mean (q,), best (q,))` in the scores' own units.
    """
    values = bounded(scores[valid]) * sign
    kept = np.concatenate([[0], np.cumsum(valid)])[offsets].astype(np.int64)
    mean = np.full(len(offsets) - 1, np.nan)
    best = np.full(len(offsets) - 1, np.nan)
    for rows, positions in groups_by_length(kept):
        block = values[positions]
        mean[rows] = block.mean(axis=1)
        best[rows] = block.max(axis=1)
    return np.diff(kept), mean * sign, best * sign


def combined(
    values: Float64, noise: Float64, groups: npt.NDArray[np.int64], n_groups: int
) -> tuple[npt.NDArray[np.int64], Float64, Float64]:
    """Per group: how many measurements, their mean, and its standard error (NaN where nothing tells it).

    Weights are 1/σ² where every σ of a group is known; exact measurements (σ = 0) leave the others out; where a σ is
    unknown the mean is the plain one, and its error that of the scatter. One measurement is its own mean, to the bit.

    Args:
        values: `(m,)` finite.
        noise: `(m,)` σ of each, NaN where unknown.
        groups: `(m,)` the group of each, from 0 to `n_groups - 1`.
        n_groups: How many.
    """
    n = np.bincount(groups, minlength=n_groups)
    exact = np.bincount(groups, noise == 0, n_groups) > 0
    unknown = (np.bincount(groups, np.isnan(noise), n_groups) > 0) & ~exact
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(exact[groups], (noise == 0).astype(np.float64), 1 / noise**2)
        weight = np.where(unknown[groups], 1.0, weight)
        total = np.bincount(groups, weight, n_groups)
        middle = np.bincount(groups, values * (weight / total[groups]), n_groups)
        scatter = np.bincount(groups, weight * (values - middle[groups]) ** 2, n_groups)
        by_scatter = np.where(n > 1, np.sqrt(scatter / (n - 1.0)) / np.sqrt(n), np.nan)
        error = np.where(exact, 0.0, np.where(unknown, by_scatter, 1 / np.sqrt(total)))
    alone = n[groups] == 1
    middle[groups[alone]] = values[alone]
    return n, np.where(n > 0, middle, np.nan), np.where(n > 0, error, np.nan)


def pooled_noise(values: Float64, groups: npt.NDArray[np.int64], n_groups: int) -> float:
    """Standard deviation of one measurement, from the scatter within groups; NaN where none has two."""
    n = np.bincount(groups, minlength=n_groups)
    if not (n > 1).any():
        return float("nan")
    middle = np.bincount(groups, values, n_groups) / np.maximum(n, 1)
    return float(np.sqrt(((values - middle[groups]) ** 2).sum() / (n[n > 1] - 1).sum()))
