"""Items that kill whoever scores them, on real pools: all others are scored, and each poisonous one is named."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

pytestmark = [pytest.mark.timeout(280), pytest.mark.slow]

POISON = {7, 150}


def deadly(items: Any) -> np.ndarray:
    """Items to scores; a poisonous one kills the process as a lack of memory would."""
    if POISON & set(items.ids.tolist()):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.002)
    return np.asarray(items.ids, float)


class Reluctant:
    """A score whose process is killed the first time that it sees an item of these."""

    def __init__(self, folder: Path, items: set[int]) -> None:
        self.folder, self.items = folder, items

    def __call__(self, items: Any) -> np.ndarray:
        (i,) = items.ids.tolist()
        with (self.folder / f"{i}.calls").open("a") as kept:
            kept.write("x")
        mark = self.folder / f"{i}.died"
        if i in self.items and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return np.array([float(i)])


def searched(score: Any, executor: Any, **more: Any) -> eow.Search:
    library = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    search = eow.Search(library, score, update=eow.RLUpdate([0.5]), k=200, queries=1, executor=executor, **more)
    search.run(rounds=1, progress=False)
    return search


def check(search: eow.Search) -> None:
    results = search.results(include_removed=True)
    removed = {i: why for i, why in zip(results.ids.tolist(), results.data["removed"]) if why}
    assert set(removed) == POISON and search.n_scored == 200, search.reason
    assert all("times; the item is set apart" in why for why in removed.values())
    assert search.results().scores.tolist() == sorted(search.results().ids.tolist(), reverse=True)
    search.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("size", [1, 4])
def test_a_pool_of_processes(method: str, size: int) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        check(searched(deadly, pool, batch_size=size))


def test_a_function_that_makes_a_pool() -> None:
    check(searched(deadly, lambda: ProcessPoolExecutor(2), batch_size=5))


def test_loky() -> None:
    check(searched(deadly, pytest.importorskip("loky").get_reusable_executor(2), batch_size=2))


@pytest.mark.filterwarnings("ignore")
def test_dask() -> None:
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "200s"}),  # where starting a worker takes long
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        cluster.get_client() as client,
    ):
        check(searched(deadly, client, batch_size=2))


@pytest.mark.parametrize("pool", [lambda: ProcessPoolExecutor(2)], ids=["processes"])
def test_deaths_lose_nothing_and_score_nothing_twice_but_what_was_in_flight(
    pool: Callable[[], Any], tmp_path: Path
) -> None:
    items = set(range(0, 200, 10))
    search = searched(Reluctant(tmp_path, items), pool)
    calls = {int(path.stem): len(path.read_text()) for path in tmp_path.glob("*.calls")}
    assert len(search.results()) == 200 and set(calls) == set(range(200))
    assert all(calls[i] == 2 for i in items), "whoever died once is asked again"
    twice = [i for i in calls if i not in items and calls[i] > 1]
    assert len(twice) <= 2 * len(items), "beside those, at most what was in flight with them"
    search.close()
