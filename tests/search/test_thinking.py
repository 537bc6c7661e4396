"""A strategy that thinks long obeys at once, and what it had not said leaves no trace."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine import rounds
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.status import Activity
from emb_opt_widgets.search import engine

from ..conftest import smooth


class Slow:
    """A strategy of one's own that thinks for `seconds` each round."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.thinking = threading.Event()
        self.gave_up = 0
        self._inner = eow.RLUpdate([0.3, 1.0])

    def propose(self, queries: Any, view: Any) -> Any:
        self.thinking.set()
        end = time.monotonic() + self.seconds
        try:
            while time.monotonic() < end:
                view.checkpoint()
                time.sleep(0.01)
        except BaseException:
            self.gave_up += 1
            raise
        made = self._inner.propose(queries, view)
        return replace(made, memory={"rounds": view.round})


def nearest(far: np.ndarray, k: int) -> Hits:
    near = np.argsort(far, axis=1)[:, :k]
    return Hits.from_matrix(near, np.take_along_axis(far, near, axis=1))


def made(library: np.ndarray, update: Any, **more: Any) -> eow.Search:
    return eow.Search(library, smooth, update=update, k=6, queries=3, seed=3, **more)


def think(library: np.ndarray, seconds: float = 30.0) -> tuple[eow.Search, Slow]:
    """A search that is thinking just now."""
    slow = Slow(seconds)
    search = made(library, slow)
    search.start(4)
    assert slow.thinking.wait(10)
    return search, slow


@pytest.mark.parametrize(
    "ask",
    [
        lambda search: search.pause(),
        lambda search: search.stop(),
        lambda search: search.prune_node(1),
        lambda search: search.set(k=4),
        lambda search: search.branch(item=7),
    ],
)
def test_it_obeys_at_once(library, ask):
    search, slow = think(library)
    began = time.monotonic()
    ask(search)
    assert time.monotonic() - began < 0.2 and slow.gave_up == 1
    search.close()


def test_a_pause_says_that_it_rests_and_a_step_can_follow(library):
    search, slow = think(library)
    assert search.pause() is True and search.activity is Activity.RESTING
    slow.seconds = 0.0
    assert search.step() is True and search.n_rounds == 2 and str(search.status) == "paused"


def test_given_up_thinking_leaves_no_trace(library):
    plain = made(library, Slow())
    plain.run(4, progress=False)
    search, slow = think(library)
    for _ in range(3):
        slow.thinking.clear()
        search.set(k=6)
        assert slow.thinking.wait(10)
    search.pause()
    slow.seconds = 0.0
    search.resume()
    search.wait()

    def worked(one: eow.Search) -> list[Any]:
        ours = ("created", "command", "started", "paused", "resumed", "finished")
        return [{**e.to_dict(), "seq": 0} for e in one.events if e.kind not in ours]

    assert slow.gave_up == 4
    np.testing.assert_equal(worked(search), worked(plain))


def test_a_pause_that_a_call_in_flight_outlasts_says_so(library):
    begun, go = threading.Event(), threading.Event()

    def score(items: Any) -> Any:
        begun.set()
        go.wait(20)
        return smooth(items)

    search = eow.Search(library, score, update=eow.RLUpdate([0.3]), k=4, queries=2)
    search.start(1)
    assert begun.wait(20) and search.activity is Activity.SCORING
    assert search.pause() is False and search.controller.halting
    go.set()
    assert search.wait(10) and search.activity is Activity.RESTING


def test_the_activity_tells_what_it_does(library):
    seen: list[Activity] = []

    class Looking:
        dim = 8
        metric = "l2"

        def __len__(self) -> int:
            return len(library)

        def search(self, queries: Any, k: int) -> Hits:
            seen.append(search.activity)
            far = ((library[None] - queries[:, None]) ** 2).sum(-1)
            return nearest(far, k)

        def fetch(self, ids: Any) -> Any:
            return eow.Items(ids, library[ids])

    def score(items: Any) -> Any:
        seen.append(search.activity)
        return smooth(items)

    def update(queries: Any) -> Any:
        seen.append(search.activity)
        return queries.embeddings + 0.1

    search = eow.Search(Looking(), score, update=update, k=3, queries=np.zeros((1, 8)))
    assert search.activity is Activity.RESTING
    search.run(2, progress=False)
    assert seen[:4] == [Activity.RETRIEVING, Activity.SCORING, Activity.THINKING, Activity.RETRIEVING]
    assert search.activity is Activity.RESTING and str(Activity.RESTING) == "resting"


