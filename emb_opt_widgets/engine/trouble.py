"""Which failures are facts about single items, and which are an outage. Calls nothing itself."""

from __future__ import annotations

import numpy as np

from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.engine.calls import Answered, CallHealth, Calls, Halt
from emb_opt_widgets.errors import Fatal, FunctionError, describe_error

__all__ = ["Trouble"]

_FIRST = 3
_KEPT = "Nothing of it is charged, and the items are open again."
_MEND = (
    "Mend what is wrong (a function defined anew is handed over by set(score=…)) and go on with resume(); if these "
    "items are bad indeed, set(failures_in_a_row=…) higher before."
)


class Trouble:
    """Failures of a function, held back until it answers again.

    Args:
        name: Of the function.
        calls: How it is called.
        failed: The value of an item whose call failed.
        health: How it has done before.
    """

    def __init__(self, name: str, calls: Calls, failed: float | bool, health: CallHealth) -> None:
        self._name = name
        self._calls = calls
        self._value = failed
        self._health = health
        self.held: list[tuple[int, str]] = []

    def verdict(self, row: int, error: BaseException) -> Answered:
        """An item failed beside others that were answered."""
        text = f"{self._name} failed: {describe_error(error)}"
        return Answered(np.array([row], np.int32), Answer(np.array([self._value]), {"0": text}))

    def hold_back(self, row: int, error: BaseException, counts: bool = True) -> Halt | None:
        """One more item failed; a halt where that makes an outage.

        Args:
            counts: Whether it makes the run of failures longer.
        """
        text = describe_error(error)
        self.held.append((row, f"{self._name} failed: {text}"))
        health = self._health
        health.run += counts
        if counts and health.run >= min(self._calls.failures_in_a_row, health.patience):
            return self._outage(f"failed on {health.run} items in a row, the last: {text}")
        if health.first is not None:
            health.first.append(text)
            if len(health.first) >= _FIRST and len(set(health.first)) == 1:
                return self._outage(f"failed with the same error on every one of its first {_FIRST} calls: {text}")
            if len(health.first) >= _FIRST:
                health.first = None
        return None

    def _outage(self, what: str) -> Halt:
        health = self._health
        rows = np.array([row for row, _ in self.held], np.int32)
        reported = np.array(health.reported, np.int32)
        reason = f"Paused: the {self._name} function {what}. {_KEPT} {_MEND}"
        halt = Halt("outage", reason, rows, dict(self.held), reported)
        self.held = []
        health.reported = []
        health.run = 0
        health.first = None
        return halt

    def answered(self) -> list[Answered]:
        """The function answered: what was held back are verdicts on single items."""
        out = self.settle()
        self._health.worked, self._health.first = True, None
        self._health.reported = []
        self._health.run = 0
        return out

    def settle(self) -> list[Answered]:
        """What is held back, as verdicts; it still counts as part of a run that goes on."""
        held, self.held = self.held, []
        self._health.reported += [row for row, _ in held]
        return [Answered(np.array([row], np.int32), Answer(np.array([self._value]), {"0": text})) for row, text in held]

    def stopped(self, row: list[int], error: BaseException) -> Halt:
        """A function asked for a halt: `Fatal`, an interrupt, an exit."""
        rows = np.array(row, np.int32)
        text = describe_error(error)
        if isinstance(error, Fatal):
            reason = f"Paused by the {self._name} function: {text.removeprefix('Fatal: ')}. {_KEPT}"
            return Halt("fatal", reason, rows, dict.fromkeys(row, text))
        reason = f"Paused: {type(error).__name__} in the {self._name} function. resume(), step() or run() goes on."
        return Halt("interrupt", reason, rows, dict.fromkeys(row, text))

    def fatal_error(self, row: list[int], problem: BaseException) -> Halt:
        """An error that is to end the search."""
        error = problem
        if not isinstance(error, FunctionError):
            error = FunctionError(
                f"The {self._name} function failed: {describe_error(problem)}",
                hint="Nothing that was scored is lost: mend the function, pass it again and go on",
            )
            error.__cause__ = problem
        return Halt("error", str(error), np.array(row, np.int32), error=error)
