"""When a search is over before its budget is spent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emb_opt_widgets.engine.events import Finished
from emb_opt_widgets.engine.status import Ending
from emb_opt_widgets.errors import InputError

if TYPE_CHECKING:
    from emb_opt_widgets.engine.state import State

__all__ = ["Until", "describe_until", "reached"]


@dataclass(frozen=True, slots=True)
class Until:
    """Endings beside the budget; whichever comes first.

    Args:
        score: A score that is as good as one wishes.
        no_better_for: So many calls in a row that find nothing better.
        seconds: Wall time of a run.

    Raises:
        InputError: One of them is not usable.
    """

    score: float | None = None
    no_better_for: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        whole = isinstance(self.no_better_for, (int, np.integer)) and not isinstance(self.no_better_for, bool)
        if self.score is not None and not (_number(self.score) and np.isfinite(self.score)):
            raise InputError("Until(score=…) is not usable", expected="a finite number", got=repr(self.score))
        if self.no_better_for is not None and not (whole and self.no_better_for >= 1):
            raise InputError(
                "Until(no_better_for=…) is not usable", expected="calls, at least 1", got=repr(self.no_better_for)
            )
        if self.seconds is not None and not (_number(self.seconds) and 0 < self.seconds < np.inf):
            raise InputError("Until(seconds=…) is not usable", expected="seconds above 0", got=repr(self.seconds))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def describe_until(until: Any) -> dict[str, Any] | None:
    """The `until` argument as plain values.

    Raises:
        InputError: It is no `Until`.
    """
    if until is None:
        return None
    if not isinstance(until, Until):
        raise InputError(
            "until is not usable", expected="eow.Until(score=…, no_better_for=…, seconds=…), or None", got=repr(until)
        )
    return {name: value if value is None else float(value) for name, value in asdict(until).items()}


def reached(state: State, seconds: float) -> Finished | None:
    """The ending of `until` that a search has come to.

    Args:
        state: The fold.
        seconds: How long this run has been going.
    """
    until = state.config.get("until")
    if not until:
        return None
    score, calls, time = until["score"], until["no_better_for"], until["seconds"]
    best = None if state.best_row < 0 else float(state.items["score"][state.best_row])
    if score is not None and best is not None and (best - score) * state.sign >= 0:
        return Finished(Ending.REACHED.name, Ending.REACHED.value)
    if calls is not None and state.unimproved >= calls:
        return Finished(Ending.UNIMPROVED.name, Ending.UNIMPROVED.value.format(n=int(calls)))
    if time is not None and seconds >= time:
        return Finished(Ending.TIMED.name, Ending.TIMED.value)
    return None