def test_who_asks_and_does_not_tell_is_waited_for(library):
    search = eow.Search(library, update=eow.RLUpdate([0.3]), k=3, queries=2)
    items = search.ask(2)
    assert search.activity is Activity.WAITING
    search.tell(items, smooth(items))
    asked = Slow()
    other = eow.Search(library, update=asked, k=3, queries=2)
    while len(items := other.ask(8)) and other.n_rounds < 2:
        other.tell(items, smooth(items))
    assert asked.thinking.is_set() and asked.gave_up == 0


def test_parts_are_made_once_for_each_configuration(library, monkeypatch):
    made_parts: list[rounds.Parts] = []
    plain = engine.make_parts
    monkeypatch.setattr(engine, "make_parts", lambda *given: made_parts.append(plain(*given)) or made_parts[-1])
    search = made(library, eow.RLUpdate([0.3]))
    search.run(3, progress=False)
    search.prune_node(0)
    search.undo()
    search.branch(item=3)
    search.run(2, progress=False)
    assert len(made_parts) == 1
    search.set(k=4)
    search.set(update=eow.RLUpdate([0.1]))
    search.run(2, progress=False)
    assert len(made_parts) == 3
    search.undo()
    search.run(1, progress=False)
    assert made_parts[-1].update.lrs == (0.3,)


class Unreadable:
    dim = 8
    metric = "l2"

    def __init__(self, library: np.ndarray) -> None:
        self._library = library

    def __len__(self) -> int:
        return len(self._library)

    def search(self, queries: Any, k: int) -> Hits:
        far = ((self._library[None] - queries[:, None]) ** 2).sum(-1)
        return nearest(far, k)

    def fetch(self, ids: Any) -> Any:
        return eow.Items(ids, self._library[ids])


def test_a_source_that_weakens_the_default_strategy_is_told_of(library, tmp_path):
    path = tmp_path / "s.eow"
    search = eow.Search(Unreadable(library), smooth, path=path, budget=20)
    (notice,) = search.notices
    assert notice.source == "source" and "scan" in notice.text and notice.count == 1
    search.close()
    with eow.load(path, Unreadable(library), smooth) as again:
        assert len(again.notices) == 1


@pytest.mark.parametrize("given", ["readable", "update", "volatile"])
def test_nobody_is_told_where_it_is_meant(library, given):
    source: Any = library if given == "readable" else Unreadable(library)
    if given == "volatile":
        source = eow.sources.GenerativeSource(lambda z: z, dim=8)
    update = eow.RLUpdate([0.3]) if given == "update" else None
    assert list(eow.Search(source, smooth, update=update).notices) == []


def test_what_a_strategy_notifies_is_a_notice(library):
    class Talking:
        def propose(self, queries: Any, view: Any) -> Any:
            view.notify("Left out one")
            return eow.RLUpdate([0.3]).propose(queries, view)

    search = made(library, Talking())
    search.run(3, progress=False)
    assert [(n.source, n.text, n.count) for n in search.notices] == [("update", "Left out one", 2)]


def test_a_subscriber_hears_and_its_failure_is_a_notice(library):
    search, heard = made(library, eow.RLUpdate([0.3])), []
    end = search.subscribe(lambda events: heard.extend(events))

    def broken(events: Any) -> None:
        raise OSError("no link")

    search.subscribe(broken)
    search.run(2, progress=False)
    assert [(e.seq, e.kind) for e in heard] == [(e.seq, e.kind) for e in search.events][1:]
    assert search.notices[-1].source == "subscriber" and "OSError: no link" in search.notices[-1].text
    end()
    n = len(heard)
    search.run(1, progress=False)
    assert len(heard) == n


def test_while_workers_have_calls_and_nothing_is_thought_of_it_is_scoring(library):
    gate, seen = threading.Event(), []

    def score(items):
        gate.wait(10)
        return smooth(items)

    search = eow.Search(library[:12], score, budget=12, calls=eow.Calls(workers=12))
    search.start()
    for _ in range(100):
        time.sleep(0.02)
        seen.append(search.activity)
        if seen[-5:] == [Activity.SCORING] * 5:
            break
    gate.set()
    assert seen[-5:] == [Activity.SCORING] * 5 and search.wait(10) and search.activity is Activity.RESTING
