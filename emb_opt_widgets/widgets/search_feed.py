"""A search as pages see and steer it: the `Live` of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.errors import StateError
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.live.store import SQLiteStore
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.search.steering import Steering
from emb_opt_widgets.widgets.journal import Journal
from emb_opt_widgets.widgets.live import Answer, Watch
from emb_opt_widgets.widgets.offers import make
from emb_opt_widgets.widgets.projection import Projection
from emb_opt_widgets.widgets.search_asks import answer, rows_of
from emb_opt_widgets.widgets.search_facts import Rate, Standing, facts_of, file_of
from emb_opt_widgets.widgets.search_schemas import ASKS, COMMANDS
from emb_opt_widgets.widgets.search_tables import SearchTables
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.texts import Texts

__all__ = ["SearchLive", "SearchWatch", "live_of"]


class SearchWatch:
    """A search being watched: listens to its events, and folds them into tables when asked.

    Args:
        search: What is watched.
        journal, projection: What outlives one watch: lines of the log, and where things are on the map.
        changed: Called when there is something to fold.
    """

    def __init__(self, search: Search, journal: Journal, projection: Projection, changed: Callable[[], None]) -> None:
        self._search, self._journal, self._changed = search, journal, changed
        self._rate = Rate()
        controller = search.controller
        self._texts = Texts(controller.engine.gather.payload, changed, lambda text: controller.notify("display", text))
        store = controller.store
        self._file = file_of(store.path if isinstance(store, SQLiteStore) else None)
        with controller.lock:
            self._tables = SearchTables(controller.state, projection, self._texts)
            events = journal.begin()
            self._end = controller.listen(self._hear)
            self._unfollow = controller.notices.follow(changed)
        made = self._tables
        self.tables: Mapping[str, Table] = {
            "nodes": made.nodes, "items": made.items, "rounds": made.rounds, "events": events, "top": made.top,
        }  # fmt: skip

    def _hear(self, bodies: Sequence[ev.Body]) -> None:
        self._tables.hear(bodies)
        self._journal.hear(bodies)
        self._changed()

    def fold(self) -> Mapping[str, Any]:
        """Bring the tables up to date; the facts."""
        with self._search.controller.lock:
            standing = Standing.of(self._search)
            news = self._tables.take()
        made = self._tables
        made.put(news)
        made.put_top()
        if self._journal.fold(self.tables["events"]):
            self._changed()
        return facts_of(standing, self._rate, made.operators, made.score_range, self._named, self._file)

    def _named(self, call: int) -> tuple[str, str]:
        return self._texts.named(np.array([call]), self._tables.order)[0]

    def close(self) -> None:
        """Stop listening."""
        with self._search.controller.lock:
            self._end()
            self._unfollow()
            self._journal.end()


class SearchLive:
    """What pages may see and do of a search.

    Args:
        search: The search.
    """

    kind = "search"
    commands = COMMANDS
    asks = ASKS

    def __init__(self, search: Search) -> None:
        self._search = search
        self._journal = Journal(search.controller)
        self._projection = Projection()

    def watch(self, changed: Callable[[], None]) -> Watch:
        """Begin to listen."""
        return SearchWatch(self._search, self._journal, self._projection, changed)

    def command(self, name: str, arguments: Mapping[str, Any], asked: Asked) -> Future[dict[str, Any]]:
        """Steer it; waits for nothing."""
        steering = self._search.steering
        out: Future[dict[str, Any]] = Future()

        def tell(done: Future[list[int]]) -> None:
            error = done.exception()
            if error is not None:
                out.set_exception(error)
            else:
                out.set_result({"nodes": done.result()})

        self._steer(steering, name, arguments, asked).add_done_callback(tell)
        return out

    def _steer(self, steering: Steering, name: str, given: Mapping[str, Any], asked: Asked) -> Future[list[int]]:
        match name:
            case "start":
                return steering.start(given.get("rounds"), asked)
            case "pause" if self._search.status is RunStatus.PAUSED:
                return _nothing_to_do()
            case "pause":
                return steering.pause(asked)
            case "resume":
                return steering.resume(asked)
            case "stop":
                return steering.stop(asked)
            case "undo":
                return steering.undo(asked)
            case "redo":
                return steering.redo(asked)
            case "step":
                return steering.step(given.get("n", 1), asked)
            case "prune":
                return steering.prune_node(given["nodes"], given.get("subtree", True), asked)
            case "restore":
                return steering.restore(given["nodes"], asked)
            case "set":
                return steering.set(_live_settings(given["settings"]), asked)
            case _:
                return self._branch(steering, given, asked)

    def _branch(self, steering: Steering, given: Mapping[str, Any], asked: Asked) -> Future[list[int]]:
        if len(given.get("nodes", ())) == 1:
            return steering.branch(given["nodes"][0], asked=asked)
        if "nodes" in given:
            return steering.branch_all(nodes=given["nodes"], asked=asked)
        rows = rows_of(self._search, given.get("rows", given.get("center")))
        controller = self._search.controller
        with controller.lock:
            ids, vectors = controller.state.ids.take(rows).tolist(), controller.state.items["embedding"][rows]
        if "rows" in given:
            single = steering.branch(item=ids[0], asked=asked) if len(ids) == 1 else None
            return steering.branch_all(items=ids, asked=asked) if single is None else single
        if not vectors.shape[1]:
            raise StateError("The vectors of the items are not known", hint="Open the search with its source")
        note = asked.note or f"in the middle of {len(ids):,} items"
        return steering.branch(embedding=vectors.mean(axis=0, dtype=np.float64), asked=Asked(asked.who, asked.id, note))

    def notify(self, source: str, text: str) -> None:
        """Tell the person something, in Python and on all pages."""
        self._search.controller.notify(source, text)

    def ask(self, what: str, arguments: Mapping[str, Any]) -> Answer:
        """Answer a question."""
        return answer(self._search, what, arguments)


def _nothing_to_do() -> Future[list[int]]:
    """A page asks for what is so already: another page, or an interrupt, was quicker."""
    done: Future[list[int]] = Future()
    done.set_result([])
    return done


def _live_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """A page's settings, with strategies made of their names and parameters."""
    made = dict(given)
    for role in ("update", "prune"):
        if made.get(role) is not None:
            made[role] = make(role, made[role]["name"], made[role]["parameters"])
    return made


def live_of(search: Search) -> SearchLive:
    """What pages may see and do of a search."""
    return SearchLive(search)
