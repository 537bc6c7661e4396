"""`CompositeFilter` and `CompositeScore`: several filters or scores as one (`emb_opt.filter`, `emb_opt.score`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from emb_opt_widgets.engine.answers import Answer, read_filter, read_scores
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import InputError

__all__ = ["CompositeFilter", "CompositeScore"]


def _checked(functions: Any) -> tuple[Callable[[Items], Any], ...]:
    out = tuple(functions)
    wrong = [f for f in out if not callable(f)]
    if not out or wrong:
        raise InputError("functions is not usable", expected="one or more functions of Items", got=wrong or "none")
    return out


@dataclass(frozen=True, slots=True)
class CompositeFilter:
    """Lets an item through that every filter lets through.

    Each item's `data["filter_results"]` lists the single verdicts, with what else each filter answered.

    Args:
        functions: Filter functions.

    Raises:
        InputError: None, or one that is no function.
    """

    functions: tuple[Callable[[Items], Any], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", _checked(self.functions))

    def __call__(self, items: Items) -> list[dict[str, Any] | BaseException]:
        answers = [read_filter(function(items), len(items)) for function in self.functions]
        return [
            {
                "valid": all(bool(a.values[i]) for a in answers),
                "data": {"filter_results": [{"valid": bool(a.values[i]), "data": _data(a, i)} for a in answers]},
            }
            for i in range(len(items))
        ]


@dataclass(frozen=True, slots=True)
class CompositeScore:
    """The sum of several scores; an item is valid where all of them are.

    Each item's `data["score_results"]` lists the single scores, with what else each function answered.

    Args:
        functions: Score functions, plain ones (not async).

    Raises:
        InputError: None, or one that is no function.
    """

    functions: tuple[Callable[[Items], Any], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", _checked(self.functions))

    def __call__(self, items: Items) -> list[dict[str, Any] | BaseException]:
        answers = [read_scores(function(items), len(items)) for function in self.functions]
        values = np.array([a.values for a in answers])
        valid = np.isfinite(values).all(axis=0)
        failed = {i: error for answer in answers for i, error in answer.errors.items()}
        return [
            failed[i]
            if i in failed
            else {
                "valid": bool(valid[i]),
                "score": float(values[:, i].sum()) if valid[i] else None,
                "data": {"score_results": [{"score": _score(a, i), "data": _data(a, i)} for a in answers]},
            }
            for i in range(len(items))
        ]


def _score(answer: Answer, i: int) -> float | None:
    value = float(answer.values[i])
    return value if np.isfinite(value) else None


def _data(answer: Answer, i: int) -> dict[str, Any] | None:
    found = None if answer.data is None else answer.data[i]
    return None if found is None else dict(found)
