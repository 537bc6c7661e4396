"""`TopKPrune`: the best queries of each group go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.queries import Queries
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies.topk import best_first, check_k

__all__ = ["TopKPrune"]


@dataclass(frozen=True, slots=True)
class TopKPrune:
    """Keeps the `k` best queries of each group (`emb_opt.prune.TopKPrune`).

    Args:
        k: How many of each group go on.
        score_agg: What makes a query good: the "mean" or the "max" of its valid hits' scores.
        group_by: "collection_id" (the root it descends from), "parent_id", or None: all one group.
    """

    k: int
    score_agg: Literal["mean", "max"] = "mean"
    group_by: Literal["collection_id", "parent_id"] | None = "collection_id"

    def __post_init__(self) -> None:
        check_k(self.k)
        if self.score_agg not in ("mean", "max"):
            raise InputError("score_agg is not usable", expected='"mean" or "max"', got=repr(self.score_agg))
        if self.group_by not in (None, "collection_id", "parent_id"):
            raise InputError(
                "group_by is not usable", expected='"collection_id", "parent_id" or None', got=repr(self.group_by)
            )

    def keep(self, queries: Queries) -> npt.NDArray[np.bool_]:
        _, mean, best = queries.statistics()
        scores = (mean if self.score_agg == "mean" else best) * queries.sign
        scores = np.where(np.isnan(scores), -np.inf, scores)
        groups = {"collection_id": queries.collections, "parent_id": queries.parents}
        labels = groups[self.group_by] if self.group_by else np.zeros(len(queries), np.int64)
        keep = np.zeros(len(queries), np.bool_)
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            keep[members[best_first(scores[members])[: self.k]]] = True
        return keep
