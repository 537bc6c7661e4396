"""The score step."""

from __future__ import annotations

from typing import Any

from emb_opt_widgets.compat.module import Module
from emb_opt_widgets.compat.schemas import Batch, Item, ScoreFunction, ScoreResponse

__all__ = ["CompositeScorePlugin", "ScoreModule", "ScorePlugin"]


class ScoreModule(Module):
    """Asks a score function about all valid results of a batch, and removes those that it gives no score."""

    def __init__(self, function: ScoreFunction | None) -> None:
        super().__init__(ScoreResponse, function)

    def gather_inputs(self, batch: Batch) -> tuple[list[Any], list[Item]]:
        return batch.flatten_query_results()

    def scatter_results(self, batch: Batch, idxs: Any, results: list[ScoreResponse]) -> None:
        for place, result in zip(idxs, results):
            item = batch.get_item(*place)
            item.score = result.score
            if result.data:
                item.data.update(result.data)
            if not result.valid:
                item.update_internal(removed=True, removal_reason="score response invalid")
        for _, item in batch.enumerate_query_results():
            if item.score is None:
                item.update_internal(removed=True, removal_reason="null score")
        for query in batch:
            query.update_internal()


class ScorePlugin:
    """What a score function is: a list of `Item` to a list of `ScoreResponse`, or of dictionaries like it."""

    def __call__(self, inputs: list[Item]) -> list[ScoreResponse]:
        """One score for each item."""
        raise NotImplementedError


class CompositeScorePlugin:
    """The sum of its functions' scores; their answers are kept as `score_results`."""

    def __init__(self, functions: list[ScoreFunction]) -> None:
        self.functions = functions

    def __call__(self, inputs: list[Item]) -> list[ScoreResponse]:
        """One score for each item: invalid where one of the answers is, none where one of them is missing."""
        answers = [[ScoreResponse.model_validate(answer) for answer in function(inputs)] for function in self.functions]
        return [_sum([row[i] for row in answers]) for i in range(len(inputs))]


def _sum(answers: list[ScoreResponse]) -> ScoreResponse:
    scores = [answer.score for answer in answers if answer.score is not None]
    return ScoreResponse(
        valid=all(answer.valid for answer in answers),
        score=sum(scores) if len(scores) == len(answers) else None,
        data={"score_results": [answer.model_dump() for answer in answers]},
    )
