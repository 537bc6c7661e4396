"""Steering a training: what starting, pausing, stepping and the like check and do, whoever asks. Never waits.

As for a search, a person's line of Python and a button in a page come down to the same; only who asks, and under which
id, differs. What is asked under an id is logged as a command.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import SearchStatus
from emb_opt_widgets.errors import InputError, StateError
from emb_opt_widgets.live.steering import PERSON, Asked
from emb_opt_widgets.training.driver import TrainingController, commanded
from emb_opt_widgets.training.state import TrainingEnding

__all__ = ["TrainingSteering"]

Done = Future[list[int]]


class TrainingSteering:
    """The commands of a training.

    Each returns at once what tells when it took effect. One that does not fit raises `InputError` or `StateError`, at
    once or there, and changes nothing.

    Args:
        controller: What drives the training.
    """

    def __init__(self, controller: TrainingController) -> None:
        self._controller = controller

    def start(self, steps: int | None = None, asked: Asked = PERSON) -> Done:
        """Train in the training's own thread, so many steps more or, where None, until the settings end it."""
        more = None if steps is None else _count("steps", steps)
        live, state = self._controller, self._controller.state
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            self._check_at_rest("pause() or stop() it first, or wait()")
            until = self._until(more)
            if until is None and state.status is SearchStatus.FINISHED and self.over:
                raise StateError("The training is at its end", hint=state.reason)
            bodies = self._noted("start", {} if more is None else {"steps": more}, asked)
            if state.status is not SearchStatus.RUNNING or until != state.until:
                resumed = state.status is SearchStatus.PAUSED and until == state.until
                bodies.append(ev.Resumed(until) if resumed else ev.Started(until))
            return self._launched(bodies)

    def resume(self, asked: Asked = PERSON) -> Done:
        """Go on after a pause."""
        live = self._controller
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            if live.status is not SearchStatus.PAUSED:
                raise StateError(f"The training is {live.status}, not paused", hint=live.reason)
            live.emit(self._noted("resume", {}, asked))
            return self.start()

    def step(self, n: int = 1, asked: Asked = PERSON) -> Done:
        """Do `n` steps, then pause. Past the end it goes on all the same."""
        count = _count("n", n)
        live, state = self._controller, self._controller.state
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            self._check_at_rest("pause() it first")
            fresh = state.status in (SearchStatus.READY, SearchStatus.PAUSED, SearchStatus.RUNNING)
            target = state.step + count
            bodies = self._noted("step", {"n": count}, asked)
            bodies.append(ev.Resumed(self._until(None)) if fresh else ev.Started(target))
            return self._launched(bodies, target)

    def pause(self, asked: Asked = PERSON) -> Done:
        """Come to rest after the step in flight."""
        return self._halted("pause", asked)

    def stop(self, asked: Asked = PERSON) -> Done:
        """End the training after the step in flight."""
        return self._halted("stop", asked)

    def _halted(self, name: str, asked: Asked) -> Done:
        live = self._controller
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            resting = name == "stop" and live.status in (SearchStatus.READY, SearchStatus.PAUSED)
            if not live.running and not resting:
                raise StateError(f"There is nothing to {name}: the training is {live.status}", hint=live.reason)
            done = live.queue(name, note=asked.note, who=asked.who, command_id=asked.id, at_once=resting)
        if done.done():
            done.result()
        return done

    def use_best(self, asked: Asked = PERSON) -> Done:
        """Put the parameters of the best evaluation into the towers; takes its time."""
        return self._controller.queue("use_best", note=asked.note, who=asked.who, command_id=asked.id)

    def can(self) -> dict[str, bool]:
        """What would be accepted now, by name: start, pause, resume, step, stop, use_best."""
        live, state = self._controller, self._controller.state
        with live.lock:
            status, running = live.status, live.running
            ended = self._until(None) is None and state.status is SearchStatus.FINISHED and self.over
            return {
                "start": not running and not ended,
                "pause": running,
                "resume": status is SearchStatus.PAUSED,
                "step": not running,
                "stop": running or status in (SearchStatus.READY, SearchStatus.PAUSED),
                "use_best": not running and state.best_step >= 0,
            }

    @property
    def over(self) -> bool:
        """Whether the settings, and not a number of steps asked for, leave nothing to do."""
        state = self._controller.state
        limits = {"steps": state.step, "epochs": state.epoch}
        reached = any(state.config[name] is not None and done >= state.config[name] for name, done in limits.items())
        return reached or state.ending == TrainingEnding.CONVERGED.name

    def _check_at_rest(self, hint: str) -> None:
        if self._controller.running:
            raise StateError("The training is running already", hint=hint)

    def _until(self, more: int | None) -> int | None:
        """The step to run to: so many more, or what was asked for before an interruption."""
        state = self._controller.state
        if more is not None:
            return state.step + more
        interrupted = state.status in (SearchStatus.RUNNING, SearchStatus.PAUSED)
        return state.until if interrupted and (state.until or 0) > state.step else None

    def _noted(self, name: str, arguments: dict[str, Any], asked: Asked) -> list[ev.Body]:
        if asked.id is None:
            return []
        return [commanded(asked.id, name, arguments, asked.who, asked.note)]

    def _launched(self, bodies: list[ev.Body], pause_after: int | None = None) -> Done:
        self._controller.emit(bodies)
        self._controller.launch(pause_after)
        done: Done = Future()
        done.set_result([])
        return done


def _count(name: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or given < 1:
        wanted = "a whole number, at least 1" + (", or None" if name == "steps" else "")
        raise InputError(f"{name} is not usable", expected=wanted, got=repr(given))
    return int(given)
