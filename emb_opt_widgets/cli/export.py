"""`emb-opt-widgets export`: a search's file as a page or a table, without its source and its functions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.events import Event
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import SearchStatus
from emb_opt_widgets.errors import DamagedFileError, FileError
from emb_opt_widgets.report import Report, write_page
from emb_opt_widgets.report.data import Found, best_rows, collect, happenings
from emb_opt_widgets.results import ResultRows, Results
from emb_opt_widgets.snapshot import tree_of
from emb_opt_widgets.store import SQLiteStore

__all__ = ["act", "add_to", "read_report", "read_results"]

_TOP = 50


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="a search's file as HTML, CSV or Parquet",
        description="Read a search's file, also of one that is running, and write what it found. Neither the source "
        "nor any function of the search is needed; items are shown as the file keeps them, long texts cut.",
        epilog="example: emb-opt-widgets export docking.eow --html docking.html --csv hits.csv",
    )
    parser.add_argument("file", type=Path, help="the search's file")
    for kind, what in (("html", "a page"), ("csv", "a table of all scored items"), ("parquet", "the same, as Parquet")):
        parser.add_argument(
            f"--{kind}", nargs="?", const=True, metavar="PATH", help=f"{what} (default: FILE with the ending .{kind})"
        )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.set_defaults(act=lambda given: act(given, parser))


def act(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run it."""
    wanted = {kind: getattr(given, kind) for kind in ("html", "csv", "parquet") if getattr(given, kind)}
    if not wanted:
        parser.error("nothing to write: give --html, --csv or --parquet")
    places = {kind: given.file.with_suffix(f".{kind}") if path is True else Path(path) for kind, path in wanted.items()}
    for place in places.values():
        if place.exists() and place.resolve() == given.file.resolve():
            raise FileError(f"{place} is the search's file itself", hint="Name another")
        if place.exists() and not given.force:
            raise FileError(f"{place} is there already", hint="Name another, or give --force")
    state, events, texts = _read(given.file)
    for kind, place in places.items():
        _write(kind, place, state, events, texts)
        print(place)
    return 0


def _write(kind: str, place: Path, state: State, events: list[Event], texts: _Texts) -> None:
    try:
        if kind == "html":
            write_page(_report(state, events, texts), place)
        elif kind == "csv":
            _results(state, texts).to_csv(place)
        else:
            _results(state, texts).to_parquet(place)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{place} cannot be written ({error.strerror or error})", hint="Check its folder") from error


def read_report(file: Path) -> Report:
    """A report's data out of a search's file."""
    return _report(*_read(file))


def read_results(file: Path) -> Results:
    """All scored items of a search's file, best first; embeddings are not kept there and are `(n, 0)`."""
    state, _, texts = _read(file)
    return _results(state, texts)


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


def _read(file: Path) -> tuple[State, list[Event], _Texts]:
    store = SQLiteStore(file, readonly=True)
    state = State()
    listed: list[Event] = []
    try:
        for event in store.read():
            state.apply(event.body)
            if event.kind in ("created", "started", "resumed", "paused", "finished", "command", "scored"):
                listed.append(event)
        values = store.payload(np.flatnonzero(state.items["call"] >= 0).tolist()) if len(state.items) else {}
    finally:
        store.close()
    if not state.config:
        raise DamagedFileError(f"{file.name} holds no search", expected="a search's events", got="none")
    values.update((row, kept) for row, kept in state.payload.items() if row not in values)
    return state, listed, _Texts(values)


def _report(state: State, events: list[Event], texts: _Texts) -> Report:
    rows = best_rows(state, _TOP)
    items = [texts.item(row) for row in rows.tolist()]
    status, reason = str(state.status), state.reason
    if state.status is SearchStatus.RUNNING:
        status, reason = "running, or interrupted", "The file does not tell whether a program still works on it."
    return collect(state, tree_of(state), rows, items, status, reason, happenings(events))


def _results(state: State, texts: _Texts) -> Results:
    rows = best_rows(state, max(1, state.n_scored))
    ids: npt.NDArray[Any] = state.ids.take(rows) if len(rows) else np.empty(0, np.int64)
    nothing = np.empty((len(rows), 0), np.float32)
    items = [texts.item(row) for row in rows.tolist()]
    data = [{**texts.data(row), **state.extra.get(row, {})} for row in rows.tolist()]
    names = list(dict.fromkeys(name for one in data for name in one))
    columns: dict[str, Any] = {name: [one.get(name) for one in data] for name in names}
    found = collect(state, tree_of(state), rows, items, "", "").top
    columns |= _provenance(found, columns)
    scores = state.items["score"][rows] if len(rows) else np.empty(0)
    whole = Items(ids, nothing, items if any(item is not None for item in items) else None, columns, scores)
    return Results(lambda: ResultRows(ids, scores, lambda: nothing, lambda: whole))


def _provenance(found: Any, taken: dict[str, Any]) -> dict[str, Any]:
    lines: list[Found] = list(found)
    columns = {"call": [one.call for one in lines], "found_by": [one.by for one in lines]}
    return {name if name not in taken else f"search_{name}": column for name, column in columns.items()}
