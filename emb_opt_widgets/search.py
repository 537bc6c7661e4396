"""The live search: its thread, its commands, its life. The one object that changes."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

import numpy as np

from emb_opt_widgets.commands import Command, apply_command, check_node
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.answers import read_scores
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.engine.rounds import Gather, run_round, verdict
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import Ending, Phase, SearchStatus
from emb_opt_widgets.errors import EmbOptError, FileError, InputError, StateError
from emb_opt_widgets.eventlog import EventLog
from emb_opt_widgets.results import BestItem, QueryTree, Results
from emb_opt_widgets.sources import as_source
from emb_opt_widgets.spec import LIVE, Functions, check_setting, describe_queries, make_parts, whole_number
from emb_opt_widgets.snapshot import best_of, results_of, tree_of
from emb_opt_widgets.store import MemoryStore, SQLiteStore, Store

__all__ = ["Search"]

_log = logging.getLogger(__name__)
_PATIENCE = 1.0


class Search:
    """A search for the highest-scoring items of a source, with as few score calls as possible.

    Args:
        source: A source, or what `as_source` accepts: an `(n, d)` array (numpy, torch, memmap), a
            `faiss.Index`, a `datasets.Dataset` with a faiss index.
        score: `Items` to `(n,)` numbers, to a list of score responses, or to an awaitable of either; NaN or
            None: not valid. None where scores come from elsewhere (`ask`, `tell`).
        filter: `Items` to `(n,)` booleans, or to a list of filter responses. Asked once for each item.
        update: Turns scored queries into new queries: a strategy, or a function. None: the default strategy.
        prune: Decides which scored queries go on: a pruner, or a function. None: all.
        k: Hits per query.
        queries: A number of random starts, drawn from the source by seed; a `(q, d)` array; or item ids.
        direction: "maximize" or "minimize".
        budget: Most unique items ever scored. None: no limit.
        seed: Of every random choice.
        executor: Where score calls run: any `concurrent.futures.Executor`. None: the search's own thread.
        batch_size: Items per score call. None: all of a round at once, or one each with an executor.
        retries: How often a failing score call is repeated.
        timeout: Seconds a score call may take.
        on_error: "record": an item whose score fails is removed, with the error as the reason. "raise": the
            search fails.
        path: The search's file, made anew. None: in memory.
        name: For people.

    Raises:
        InputError: An argument is not usable.
        FileError: The file cannot be made.
    """

    def __init__(
        self,
        source: Any,
        score: Callable[..., Any] | None = None,
        *,
        filter: Callable[..., Any] | None = None,
        update: Any = None,
        prune: Any = None,
        k: int = 10,
        queries: Any = 5,
        direction: str = "maximize",
        budget: int | None = None,
        seed: int = 0,
        executor: Executor | None = None,
        batch_size: int | None = None,
        retries: int = 0,
        timeout: float | None = None,
        on_error: str = "record",
        path: str | Path | None = None,
        name: str | None = None,
    ) -> None:
        bound = BoundSource(as_source(source))
        given = {
            "k": k, "budget": budget, "update": update, "prune": prune, "filter": filter,
            "batch_size": batch_size, "retries": retries, "timeout": timeout, "on_error": on_error,
        }  # fmt: skip
        checked = {key: check_setting(key, value, bound) for key, value in given.items()}
        if direction not in ("maximize", "minimize"):
            raise InputError("direction is not usable", expected='"maximize" or "minimize"', got=repr(direction))
        _check_callable("score", score)
        if executor is not None and not callable(getattr(executor, "submit", None)):
            raise InputError("executor is not usable", expected="a concurrent.futures.Executor", got=type(executor).__name__)
        functions = Functions()
        config: dict[str, Any] = {key: functions.note(key, value) for key, value in checked.items()}
        config["score"] = functions.note("score", score)
        config["direction"] = direction
        config["queries"] = describe_queries(queries, bound)
        config["name"] = "search" if name is None else str(name)
        created = ev.Created(config, bound.fingerprint(), _seed(seed))
        store: Store = MemoryStore() if path is None else SQLiteStore(path, create=True)
        self._assemble(bound, score, functions, executor, store, State(bound.vectors))
        self._emit([created])

    def _assemble(
        self,
        source: BoundSource,
        score: Callable[..., Any] | None,
        functions: Functions,
        executor: Executor | None,
        store: Store,
        state: State,
    ) -> None:
        self._source = source
        self._score = score
        self._functions = functions
        self._executor = executor
        self._store = store
        self._state = state
        self._gather = Gather(state, source)
        self._cache: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._queue: deque[tuple[Command, Future[list[int]]]] = deque()
        self._wish = "run"
        self._replan = False
        self._pause_after: int | None = None
        self._error: BaseException | None = None
        self._unkept: list[ev.Body] = []
        self._asked: set[int] = set()
        self._listeners: list[Callable[[Sequence[ev.Body]], None]] = []

    # -- running -------------------------------------------------------------------------------------------

    def run(self, rounds: int | None = None, progress: bool = True) -> Results:
        """Run until the search ends, and return what it found. An interrupt (Ctrl-C, the stop button) pauses it.

        Args:
            rounds: How many more rounds. None: until the budget is spent or something else ends it; after a
                pause or a resume from a file, the rounds asked for before. Where the budget is spent there is
                nothing to do, and it only returns.
            progress: Show a progress bar.

        Raises:
            StateError: It cannot go on from here.
            EmbOptError: What ended it, where `on_error` is "raise" or a function broke its contract.
        """
        if rounds is None and not self._running and self._over:
            return self.results()
        if not self._running or rounds is not None:
            self.start(rounds)
        try:
            if progress:
                from emb_opt_widgets.progress import follow

                follow(self)
            else:
                self.wait()
        except KeyboardInterrupt:
            self._submit("pause", who="keyboard", wait=False)
            self.wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self.results()

    def start(self, rounds: int | None = None) -> None:
        """Run in the search's own thread; returns at once.

        Args:
            rounds: As in `run`.

        Raises:
            StateError: It runs already, or cannot go on from here.
        """
        with self._lock:
            if self._running:
                raise StateError("The search is running already", hint="pause() or stop() it first, or wait()")
            if self._score is None:
                raise StateError(
                    "This search has no score function", hint="Use ask() and tell(), or make it with score=…"
                )
            self._flush()
            more = whole_number("rounds", rounds, 1, optional=True)
            until = self._until(more)
            if self._over:
                raise StateError("The budget is spent", hint="Raise it first: set(budget=…)")
            if self._state.status is not SearchStatus.RUNNING or until != self._state.until:
                resumed = self._state.status is SearchStatus.PAUSED and until == self._state.until
                self._emit([ev.Resumed(until) if resumed else ev.Started(until)])
            self._launch()

    @property
    def _over(self) -> bool:
        """Finished, and with nothing left to spend."""
        return self._state.status is SearchStatus.FINISHED and self._state.calls_left == 0

    def _until(self, more: int | None) -> int | None:
        state = self._state
        if more is not None:
            return state.n_rounds + more
        interrupted = state.status in (SearchStatus.RUNNING, SearchStatus.PAUSED)
        return state.until if interrupted and (state.until or 0) > state.n_rounds else None

    def _launch(self, pause_after: int | None = None) -> None:
        self._wish = "run"
        self._error = None
        self._pause_after = pause_after
        self._asked.clear()
        self._thread = threading.Thread(target=self._work, name=f"eow-{self.name}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        """The engine's thread: rounds until something says otherwise."""
        try:
            while not self._rest():
                self._replan = False
                for group in run_round(self._state, self._parts(), self._gate):
                    self._emit(group)
                    self._apply_queue()
        except BaseException as error:  # noqa: BLE001 - kept, and raised where the person waits
            self._fail(error)
        finally:
            with self._changed:
                self._thread = None
                self._apply_queue()
                self._changed.notify_all()

    def _gate(self) -> bool:
        """Whether another call may be made: not once a person has asked for something that may forbid it."""
        return self._wish == "run" and not self._replan and not any(c.name in ("pause", "stop") for c, _ in self._queue)

    def _rest(self) -> bool:
        """Apply what was asked; whether the engine comes to rest here."""
        self._apply_queue()
        state = self._state
        over = verdict(state)
        if self._wish == "stop":
            over = ev.Finished(Ending.STOPPED.name, Ending.STOPPED.value)
        if over is None and self._pause_after is not None and state.n_rounds >= self._pause_after:
            self._wish = "pause"
        if over is not None:
            self._emit([over])
        elif self._wish == "pause":
            self._emit([ev.Paused("Paused. resume(), step() or run() goes on.")])
        return state.status is not SearchStatus.RUNNING

    def _fail(self, error: BaseException) -> None:
        _log.info("search %s failed", self.name, exc_info=error)
        self._error = error
        if not isinstance(error, FileError):
            try:
                self._emit([ev.Finished(Ending.FAILED.name, Ending.FAILED.value.format(error=error))])
            except FileError as second:
                self._error = second

    def _parts(self) -> Any:
        return make_parts(
            self._state, self._source, self._score, self._functions, self._executor, self._cache, self._gather
        )

    def _emit(self, bodies: Sequence[ev.Body]) -> None:
        """Keep events, then fold them. Where they cannot be kept they wait for the next start, unused."""
        if not bodies:
            return
        with self._changed:
            try:
                self._store.append(bodies, self._payload(bodies))
            except FileError:
                self._unkept.extend(bodies)
                raise
            for body in bodies:
                self._state.apply(body)
            self._changed.notify_all()
        for listener in tuple(self._listeners):
            listener(bodies)

    def _payload(self, bodies: Sequence[ev.Body]) -> list[tuple[int, Any]]:
        """What newly scored items stand for, for those who will look at the file without the source."""
        if isinstance(self._store, MemoryStore):
            return []
        out = []
        for body in bodies:
            if isinstance(body, ev.Scored) and not body.told:
                items = self._gather.payload(body.rows)
                whole = items.items
                out += [
                    (int(row), [None if whole is None else whole[i], items.row_data(i)])
                    for i, row in enumerate(body.rows)
                ]
        return out

    def _flush(self) -> None:
        waiting, self._unkept = self._unkept, []
        self._emit(waiting)

    # -- waiting -------------------------------------------------------------------------------------------

    @property
    def _running(self) -> bool:
        return self._thread is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the search is at rest: paused, stopped, finished or failed.

        Args:
            timeout: Seconds. None: as long as it takes.

        Returns:
            Whether it is at rest.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._running:
                left = 0.2 if end is None else min(0.2, end - time.monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    async def wait_async(self) -> Results:
        """Wait for the search to be at rest without blocking the kernel; returns the results."""
        while self._running:
            await asyncio.sleep(0.05)
        return self.results()

    # -- commands ------------------------------------------------------------------------------------------

    def pause(self, note: str = "") -> None:
        """Make no new score calls; the one in flight finishes and is kept."""
        self._need_running("pause")
        self._submit("pause", note=note, wait=False)
        self._settle()

    def stop(self, note: str = "") -> None:
        """End the search; the call in flight finishes and is kept. `run()` would go on from here."""
        with self._lock:
            paused = not self._running and self.status in (SearchStatus.READY, SearchStatus.PAUSED)
            if paused:
                self._submit("stop", note=note)
                self._emit([ev.Finished(Ending.STOPPED.name, Ending.STOPPED.value)])
                return
        self._need_running("stop")
        self._submit("stop", note=note, wait=False)
        self._settle()

    def resume(self, note: str = "") -> None:
        """Go on after a pause; returns at once."""
        with self._lock:
            if self._running:
                if self._wish == "pause":
                    self._changed.wait_for(lambda: not self._running, timeout=_PATIENCE)
                if self._running:
                    raise StateError("The search is running already")
            if self.status is not SearchStatus.PAUSED:
                raise StateError(
                    f"The search is {self.status}, not paused", hint=self._next_step()
                )
            self._submit("resume", note=note)
            self.start()

    def step(self, n: int = 1, note: str = "") -> None:
        """Run `n` rounds, then pause; returns when they are done, or after a second."""
        count = whole_number("n", n, 1) or 1
        with self._lock:
            if self._running:
                raise StateError("The search is running", hint="pause() it first")
            if self.status not in (SearchStatus.READY, SearchStatus.PAUSED) and self._state.ending != "ROUNDS":
                raise StateError(f"The search is {self.status}: {self.reason}", hint=self._next_step())
            if self._score is None:
                raise StateError("This search has no score function", hint="Use ask() and tell()")
            self._flush()
            self._submit("step", {"n": count}, note=note)
            left = self._until(None) if self._state.ending is None else None
            self._emit([ev.Resumed(left)])
            self._launch(self._state.n_rounds + count)
        self._settle()

    def branch(
        self,
        node: int | None = None,
        *,
        item: int | str | None = None,
        embedding: Any = None,
        update: Any = None,
        note: str = "",
    ) -> list[int]:
        """New queries: from a node's scored hits, from an item, or from a point.

        Args:
            node: Whose scored hits the update is applied to, even if it is old or pruned; with `item` or
                `embedding`: the parent of the new query.
            item: Id of an item to look from.
            embedding: `(d,)` point to look from.
            update: The update to apply. None: the search's own.
            note: Why, for the log.

        Returns:
            Ids of the new nodes.

        Raises:
            InputError, StateError: Unknown node, nothing scored there, or nothing left to spend.
        """
        if (item is not None) + (embedding is not None) + (node is not None and item is None and embedding is None) != 1:
            raise InputError("branch needs one place to start", expected="a node, an item or an embedding", got="none or several")
        if node is not None:
            check_node(self._state, node)
        vector = None if embedding is None else np.asarray(embedding, np.float64)
        live = {"node": node, "item": item, "embedding": vector, "update": update}
        plain = {
            "node": None if node is None else int(node), "item": item,
            "embedding": None if vector is None else vector.tolist(),
            "update": self._functions.note("branch", update),
        }  # fmt: skip
        return self._submit("branch", live, plain, note)

    def prune_node(self, node: int, subtree: bool = True, note: str = "") -> None:
        """Make a node, and with `subtree` all below it, inactive. They stay visible; `undo` or `restore` reverse it."""
        self._submit("prune_node", {"node": check_node(self._state, node), "subtree": bool(subtree)}, note=note)

    def restore(self, node: int, note: str = "") -> None:
        """Reverse a prune, a person's or the pruner's."""
        self._submit("restore", {"node": check_node(self._state, node)}, note=note)

    def undo(self, note: str = "") -> None:
        """Reverse the last branch, prune, restore or set."""
        self._submit("undo", note=note)

    def redo(self, note: str = "") -> None:
        """Do again what was undone last."""
        self._submit("redo", note=note)

    def set(self, note: str = "", **settings: Any) -> None:
        """Change settings from the next round on: k, budget, update, prune, filter, batch_size, retries, timeout,
        on_error."""
        if not settings:
            raise InputError("set needs a setting", expected=", ".join(LIVE), got="none")
        checked = {k: check_setting(k, v, self._source, self._state.n_scored) for k, v in settings.items()}
        plain = {key: self._functions.note(key, value) for key, value in checked.items()}
        self._submit("set", checked, plain, note)

    def _submit(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        plain: dict[str, Any] | None = None,
        note: str = "",
        *,
        who: str = "python",
        command_id: str | None = None,
        wait: bool = True,
    ) -> list[int]:
        """Queue a command; apply it at once where no engine runs. Each id takes effect once."""
        live = arguments or {}
        done: Future[list[int]] = Future()
        with self._lock:
            taken = {c.id for c, _ in self._queue} | set(self._state.commands)
            if command_id in taken:
                return []
            number = len(taken) + 1
            command = Command(name, live, command_id or f"c{number}", who, str(note), live if plain is None else plain)
            self._queue.append((command, done))
            within = threading.current_thread() is self._thread
            if not self._running or (within and wait):
                self._apply_queue()
        if not wait and not done.done():
            return []
        while True:
            try:
                return done.result(timeout=0.2)
            except FutureTimeout:
                if done.done():
                    raise

    def _apply_queue(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    return
                command, done = self._queue.popleft()
                try:
                    bodies = apply_command(command, self._state, self._parts())
                    first = self._state.n_nodes
                    self._emit(bodies)
                except EmbOptError as error:
                    done.set_exception(error)
                    continue
                self._replan = True
                if command.name in ("pause", "stop"):
                    self._wish = command.name
                done.set_result(list(range(first, self._state.n_nodes)))

    def _need_running(self, verb: str) -> None:
        if not self._running:
            raise StateError(f"There is nothing to {verb}: the search is {self.status}", hint=self._next_step())

    def _settle(self) -> None:
        """Give the engine a moment to answer, so that the next line of a cell sees what it asked for."""
        if threading.current_thread() is not self._thread:
            self.wait(_PATIENCE)

    def _next_step(self) -> str:
        return self.reason

    # -- scores from elsewhere -----------------------------------------------------------------------------

    def ask(self, n: int = 1) -> Items:
        """The next items to score elsewhere, at most `n`; none when the search is over or waits for `tell`.

        Each item is handed out once; after a restart of the program those not yet told are handed out again.

        Raises:
            StateError: The search is running.
        """
        count = whole_number("n", n, 1) or 1
        with self._lock:
            self._need_rest("ask")
            while not (waiting := [r for r in self._waiting() if r not in self._asked]):
                if len(self._waiting()) or not self._advance():
                    break
            rows = np.array(waiting[:count], np.int32)
            self._asked.update(rows.tolist())
            if not len(rows):
                return Items(np.empty(0, np.int64), np.empty((0, self._state.dim), np.float32))
            return self._gather.payload(rows)

    def tell(self, items: Any, scores: Any) -> None:
        """Scores from elsewhere, for items of `ask` or any others of the source.

        Args:
            items: `Items`, an `Item`, or ids.
            scores: As a score function returns them.

        Raises:
            InputError: Unknown ids, a score too many or too few, an item that has its score already, or more
                than the budget allows. Nothing is changed then.
        """
        single = np.ndim(items) == 0 and not isinstance(items, Items)
        raw = [items] if single else items
        ids = raw.ids if isinstance(raw, Items) else as_ids([getattr(i, "id", i) for i in raw])
        answer = read_scores([scores] if single and np.ndim(scores) == 0 else scores, len(ids))
        with self._lock:
            self._need_rest("tell")
            self._check_told(ids)
            new = ids[self._state.ids.rows(ids) < 0]
            bodies: list[ev.Body] = []
            if len(new):
                if not self._state.n_nodes:
                    self._advance()
                    new = ids[self._state.ids.rows(ids) < 0]
                found = self._source.fetch(new)
                bodies.append(ev.Added(self._state.round, new, embeddings=found.embeddings))
            rows, _ = self._state.ids.number(ids)
            bodies.append(ev.Scored(rows, answer.values, answer.reasons, answer.data, told=True))
            self._emit(bodies)

    def _check_told(self, ids: Any) -> None:
        if len(set(ids.tolist())) < len(ids):
            raise InputError("An item is told twice in one call", expected="distinct ids", got=ids.tolist()[:10])
        rows = self._state.ids.rows(ids)
        known = rows[rows >= 0]
        scored = known[self._state.items["call"][known] >= 0] if len(known) else known
        if len(scored):
            raise InputError(
                "A score is never overwritten",
                expected="items without a score",
                got=f"scored already: {self._state.ids.take(scored).tolist()[:5]}",
            )
        left = self._state.calls_left
        if left is not None and len(ids) > left:
            raise InputError(
                "More scores than the budget allows", expected=f"at most {left}", got=len(ids), hint="set(budget=…)"
            )

    def _waiting(self) -> list[int]:
        if self._state.phase is not Phase.SCORE:
            return []
        rows: list[int] = self._state.unscored().tolist()
        return rows

    def _advance(self) -> bool:
        """One stretch of the round without scoring; whether there is more to come."""
        if verdict(self._state) is not None:
            return False
        parts = self._parts()
        for group in run_round(self._state, _without_score(parts), lambda: True):
            self._emit(group)
        return self._state.status is not SearchStatus.FINISHED

    def _need_rest(self, verb: str) -> None:
        if self._running:
            raise StateError(f"{verb}() needs the search at rest", hint="pause() it first")

    # -- looking -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """For people."""
        return str(self._state.config["name"])

    @property
    def status(self) -> SearchStatus:
        """Where the search stands."""
        with self._lock:
            if self._running:
                return SearchStatus.RUNNING
            if isinstance(self._error, FileError) or self._unkept:
                return SearchStatus.FAILED
            resting = self._state.status
            begun = resting is SearchStatus.RUNNING or (resting is SearchStatus.READY and self._state.n_nodes > 0)
            return SearchStatus.PAUSED if begun else resting

    @property
    def reason(self) -> str:
        """Why it stands there, and what to do next: a sentence."""
        with self._lock:
            if isinstance(self._error, FileError):
                return str(self._error)
            if not self._running and self._state.status is SearchStatus.RUNNING:
                return "Interrupted. run() goes on from here."
            if not self._running and (waiting := len(self._waiting())) and self._score is None:
                return f"Waiting for the scores of {waiting} items: tell(items, scores)."
            return self._state.reason

    @property
    def n_scored(self) -> int:
        """Unique items whose score was paid for, failed ones included."""
        return self._state.n_scored

    @property
    def n_rounds(self) -> int:
        """Rounds done."""
        return self._state.n_rounds

    @property
    def settings(self) -> dict[str, Any]:
        """The present configuration, as plain values."""
        with self._lock:
            return dict(self._state.config)

    @property
    def best(self) -> BestItem | None:
        """The best item so far, or None."""
        with self._lock:
            return best_of(self._state, self._gather)

    @property
    def tree(self) -> QueryTree:
        """The queries so far, as columns."""
        with self._lock:
            return tree_of(self._state)

    @property
    def events(self) -> EventLog:
        """What happened, in order."""
        return EventLog(self._store, self._lock)

    def results(self, n: int | None = None, include_removed: bool = False) -> Results:
        """What was found, best first.

        Args:
            n: At most so many. None: all.
            include_removed: Also items that were filtered out or have no score, last.
        """
        whole_number("n", n, 1, optional=True)
        with self._lock:
            return results_of(self._state, self._gather, n, include_removed)

    def to_html(self, path: str | Path) -> Path:
        """Write a report: one file, readable offline, that runs nothing."""
        from emb_opt_widgets.report import write_report

        return write_report(self, path)

    def close(self) -> None:
        """Pause if it runs, and let go of the file."""
        if self._running:
            self._submit("pause", wait=False)
            self.wait()
        self._store.close()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        with self._lock:
            budget = self._state.config.get("budget")
            spent = f"{self.n_scored:,}" + (f" of {budget:,}" if budget else "") + " scored"
            best = "" if self.best is None else f", best {self.best.score:.6g} ({self.best.id})"
            return f"Search {self.name!r}: {self.status}, round {self.n_rounds}, {spent}{best}"

    def _repr_html_(self) -> str:
        from emb_opt_widgets.report import search_summary

        return search_summary(self)


def _without_score(parts: Any) -> Any:
    from dataclasses import replace

    return replace(parts, score=None)


def _seed(seed: Any) -> int:
    return whole_number("seed", seed, 0) or 0


def _check_callable(name: str, value: Any) -> None:
    if value is not None and not callable(value):
        raise InputError(f"{name} is not usable", expected="a function of Items", got=type(value).__name__)
