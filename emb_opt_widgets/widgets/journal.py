"""The events that a person wants to read, as a table: out of the log for what was, from the engine for what is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.errors import FileError
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.search.engine import SearchRun
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.wording import called, first_node, sentence

__all__ = ["COLUMNS", "Journal", "Record", "record_of"]

COLUMNS = {
    "seq": "i4", "time": "f8", "kind": "json", "node": "i4", "text": "json", "who": "json", "note": "json",
    "n_scored": "i4",
}  # fmt: skip
_KEPT = 5_000
_BLOCK = 200
_SLICE = 0.02
_REPEATED = ("failed", "fresh start", "told")


@dataclass(frozen=True, slots=True)
class Record:
    """One line: `count` is how often it happened, for what goes on and on."""

    seq: int
    time: float
    kind: str
    node: int
    text: str
    who: str
    note: str
    n_scored: int
    count: int = 1

    def joined(self, next: Record) -> Record | None:
        """This line and the next as one, where both say the same."""
        if self.kind != next.kind or self.kind not in _REPEATED:
            return None
        return Record(
            self.seq, next.time, self.kind, next.node, next.text, self.who, self.note, next.n_scored,
            self.count + next.count,
        )  # fmt: skip

    def values(self) -> dict[str, Any]:
        """As a row of the table."""
        many = f"{self.count:,} "
        head = {
            "failed": "A score failed: " if self.count == 1 else f"{many}scores failed, the last: ",
            "fresh start": "" if self.count == 1 else f"{many}times, the last: ",
            "told": "A score from elsewhere." if self.count == 1 else f"{many}scores from elsewhere.",
        }
        return {**{name: getattr(self, name) for name in COLUMNS}, "text": head.get(self.kind, "") + self.text}


def record_of(
    body: ev.Body, seq: int, at: float, n_scored: int, first_node_made: int, commands: Mapping[str, ev.Commanded]
) -> Record | None:
    """An event as a line, None for one that nobody reads.

    Args:
        body: What happened. seq: Its place in the log. at: When.
        n_scored: Scores paid by then. first_node_made: The first of the nodes that it made.
        commands: By id.
    """
    at = 0.0 if at != at else at

    def line(kind: str, text: str, node: int = -1, who: str = "", note: str = "", count: int = 1) -> Record:
        return Record(seq, at, kind, node, plain(text, 600), plain(who, 80), plain(note, 600), n_scored, count)

    match body:
        case ev.Commanded():
            target = commands.get(body.target or "")
            return line(called(body), sentence(body, target), first_node(body), body.who, body.note)
        case ev.Created():
            return line("created", f"The search was made, with seed {body.seed}.")
        case ev.Started() | ev.Resumed():
            until = "" if body.until is None else f", until {body.until:,} rounds are done"
            return line(body.kind, f"{'Started' if isinstance(body, ev.Started) else 'Resumed'}{until}.")
        case ev.Paused():
            return line("paused", "Paused.")
        case ev.Finished():
            return line({"STOPPED": "stopped", "FAILED": "failure"}.get(body.ending, "finished"), body.reason)
        case ev.Scored() if body.told:
            return line("told", "", count=len(body.rows))
        case ev.Scored() if body.reasons:
            return line("failed", next(reversed(list(body.reasons.values()))), count=len(body.reasons))
        case ev.QueriesMade() if body.command is None and len(body.operator) and body.operator[0] == "fresh start":
            return line("fresh start", f"{len(body.operator)} new starts, for {body.reason[0]}.", first_node_made)
    return None


class Journal:
    """Lines of a search. What was before anybody looked is read from the log, a slice at a time.

    Args:
        controller: What drives the search.
    """

    def __init__(self, controller: SearchRun) -> None:
        self._controller = controller
        self._lines: deque[Record] = deque(maxlen=_KEPT)
        self._read = self._upto = 0
        self._paid = self._made = 0
        self._waiting: deque[Record] = deque()

    def begin(self) -> Table:
        """Begin to listen: a table of what is known. Under the controller's lock."""
        self._upto = len(self._controller.store)
        self._waiting.clear()
        table = Table(COLUMNS)
        _append(table, list(self._lines))
        return table

    def hear(self, bodies: Sequence[ev.Body]) -> None:
        """Note what happens. Under the controller's lock."""
        state, store = self._controller.state, self._controller.store
        first = len(store) - len(bodies)
        for place, body in enumerate(bodies):
            made = state.n_nodes - len(body.operator) if isinstance(body, ev.QueriesMade) else -1
            line = record_of(body, first + place, time.time(), state.n_scored, made, state.commands)
            if line is not None:
                self._waiting.append(line)

    def fold(self, table: Table) -> bool:
        """Bring the table up to date; whether there is more to read in the log."""
        end = time.perf_counter() + _SLICE
        while self._read < self._upto and time.perf_counter() < end:
            self._add(table, self._past())
        if self._read < self._upto:
            return True
        lines = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        self._add(table, lines)
        return False

    def end(self) -> None:
        """Nobody looks any more: what happens from here on is read from the log, when somebody does."""
        if self._read >= self._upto:
            with self._controller.lock:
                last, state = len(self._controller.store), self._controller.state
                self._lines.extend(self._waiting)
                self._read, self._paid, self._made = last, state.n_scored, state.n_nodes
        self._waiting.clear()

    def _past(self) -> list[Record]:
        """Lines of the next few events of the log."""
        with self._controller.lock:
            try:
                events = list(self._controller.store.read(self._read, min(self._read + _BLOCK, self._upto)))
            except FileError:
                events = []
            commands = dict(self._controller.state.commands) if any(e.kind == "command" for e in events) else {}
        lines = []
        for event in events:
            body = event.body
            first = self._made
            self._paid += len(body.rows) if isinstance(body, ev.Scored) else 0
            self._made += len(body.operator) if isinstance(body, ev.QueriesMade) else 0
            line = record_of(body, event.seq, event.time, self._paid, first, commands)
            if line is not None:
                lines.append(line)
        self._read = self._read + len(events) if events else self._upto
        return lines

    def _add(self, table: Table, lines: list[Record]) -> None:
        new: list[Record] = []
        for line in lines:
            if new and (both := new[-1].joined(line)) is not None:
                new[-1] = both
            else:
                new.append(line)
        if new and self._lines and (both := self._lines[-1].joined(new[0])) is not None:
            self._lines[-1] = both
            table.change([len(table) - 1], **{name: [value] for name, value in both.values().items()})
            del new[0]
        self._lines.extend(new)
        _append(table, new)


def _append(table: Table, lines: Sequence[Record]) -> None:
    rows = [line.values() for line in lines]
    table.append(len(rows), **{name: [row[name] for row in rows] for name in COLUMNS})
