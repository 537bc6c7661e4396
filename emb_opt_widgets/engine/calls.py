"""How a function is called, and what comes of it: the values that the calls layer takes and gives.

A failure is a fact about a call, not about the item. Failures are held back until another call answers: only then are
they verdicts on single bad items. An unbroken run of them is an outage, reported as a `Halt`, with nothing charged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.errors import InputError

__all__ = ["Answered", "CallHealth", "Calls", "Halt", "Opened", "Outcome"]

Rows = npt.NDArray[np.int32]


def _whole(name: str, value: object, least: int, optional: bool = False) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        also = " or None" if optional else ""
        raise InputError(f"{name} is not usable", expected=f"a whole number of at least {least}{also}", got=repr(value))


def _seconds(name: str, value: object, above: bool, unit: str = "seconds", optional: bool = True) -> None:
    if value is None and optional:
        return
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (above and value == 0):  # type: ignore[arg-type,operator]
        also = ", or None" if optional else ""
        least = "above 0" if above else "of at least 0"
        raise InputError(f"{name} is not usable", expected=f"{unit} {least}{also}", got=repr(value))


_KINDS = {
    "workers": int, "rate_limit": float, "retries": int, "backoff": float, "timeout": float, "batch_size": int,
    "failures_in_a_row": int,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calls:
    """How a function is called.

    Attributes:
        workers: Calls in flight at most. Without an executor: so many threads. None: as many as the executor runs at
            once, or one at a time where there is none.
        rate_limit: Calls a second at most. None: no limit.
        retries: How often a failing call is repeated for an item before the item counts as failed.
        backoff: Seconds before the first repetition; doubled before each further one.
        timeout: Seconds one call may take from its begin. None: no limit.
        batch_size: Items per call. None: all at once, or one each with an executor or workers.
        on_error: "record" removes the item that failed and goes on; "raise" ends the search.
        failures_in_a_row: So many items that fail one after the other, with no answer between, are an outage.

    Raises:
        InputError: One of them is not usable.
    """

    workers: int | None = None
    rate_limit: float | None = None
    retries: int = 0
    backoff: float = 1.0
    timeout: float | None = None
    batch_size: int | None = None
    on_error: str = "record"
    failures_in_a_row: int = 20

    def __post_init__(self) -> None:
        _whole("workers", self.workers, 1, optional=True)
        _seconds("rate_limit", self.rate_limit, above=True, unit="calls a second")
        _whole("retries", self.retries, 0)
        _seconds("backoff", self.backoff, above=False, optional=False)
        _seconds("timeout", self.timeout, above=True)
        _whole("batch_size", self.batch_size, 1, optional=True)
        if not isinstance(self.on_error, str) or self.on_error not in ("record", "raise"):
            raise InputError("on_error is not usable", expected='"record" or "raise"', got=repr(self.on_error))
        _whole("failures_in_a_row", self.failures_in_a_row, 1)
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else kind(value))


@dataclass(slots=True)
class CallHealth:
    """How a function has done so far; it outlives callers, so that a run of failures is seen across rounds.

    Attributes:
        worked: It has answered at least once.
        patience: So many failures in a row are an outage.
        run: Failures since it last answered.
        reported: Rows that failed since then, and were told as failed.
        first: What its first calls failed with, until one answers or the search was paused for it.
    """

    worked: bool = False
    patience: int = 20
    run: int = 0
    reported: list[int] = field(default_factory=list)
    first: list[str] | None = field(default_factory=list)


class Answered(NamedTuple):
    """Verdicts: scores, and failures that are known to be those of single items.

    Attributes:
        rows: `(n,)` item rows. answer: What is known of each now.
    """

    rows: Rows
    answer: Answer


class Opened(NamedTuple):
    """Rows that were handed in and are open again: nothing is known of them, and nothing is to be paid.

    Attributes:
        rows: `(n,)` item rows. reason: Why.
    """

    rows: Rows
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Halt:
    """The layer makes no more calls until rows are submitted anew; calls in flight end, and are told.

    Attributes:
        cause: An "outage"; "fatal" or "interrupt": a function asked for it; "error": `on_error="raise"`, a broken
            contract, or workers that cannot be had.
        reason: A sentence for a person.
        rows: `(n,)` rows of the failures that led to it. They are open again, and nothing is charged.
        failures: Row to why, for these.
        reported: `(m,)` rows of the same unbroken run that were told as failed earlier: to be opened again.
        error: What to raise where an error is to end the search.
    """

    cause: Literal["outage", "fatal", "interrupt", "error"]
    reason: str
    rows: Rows
    failures: Mapping[int, str] = field(default_factory=dict)
    reported: Rows = field(default_factory=lambda: np.empty(0, np.int32))
    error: Exception | None = None


Outcome = Answered | Opened | Halt
