"""`Module`: gathers a function's inputs from a batch, calls it, checks its answers, and puts them into the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emb_opt_widgets.compat.schemas import Batch

__all__ = ["Module"]


class Module:
    """Base of the steps of a round.

    Args:
        output_schema: The model of one answer.
        function: From a list of inputs to a list of answers, as models or as dictionaries. None: the step is left out.
    """

    def __init__(self, output_schema: Any, function: Callable[..., Any] | None) -> None:
        self.output_schema = output_schema
        self.function = function

    def gather_inputs(self, batch: Batch) -> tuple[list[Any], list[Any]]:
        """The places of the function's inputs in the batch, and the inputs."""
        raise NotImplementedError

    def validate_schema(self, results: Any) -> list[Any]:
        """The answers as models."""
        return [self.output_schema.model_validate(result) for result in results]

    def scatter_results(self, batch: Any, idxs: Any, results: Any) -> Any:
        """Put the answers where their inputs came from."""
        raise NotImplementedError

    def __call__(self, batch: Batch) -> Batch:
        """The step on a batch, in place."""
        if self.function is not None:
            idxs, inputs = self.gather_inputs(batch)
            self.scatter_results(batch, idxs, self.validate_schema(self.function(inputs)))
        return batch
