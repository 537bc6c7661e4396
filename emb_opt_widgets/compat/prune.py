"""The prune step: which scored queries go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.module import Module
from emb_opt_widgets.compat.schemas import Batch, PruneFunction, PruneResponse, Query
from emb_opt_widgets.errors import InputError

__all__ = ["PruneModule", "PrunePlugin", "TopKPrune"]


class PruneModule(Module):
    """Asks a prune function about all valid queries of a batch, and removes those that it refuses."""

    def __init__(self, function: PruneFunction | None) -> None:
        super().__init__(PruneResponse, function)

    def gather_inputs(self, batch: Batch) -> tuple[list[Any], list[Query]]:
        return batch.flatten_queries()

    def scatter_results(self, batch: Batch, idxs: Any, results: list[PruneResponse]) -> None:
        for place, result in zip(idxs, results):
            query = batch.get_item(*place)
            if result.data:
                query.data.update(result.data)
            if not result.valid:
                query.update_internal(removed=True, removal_reason="prune response invalid")


class PrunePlugin:
    """What a prune function is: a list of scored `Query` to a list of `PruneResponse`, or of dictionaries like it."""

    def __call__(self, inputs: list[Query]) -> list[PruneResponse]:
        """One verdict for each query."""
        raise NotImplementedError


class TopKPrune:
    """Keeps the `k` best queries of each group.

    Args:
        k: How many of each group go on.
        score_agg: What makes a query good: the "mean" or the "max" of its valid results' scores.
        group_by: "collection_id", "parent_id", or None: all one group.
    """

    def __init__(self, k: int, score_agg: str = "mean", group_by: str | None = "collection_id") -> None:
        self.k = k
        self.score_agg = score_agg
        self.group_by = group_by
        if score_agg not in ("mean", "max"):
            raise InputError("score_agg is not usable", expected='"mean" or "max"', got=repr(score_agg))
        if group_by not in (None, "collection_id", "parent_id"):
            expected = '"collection_id", "parent_id" or None'
            raise InputError("group_by is not usable", expected=expected, got=repr(group_by))

    def agg_scores(self, query: Any) -> Any:
        """What a query is judged by."""
        scores: npt.NDArray[Any] = np.array([item.score for item in query.valid_results()])
        return scores.mean() if self.score_agg == "mean" else scores.max()

    def get_group_key(self, query: Any) -> Any:
        """The group a query is judged in."""
        return None if self.group_by is None else getattr(query.internal, self.group_by)

    def prune_queries(self, queries: list[Any]) -> list[PruneResponse]:
        """The verdicts on one group."""
        scores = np.array([self.agg_scores(query) for query in queries])
        best = set(scores.argsort()[::-1][: self.k].tolist())
        return [
            PruneResponse(valid=i in best, data={f"{self.score_agg}_score": score}) for i, score in enumerate(scores)
        ]

    def group_queries(self, queries: list[Any]) -> tuple[dict[Any, list[int]], dict[Any, list[Any]]]:
        """The places of each group's queries, and the queries."""
        places: dict[Any, list[int]] = {}
        members: dict[Any, list[Any]] = {}
        for place, query in enumerate(queries):
            key = self.get_group_key(query)
            places.setdefault(key, []).append(place)
            members.setdefault(key, []).append(query)
        return places, members

    def scatter_queries(
        self, idx_groups: dict[Any, list[int]], query_groups: dict[Any, list[Any]], total_queries: int
    ) -> list[Any]:
        """The verdicts on all groups, in the queries' order."""
        verdicts: list[Any] = [None] * total_queries
        for key, queries in query_groups.items():
            for place, verdict in zip(idx_groups[key], self.prune_queries(queries)):
                verdicts[place] = verdict
        return verdicts

    def __call__(self, queries: list[Any]) -> list[PruneResponse]:
        """One verdict for each query."""
        return self.scatter_queries(*self.group_queries(queries), len(queries))
