"""What drives a search: its thread, its queue of commands, its life. The one object that changes.

Front ends talk to it: `submit` takes commands from any thread, `listen` tells of events.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.calls import CallHealth
from emb_opt_widgets.engine.rounds import Gather, Parts, run_round, verdict
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import Ending, Pausing, SearchStatus
from emb_opt_widgets.errors import FileError, StateError, as_function_error
from emb_opt_widgets.executors import Workers
from emb_opt_widgets.live.run import waited
from emb_opt_widgets.live.store import MemoryStore, Store
from emb_opt_widgets.search.commands import Command, apply_command
from emb_opt_widgets.search.settings import Functions, make_parts

__all__ = ["Controller"]

_log = logging.getLogger(__name__)
_PATIENCE = 1.0


class Controller:
    """Keeps events, folds them, and runs rounds in a thread of its own.

    Attributes:
        state: The fold. Read it under `lock`; only this class changes it.
        lock: Held while events are kept and folded.
        error: What the engine's thread died of, until it is started again.
    """

    def __init__(
        self,
        source: BoundSource,
        score: Callable[..., Any] | None,
        functions: Functions,
        workers: Workers | None,
        store: Store,
        state: State,
    ) -> None:
        self.source = source
        self.score = score
        self.functions = functions
        self.store = store
        self.state = state
        self.gather = Gather(state, source)
        self.lock = threading.RLock()
        self.error: BaseException | None = None
        self._workers = workers
        self._cache: dict[str, Any] = {}
        self._changed = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._queue: deque[tuple[Command, Future[list[int]]]] = deque()
        self._wish, self._pausing = "run", Pausing.ASKED
        self._replan = False
        self._pause_after: int | None = None
        self._unkept: list[ev.Body] = []
        self._trouble = ""
        self._health = {role: CallHealth(worked=state.best_row >= 0) for role in ("score", "filter")}
        self._listeners: list[Callable[[Sequence[ev.Body]], None]] = []

    # -- events --------------------------------------------------------------------------------------------

    def emit(self, bodies: Sequence[ev.Body]) -> None:
        """Keep events, then fold them. Where they cannot be kept they wait, unused, for the next start.

        Raises:
            FileError: The file cannot be written.
        """
        if not bodies:
            return
        with self._changed:
            try:
                self.store.append(bodies, self._payload(bodies))
            except FileError as error:
                self._unkept.extend(bodies)
                self._trouble = str(error)
                raise
            for body in bodies:
                self.state.apply(body)
            self._changed.notify_all()
            self._tell(bodies)

    def listen(self, listener: Callable[[Sequence[ev.Body]], None]) -> Callable[[], None]:
        """Have every group of events told to a function, in order, and an empty one when the engine comes to rest.

        It is called in the thread that made them, under `lock`; it must be quick, and harms nobody where it fails.
        Returns what ends it.
        """
        with self.lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, bodies: Sequence[ev.Body]) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(bodies)
            except Exception:
                _log.exception("one who listens to search %s failed", self.state.config.get("name"))

    def _payload(self, bodies: Sequence[ev.Body]) -> list[tuple[int, Any]]:
        """What newly scored items stand for, for those who will look at the file without the source."""
        if isinstance(self.store, MemoryStore):
            return []
        out = []
        for body in bodies:
            if isinstance(body, ev.Scored) and not body.told:
                items = self.gather.payload(body.rows)
                whole = items.items
                out += [
                    (int(row), [None if whole is None else whole[i], items.row_data(i)])
                    for i, row in enumerate(body.rows)
                ]
        return out

    def flush(self) -> None:
        """Keep what could not be kept before."""
        waiting, self._unkept = self._unkept, []
        self.emit(waiting)

    # -- running -------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the engine's thread is at work."""
        return self._thread is not None

    @property
    def halting(self) -> bool:
        """Whether it was asked to come to rest, and has not yet: a call in flight is waited for."""
        with self.lock:
            asked = any(command.name in ("pause", "stop") for command, _ in self._queue)
            return self.running and (asked or self._wish != "run")

    @property
    def within(self) -> bool:
        """Whether the caller is the engine's own thread (a score function that steers its search)."""
        return threading.current_thread() is self._thread

    def launch(self, pause_after: int | None = None) -> None:
        """Start the engine's thread.

        Args:
            pause_after: Come to rest when so many rounds are done.
        """
        self._wish, self._pausing = "run", Pausing.ASKED
        self.error = None
        self._pause_after = pause_after
        self._thread = threading.Thread(target=self._work, name=f"eow-{self.state.config['name']}", daemon=True)
        self._thread.start()

    def parts(self) -> Parts:
        """What a round is made with, by the present configuration."""
        return make_parts(
            self.state,
            self.source,
            self.score,
            self.functions,
            self._workers,
            self._cache,
            self.gather,
            self._health,
        )

    def _work(self) -> None:
        try:
            while not self._rest():
                self._replan = False
                for group in run_round(self.state, self.parts(), self._gate):
                    self.emit(group)
                    self._apply_queue()
        except BaseException as error:  # kept, and raised where the person waits
            self._fail(error)
        finally:
            with self._changed:
                self._thread = None
                self._apply_queue()
                self._changed.notify_all()
                self._tell([])

    def _gate(self) -> bool:
        """Whether another call may be made: not once a person has asked for something that may forbid it."""
        asked = any(command.name in ("pause", "stop") for command, _ in tuple(self._queue))
        return self._wish == "run" and not self._replan and not asked

    def _rest(self) -> bool:
        """Apply what was asked; whether the engine comes to rest here."""
        self._apply_queue()
        over = verdict(self.state)
        if self._wish == "stop":
            over = ev.Finished(Ending.STOPPED.name, Ending.STOPPED.value)
        if over is None and self._pause_after is not None and self.state.n_rounds >= self._pause_after:
            self._wish = "pause"
        if over is not None:
            self.emit([over])
        elif self._wish == "pause":
            self.emit([ev.Paused(self._pausing.value)])
        return self.state.status is not SearchStatus.RUNNING

    def _fail(self, error: BaseException) -> None:
        _log.info("search %s failed", self.state.config.get("name"), exc_info=error)
        self.error = error
        if not isinstance(error, FileError):
            try:
                text = str(error) or type(error).__name__
                self.emit([ev.Finished(Ending.FAILED.name, Ending.FAILED.value.format(error=text))])
            except FileError as second:
                self.error = second

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the engine is at rest; whether it is.

        Raises:
            StateError: Asked from within, by a score function.
        """
        if self.within:
            raise StateError("A function of the search cannot wait for the search", hint="Wait from another thread")
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self.running:
                left = 0.2 if end is None else min(0.2, end - time.monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def settle(self) -> None:
        """Give the engine a moment to answer what it was asked, so that the next line of a cell sees it."""
        if not self.within and not self._gate():
            self.wait(_PATIENCE)

    # -- commands ------------------------------------------------------------------------------------------

    def submit(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        plain: Mapping[str, Any] | None = None,
        note: str = "",
        *,
        who: str = "python",
        command_id: str | None = None,
        wait: bool = True,
    ) -> list[int]:
        """Queue a command, to be applied between score batches; at once where no engine runs.

        Args:
            name: As in `Command`.
            arguments: Live objects by name. plain: The same as plain values, where they are not.
            note: Why. who: Who asks.
            command_id: Each id takes effect once. None: a new one.
            wait: Until it is applied; else return at once.

        Returns:
            Ids of the nodes it made.

        Raises:
            InputError, StateError: It does not fit; nothing was changed.
        """
        done = self.queue(name, arguments, plain, note, who=who, command_id=command_id, at_once=wait)
        return waited(done) if wait or done.done() else []

    def queue(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        plain: Mapping[str, Any] | None = None,
        note: str = "",
        *,
        who: str = "python",
        command_id: str | None = None,
        at_once: bool = True,
    ) -> Future[list[int]]:
        """As `submit`, but returns what tells when the command is applied.

        Args:
            at_once: Asked from within, by a score function: apply it before returning.
        """
        live = arguments or {}
        done: Future[list[int]] = Future()
        with self.lock:
            if command_id is not None and (before := self.asked(command_id)) is not None:
                return before
            applied, waiting = self.state.commands, {command.id for command, _ in self._queue}
            numbered = (f"c{number}" for number in itertools.count(len(applied) + len(waiting) + 1))
            new_id = command_id or next(name for name in numbered if name not in applied and name not in waiting)
            command = Command(name, live, new_id, who, str(note), live if plain is None else plain)
            self._queue.append((command, done))
            if not self.running or (self.within and at_once):
                self._apply_queue()
        return done

    def asked(self, command_id: str | None) -> Future[list[int]] | None:
        """What tells when a command that was asked before is applied, and with which new nodes; None: it was not."""
        with self.lock:
            for command, waiting in self._queue:
                if command.id == command_id:
                    return waiting
            applied = self.state.commands.get(command_id or "")
            if applied is None:
                return None
            done: Future[list[int]] = Future()
            done.set_result([int(node) for node in applied.nodes] if applied.name == "branch" else [])
            return done

    def _apply_queue(self) -> None:
        while True:
            with self.lock:
                if not self._queue:
                    return
                command, done = self._queue.popleft()
                first = self.state.n_nodes
                try:
                    self.emit(apply_command(command, self.state, self.parts()))
                except Exception as error:  # the asker's to know, whatever it is; the search goes on
                    done.set_exception(as_function_error(f"{command.name} command", error))
                    continue
                self._replan = True
                if command.name in ("pause", "stop"):
                    self._wish, self._pausing = command.name, Pausing.by(command.who)
                done.set_result(list(range(first, self.state.n_nodes)))

    # -- where it stands -----------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Finished, and with nothing left to spend."""
        return self.state.status is SearchStatus.FINISHED and self.state.calls_left == 0

    @property
    def status(self) -> SearchStatus:
        """Where the search stands."""
        with self.lock:
            if self.running:
                return SearchStatus.RUNNING
            if self._unkept:
                return SearchStatus.FAILED
            resting = self.state.status
            begun = resting is SearchStatus.RUNNING or (resting is SearchStatus.READY and self.state.n_nodes > 0)
            return SearchStatus.PAUSED if begun else resting

    @property
    def reason(self) -> str:
        """Why, and what to do next."""
        with self.lock:
            if self._unkept:
                return self._trouble
            if not self.running and self.state.status is SearchStatus.RUNNING:
                return "Interrupted. run() goes on from here."
            if self.score is None and not self.running and self.state.ending is None:
                waiting = len(self.state.reserved)
                told = f"Waiting for the scores of {waiting} items: tell(items, scores), or give_back(items)."
                return told if waiting else "ask() hands out the next items to score."
            if self.state.ending == Ending.BUDGET.name and self.state.calls_left != 0:
                return "The budget was raised. run() goes on."
            failed = self.state.n_failed
            if not failed:
                return self.state.reason
            return (
                f"{self.state.reason} {failed} of {self.state.n_scored} scores failed, the last: {self.state.failure}"
            )

    def need_rest(self, verb: str) -> None:
        """Raise `StateError` while the engine runs."""
        if self.running:
            raise StateError(f"{verb}() needs the search at rest", hint="pause() it first")

    def close(self) -> None:
        """Pause if it runs, and let go of the file."""
        if self.running:
            self.submit("pause", wait=False)
            self.wait()
        if self._workers is not None:
            self._workers.close()
        self.store.close()
