"""Who is compared in `bench quality`: each finds a task's best within a budget of unique score calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.tasks import Task
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.strategies import Portfolio, SurrogateUpdate

__all__ = ["METHODS", "AskedOnly", "Method", "ours"]

Array = npt.NDArray[Any]
Method = Callable[[Task, int, int], Array]
"""A task, a budget and a seed to the rows scored, in order."""

_NEIGHBOURS = 10
_STARTS = 5


class AskedOnly:
    """A source that cannot be read through, as a vector database across a network."""

    def __init__(self, vectors: Array) -> None:
        self._held = ArraySource(vectors)
        self.dim = self._held.dim

    def __len__(self) -> int:
        return len(self._held)

    def search(self, queries: Array, k: int) -> Hits:
        return self._held.search(queries, k)

    def fetch(self, ids: Array) -> Items:
        return self._held.fetch(ids)


def ours(task: Task, budget: int, seed: int, update: Any = None, asked_only: bool = False) -> Array:
    """This library with an update; None is its default.

    Args:
        asked_only: Whether the source hides that it could be read through.
    """
    filter = None if task.allowed.all() else lambda items: task.allowed[items.ids]

    def score(items: Items) -> Array:
        out: Array = task.truth[items.ids]
        return out

    source = AskedOnly(task.vectors) if asked_only else ArraySource(task.vectors)
    search = Search(source, score, filter=filter, update=update, budget=budget, seed=seed, batch_size=task.batch)
    search.run(progress=False)
    state = search.controller.state
    return state.ids.take(
        np.argsort(np.where(state.items["call"] < 0, 1 << 30, state.items["call"]))[: state.n_answered]
    )


def by_chance(task: Task, budget: int, seed: int) -> Array:
    """Random items."""
    return np.random.default_rng(seed).permutation(np.flatnonzero(task.allowed))[:budget]


def graph(task: Task, budget: int, seed: int) -> Array:
    """Expansion of the exact 10-nearest-neighbour graph, best first, from a random tenth of the budget."""
    source, rng = ArraySource(task.vectors), np.random.default_rng(seed)
    free = task.allowed.copy()
    rows = rng.permutation(np.flatnonzero(free))[: max(_STARTS, budget // 10)][:budget].tolist()
    free[rows] = False
    waiting = set(rows)
    while len(rows) < budget and waiting:
        best = max(waiting, key=lambda row: float(task.truth[row]))
        waiting.remove(best)
        near = source.search(task.vectors[[best]], _NEIGHBOURS + 1).ids
        fresh = [row for row in near.tolist() if free[row]][: budget - len(rows)]
        free[fresh] = False
        rows += fresh
        waiting.update(fresh)
    return np.array(rows, np.int64)


class _Spent(Exception):
    """The budget is spent."""


def emb_opt(task: Task, budget: int, seed: int, mode: str = "gradient", k: int = 10, queries: int = 5) -> Array:
    """The reference library itself, started anew where it finds nothing new.

    Args:
        mode: "gradient" (its tutorial's gradient queries), "rl" (RLUpdate) or "discrete" (TopKDiscreteUpdate).
        k: Hits of a query. queries: Starts.
    """
    import faiss
    from emb_opt.log import Log
    from emb_opt.plugins.faiss import FaissDataPlugin
    from emb_opt.prune import TopKPrune
    from emb_opt.runner import Runner
    from emb_opt.utils import build_batch_from_embeddings

    index = faiss.IndexFlatL2(task.vectors.shape[1])
    index.add(task.vectors)
    data, update = _reference(mode, FaissDataPlugin(k, index))
    rows: dict[int, None] = {}

    def score(items: Any) -> list[dict[str, Any]]:
        for item in items:
            rows[int(item.id)] = None
            if len(rows) >= budget:
                raise _Spent
        return [{"valid": True, "score": float(task.truth[int(item.id)]), "data": None} for item in items]

    def filter(items: Any) -> list[dict[str, Any]]:
        return [{"valid": bool(task.allowed[int(item.id)]), "data": None} for item in items]

    rng = np.random.default_rng(seed)
    for _ in range(10_000):
        runner = Runner(data, filter, score, TopKPrune(1, "max"), update)
        batch = build_batch_from_embeddings(task.vectors[rng.choice(len(task.truth), queries, replace=False)])
        log, still, number = Log(), 0, 0
        while batch is not None and still < 3:
            before = len(rows)
            try:
                batch = runner.step(batch, log, number, verbose=False)
            except _Spent:
                return np.array(list(rows), np.int64)
            number += 1
            still = still + 1 if len(rows) == before else 0
    return np.array(list(rows), np.int64)


def _reference(mode: str, data: Any) -> tuple[Any, Any]:
    from emb_opt.data_source import DataPluginGradWrapper
    from emb_opt.update import RLUpdate, TopKContinuousUpdate, TopKDiscreteUpdate, UpdatePluginGradientWrapper

    if mode == "rl":
        return data, RLUpdate([0.25, 1.0], 0.0)
    if mode == "discrete":
        return data, TopKDiscreteUpdate(2)
    lrs = np.array([0.1, 0.5, 1.0, 5.0])
    return DataPluginGradWrapper(data, lrs), UpdatePluginGradientWrapper(TopKContinuousUpdate(3), 0.0)


_SINGLES = ("blend", "explore", "linear", "kernel", "neighbours", "coverage")
METHODS: Mapping[str, Method] = {
    "default": ours,
    "asked only": partial(ours, asked_only=True),
    **{f"only {name}": partial(ours, update=Portfolio(operators=(name,))) for name in _SINGLES},
    "linear model": partial(ours, update=SurrogateUpdate("linear")),
    "kernel model": partial(ours, update=SurrogateUpdate("kernel")),
    "random": by_chance,
    "graph": graph,
    **{
        f"emb_opt {mode} k={k} q={queries}": partial(emb_opt, mode=mode, k=k, queries=queries)
        for mode in ("gradient", "rl", "discrete")
        for k in (5, 10, 20)
        for queries in (5, 20)
    },
}
"""By name. Of emb_opt's, the best of its settings on a task counts; those are known only afterwards."""
