"""Statistics of scored queries, over all their valid hits, cached ones included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import groups_by_length

__all__ = ["bounded", "ragged_statistics"]

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
