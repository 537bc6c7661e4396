"""How many queries look at once at most: an update that makes several of each in every round grows without bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.queries import Proposals
from emb_opt_widgets.engine.state import State

__all__ = ["MAX_QUERIES", "limited", "too_many"]

MAX_QUERIES = 10_000
"""Active queries at most, where nothing else is asked for."""


def limited(made: Proposals, state: State) -> Proposals:
    """Proposals, without the children of the worst queries where they are more than `max_queries`.

    Children of one query go by the order in which they were made, and new roots before all. The order stays.
    """
    limit = state.config.get("max_queries", MAX_QUERIES)
    if limit is None or len(made) <= limit:
        return made
    parents = np.asarray(made.parents, np.int64)
    gains = np.full(len(parents), np.inf)
    old = (parents >= 0) & (parents < state.n_nodes)
    best = state.nodes["max"][parents[old]] * state.sign
    gains[old] = np.where(np.isfinite(best), best, -np.inf)
    rows = np.arange(limit) if (parents >= state.n_nodes).any() else np.sort(np.argsort(-gains, kind="stable")[:limit])
    return _take(made, rows)


def too_many(limit: int) -> str:
    """What a person is told of queries that were left out."""
    return (
        f"The update makes more queries than may look at once: the {limit:,} that come of the best go on, the others "
        "are left out. Give the search a pruner (prune=TopKPrune(k)), or another max_queries."
    )


def _take(made: Proposals, rows: npt.NDArray[np.intp]) -> Proposals:
    def of(column: Any) -> Any:
        if column is None or isinstance(column, str):
            return column
        return column[rows] if isinstance(column, np.ndarray) else [column[i] for i in rows.tolist()]

    names = ("embeddings", "parents", "operator", "reason", "propensity", "gradients", "items")
    return replace(made, **{name: of(getattr(made, name)) for name in names})
