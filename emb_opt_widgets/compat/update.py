"""The update step: from scored queries to new ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.module import Module
from emb_opt_widgets.compat.schemas import Batch, Query, UpdateFunction, UpdateResponse
from emb_opt_widgets.compat.utils import compute_rl_grad, query_to_rl_inputs

__all__ = [
    "RLUpdate",
    "TopKContinuousUpdate",
    "TopKDiscreteUpdate",
    "UpdateModule",
    "UpdatePlugin",
    "UpdatePluginGradientWrapper",
]


class UpdateModule(Module):
    """Asks an update function for new queries from all valid queries of a batch."""

    def __init__(self, function: UpdateFunction) -> None:
        super().__init__(UpdateResponse, function)

    def gather_inputs(self, batch: Batch) -> tuple[list[Any], list[Query]]:
        return batch.flatten_queries()

    def scatter_results(self, inputs: Any, results: Any) -> Batch:  # type: ignore[override]
        """The new queries as a batch, told whose children they are."""
        known = {query.id: query for query in inputs}
        for result in results:
            parent = known.get(result.parent_id)
            if parent is not None:
                result.query.update_internal(parent_id=parent.id, collection_id=parent.internal.collection_id)
        return Batch(queries=[result.query for result in results])

    def __call__(self, batch: Batch) -> Batch:
        """A new batch; the given one stays as it is."""
        _, inputs = self.gather_inputs(batch)
        function: Any = self.function
        return self.scatter_results(inputs, self.validate_schema(function(inputs)))


class UpdatePlugin:
    """What an update function is: a list of scored `Query` to a list of `UpdateResponse`, or of dictionaries like it.

    There may be more or fewer answers than queries.
    """

    def __call__(self, inputs: list[Query]) -> list[UpdateResponse]:
        """New queries."""
        raise NotImplementedError


def _best(query: Any, k: int) -> list[Any]:
    """A query's `k` best valid results, best first."""
    results = list(query.valid_results())
    order = np.array([result.score for result in results]).argsort()[::-1][:k]
    return [results[i] for i in order]


class UpdatePluginGradientWrapper:
    """Gives the queries of another update the score gradient of their parents' results, as `data["_score_grad"]`.

    `DataPluginGradWrapper` then looks along it.

    Args:
        function: The update that makes the queries.
        distance_penalty: Pull towards the results.
        max_norm: Longest gradient. None: any.
        norm_type: Its norm.
    """

    def __init__(
        self,
        function: UpdateFunction,
        distance_penalty: float = 0,
        max_norm: float | None = None,
        norm_type: Any = 2.0,
    ) -> None:
        self.function = function
        self.distance_penalty = distance_penalty
        self.max_norm = max_norm
        self.norm_type = norm_type

    def __call__(self, inputs: Any) -> list[UpdateResponse]:
        """The update's queries, with their gradients."""
        outputs = [UpdateResponse.model_validate(output) for output in self.function(inputs)]
        known = {str(query.id): query for query in inputs}
        for output in outputs:
            query: Any = output.query
            embedding = np.array(query.embedding)
            parent = known.get(str(output.parent_id))
            flat = np.zeros(embedding.shape)
            query.data["_score_grad"] = flat if parent is None else self._gradient(embedding, parent)
        return outputs

    def _gradient(self, embedding: npt.NDArray[Any], parent: Any) -> npt.NDArray[Any]:
        _, results, scores = query_to_rl_inputs(parent)
        return compute_rl_grad(
            embedding, results, scores, self.distance_penalty, self.max_norm, self.norm_type, score_grad=True
        )


class TopKDiscreteUpdate(UpdatePlugin):
    """Each of a query's `k` best results becomes a query."""

    def __init__(self, k: int) -> None:
        self.k = k

    def __call__(self, inputs: Any) -> list[UpdateResponse]:
        """At most `k` new queries for each query."""
        best = [item for query in inputs for item in _best(query, self.k)]
        return [UpdateResponse(query=Query.from_item(item), parent_id=item.internal.parent_id) for item in best]


class TopKContinuousUpdate:
    """The mean of a query's `k` best results becomes a query."""

    def __init__(self, k: int) -> None:
        self.k = k

    def __call__(self, inputs: Any) -> list[UpdateResponse]:
        """One new query for each query."""
        outputs = []
        for query in inputs:
            mean = np.average(np.array([item.embedding for item in _best(query, self.k)]), 0)
            child = Query.from_parent_query(embedding=mean, parent_query=query)
            outputs.append(UpdateResponse(query=child, parent_id=query.id))
        return outputs


class RLUpdate:
    """Moves every query against its estimated loss gradient, once for each learning rate.

    Args:
        lrs: Learning rates.
        distance_penalty: Pull towards the results, in units of the whitened scores.
        max_norm: Longest gradient. None: any.
        norm_type: Its norm.
    """

    def __init__(self, lrs: Any, distance_penalty: float, max_norm: float | None = None, norm_type: Any = 2.0) -> None:
        self.lrs = np.array(lrs)
        self.distance_penalty = distance_penalty
        self.max_norm = max_norm
        self.norm_type = norm_type

    def compute_grad(self, query: Any) -> npt.NDArray[Any]:
        """The loss gradient at a query."""
        return compute_rl_grad(*query_to_rl_inputs(query), self.distance_penalty, self.max_norm, self.norm_type)

    def __call__(self, queries: Any) -> list[UpdateResponse]:
        """A new query for each query and learning rate."""
        results = []
        for query in queries:
            grad = self.compute_grad(query)
            start = np.array(query.embedding)
            for lr, moved in zip(self.lrs, start[None] - grad[None] * self.lrs[:, None]):
                child: Any = Query.from_parent_query(embedding=moved.tolist(), parent_query=query)
                child.data["rl_update_details"] = {"parent_embedding": start.tolist(), "lr": lr, "grad": grad.tolist()}
                results.append(UpdateResponse(query=child, parent_id=query.id))
        return results
