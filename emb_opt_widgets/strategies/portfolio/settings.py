"""What a strategy of this family is made of, checked, and how its operators share the calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from emb_opt_widgets.engine.boundary import check_called
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies.portfolio.bandit import shares
from emb_opt_widgets.strategies.portfolio.ensemble import WORKS, Ensemble
from emb_opt_widgets.strategies.portfolio.operators import (
    ASKERS,
    OPERATORS,
    Asker,
    Blend,
    Coverage,
    Only,
    Operator,
    Uniform,
)
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import SURROGATES, Surrogate

__all__ = ["Settings", "check_weight", "operator_shares", "read_operators", "read_surrogates"]

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a strategy of this family is made of; as in `Portfolio`."""

    operators: Sequence[Operator]
    surrogates: Sequence[Surrogate]
    caution: float
    boldness: float
    askers: Sequence[Asker] = tuple(ASKERS.values())

    @classmethod
    def of(
        cls, parts: Sequence[Operator | Asker], surrogates: Sequence[Surrogate], caution: float, bold: float
    ) -> Settings:
        """Operators by what they are for; the usual ones where none is."""
        operators = [one for one in parts if isinstance(one, Operator)] or list(OPERATORS.values())
        askers = [one for one in parts if isinstance(one, Asker)] or list(ASKERS.values())
        return cls(operators, surrogates, caution, bold, askers)

    @property
    def blind(self) -> bool:
        """Whether no operator looks at scores."""
        return all(isinstance(one, (Coverage, Uniform)) for one in self.operators)

    @property
    def by_chance(self) -> bool:
        """Whether all is left to chance."""
        return all(isinstance(one, Uniform) for one in self.operators)


def operator_shares(
    operators: Sequence[Operator], ensemble: Ensemble, memory: Memory, left: float, rng: np.random.Generator
) -> dict[str, float]:
    """Each operator's share of the calls.

    The better the models explain the scores, the fewer hits the others begin with beside their blend; and what is asked
    in order to learn is worth less the less of the budget is left to use it, from the middle on.
    """
    doubted = {
        one.name: one.prior if isinstance(one, Blend) else (one.prior[0] * ensemble.unexplained, one.prior[1])
        for one in operators
    }
    drawn = shares(memory.credit, doubted, rng)
    learning = {one.name for one in operators if one.learning}
    worth = {name: p * min(1.0, 2 * left) if name in learning else p for name, p in drawn.items()}
    total = sum(worth.values())
    return {name: p / total for name, p in worth.items()}


def check_weight(name: str, value: float) -> None:
    """Raise `InputError` unless it is a finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < np.inf:
        raise InputError(f"{name} is not usable", expected="a finite number of at least 0", got=repr(value))


def read_surrogates(given: Any) -> tuple[Surrogate, ...]:
    """Surrogates from objects and names, checked.

    Raises:
        InputError: None, an unknown name, a class, no surrogate, or two of one name.
    """
    out = _read("surrogates", given, SURROGATES, (Surrogate,), "name and fit(observed)")
    for one in out:
        check_called(f"surrogate {one.name}: fit", one.fit, "Fitted or JointFitted", ("observed",), later=False)
    if any(one.name == WORKS for one in out):
        raise InputError("surrogates is not usable", expected="other names", got=WORKS)
    return out


def read_operators(given: Any, surrogates: Sequence[Surrogate]) -> tuple[Operator | Asker, ...]:
    """Operators from objects and names, checked. The name of a surrogate of one's own stands for `Only` of it.

    Raises:
        InputError: None, an unknown name, a class, no operator, a prior that is none, or two of one name.
    """
    own = {one.name: Only((one.name,)) for one in surrogates if one.name not in OPERATORS}
    named: dict[str, Operator | Asker] = {**OPERATORS, **ASKERS, **own}
    has = "name, prior, and ask(ground) or learning, said and propose(board, n)"
    out = _read("operators", given, named, (Operator, Asker), has)
    for one in out:
        if isinstance(one, Asker):
            check_called(f"operator {one.name}: ask", one.ask, "a Question", ("ground",), later=False)
        else:
            check_called(f"operator {one.name}: propose", one.propose, "Candidates", ("board", "n"), later=False)
            _check_said(one)
        prior = one.prior
        if not isinstance(prior, (tuple, list)) or len(prior) != 2:
            raise InputError(f"The prior of {one.name} is not usable", expected="hits and misses", got=repr(prior))
        for value in prior:
            check_weight(f"The prior of {one.name}", value)
            if not value > 0:
                raise InputError(f"The prior of {one.name} is not usable", expected="numbers above 0", got=repr(prior))
    return out


def _check_said(operator: Operator) -> None:
    if not isinstance(operator.said, str) or not operator.said:
        raise InputError(
            f"operator {operator.name}: said is not usable", expected="a few words for people", got=repr(operator.said)
        )
    if not isinstance(operator.learning, (bool, np.bool_)):
        raise InputError(
            f"operator {operator.name}: learning is not usable", expected="True or False", got=repr(operator.learning)
        )


def _read(what: str, given: Any, named: Mapping[str, Part], kinds: tuple[type, ...], has: str) -> tuple[Part, ...]:
    parts = given if isinstance(given, (tuple, list)) else (given,)
    out: list[Any] = []
    for part in parts:
        if isinstance(part, str) and part not in named:
            raise InputError(f"{what} is not usable", expected=f"some of {', '.join(named)}", got=repr(part))
        one: Any = named[part] if isinstance(part, str) else part
        if isinstance(one, type):
            raise InputError(f"{what} is not usable", expected=f"an object: {one.__name__}()", got="the class itself")
        fits: bool = isinstance(one, kinds)
        if not fits:
            raise InputError(f"{what} is not usable", expected=f"names, or objects with {has}", got=type(one).__name__)
        if not isinstance(one.name, str) or not one.name:
            raise InputError(f"{what} is not usable", expected="a name for each", got=repr(one.name))
        out.append(one)
    names = [one.name for one in out]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not out or twice:
        got = f"{', '.join(twice)} more than once" if twice else "none"
        raise InputError(f"{what} is not usable", expected=f"some of {', '.join(named)}, each once", got=got)
    return tuple(out)
