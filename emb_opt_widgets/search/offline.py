"""A search's file without its source and its functions: what it found, as the file keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.events import Event
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.live.folding import check_whole, fold
from emb_opt_widgets.live.store import SQLiteStore
from emb_opt_widgets.report import Report
from emb_opt_widgets.report.data import Found, best_rows, collect, happenings
from emb_opt_widgets.search.results import ResultRows, Results
from emb_opt_widgets.search.snapshot import tree_of

__all__ = ["Kept", "read"]

_TOP = 50


class Kept:
    """What a file keeps.

    Attributes:
        state: The fold of its events.
    """

    def __init__(self, state: State, events: list[Event], texts: _Texts) -> None:
        self.state = state
        self._events = events
        self._texts = texts

    def report(self) -> Report:
        """A report's data."""
        state, rows = self.state, best_rows(self.state, _TOP)
        items = [self._texts.item(row) for row in rows.tolist()]
        status, reason = str(state.status), state.reason
        if state.status is RunStatus.RUNNING:
            status, reason = "running, or interrupted", "The file does not tell whether a program still works on it."
        return collect(state, tree_of(state), rows, items, status, reason, happenings(self._events))

    def results(self) -> Results:
        """All scored items, best first; embeddings are not kept there and are `(n, 0)`."""
        state = self.state
        rows = best_rows(state, max(1, state.n_answered))
        ids: npt.NDArray[Any] = state.ids.take(rows) if len(rows) else np.empty(0, np.int64)
        nothing = np.empty((len(rows), 0), np.float32)
        items = [self._texts.item(row) for row in rows.tolist()]
        data = [{**self._texts.data(row), **state.extra.get(row, {})} for row in rows.tolist()]
        names = list(dict.fromkeys(name for one in data for name in one))
        columns: dict[str, Any] = {name: [one.get(name) for one in data] for name in names}
        found = collect(state, tree_of(state), rows, items, "", "").top
        columns |= _provenance(found, columns)
        scores = state.items["score"][rows] if len(rows) else np.empty(0)
        whole = Items(ids, nothing, items if any(item is not None for item in items) else None, columns, scores)
        return Results(lambda: ResultRows(ids, scores, lambda: nothing, lambda: whole))


class _Texts:
    """What items stand for, as the file keeps it."""

    def __init__(self, values: dict[int, Any]) -> None:
        self._values = values

    def item(self, row: int) -> Any:
        value = self._values.get(int(row))
        return value[0] if isinstance(value, list) and value else None

    def data(self, row: int) -> dict[str, Any]:
        value = self._values.get(int(row))
        known = value[1] if isinstance(value, list) and len(value) > 1 else None
        return known if isinstance(known, dict) else {}


def read(file: Path) -> Kept:
    """Read a search's file, also of one that is running; the file is only read.

    Raises:
        FileError: It is damaged, foreign, or of a newer version.
    """
    store = SQLiteStore(file, readonly=True)
    state = State()
    listed: list[Event] = []
    try:
        for event in store.read():
            fold(state, event, file.name)
            if event.kind in ("created", "started", "resumed", "paused", "finished", "command", "scored"):
                listed.append(event)
        values = store.payload(np.flatnonzero(state.items["call"] >= 0).tolist()) if len(state.items) else {}
    finally:
        store.close()
    check_whole(state.config, file.name, "search")
    values.update((row, kept) for row, kept in state.payload.items() if row not in values)
    return Kept(state, listed, _Texts(values))


def _provenance(found: Any, taken: dict[str, Any]) -> dict[str, Any]:
    lines: list[Found] = list(found)
    columns = {"call": [one.call for one in lines], "found_by": [one.by for one in lines]}
    return {name if name not in taken else f"search_{name}": column for name, column in columns.items()}
