"""What a patch does to a hidden state, given a vector. The first three are those of the package steering-vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from emb_opt_widgets.errors import InputError

__all__ = ["OPERATORS", "Operator", "operator_of"]

Operator = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Scaled = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def _add(hidden: torch.Tensor, vector: torch.Tensor, scale: float) -> torch.Tensor:
    return hidden + scale * vector


def _without(hidden: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    unit = vector / torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    along = (hidden * unit).sum(dim=-1, keepdim=True)
    return torch.mul(-unit, along)


def _project(hidden: torch.Tensor, vector: torch.Tensor, scale: float) -> torch.Tensor:
    return hidden + scale * _without(hidden, vector)


def _project_add(hidden: torch.Tensor, vector: torch.Tensor, scale: float) -> torch.Tensor:
    return hidden + (_without(hidden, vector) + scale * vector)


def _replace(hidden: torch.Tensor, vector: torch.Tensor, scale: float) -> torch.Tensor:
    return (vector if scale == 1 else scale * vector).expand_as(hidden)


OPERATORS: Mapping[str, Scaled] = {
    "add": _add,
    "project": _project,
    "project_add": _project_add,
    "replace": _replace,
}


def operator_of(operator: str | Operator, scale: float) -> Operator:
    """Hidden state `(…, d)` and vector `(…, d)` to the new hidden state.

    Raises:
        InputError: There is no such operator, or the scale is not finite.
    """
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not abs(scale) < float("inf"):
        raise InputError("scale is not usable", expected="a finite number", got=repr(scale))
    if not isinstance(operator, str) and callable(operator):
        own: Operator = operator
        return lambda hidden, vector: own(hidden, vector if scale == 1 else scale * vector)
    if operator not in OPERATORS:
        raise InputError(
            "operator is not usable",
            expected=f"{', '.join(map(repr, OPERATORS))}, or a function of hidden state and vector",
            got=repr(operator),
        )
    known = OPERATORS[str(operator)]
    return lambda hidden, vector: known(hidden, vector, scale)
