"""What drives a live thing: its thread, its queue of commands, its life. The one object that changes.

Knows neither searches nor trainings: what goes on is their engine's. Front ends talk to it: `submit` takes commands
from any thread, `listen` tells of events.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Generic, TypeVar

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.boundary import check_called
from emb_opt_widgets.engine.status import Ending, Pausing, RunStatus
from emb_opt_widgets.engine.view import Interrupted
from emb_opt_widgets.errors import FileError, StateError, as_function_error
from emb_opt_widgets.live.commands import Command, nodes_made
from emb_opt_widgets.live.notices import Notices, said_of
from emb_opt_widgets.live.protocols import Bodies, Fold, Startable
from emb_opt_widgets.live.store import Store

__all__ = ["Run", "waited"]

_log = logging.getLogger(__name__)
_PATIENCE = 1.0
_CALM, _AGAIN = 1.0, 3.0
"""Seconds, and times what was given up, in which thinking that a command interrupted is not interrupted by another."""
_HALTING = "Coming to rest: what is under way is finished first."
_HALTS = ("pause", "stop")
_NOTED = ("start", "resume", "step")
FoldT = TypeVar("FoldT", bound=Fold)
EngineT = TypeVar("EngineT", bound=Startable)
Done = Future[list[int]]
Heard = Callable[[Bodies], object]


def waited(done: Done) -> list[int]:
    """What a command came to, once it is applied; an interrupt is heard meanwhile."""
    while True:
        try:
            return done.result(timeout=0.2)
        except FutureTimeout:
            continue


def _no_payload(bodies: Bodies) -> Sequence[tuple[int, Any]]:
    return ()


class Run(Generic[FoldT, EngineT]):
    """Keeps events, folds them, and has an engine advance in a thread of its own.

    Args:
        engine: What goes on.
        state: The fold.
        store: Keeps the events.
        payload: What a file keeps beside events, for those who look at it alone.

    Attributes:
        state: Read it under `lock`; only this class changes it.
        lock: Held while events are kept and folded.
        error: What the thread died of, until it is started again.
        pause_after: Rounds, or steps, that are to be done before it comes to rest; None: no end.
        notices: What a person should know beside.
    """

    def __init__(
        self,
        engine: EngineT,
        state: FoldT,
        store: Store,
        payload: Callable[[Bodies], Sequence[tuple[int, Any]]] = _no_payload,
    ) -> None:
        self.engine = engine
        self.state = state
        self.store = store
        self.lock = threading.RLock()
        self.error: BaseException | None = None
        self.notices = Notices()
        self._payload = payload
        self._changed = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._queue: deque[tuple[Command, Done]] = deque()
        self._wish, self._pausing = "run", Pausing.ASKED
        self._replan = False
        self._last_group = self._spared_until = 0.0
        self.pause_after: int | None = None
        self._unkept: list[ev.Body] = []
        self._trouble = ""
        self._listeners: list[Heard] = []
        self._untold: deque[tuple[int, Bodies]] = deque()
        self._told: tuple[int, Bodies] | None = None

    # -- events --------------------------------------------------------------------------------------------

    def emit(self, bodies: Bodies) -> None:
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

    def flush(self) -> None:
        """Keep what could not be kept before."""
        waiting, self._unkept = self._unkept, []
        self.emit(waiting)

    def listen(self, listener: Heard) -> Callable[[], None]:
        """Have every group of events told to a function, in order, and an empty one when the engine comes to rest.

        It is called in the thread that made them, under `lock`; it must be quick, and harms nobody where it fails.
        Returns what ends it.
        """
        with self.lock:
            self._listeners.append(listener)

        def end() -> None:
            with self.lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def subscribe(self, function: Callable[[Sequence[ev.Event]], object]) -> Callable[[], None]:
        """As `listen`, for what people write: events with their numbers and times, and no empty groups."""
        check_called("subscriber", function, "nothing", ("events",), later=False)

        def hear(bodies: Bodies) -> None:
            if bodies:
                first, now = (len(self.store) if self._told is None else self._told[0]), time.time()
                function([ev.Event(first + place, body, now) for place, body in enumerate(bodies)])

        return self.listen(hear)

    def _tell(self, bodies: Bodies) -> None:
        """Tell all who listen, each group to all before the next: one who listens may make events too."""
        self._untold.append((len(self.store) - len(bodies), bodies))
        if self._told is not None:
            return
        try:
            while self._untold:
                self._told = self._untold.popleft()
                for listener in tuple(self._listeners):
                    self._tell_one(listener, self._told[1])
        finally:
            self._told = None

    def _tell_one(self, listener: Heard, bodies: Bodies) -> None:
        try:
            listener(bodies)
        except BaseException as error:  # also one that wants to end the program: it is not theirs to end
            _log.exception("one who listens to %s failed", self.state.config.get("name"))
            self.notify("subscriber", f"A function that is told of events failed: {said_of(error)}")

    def notify(self, source: str, text: str) -> None:
        """Tell the person something, in Python and on the page."""
        self.notices.add(source, text)

    # -- running -------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the engine's thread is at work."""
        return self._thread is not None

    @property
    def halting(self) -> bool:
        """Whether it was asked to come to rest, and has not yet: what is in flight is waited for."""
        with self.lock:
            return self.running and (self._wish != "run" or self._halt_waits())

    @property
    def within(self) -> bool:
        """Whether the caller is the engine's own thread (a function of the person's that steers)."""
        return threading.current_thread() is self._thread

    def _halt_waits(self) -> bool:
        return any(command.name in _HALTS for command, _ in tuple(self._queue))

    def may_call(self) -> bool:
        """Whether another call may be made: not once a person has asked for something that may forbid it."""
        return self._wish == "run" and not self._replan and not self._halt_waits()

    def checkpoint(self) -> None:
        """Raise `Interrupted` where a person has asked for something that waits to be applied. What is to halt it is
        heard at once; of other commands, one is, and then what was given up gets time to be done.
        """
        if not self._queue:
            return
        now = time.monotonic()
        if self._halt_waits():
            raise Interrupted
        if now >= self._spared_until:
            self._spared_until = now + _CALM + _AGAIN * (now - self._last_group)
            raise Interrupted

    def launch(self, pause_after: int | None = None) -> None:
        """Start the engine's thread.

        Args:
            pause_after: Come to rest when so many rounds, or steps, are done.
        """
        self._wish, self._pausing = "run", Pausing.ASKED
        self.error = None
        self.pause_after = pause_after
        self._thread = threading.Thread(target=self._work, name=f"eow-{self.state.config['name']}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            while not self._rests():
                self._advance()
        except BaseException as error:  # kept, and raised where the person waits
            self._fail(error)
        finally:
            with self._changed:
                self._thread = None
                self._apply_queue()
                self._changed.notify_all()
                self._tell([])

    def _advance(self) -> None:
        """One stretch. Thinking that is interrupted has yielded nothing, and begins anew with the next."""
        self._replan = False
        self._last_group = time.monotonic()
        try:
            for group in self.engine.advance(self):
                self.emit(group)
                self._apply_queue()
                self._last_group = time.monotonic()
        except Interrupted:
            _log.debug("%s gave up what it thought of", self.state.config.get("name"))

    def _rests(self) -> bool:
        """Apply what was asked; whether the engine comes to rest here."""
        self._apply_queue()
        last: ev.Body | None = self.engine.verdict()
        if self._wish == "stop":
            last = ev.Finished(Ending.STOPPED.name, Ending.STOPPED.value)
        if last is None and self.pause_after is not None and self.state.done >= self.pause_after:
            self._wish = "pause"
        if last is None and self._wish == "pause":
            last = ev.Paused(self._pausing.value)
        for group in () if last is None else self.engine.rest(last):
            self.emit(group)
        return self.state.status is not RunStatus.RUNNING

    def _fail(self, error: BaseException) -> None:
        _log.info("%s failed", self.state.config.get("name"), exc_info=error)
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
            StateError: Asked from within.
        """
        if self.within:
            noun = self.engine.noun
            raise StateError(f"A function of the {noun} cannot wait for the {noun}", hint="Wait from another thread")
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self.running:
                left = 0.2 if end is None else min(0.2, end - time.monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def settle(self, stepping: bool = False) -> bool:
        """Give the engine a moment to answer what it was asked, so that the next line of a cell sees it.

        Args:
            stepping: It will come to rest by itself.

        Returns:
            Whether it is at rest.
        """
        if not self.within and (stepping or not self.may_call()):
            return self.wait(_PATIENCE)
        return not self.running

    def interrupt(self) -> None:
        """Ask for a pause as one does who interrupts a cell; at rest that changes nothing."""
        with self.lock:
            if self.running:
                self.queue("pause", who="keyboard", at_once=False)

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
        """Queue a command, to be applied between groups of events; at once where no engine runs.

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
    ) -> Done:
        """As `submit`, but returns what tells when the command is applied.

        Args:
            at_once: Asked from within: apply it before returning.
        """
        live = arguments or {}
        done: Done = Future()
        with self.lock:
            if (before := self.asked(command_id)) is not None:
                return before
            new_id = self._new_id() if command_id is None else command_id
            command = Command(name, live, new_id, who, str(note), live if plain is None else plain)
            if name not in _HALTS and name not in _NOTED:
                self.engine.check(command)
            self._queue.append((command, done))
            if not self.running or (self.within and at_once):
                self._apply_queue()
        return done

    def _new_id(self) -> str:
        taken = {command.id for command, _ in self._queue} | self.state.commands.keys()
        return next(free for n in itertools.count(len(taken) + 1) if (free := f"c{n}") not in taken)

    def asked(self, command_id: str | None) -> Done | None:
        """What tells when a command that was asked before is applied, and with which new nodes; None: it was not."""
        if command_id is None:
            return None
        with self.lock:
            for command, waiting in self._queue:
                if command.id == command_id:
                    return waiting
            applied = self.state.commands.get(command_id)
            if applied is None:
                return None
            done: Done = Future()
            done.set_result(nodes_made(applied))
            return done

    def _apply_queue(self) -> None:
        while True:
            with self.lock:
                if not self._queue:
                    return
                command, done = self._queue.popleft()
                try:
                    self._halt(command) if command.name in _HALTS else self._apply(command)
                except Exception as error:  # the asker's to know, whatever it is; the engine goes on
                    done.set_exception(as_function_error(f"{command.name} command", error))
                    continue
                self._replan = True
                applied = self.state.commands.get(command.id)
                done.set_result([] if applied is None else nodes_made(applied))

    def _apply(self, command: Command) -> None:
        for group in [[command.event()]] if command.name in _NOTED else self.engine.apply(command, self.running):
            self.emit(group)

    def _halt(self, command: Command) -> None:
        """A pause or a stop. At rest, what was not begun, or pauses, can be stopped."""
        status = self.status
        if self.running and self._wish in (command.name, "stop"):
            return  # it comes to rest already
        if self.running:
            self._wish, self._pausing = command.name, Pausing.by(command.who)
            self.emit([command.event()])
        elif command.name == "stop" and status in (RunStatus.READY, RunStatus.PAUSED):
            self.emit([command.event(), ev.Finished(Ending.STOPPED.name, Ending.STOPPED.value)])
        elif status is not RunStatus.PAUSED:
            raise StateError(
                f"There is nothing to {command.name}: the {self.engine.noun} is {status}", hint=self.reason
            )

    # -- where it stands -----------------------------------------------------------------------------------

    @property
    def status(self) -> RunStatus:
        """Where it stands."""
        with self.lock:
            if self.running:
                return RunStatus.RUNNING
            if self._unkept:
                return RunStatus.FAILED
            resting = self.state.status
            begun = resting is RunStatus.RUNNING or (resting is RunStatus.READY and self.state.begun)
            return RunStatus.PAUSED if begun else resting

    @property
    def reason(self) -> str:
        """Why, and what to do next."""
        with self.lock:
            if self._unkept:
                return self._trouble
            if not self.running and self.state.status is RunStatus.RUNNING:
                return "Interrupted. run() goes on from here."
            if self.halting:
                return _HALTING
            return self.engine.reason()

    def need_rest(self, asked: str) -> None:
        """Raise `StateError` while the engine runs."""
        if self.running:
            raise StateError(f"{asked} needs the {self.engine.noun} at rest", hint="pause() it first")

    def close(self) -> None:
        """Pause if it runs, and let go of the file."""
        with self.lock:
            if self.running:
                self.queue("pause", at_once=False)
        self.wait()
        self.engine.close()
        self.store.close()
