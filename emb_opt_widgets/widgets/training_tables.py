"""A training's steps, evaluations and cache ages as tables, read out of its state. Knows nothing of pages."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.training.events import CacheAged, Evaluated
from emb_opt_widgets.training.state import TrainingState
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.thinned import Reduced, Thinned

__all__ = ["TrainingTables"]

STEPS = {
    "step": Reduced("step", "last", "i4"),
    "epoch": Reduced("epoch", "last", "i4"),
    "loss": Reduced("loss", "mean"),
    "interpretable_loss": Reduced("interpretable_loss", "mean"),
    "low": Reduced("shown", "least"),
    "high": Reduced("shown", "most"),
    "staleness": Reduced("staleness", "mean"),
    "lr": Reduced("lr", "last"),
    "skipped": Reduced("skipped", "total", "i4"),
}
AGES = {"cache": "u1", "low": "i4", "high": "i4", "count": "i4"}

Array = npt.NDArray[Any]


class TrainingTables:
    """The tables of a training's state.

    Args:
        state: The fold. lock: Held while it is read.
    """

    def __init__(self, state: TrainingState, lock: AbstractContextManager[Any]) -> None:
        self._state, self._lock = state, lock
        self._names = [f"accuracy@{k}" for k in state.config["ks"]]
        self._steps = Thinned(STEPS)
        columns = {"step": Reduced("step", "last", "i4"), **{name: Reduced(name, "mean") for name in self._names}}
        self._evaluations = Thinned(columns)
        self.ages = Table(AGES)
        self.caches: dict[str, CacheAged] = {}
        self._rows: dict[str, list[int]] = {}

    @property
    def steps(self) -> Table:
        """A row for a step, or for several."""
        return self._steps.table

    @property
    def evaluations(self) -> Table:
        """A row for an evaluation, or for several."""
        return self._evaluations.table

    def take(self) -> None:
        """Bring them up to date. Takes the lock now and again, and never for long."""
        with self._lock:
            step, ages = self._state.step, dict(self._state.ages)
            evaluations = self._state.evaluations[:]
        self._steps.grow(step, self._stretch)
        self._evaluations.grow(len(evaluations), lambda start, stop: self._evaluated(evaluations[start:stop]))
        for name, aged in ages.items():
            if self.caches.get(name) is not aged:
                self.caches[name] = aged
                self._put_ages(name, aged)

    def _stretch(self, start: int, stop: int) -> Mapping[str, Array]:
        with self._lock:
            found = self._state.stretch(start, stop)
        told = found["interpretable_loss"]
        return {**found, "shown": np.where(np.isnan(told), found["loss"], told)}

    def _evaluated(self, bodies: list[Evaluated]) -> Mapping[str, Array]:
        accuracy = np.array([body.accuracy for body in bodies])
        return {"step": np.array([b.step for b in bodies]), **dict(zip(self._names, accuracy.T))}

    def _put_ages(self, name: str, aged: CacheAged) -> None:
        """Write the bins of a cache; rows that it needs no more count nothing."""
        rows, counts, edges = self._rows.setdefault(name, []), np.asarray(aged.counts), np.asarray(aged.edges)
        more = len(counts) - len(rows)
        if more > 0:
            first = len(self.ages)
            self.ages.append(more, cache=list(self._rows).index(name), low=0, high=0, count=0)
            rows.extend(range(first, first + more))
        values = {"low": edges[:-1], "high": edges[1:], "count": counts}
        self.ages.change(rows, **{key: _padded(value, len(rows)) for key, value in values.items()})


def _padded(values: Array, length: int) -> Array:
    return np.concatenate([values, np.zeros(length - len(values), values.dtype)])
