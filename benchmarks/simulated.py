"""Searches whose score calls take simulated time, while the engine's thinking takes the CPU time that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import open_rounds
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.executors import Call, Reply, Workers
from emb_opt_widgets.search import Search
from emb_opt_widgets.strategies import Portfolio

__all__ = ["SimulatedWorkers", "simulated_search"]

Float64 = npt.NDArray[np.float64]


class _Clock:
    """The time of a simulation: CPU that the engine's thread spends, and leaps to where something happens."""

    def __init__(self) -> None:
        self._now = 0.0
        self._cpu = time.process_time()

    def monotonic(self) -> float:
        cpu = time.process_time()
        self._now += cpu - self._cpu
        self._cpu = cpu
        return self._now

    def leap(self, until: float) -> None:
        """Nothing happens before."""
        self._now = max(self.monotonic(), until)


class _SimulatedCall(Call):
    """A call that ends at its time."""

    def __init__(self, workers: SimulatedWorkers, seconds: float, value: Any) -> None:
        super().__init__()
        self._workers = workers
        self._value = value
        self.ends = workers.clock.monotonic() + seconds

    @property
    def reply(self) -> Reply | None:
        if self._workers.clock.monotonic() < self.ends:
            return None
        self._workers.under_way.discard(self)
        return Reply(self._value)


@dataclass(eq=False)
class SimulatedWorkers(Workers):
    """Workers on which a call takes the seconds of its items.

    Args:
        n: How many calls run at once.
        seconds: `(N,)` what each item takes, by its id.
    """

    n: int
    seconds: Float64
    clock: _Clock = field(default_factory=_Clock)
    under_way: set[_SimulatedCall] = field(default_factory=set)
    handed: list[float] = field(default_factory=list)

    @property
    def workers(self) -> int:
        return self.n

    def submit(self, function: Callable[[Any], Any], argument: Items, limit: float | None = None) -> Call:
        took = float(self.seconds[argument.ids].sum())
        call = _SimulatedCall(self, took, function(argument))
        self.under_way.add(call)
        self.handed.append(took)
        return call

    def remake(self) -> None:
        """Nothing dies."""

    def close(self) -> None:
        """Nothing to let go of."""

    def wait(self, *_: object) -> None:
        """Leap to the next end of a call."""
        if self.under_way:
            self.clock.leap(min(call.ends for call in self.under_way))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The engine's clock is this one."""
        with (
            mock.patch.object(open_rounds, "time", self.clock),
            mock.patch.object(open_rounds._Flow, "wait", self.wait),
        ):
            yield


def simulated_search(
    x: npt.NDArray[np.float32], scores: Float64, seconds: Float64, workers: int, budget: int, seed: int
) -> tuple[npt.NDArray[Any], float, list[float]]:
    """An asynchronous search.

    Returns:
        The ids in order of arrival, the simulated seconds, and the durations in the order in which calls began.
    """
    pool = SimulatedWorkers(workers, seconds)
    search = Search(
        x, lambda items: scores[items.ids], budget=budget, seed=seed, executor=pool, update=Portfolio()
    )  # fmt: skip
    with pool.at_work():
        search.run(progress=False)
    took = pool.clock.monotonic()
    return np.asarray(search.results().ids), took, pool.handed
