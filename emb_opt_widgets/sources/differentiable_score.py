"""A score that tells its gradient: one forward and one backward pass by PyTorch for a batch of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import FunctionError, InputError, needing

if TYPE_CHECKING:
    import torch

__all__ = ["differentiable"]


class _Differentiable:
    """A score function of items, from one of points."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = getattr(function, "__module__", __name__)

    def __call__(self, items: Items) -> list[dict[str, Any]]:
        with needing("differentiable", "torch"):
            import torch

        points = torch.tensor(np.asarray(items.embeddings), requires_grad=True)
        with torch.enable_grad():
            scores = self._function(points)
            if not isinstance(scores, torch.Tensor) or scores.shape != (len(points),) or not scores.requires_grad:
                told = isinstance(scores, torch.Tensor)
                raise FunctionError(
                    "The score is not differentiable",
                    expected=f"a tensor ({len(points)},) that depends on the points",
                    got=f"{tuple(scores.shape)}, requires_grad={scores.requires_grad}"
                    if told
                    else type(scores).__name__,
                    hint="Use torch's operations on the tensor that is given, without detach(), item() or numpy()",
                )
            (gradients,) = torch.autograd.grad(scores.sum(), points)
        values = scores.detach().double().tolist()
        slopes = gradients.double()
        return [
            {"score": value, "data": {"gradient": slope.tolist()} if bool(torch.isfinite(slope).all()) else None}
            for value, slope in zip(values, slopes)
        ]


def differentiable(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Items], list[dict[str, Any]]]:
    """A score for `Search` that answers with its gradient, too, so that the default strategy climbs along it.

    Args:
        function: `(n, d)` points, a tensor, to `(n,)` scores by torch's operations; each score depends on its own
            point alone.

    Raises:
        InputError: It is not a function.
    """
    if not callable(function):
        raise InputError("This is no function", expected="a callable", got=type(function).__name__)
    return _Differentiable(function)
