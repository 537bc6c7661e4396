"""What a person wants to read of a training, as a table: out of the log for what was, from the thread for what is."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.errors import FileError
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.training.engine import TrainingRun
from emb_opt_widgets.training.events import Evaluated, Stepped
from emb_opt_widgets.widgets.tables import Table

__all__ = ["COLUMNS", "TrainingJournal", "sentence"]

COLUMNS = {
    "seq": "i4", "time": "f8", "kind": "json", "step": "i4", "text": "json", "who": "json", "note": "json",
}  # fmt: skip
_KEPT = 5_000
_BLOCK = 200
_SLICE = 0.02

Line = dict[str, Any]


def sentence(body: ev.Commanded) -> str:
    """A command, in a person's words."""
    many = int(body.arguments.get("n") or body.arguments.get("steps") or 0)
    steps = f"{many:,} {'step' if many == 1 else 'steps'}"
    if body.name == "use_best":
        return "Put the parameters of the best evaluation into the towers."
    if body.name == "step":
        return f"{steps} asked for."
    asked = {"start": "Start", "pause": "Pause", "resume": "Resume", "stop": "Stop"}.get(body.name, body.name)
    return f"{asked} asked for{f', {steps}' if many else ''}."


class TrainingJournal:
    """Lines of a training. What was before anybody looked is read from the log, a slice at a time.

    Args:
        controller: What drives the training.
    """

    def __init__(self, controller: TrainingRun) -> None:
        self._controller = controller
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._waiting: deque[tuple[int, float, ev.Body]] = deque()
        self._read = self._upto = self._step = 0
        self._best = -math.inf

    def begin(self) -> Table:
        """Begin to listen: a table of what is known. Under the controller's lock."""
        self._upto = len(self._controller.store)
        self._waiting.clear()
        table = Table(COLUMNS)
        _append(table, self._lines)
        return table

    def hear(self, bodies: Sequence[ev.Body]) -> None:
        """Note what happens. Under the controller's lock."""
        first, now = len(self._controller.store) - len(bodies), time.time()
        self._waiting.extend((first + place, now, body) for place, body in enumerate(bodies))

    def fold(self, table: Table) -> bool:
        """Bring the table up to date; whether there is more to read in the log."""
        end = time.perf_counter() + _SLICE
        while self._read < self._upto and time.perf_counter() < end:
            self._add(table, self._past())
        if self._read < self._upto:
            return True
        self._add(table, self._heard())
        return False

    def end(self) -> None:
        """Nobody looks any more: what happens from here on is read from the log, when somebody does. Under the lock."""
        if self._read >= self._upto:
            self._lines.extend(self._heard())
            self._read = len(self._controller.store)
        self._waiting.clear()

    def _heard(self) -> list[Line]:
        lines = []
        while self._waiting:
            line = self._line(*self._waiting.popleft())
            lines += [] if line is None else [line]
        return lines

    def _past(self) -> list[Line]:
        """Lines of the next few events of the log."""
        with self._controller.lock:
            try:
                events = list(self._controller.store.read(self._read, min(self._read + _BLOCK, self._upto)))
            except FileError:
                events = []
        self._read = self._read + len(events) if events else self._upto
        found = (self._line(event.seq, event.time, event.body) for event in events)
        return [line for line in found if line is not None]

    def _line(self, seq: int, at: float, body: ev.Body) -> Line | None:
        """An event as a row of the table, None for one that nobody reads."""
        if isinstance(body, Stepped):
            self._step = body.step
        told = self._told(body)
        if told is None:
            return None
        by = (plain(body.who, 80), plain(body.note, 600)) if isinstance(body, ev.Commanded) else ("", "")
        moment = 0.0 if at != at else at
        return dict(zip(COLUMNS, (seq, moment, told[0], self._step, plain(told[1], 600), *by)))

    def _told(self, body: ev.Body) -> tuple[str, str] | None:
        """An event's kind and words."""
        match body:
            case ev.Commanded():
                return body.name, sentence(body)
            case ev.Created():
                return "created", f"The training was made, with seed {body.seed}."
            case ev.Started() | ev.Resumed():
                until = "" if body.until is None else f", until step {body.until:,}"
                return body.kind, f"{'Started' if isinstance(body, ev.Started) else 'Resumed'}{until}."
            case ev.Paused():
                return "paused", "Paused."
            case ev.Finished():
                return {"STOPPED": "stopped", "FAILED": "failure"}.get(body.ending, "finished"), body.reason
            case Evaluated():
                return self._evaluated(body)
        return None

    def _evaluated(self, body: Evaluated) -> tuple[str, str] | None:
        """An evaluation where it is the best so far."""
        monitor = self._controller.state.config["monitor"]
        accuracy = float(body.accuracy[list(body.ks).index(monitor)])
        if not accuracy > self._best:
            return None
        self._best = accuracy
        return "best", f"Recall@{monitor} is {accuracy:.4f}, the best so far."

    def _add(self, table: Table, lines: Sequence[Line]) -> None:
        self._lines.extend(lines)
        _append(table, lines)


def _append(table: Table, lines: Sequence[Line] | deque[Line]) -> None:
    table.append(len(lines), **{name: [line[name] for line in lines] for name in COLUMNS})
