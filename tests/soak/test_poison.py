"""One item in a hundred kills whoever scores it: all others are scored, and each poisonous one is named."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1_500)]


class Deadly:
    """A score; a poisonous item kills the process as a lack of memory would."""

    def __init__(self, poison: set[int]) -> None:
        self.poison = poison

    def __call__(self, items: eow.Items) -> np.ndarray:
        if self.poison & set(items.ids.tolist()):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.005)
        return -np.linalg.norm(items.embeddings - 0.5, axis=1)


@contextmanager
def processes() -> Iterator[Any]:
    with ProcessPoolExecutor(2) as pool:
        yield pool


@contextmanager
def loky() -> Iterator[Any]:
    yield pytest.importorskip("loky").get_reusable_executor(2)


@contextmanager
def dask() -> Iterator[Any]:
    distributed, settings = pytest.importorskip("distributed"), pytest.importorskip("dask").config
    with (
        settings.set({"distributed.deploy.lost-worker-timeout": "200s"}),  # where starting a worker takes long
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        cluster.get_client() as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("pool", "n", "batch_size"),
    [
        pytest.param(processes, 100, 4, id="processes-few"),
        *(
            pytest.param(pool, 1_000, size, id=f"{pool.__name__}-{size}", marks=pytest.mark.soak)
            for pool in (processes, loky, dask)
            for size in (1, 8)
        ),
    ],
)
def test_poisonous_items_cost_themselves(pool: Callable[[], Any], n: int, batch_size: int) -> None:
    chance = np.random.default_rng(n)
    library = chance.standard_normal((n, 8)).astype(np.float32)
    poison = set(chance.choice(n, n // 100, replace=False).tolist())
    began = time.monotonic()
    with pool() as executor, eow.Search(library, Deadly(poison), executor=executor, batch_size=batch_size) as search:
        search.run(progress=False)
        assert search.status == "finished", search.reason
        results = search.results(include_removed=True)
        removed = {i: why for i, why in zip(results.ids.tolist(), results.data["removed"]) if why}
        assert set(removed) == poison and len(search.results()) == n - len(poison)
        assert all("times; the item is set apart" in why for why in removed.values())
    print(f"{n} items, {len(poison)} poisonous, {batch_size} a call: {time.monotonic() - began:.0f} s")
