"""Statistics of scored queries, over all their valid hits, cached ones included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import groups_by_length
from emb_opt_widgets.engine.queries import Queries

__all__ = ["query_statistics"]

Float64 = npt.NDArray[np.float64]


def query_statistics(queries: Queries) -> tuple[npt.NDArray[np.int64], Float64, Float64]:
    """Per query: number of valid hits, their mean score, and their best score (NaN where there are none).

    Returns:
        `(n_valid (q,), mean (q,), best (q,))`, in the scores' own units; the best is the smallest where low
        scores are sought.
    """
    gains, _, _, offsets = queries.scored()
    mean = np.full(len(queries), np.nan)
    best = np.full(len(queries), np.nan)
    for rows, positions in groups_by_length(offsets):
        values = gains[positions]
        mean[rows] = values.mean(axis=1)
        best[rows] = values.max(axis=1)
    return np.diff(offsets), mean * queries.sign, best * queries.sign
