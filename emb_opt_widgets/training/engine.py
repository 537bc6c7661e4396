"""How a training goes on: step after step, with evaluations and checkpoints between. Knows no thread and no queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import Pausing, RunStatus
from emb_opt_widgets.errors import EmbOptError, FunctionError, InputError, StateError
from emb_opt_widgets.live.commands import Command
from emb_opt_widgets.live.notices import said_of
from emb_opt_widgets.live.protocols import Bodies, Pulse
from emb_opt_widgets.live.run import Run
from emb_opt_widgets.live.store import Store
from emb_opt_widgets.training.events import Stepped
from emb_opt_widgets.training.learner import Learner
from emb_opt_widgets.training.shelf import Shelf
from emb_opt_widgets.training.state import TrainingEnding, TrainingState, verdict

__all__ = ["TrainingEngine", "TrainingRun", "driven"]

_COMMANDS = ("pause", "stop", "use_best")
_PAUSE, _STOP = 1, 2


class TrainingEngine:
    """A training's steps and its commands.

    Args:
        learner: What learns; the run's thread's own while it runs.
        shelf: Keeps checkpoints.
        state: The fold.
    """

    noun = "training"
    unit = "steps"

    def __init__(self, learner: Learner, shelf: Shelf, state: TrainingState) -> None:
        self.learner = learner
        self._shelf = shelf
        self._state = state
        self._pause_after: int | None = None

    # -- steps ---------------------------------------------------------------------------------------------

    def advance(self, pulse: Pulse) -> Iterator[Bodies]:
        """One step, with what is due after it, as one group of events."""
        self._pause_after = pulse.pause_after
        try:
            yield from self._caught_up()
            yield from self._step()
        except EmbOptError:
            raise
        except Exception as error:
            raise _failed(self._state.step + 1, error) from error

    def _caught_up(self) -> Iterator[Bodies]:
        """Bring the learner to where the events are: from the last checkpoint, by the steps they tell of."""
        learner, state = self.learner, self._state
        if learner.broken or learner.step_number != state.step:
            if state.checkpoint is None:
                learner.broken = False
                return
            learner.restore(self._shelf.fetch(state.checkpoint))
        known = {evaluation.step: evaluation for evaluation in state.evaluations}
        while learner.step_number < state.step:
            epoch = learner.epoch
            due = self._due(epoch, learner.step())
            if due and learner.step_number in known:
                learner.heed(self._watched(known[learner.step_number].accuracy))
        if state.checkpoint is None:
            yield self._checkpoint()

    def _watched(self, accuracy: Any) -> float:
        config = self._state.config
        return float(accuracy[list(config["ks"]).index(config["monitor"])])

    def _step(self) -> Iterator[Bodies]:
        epoch = self._state.epoch
        stepped = self.learner.step()
        bodies: list[ev.Body] = [stepped]
        try:
            if self._due(epoch, stepped):
                bodies += self.learner.ages()
                bodies += self._evaluated()
            if stepped.step % self._state.config["checkpoint_every"] == 0:
                bodies += self._checkpoint()
        except BaseException:
            yield bodies
            raise
        yield bodies
        self._tidy(bodies)

    def _due(self, epoch: int, stepped: Stepped) -> bool:
        """Whether a step is evaluated, that began in this epoch."""
        every = self._state.config["evaluate_every"]
        return stepped.epoch > epoch if every is None else stepped.step % every == 0

    def _evaluated(self, heed: bool = True) -> Bodies:
        """An evaluation, where there are held-out pairs; a scheduler may be told of it."""
        evaluated = self.learner.evaluate()
        if evaluated is None:
            return []
        watched = self._watched(evaluated.accuracy)
        if heed:
            self.learner.heed(watched)
        if watched > self._state.best_accuracy:
            self._shelf.keep_best(self.learner.towers())
        return [evaluated]

    def _checkpoint(self) -> Bodies:
        kept = self._shelf.keep(self.learner.step_number, self._state.n_checkpoints, self.learner.state())
        return [] if kept is None else [kept]

    def _tidy(self, bodies: Bodies) -> None:
        current = self._state.checkpoint
        if current is not None and current in bodies:
            self._shelf.tidy(current)

    def rest(self, last: ev.Body) -> Iterator[Bodies]:
        """An evaluation where it ends by itself after a step without one, a checkpoint where the last one is older,
        then the event that says so. One of several processes that is asked to rest first asks the others to."""
        if not self._agreed(last):
            return
        yield from self._caught_up()
        bodies: list[ev.Body] = []
        by_itself = isinstance(last, ev.Finished) and last.ending != TrainingEnding.STOPPED.name
        at = self._state.evaluations[-1].step if self._state.evaluations else -1
        if by_itself and at != self._state.step > 0:
            bodies += self._evaluated(heed=False)
        kept = self._state.checkpoint
        bodies += self._checkpoint() if kept is None or kept.step != self._state.step else []
        yield [*bodies, last]
        self._tidy(bodies)

    def _agreed(self, last: ev.Body) -> bool:
        """Whether all processes come to rest here."""
        together = self.learner.together
        if together is None:
            return True
        stopping = isinstance(last, ev.Finished) and last.ending == TrainingEnding.STOPPED.name
        counted = self._pause_after is not None and self._state.step >= self._pause_after
        if not together.asked and (stopping or (isinstance(last, ev.Paused) and not counted)):
            together.wish = _STOP if stopping else _PAUSE
            return False
        together.wish = together.asked = 0
        return True

    def verdict(self) -> ev.Body | None:
        """As in `Engine`; also what all processes agreed on."""
        asked = 0 if self.learner.together is None else self.learner.together.asked
        if asked == _STOP:
            return ev.Finished(TrainingEnding.STOPPED.name, TrainingEnding.STOPPED.value)
        return verdict(self._state) or (ev.Paused(Pausing.ASKED.value) if asked else None)

    def reason(self) -> str:
        """As in `Engine`."""
        return self._state.reason

    # -- what may be asked ---------------------------------------------------------------------------------

    def check(self, command: Command) -> None:
        """As in `Orders`."""
        if command.name not in _COMMANDS:
            raise InputError("This is no command of a training", expected=", ".join(_COMMANDS), got=command.name)

    def apply(self, command: Command, running: bool) -> Iterator[Bodies]:
        """Put the parameters of the best evaluation into the towers."""
        if running:
            raise StateError("use_best() needs the training at rest", hint="pause() it first")
        best = self._shelf.fetch_best()
        if best is None:
            raise StateError("No towers were evaluated yet", hint="Pass validation=…, and train to an evaluation")
        yield from self._caught_up()
        parts = self.learner.parts.stateful()
        for name, state in best.items():
            parts[name].load_state_dict(state)
        bodies = [command.event(), *self._checkpoint()]
        yield bodies
        self._tidy(bodies)

    def check_start(self, until: int | None) -> None:
        """As in `Startable`."""
        if until is None and self._state.status is RunStatus.FINISHED and self.over:
            raise StateError("The training is at its end", hint=self._state.reason)

    def check_step(self) -> None:
        """As in `Startable`: past the end it goes on all the same."""

    def stepping(self, until: int | None, count: int) -> ev.Body:
        """As in `Startable`."""
        fresh = self._state.status in (RunStatus.READY, RunStatus.PAUSED, RunStatus.RUNNING)
        return ev.Resumed(until) if fresh else ev.Started(self._state.step + count)

    def close(self) -> None:
        """It holds nothing."""

    @property
    def over(self) -> bool:
        """Whether the settings, and not a number of steps asked for, leave nothing to do."""
        state = self._state
        limits = {"steps": state.step, "epochs": state.epoch}
        reached = any(state.config[name] is not None and done >= state.config[name] for name, done in limits.items())
        return reached or state.ending == TrainingEnding.CONVERGED.name


TrainingRun = Run[TrainingState, TrainingEngine]


def driven(learner: Learner, store: Store, shelf: Shelf, state: TrainingState) -> TrainingRun:
    """What drives a training."""
    return Run(TrainingEngine(learner, shelf, state), state, store)


def _failed(step: int, error: Exception) -> FunctionError:
    return FunctionError(
        f"Step {step} of the training failed: {said_of(error)[:500]}", hint="Mend it, and run() goes on from there"
    )
