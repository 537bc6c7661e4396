"""Where a training stands: the fold of its events. Knows no torch, no files and no threads."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.training.events import CacheAged, Checkpointed, Evaluated, Stepped

__all__ = ["TrainingEnding", "TrainingState", "verdict"]

_COLUMNS = {
    "step": "q", "epoch": "q", "loss": "d", "interpretable_loss": "d", "staleness": "d", "lr": "d", "skipped": "b",
}  # fmt: skip


class TrainingEnding(str, Enum):
    """How a training ended; the text tells a person what to do next."""

    STEPS = "The steps asked for are done. run(steps=…) goes on from here."
    EPOCHS = "The epochs asked for are done. run(steps=…) goes on from here."
    CONVERGED = "Accuracy@{k} has not risen in the last {n} evaluations. use_best() goes back; run(steps=…) goes on."
    STOPPED = "Stopped by a person. run() goes on from here."
    FAILED = "{error}"

    def __str__(self) -> str:
        return self.name.lower()


class TrainingState:
    """What the events say.

    Attributes:
        config: Settings as plain values. data: The data's fingerprint. seed: Of every random choice.
        status, reason, ending: Where it stands, and why. until: The step to run to, or None.
        step, epoch: Steps and epochs done.
        evaluations: In order. ages: Cache to its last ages.
        checkpoint: The last, or None. n_checkpoints: How many there were.
        best_step, best_accuracy: Of the best evaluation, at the k that is watched; step -1 before the first.
        waiting: Evaluations since the best, or since the last start.
        commands: By id, so that each takes effect once.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.data: Mapping[str, Any] = {}
        self.seed = 0
        self.status = RunStatus.READY
        self.reason = "Not started. run(), start() or step() begins."
        self.ending: str | None = None
        self.until: int | None = None
        self.step = 0
        self.epoch = 0
        self.evaluations: list[Evaluated] = []
        self.ages: dict[str, CacheAged] = {}
        self.checkpoint: Checkpointed | None = None
        self.n_checkpoints = 0
        self.best_step = -1
        self.best_accuracy = -np.inf
        self.waiting = 0
        self.commands: dict[str, ev.Commanded] = {}
        self._columns = {name: array(kind) for name, kind in _COLUMNS.items()}

    @property
    def done(self) -> int:
        """Steps done."""
        return self.step

    @property
    def begun(self) -> bool:
        """Whether a step is done."""
        return self.step > 0

    def apply(self, body: ev.Body) -> None:
        """Take in one event."""
        match body:
            case ev.Created():
                self.config, self.data, self.seed = dict(body.config), body.source, body.seed
            case ev.Started() | ev.Resumed():
                self.status, self.ending, self.until = RunStatus.RUNNING, None, body.until
                self.reason = "Running."
                self.waiting = 0 if isinstance(body, ev.Started) else self.waiting
            case Stepped():
                self.step, self.epoch = body.step, body.epoch
                for name, column in self._columns.items():
                    column.append(getattr(body, name))
            case Evaluated():
                self._evaluated(body)
            case CacheAged():
                self.ages[body.cache] = body
            case Checkpointed():
                self.checkpoint, self.n_checkpoints = body, self.n_checkpoints + 1
            case ev.Commanded():
                self.commands[body.id] = body
            case ev.Paused():
                self.status, self.reason = RunStatus.PAUSED, body.reason
            case ev.Finished():
                self._finished(body)
            case _:
                raise ValueError(f"no event of a training: {body.kind}")

    def _evaluated(self, body: Evaluated) -> None:
        self.evaluations.append(body)
        watched = float(body.accuracy[list(body.ks).index(self.config["monitor"])])
        if watched > self.best_accuracy:
            self.best_step, self.best_accuracy, self.waiting = body.step, watched, 0
        else:
            self.waiting += 1

    def _finished(self, body: ev.Finished) -> None:
        known = {"STOPPED": RunStatus.STOPPED, "FAILED": RunStatus.FAILED}
        self.status = known.get(body.ending, RunStatus.FINISHED)
        self.ending, self.reason = body.ending, body.reason

    def metrics(self) -> dict[str, npt.NDArray[Any]]:
        """A row for each step: step, epoch (the one it belongs to, from 0), loss, interpretable_loss, staleness, lr,
        skipped, and accuracy@k for each k, NaN where there was no evaluation."""
        out = self.stretch(0, self.step)
        out["skipped"] = out["skipped"].astype(bool)
        for k in self.config.get("ks", ()):
            out[f"accuracy@{k}"] = np.full(self.step, np.nan)
        for evaluation in self.evaluations:
            for k, value in zip(evaluation.ks, evaluation.accuracy):
                out[f"accuracy@{k}"][evaluation.step - 1] = value
        return out

    def stretch(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Rows of the metrics, without the accuracies: of the steps after `start` and up to `stop`, copied."""
        out = {name: np.array(column[start:stop], column.typecode) for name, column in self._columns.items()}
        done = self._columns["epoch"]
        before = done[start - 1 : start] if start else array("q", [0])
        out["epoch"] = np.array((before + done[start:stop])[: len(out["epoch"])], "q")
        return out

    @property
    def steps_an_epoch(self) -> int | None:
        """How many steps the first epoch took; None before its end."""
        epochs = self._columns["epoch"]
        return bisect_left(epochs, 1) + 1 if self.epoch else None

    def latest(self, name: str) -> float:
        """The last value of a column, NaN before the first step."""
        column = self._columns[name]
        return float(column[-1]) if column else float("nan")


def verdict(state: TrainingState) -> ev.Finished | None:
    """The end, where it is reached: by the steps asked for, else by the settings."""
    config = state.config
    patience = config["patience"]
    if state.until is not None:
        over = TrainingEnding.STEPS if state.step >= state.until else None
    elif config["steps"] is not None and state.step >= config["steps"]:
        over = TrainingEnding.STEPS
    elif config["epochs"] is not None and state.epoch >= config["epochs"]:
        over = TrainingEnding.EPOCHS
    else:
        over = None
    if over is None and patience is not None and state.waiting >= patience:
        over = TrainingEnding.CONVERGED
    if over is None:
        return None
    return ev.Finished(over.name, over.value.format(k=config["monitor"], n=patience))
