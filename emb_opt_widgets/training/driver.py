"""What drives a training: its thread, its queue of commands, its life. The one object that changes.

Front ends talk to it as to a search's controller: `submit` takes commands from any thread, `listen` tells of events.
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

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import Pausing, SearchStatus
from emb_opt_widgets.errors import (
    EmbOptError,
    FileError,
    FunctionError,
    InputError,
    StateError,
    as_function_error,
)
from emb_opt_widgets.live.run import waited
from emb_opt_widgets.live.store import Store
from emb_opt_widgets.training.learner import Learner
from emb_opt_widgets.training.shelf import Shelf
from emb_opt_widgets.training.state import TrainingEnding, TrainingState, verdict

__all__ = ["TrainingController", "commanded"]

_log = logging.getLogger(__name__)
_PATIENCE = 1.0
_COMMANDS = ("pause", "stop", "use_best")
_NO_NODES = np.empty(0, np.int64)


class TrainingController:
    """Keeps events, folds them, and steps in a thread of its own.

    Attributes:
        state: The fold. Read it under `lock`; only this class changes it.
        lock: Held while events are kept and folded.
        error: What the training's thread died of, until it is started again.
        learner: What learns; the thread's own while it runs.
    """

    def __init__(self, learner: Learner, store: Store, shelf: Shelf, state: TrainingState) -> None:
        self.learner = learner
        self.store = store
        self.state = state
        self.lock = threading.RLock()
        self.error: BaseException | None = None
        self._shelf = shelf
        self._changed = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._queue: deque[tuple[str, str, str, str, Future[list[int]]]] = deque()
        self._wish, self._pausing = "run", Pausing.ASKED
        self._pause_after: int | None = None
        self._listeners: list[Callable[[Sequence[ev.Body]], None]] = []

    # -- events --------------------------------------------------------------------------------------------

    def emit(self, bodies: Sequence[ev.Body]) -> None:
        """Keep events, then fold them.

        Raises:
            FileError: The file cannot be written; nothing was folded.
        """
        if not bodies:
            return
        with self.lock:
            self.store.append(bodies)
            for body in bodies:
                self.state.apply(body)
            self._tell(bodies)

    def listen(self, listener: Callable[[Sequence[ev.Body]], None]) -> Callable[[], None]:
        """Have every group of events told to a function, in order, and an empty one when the thread comes to rest.

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
                _log.exception("one who listens to training %s failed", self.state.config.get("name"))

    # -- running -------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the training's thread is at work."""
        return self._thread is not None

    @property
    def halting(self) -> bool:
        """Whether it was asked to come to rest, and has not yet: a step in flight is waited for."""
        with self.lock:
            asked = any(name in ("pause", "stop") for name, *_ in self._queue)
            return self.running and (asked or self._wish != "run")

    @property
    def within(self) -> bool:
        """Whether the caller is the training's own thread (a tower, a loss or a listener)."""
        return threading.current_thread() is self._thread

    def launch(self, pause_after: int | None = None) -> None:
        """Start the training's thread.

        Args:
            pause_after: Come to rest when so many steps are done.
        """
        self._wish, self._pausing = "run", Pausing.ASKED
        self.error = None
        self._pause_after = pause_after
        self._thread = threading.Thread(target=self._work, name=f"eow-{self.state.config['name']}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._catch_up()
            while not self._rest():
                self._advance()
        except BaseException as error:  # kept, and raised where the person waits
            self._fail(error)
        finally:
            with self._changed:
                self._thread = None
                self._apply_queue()
                self._changed.notify_all()
                self._tell([])

    def _catch_up(self) -> None:
        """Bring the learner to where the events are: from the last checkpoint, by the steps they tell of."""
        learner, state = self.learner, self.state
        if learner.broken or learner.step_number != state.step:
            if state.checkpoint is None:
                learner.broken = False
                return
            learner.restore(self._shelf.fetch(state.checkpoint))
        known = {evaluation.step: evaluation for evaluation in state.evaluations}
        while learner.step_number < state.step:
            learner.step()
            if learner.step_number in known:
                learner.heed(self._watched(known[learner.step_number].accuracy))
        if state.checkpoint is None:
            self.emit(self._checkpoint())

    def _watched(self, accuracy: Any) -> float:
        return float(accuracy[list(self.state.config["ks"]).index(self.state.config["monitor"])])

    def _advance(self) -> None:
        """One step, with what is due after it, as one group of events."""
        learner, config = self.learner, self.state.config
        epoch = self.state.epoch
        stepped = learner.step()
        bodies: list[ev.Body] = [stepped]
        every = config["evaluate_every"]
        try:
            if stepped.epoch > epoch if every is None else stepped.step % every == 0:
                bodies += learner.ages()
                evaluated = learner.evaluate()
                if evaluated is not None:
                    bodies.append(evaluated)
                    learner.heed(self._watched(evaluated.accuracy))
                    if self._watched(evaluated.accuracy) > self.state.best_accuracy:
                        self._shelf.keep_best(learner.towers())
            if stepped.step % config["checkpoint_every"] == 0:
                bodies += self._checkpoint()
        finally:
            self.emit(bodies)
        self._tidy(bodies)

    def _checkpoint(self) -> list[ev.Body]:
        kept = self._shelf.keep(self.learner.step_number, self.state.n_checkpoints, self.learner.state())
        return [] if kept is None else [kept]

    def _tidy(self, bodies: Sequence[ev.Body]) -> None:
        current = self.state.checkpoint
        if current is not None and current in bodies:
            self._shelf.tidy(current)

    def _settled(self, last: ev.Body) -> None:
        """Come to rest: a checkpoint where the last one is older, then the event that says so."""
        kept = self.state.checkpoint
        bodies = self._checkpoint() if kept is None or kept.step != self.state.step else []
        self.emit([*bodies, last])
        self._tidy(bodies)

    def _rest(self) -> bool:
        """Apply what was asked; whether the training comes to rest here."""
        self._apply_queue()
        over = verdict(self.state)
        if self._wish == "stop":
            over = ev.Finished(TrainingEnding.STOPPED.name, TrainingEnding.STOPPED.value)
        if self._pause_after is not None and self.state.step >= self._pause_after:
            self._wish = "pause"
        if over is not None:
            self._settled(over)
        elif self._wish == "pause":
            self._settled(ev.Paused(self._pausing.value))
        return self.state.status is not SearchStatus.RUNNING

    def _fail(self, error: BaseException) -> None:
        _log.info("training %s failed", self.state.config.get("name"), exc_info=error)
        shown = _failed(self.state.step + 1, error)
        self.error = shown
        if not isinstance(shown, FileError):
            try:
                text = str(shown) or type(shown).__name__
                self.emit([ev.Finished(TrainingEnding.FAILED.name, TrainingEnding.FAILED.value.format(error=text))])
            except FileError as second:
                self.error = second

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the training is at rest; whether it is.

        Raises:
            StateError: Asked from within.
        """
        if self.within:
            raise StateError("A function of the training cannot wait for the training", hint="Wait in another thread")
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self.running:
                left = 0.2 if end is None else min(0.2, end - time.monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def settle(self) -> None:
        """Give the training a moment to answer what it was asked, so that the next line of a cell sees it."""
        if not self.within and (self._wish != "run" or self._queue):
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
        """Queue a command, to be applied between steps; at once where nothing runs.

        Args:
            name: "pause", "stop" or "use_best". arguments, plain: None of these takes any.
            note: Why. who: Who asks.
            command_id: Each id takes effect once. None: a new one.
            wait: Until it is applied; else return at once.

        Returns:
            Nothing: a search's controller returns the nodes that a command made.

        Raises:
            InputError, StateError: It does not fit; nothing was changed.
        """
        if name in _COMMANDS and (arguments or plain):
            raise InputError(f"{name} takes no arguments", expected="none", got=str(dict(arguments or plain or {})))
        done = self.queue(name, note, who=who, command_id=command_id, at_once=wait)
        return waited(done) if wait or done.done() else []

    def queue(
        self,
        name: str,
        note: str = "",
        *,
        who: str = "python",
        command_id: str | None = None,
        at_once: bool = True,
    ) -> Future[list[int]]:
        """As `submit`, but returns what tells when the command is applied.

        Args:
            at_once: Asked from within, by a tower or a loss: apply it before returning.
        """
        if name not in _COMMANDS:
            raise InputError("This is no command of a training", expected=", ".join(_COMMANDS), got=name)
        done: Future[list[int]] = Future()
        with self.lock:
            if (before := self.asked(command_id)) is not None:
                return before
            taken = {queued[1] for queued in self._queue} | self.state.commands
            numbered = (f"c{number}" for number in itertools.count(len(taken) + 1))
            new_id = command_id or next(free for free in numbered if free not in taken)
            self._queue.append((name, new_id, who, str(note), done))
            if not self.running or (self.within and at_once):
                self._apply_queue()
        return done

    def asked(self, command_id: str | None) -> Future[list[int]] | None:
        """What tells when a command that was asked before is applied; None: it was not."""
        with self.lock:
            for _, queued, _, _, waiting in self._queue:
                if queued == command_id:
                    return waiting
            if command_id not in self.state.commands:
                return None
            done: Future[list[int]] = Future()
            done.set_result([])
            return done

    def _apply_queue(self) -> None:
        while True:
            with self.lock:
                if not self._queue:
                    return
                name, command_id, who, note, done = self._queue.popleft()
                try:
                    self._apply(name, command_id, who, note)
                except Exception as error:  # the asker's to know, whatever it is; the training goes on
                    done.set_exception(as_function_error(f"{name} command", error))
                    continue
                done.set_result([])

    def _apply(self, name: str, command_id: str, who: str, note: str) -> None:
        noted = commanded(command_id, name, {}, who, note)
        if name == "use_best":
            self._use_best(noted)
        elif not self.running and not (name == "stop" and self.status in (SearchStatus.READY, SearchStatus.PAUSED)):
            raise StateError(f"There is nothing to {name}: the training is {self.status}", hint=self.reason)
        elif not self.running:
            self.emit([noted, ev.Finished(TrainingEnding.STOPPED.name, TrainingEnding.STOPPED.value)])
        else:
            self.emit([noted])
            self._wish, self._pausing = name, Pausing.by(who)

    def _use_best(self, noted: ev.Body) -> None:
        if self.running:
            raise StateError("use_best() needs the training at rest", hint="pause() it first")
        best = self._shelf.fetch_best()
        if best is None:
            raise StateError("No towers were evaluated yet", hint="Pass validation=…, and train to an evaluation")
        self._catch_up()
        parts = self.learner.parts.stateful()
        for name, state in best.items():
            parts[name].load_state_dict(state)
        bodies = [noted, *self._checkpoint()]
        self.emit(bodies)
        self._tidy(bodies)

    # -- where it stands -----------------------------------------------------------------------------------

    @property
    def status(self) -> SearchStatus:
        """Where the training stands."""
        with self.lock:
            if self.running:
                return SearchStatus.RUNNING
            resting = self.state.status
            return SearchStatus.PAUSED if resting is SearchStatus.RUNNING else resting

    @property
    def reason(self) -> str:
        """Why, and what to do next."""
        with self.lock:
            if not self.running and self.state.status is SearchStatus.RUNNING:
                return "Interrupted. run() goes on from here."
            return self.state.reason

    def close(self) -> None:
        """Pause if it runs, and let go of the file."""
        if self.running:
            self.submit("pause", wait=False)
            self.wait()
        self.store.close()


def commanded(command_id: str, name: str, arguments: Mapping[str, Any], who: str, note: str) -> ev.Commanded:
    """A command, as it is noted; a training has no nodes."""
    return ev.Commanded(command_id, name, arguments, who, note, _NO_NODES, _NO_NODES, _NO_NODES)


def _failed(step: int, error: BaseException) -> BaseException:
    """An error of ours, or one that is none of a step's, as it is; any other with the step that it came from."""
    if isinstance(error, EmbOptError) or not isinstance(error, Exception):
        return error
    text = " ".join(str(error).split())[:500]
    wrapped = FunctionError(
        f"Step {step} of the training failed: {type(error).__name__}{': ' if text else ''}{text}",
        hint="Mend it, and run() goes on from there",
    )
    wrapped.__cause__ = error
    return wrapped
