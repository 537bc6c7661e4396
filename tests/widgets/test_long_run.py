"""Eight hours and a million events in a few seconds; and how soon a pause is heard while the engine computes."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import psutil
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.widgets.search_feed import SearchLive

from ..conftest import smooth
from .long import big_search, burst
from .mirror import Mirror, same
from .test_feed import Link, until
from .world import World


class Quick:
    """A page that acknowledges and looks at nothing."""

    def __init__(self, world: World) -> None:
        self._world, self.stamps = world, dict[str, int]()

    def carry(self) -> None:
        world = self._world
        while world.down:
            content, _ = world.down.pop(0)
            self.stamps.update({part["table"]: part["to"] for part in content["parts"]})
            world.hear(
                {"type": "ack", "client": "q", "epoch": content["epoch"], "n": content["n"], "have": self.stamps}
            )


def test_eight_hours_and_a_million_events_leave_memory_and_threads_as_they_were() -> None:
    search, process = big_search(), psutil.Process()
    world = World(0, watch=SearchLive(search).watch)
    world.carry = Quick(world).carry  # type: ignore[method-assign]
    world.hear({"type": "hello", "client": "q", "epoch": None, "have": {}})
    chance, sizes, threads = np.random.default_rng(0), [], threading.active_count()
    bursts, each = 1_000, 1_000
    for number in range(bursts):
        burst(search.controller, chance, each)
        world.run(8 * 3_600 / bursts)
        world.sent.clear()
        if number % (bursts // 20) == 0:
            sizes.append(process.memory_info().rss / 1e6)
    assert world.now >= 8 * 3_600 - 1 and len(search.controller.store) > bursts * each
    assert world.channel.live and threading.active_count() <= threads + 1
    slope = np.polyfit(np.arange(5, 20), sizes[5:], 1)[0] * 15
    assert slope < 8.0, f"memory grows: {sizes}"
    watch, mirror = world.channel._watch, Mirror()
    assert watch is not None
    world.hear({"type": "hello", "client": "r", "epoch": None, "have": {}})
    world.publisher.tick()
    for content, buffers in world.down:
        mirror.apply(content, buffers)
    assert same(mirror, "nodes", watch.tables["nodes"])
    status = search.controller.state.nodes["status"]
    np.testing.assert_array_equal(watch.tables["nodes"]["status"], status)


def test_without_a_page_the_same_costs_nothing() -> None:
    search = big_search()
    world = World(0, watch=SearchLive(search).watch)
    burst(search.controller, np.random.default_rng(0), 20_000)
    world.run(8 * 3_600)
    assert world.sent == [] and search.controller._listeners == [] and not world.channel.live


def test_a_fold_holds_the_lock_only_briefly() -> None:
    search = big_search()
    watch = SearchLive(search).watch(lambda: None)
    watch.fold()
    held, lock = [], search.controller.lock

    class Timed:
        def __enter__(self) -> None:
            lock.acquire()
            self.began = time.thread_time()

        def __exit__(self, *_: object) -> None:
            held.append(time.thread_time() - self.began)
            lock.release()

    search.controller.lock = Timed()  # type: ignore[assignment]
    for _ in range(20):
        burst(search.controller, np.random.default_rng(1), 100)
        watch.fold()
    assert np.percentile(held, 95) < 0.005


@pytest.mark.slow
def test_a_pause_is_heard_within_half_a_second_while_the_engine_computes() -> None:
    library = np.random.default_rng(0).standard_normal((20_000, 64)).astype(np.float32)
    calls: list[float] = []

    def score(items: Any) -> Any:
        calls.append(time.monotonic())
        time.sleep(0.002)
        return smooth(items)

    search = eow.Search(library, score, queries=5, k=10, batch_size=2, budget=20_000)
    link, late, chance = Link(search), [], np.random.default_rng(0)
    page = link.pages[0]
    page.hello()
    page.command("start")
    until(lambda: len(calls) > 20, 30)
    for _ in range(20):
        time.sleep(float(chance.uniform(0.02, 0.5)))
        asked = time.monotonic()
        id = page.command("pause")
        assert search.wait(60)
        late.append(max(0.0, calls[-1] - asked))
        assert link.reply(0, id)["ok"]
        assert link.reply(0, page.command("resume"))["ok"]
        n = len(calls)
        until(lambda: len(calls) > n, 60)  # noqa: B023
    search.stop()
    search.wait(30)
    link.feed.close()
    assert np.percentile(late, 95) < 0.5, sorted(late)
