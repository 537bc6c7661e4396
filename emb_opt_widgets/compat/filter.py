"""The filter step: which of the items that were found may be scored."""

from __future__ import annotations

from typing import Any

from emb_opt_widgets.compat.module import Module
from emb_opt_widgets.compat.schemas import Batch, FilterFunction, FilterResponse, Item

__all__ = ["CompositeFilterPlugin", "FilterModule", "FilterPlugin"]


class FilterModule(Module):
    """Asks a filter function about all valid results of a batch, and removes those that it refuses."""

    def __init__(self, function: FilterFunction | None) -> None:
        super().__init__(FilterResponse, function)

    def gather_inputs(self, batch: Batch) -> tuple[list[Any], list[Item]]:
        return batch.flatten_query_results()

    def scatter_results(self, batch: Batch, idxs: Any, results: list[FilterResponse]) -> None:
        for place, result in zip(idxs, results):
            item = batch.get_item(*place)
            if result.data:
                item.data.update(result.data)
            if not result.valid:
                item.update_internal(removed=True, removal_reason="filter response invalid")
        for query in batch:
            query.update_internal()


class FilterPlugin:
    """What a filter function is: a list of `Item` to a list of `FilterResponse`, or of dictionaries like it."""

    def __call__(self, inputs: list[Item]) -> list[FilterResponse]:
        """One verdict for each item."""
        raise NotImplementedError


class CompositeFilterPlugin:
    """Lets through what all of its filters let through; their answers are kept as `filter_results`."""

    def __init__(self, functions: list[FilterFunction]) -> None:
        self.functions = functions

    def __call__(self, inputs: list[Item]) -> list[FilterResponse]:
        """One verdict for each item."""
        answers = [
            [FilterResponse.model_validate(answer) for answer in function(inputs)] for function in self.functions
        ]
        return [
            FilterResponse(
                valid=all(answer.valid for answer in each),
                data={"filter_results": [answer.model_dump() for answer in each]},
            )
            for each in ([row[i] for row in answers] for i in range(len(inputs)))
        ]
