"""Whole searches whose calls take long and unevenly: their time over that of a perfect scheduler of the same calls, and
what they find beside a search that waits for every score.

A perfect scheduler gives the next call to whichever worker is free, and thinks in no time. Durations are lognormal, and
one item in twenty takes twenty times as long.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Measure, timed
from benchmarks.simulated import simulated_search
from benchmarks.tasks import Task, load_task, recall
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.search import Search
from emb_opt_widgets.strategies import Portfolio

__all__ = ["measure_recall", "measure_scheduling", "perfect"]

_MEAN = 0.3
_CALLS_OF_A_WORKER = 20
_N, _DIM = 20_000, 64
_UNIT, _LIMIT = "× of a perfect scheduler", 1.15


@dataclass(frozen=True)
class Slow:
    """A score that takes its time.

    Args:
        scores: Of all items. seconds: What a call for each takes.
    """

    scores: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]

    def __call__(self, items: Items) -> npt.NDArray[np.float64]:
        time.sleep(float(self.seconds[items.ids].sum()))
        out: npt.NDArray[np.float64] = self.scores[items.ids]
        return out


def measure_scheduling(quick: bool = False, say: Callable[[str], None] = lambda _: None) -> Iterator[Measure]:
    """Threads and a Dask cluster, more workers by a simulated clock, and rounds with a barrier beside them.

    Args:
        quick: Few workers and short calls, for tests; the numbers then mean little.
        say: Told what is under way.
    """
    if quick:
        say("4 threads")
        yield whole_search("threads", 4, 0.02)
        return
    for kind, workers in (("threads", 4), ("threads", 16), ("dask", 4), ("dask", 16)):
        say(f"{workers} {kind}")
        yield whole_search(kind, workers, _MEAN)
    for workers, mean in ((64, _MEAN), (64, 1.0), (256, 1.0), (256, 3.0)):
        say(f"{workers} workers by a simulated clock")
        yield simulated(workers, mean)
    say("4 threads with a barrier after every round")
    yield whole_search("threads", 4, _MEAN, asynchronous=False)


def measure_recall(name: str, budget: str, seeds: int, workers: int = 4) -> Measure:
    """What a search with workers finds of the top 1 %, less what one without finds in as many calls.

    Args:
        name: As `load_task` takes it. budget: Calls, or a share. seeds: How many pairs of searches.
        workers: Whose calls take simulated time.
    """
    task = load_task(name)
    calls, seconds = task.calls(budget), _seconds(len(task.truth), _MEAN)
    pairs = np.array([_pair(task, seconds, calls, workers, seed) for seed in range(seeds)])
    less = pairs[:, 0] - pairs[:, 1]
    error = less.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else float("nan")
    return Measure(
        f"{task.name}, {calls} calls on {workers} workers: recall less the synchronous search's", float(less.mean()),
        "", -float(error), "at least",
        f"{pairs[:, 0].mean():.3f} against {pairs[:, 1].mean():.3f}; paired standard error {error:.3f}, {seeds} seeds",
    )  # fmt: skip


def _pair(task: Task, seconds: npt.NDArray[np.float64], calls: int, workers: int, seed: int) -> tuple[float, float]:
    top = max(1, round(0.01 * len(task.truth)))
    found, _, _ = simulated_search(task.vectors, task.truth, seconds, workers, calls, seed)
    search = Search(task.vectors, lambda items: task.truth[items.ids], budget=calls, seed=seed)
    search.run(progress=False)
    return recall(task, found, top), recall(task, search.results().ids, top)


def simulated(workers: int, mean: float) -> Measure:
    """A search on workers whose calls take simulated time; the engine's thinking takes the CPU time that it takes."""
    x, score = _task(mean)
    budget = _CALLS_OF_A_WORKER * workers
    _, took, handed = simulated_search(x, score.scores, score.seconds, workers, budget, seed=0)
    best = perfect(handed, workers)
    return Measure(
        f"{workers} workers by a simulated clock, {mean:g} s a call", took / best, _UNIT, _LIMIT, "at most",
        f"{took:.1f} s, a perfect scheduler {best:.1f} s, {budget} calls",
    )  # fmt: skip


def whole_search(kind: str, workers: int, mean: float, asynchronous: bool = True) -> Measure:
    """A search of twenty calls for every worker."""
    budget = _CALLS_OF_A_WORKER * workers
    x, score = _task(mean)
    with _executor(kind, workers) as executor:
        search = Search(x, score, budget=budget, seed=0, update=Portfolio(asynchronous=asynchronous), executor=executor)
        took = timed(lambda: search.run(progress=False))
        search.close()
    seconds = score.seconds[_in_order(search)]
    best = perfect(seconds, workers)
    name = f"{workers} {'workers of a Dask cluster' if kind == 'dask' else kind}"
    return Measure(
        name if asynchronous else f"{name}, with a barrier after every round",
        took / best, _UNIT, _LIMIT, "at most",
        f"{took:.1f} s, a perfect scheduler {best:.1f} s, {budget} calls of {seconds.mean():.2f} s; "
        f"busy {seconds.sum() / (workers * took):.0%}, at best {seconds.sum() / (workers * best):.0%}",
    )  # fmt: skip


def perfect(seconds: Sequence[float] | npt.NDArray[np.float64], workers: int) -> float:
    """The time in which workers do calls of these durations, each taking the next when it is free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + float(one))
    return max(free)


def _task(mean: float) -> tuple[npt.NDArray[np.float32], Slow]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((_N, _DIM)).astype(np.float32)
    scores = np.exp(-0.5 * np.linalg.norm(x - 0.3, axis=1) / np.sqrt(_DIM)) + 0.02 * rng.standard_normal(_N)
    return x, Slow(scores, _seconds(_N, mean))


def _seconds(n: int, mean: float) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(1)
    seconds = rng.lognormal(0, 0.5, n)
    seconds[rng.random(n) < 0.05] *= 20
    out: npt.NDArray[np.float64] = mean * seconds / seconds.mean()
    return out


def _in_order(search: Search) -> npt.NDArray[np.int64]:
    """The items' ids, in the order in which they were handed out."""
    bodies = [event.body for event in search.events]
    rows = np.concatenate([body.rows for body in bodies if isinstance(body, ev.HandedOut)] or [np.empty(0, np.int64)])
    if not len(rows):
        rows = np.concatenate([body.rows for body in bodies if isinstance(body, ev.Scored)])
    ids: npt.NDArray[np.int64] = search.controller.state.ids.take(rows)
    return ids


@contextmanager
def _executor(kind: str, workers: int) -> Iterator[object]:
    if kind == "threads":
        with ThreadPoolExecutor(workers) as pool:
            yield pool
        return
    dask: Any = import_module("distributed")
    half = {"n_workers": 2, "threads_per_worker": workers // 2}
    with dask.LocalCluster(**half, dashboard_address=None) as cluster, dask.Client(cluster) as client:
        yield client
