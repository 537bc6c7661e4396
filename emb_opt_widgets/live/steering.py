"""Steering a live thing: what starting, pausing, stepping and the like check and do, whoever asks. Never waits.

A person's line of Python and a button in a page come down to the same; only who asks, and under which id, differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.errors import StateError
from emb_opt_widgets.live.integers import whole_number
from emb_opt_widgets.live.run import Run

__all__ = ["PERSON", "Asked", "Done", "Lifecycle", "took_effect"]

Done = Future[list[int]]
RunT = TypeVar("RunT", bound="Run[Any, Any]")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for something, and why.

    Attributes:
        who: "python", "browser", "keyboard".
        id: It takes effect once. None: a new one.
        note: For the log.
    """

    who: str = "python"
    id: str | None = None
    note: str = ""


PERSON = Asked()  # one who types Python


class Lifecycle(ABC, Generic[RunT]):
    """The commands that every live thing takes.

    Each returns at once what tells when it took effect. One that does not fit raises `InputError` or `StateError`, at
    once or there, and changes nothing.

    Args:
        run: What drives it.
    """

    def __init__(self, run: RunT) -> None:
        self._run: RunT = run

    def start(self, more: int | None = None, asked: Asked = PERSON) -> Done:
        """Go on in a thread of its own, for so many rounds or steps more. Under an id it is logged as a command too."""
        run = self._run
        count = whole_number(run.engine.unit, more, 1, optional=True)
        with run.lock:
            if (before := run.asked(asked.id)) is not None:
                return before
            until = self._until(count)
            self._check_start(until)
            run.flush()
            done = took_effect() if asked.id is None else self._queue("start", {run.engine.unit: count}, asked)
            self._launch(until)
        return done

    def resume(self, asked: Asked = PERSON) -> Done:
        """Go on after a pause."""
        run = self._run
        with run.lock:
            if (before := run.asked(asked.id)) is not None:
                return before
            if run.status is not RunStatus.PAUSED:
                raise StateError(f"The {run.engine.noun} is {run.status}, not paused", hint=run.reason)
            until = self._until(None)
            self._check_start(until)
            run.flush()
            done = self._queue("resume", {}, asked)
            self._launch(until)
            return done

    def step(self, n: int = 1, asked: Asked = PERSON) -> Done:
        """Do `n` rounds or steps, then pause."""
        run = self._run
        count = whole_number("n", n, 1) or 1
        with run.lock:
            if (before := run.asked(asked.id)) is not None:
                return before
            self._check_rest()
            run.engine.check_step()
            run.flush()
            done = self._queue("step", {"n": count}, asked)
            run.emit([run.engine.stepping(self._until(None), count)])
            run.launch(run.state.done + count)
            return done

    def pause(self, asked: Asked = PERSON) -> Done:
        """Begin nothing new; what is in flight finishes and is kept."""
        return self._halt("pause", asked)

    def stop(self, asked: Asked = PERSON) -> Done:
        """End it; what is in flight finishes and is kept."""
        return self._halt("stop", asked)

    def can(self) -> dict[str, bool]:
        """What would be accepted now, by name: start, pause, resume, step, stop, and what is its own."""
        run = self._run
        with run.lock:
            status, running = run.status, run.running
            able = not running and _fits(lambda: run.engine.check_start(self._until(None)))
            return {
                "start": able,
                "pause": running,
                "resume": able and status is RunStatus.PAUSED,
                "step": not running and _fits(run.engine.check_step),
                "stop": running or status in (RunStatus.READY, RunStatus.PAUSED),
                **self._can_besides(),
            }

    @abstractmethod
    def _can_besides(self) -> dict[str, bool]:
        """Which commands of its own would be accepted now."""

    def _halt(self, name: str, asked: Asked) -> Done:
        run = self._run
        with run.lock:
            if (before := run.asked(asked.id)) is not None:
                return before
            resting = name == "stop" and run.status in (RunStatus.READY, RunStatus.PAUSED)
            if not run.running and not resting:
                raise StateError(f"There is nothing to {name}: the {run.engine.noun} is {run.status}", hint=run.reason)
            return self._queue(name, {}, asked, at_once=False)

    def _launch(self, until: int | None) -> None:
        run, state = self._run, self._run.state
        if state.status is not RunStatus.RUNNING or until != state.until:
            resumed = state.status is RunStatus.PAUSED and until == state.until
            run.emit([ev.Resumed(until) if resumed else ev.Started(until)])
        run.launch()

    def _check_start(self, until: int | None) -> None:
        self._check_rest()
        self._run.engine.check_start(until)

    def _check_rest(self) -> None:
        if self._run.running:
            noun = self._run.engine.noun
            raise StateError(f"The {noun} is running already", hint="pause() or stop() it first, or wait()")

    def _until(self, more: int | None) -> int | None:
        """How far to run: so many more, or what was asked for before an interruption."""
        state = self._run.state
        if more is not None:
            return int(state.done) + more
        interrupted = state.status in (RunStatus.RUNNING, RunStatus.PAUSED)
        before: int | None = state.until
        return before if interrupted and (before or 0) > state.done else None

    def _queue(
        self,
        name: str,
        arguments: Mapping[str, Any],
        asked: Asked,
        plain: Mapping[str, Any] | None = None,
        at_once: bool = True,
    ) -> Done:
        done: Done = self._run.queue(
            name, arguments, plain, asked.note, who=asked.who, command_id=asked.id, at_once=at_once
        )
        if done.done():
            done.result()
        return done


def took_effect() -> Done:
    """What tells that something is done already."""
    done: Done = Future()
    done.set_result([])
    return done


def _fits(check: Callable[[], None]) -> bool:
    try:
        check()
    except StateError:
        return False
    return True
