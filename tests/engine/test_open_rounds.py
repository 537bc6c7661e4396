"""Rounds whose calls need not wait for each other, driven by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.answers import read_scores
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.caller import Caller
from emb_opt_widgets.engine.calls import Calls
from emb_opt_widgets.engine.open_rounds import Wanted, is_open, run_open_rounds
from emb_opt_widgets.engine.queries import Proposals
from emb_opt_widgets.engine.rounds import Gather, Parts, verdict
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.strategies import Portfolio, TopKDiscreteUpdate

LIBRARY = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)


def smooth(items: Any) -> np.ndarray:
    return -np.linalg.norm(items.embeddings - 0.5, axis=1)


class Bench:
    """A state, its parts and an engine that is driven to its rest."""

    def __init__(self, score: Callable[[Any], Any] = smooth, budget: int = 40, n: int = 300, **calls: Any) -> None:
        source = BoundSource(ArraySource(LIBRARY[:n]))
        self.state = State(source.vectors)
        self.bodies: list[ev.Body] = []
        config = {"k": 5, "budget": budget, "queries": {"random": 3}, "direction": "maximize", "name": "bench"}
        self.keep([ev.Created(config, source.fingerprint(), 0), ev.Started(None)])
        gather = Gather(self.state, source)
        self.caller = Caller("score", score, read_scores, gather.payload, Calls(**{"workers": 4, **calls}))
        starts = Proposals(source.starts(3, 0), np.full(3, -1), "start", "drawn")
        self.parts = Parts(source, gather, None, self.caller, Portfolio(), None, lambda: starts)
        self.open = True
        self.until: int | None = None

    def keep(self, bodies: Any) -> None:
        for body in bodies:
            self.bodies.append(body)
            self.state.apply(body)

    def run(self, each: Callable[[Any], None] = lambda group: None) -> None:
        orders = Wanted(lambda: self.parts, lambda: self.open, lambda: self.until)
        for group in run_open_rounds(self.state, orders):
            self.keep(group)
            each(group)

    def scored(self) -> list[int]:
        return [row for body in self.bodies if isinstance(body, ev.Scored) for row in body.rows.tolist()]


def test_workers_and_a_strategy_that_can_make_rounds_open():
    bench = Bench()
    assert is_open(bench.parts)
    assert not is_open(replace(bench.parts, update=Portfolio(asynchronous=False)))
    assert not is_open(replace(bench.parts, update=TopKDiscreteUpdate(2)))
    assert not is_open(replace(bench.parts, score=None))
    alone = Caller("score", smooth, read_scores, bench.parts.gather.payload)
    assert not is_open(replace(bench.parts, score=alone))


def test_the_budget_is_spent_each_item_once_and_never_more():
    bench = Bench(budget=60)
    most = []
    bench.run(lambda group: most.append(bench.state.n_scored + len(bench.state.reserved)))
    rows = bench.scored()
    assert len(rows) == len(set(rows)) == 60 == bench.state.n_scored and max(most) == 60
    assert not bench.state.reserved and verdict(bench.state) is not None
    assert (bench.state.items["status"][rows] == ItemStatus.SCORED).all()


def test_a_straggler_keeps_nobody_waiting():
    release, late = threading.Event(), []

    def score(items: Any) -> np.ndarray:
        if not late:
            late.append(items.ids[0])
            release.wait(20)
        return smooth(items)

    bench = Bench(score, budget=50)

    def each(group: Any) -> None:
        if bench.state.n_scored == 49:
            release.set()

    bench.run(each)
    rows = bench.scored()
    assert len(rows) == 50 and bench.state.ids.take(np.array(rows[-1:]))[0] == late[0]
    assert bench.state.n_rounds > 2, "rounds went on beside it"


def test_what_is_pending_is_not_proposed_again_and_is_told_in_the_log():
    bench = Bench(budget=50)
    bench.run()
    handed = [row for body in bench.bodies if isinstance(body, ev.HandedOut) for row in body.rows.tolist()]
    assert len(handed) == len(set(handed)) == 50 and set(handed) == set(bench.scored())
    again = State(bench.parts.source.vectors)
    for body in bench.bodies:
        again.apply(body)
    assert np.array_equal(again.items["score"], bench.state.items["score"], equal_nan=True)
    assert np.array_equal(again.nodes["max"], bench.state.nodes["max"], equal_nan=True)


def test_a_pause_keeps_what_is_in_flight_and_going_on_hands_out_the_rest():
    calls: list[int] = []

    def score(items: Any) -> np.ndarray:
        calls.extend(items.ids.tolist())
        time.sleep(0.005)
        return smooth(items)

    bench = Bench(score, budget=60)

    def each(group: Any) -> None:
        bench.open = bench.state.n_scored < 20

    bench.run(each)
    assert 20 <= bench.state.n_scored < 60 and len(calls) == bench.state.n_scored
    assert not len(bench.caller.in_flight) and not len(bench.caller.waiting)
    bench.open = True
    bench.run()
    assert bench.state.n_scored == 60 and len(calls) == len(set(calls)) == 60


def test_rounds_asked_for_are_proposed_and_their_calls_awaited():
    bench = Bench(budget=100)
    bench.until = 2
    bench.run()
    assert bench.state.n_rounds == 2 and not bench.state.reserved
    before = bench.state.n_scored
    bench.run()
    assert bench.state.n_rounds == 2 and bench.state.n_scored == before
    bench.until = 3
    bench.run()
    assert bench.state.n_rounds == 3 and bench.state.n_scored > before


def test_an_outage_costs_nothing_and_all_is_asked_again():
    down = [True]

    def score(items: Any) -> np.ndarray:
        if down[0] and bench.state.n_scored >= 10:
            raise ConnectionError("no route")
        return smooth(items)

    bench = Bench(score, budget=40)
    bench.run()
    assert isinstance(bench.bodies[-1], ev.Paused) and "no route" in bench.bodies[-1].reason
    paid = bench.state.n_scored
    assert 10 <= paid < 20 and bench.state.n_failed == 0
    down[0] = False
    bench.keep([ev.Resumed(None)])
    bench.run()
    assert bench.state.n_scored == 40 and bench.state.n_failed == 0


def test_an_error_that_is_to_end_the_search_comes_after_what_is_in_flight():
    def score(items: Any) -> np.ndarray:
        if bench.state.n_scored >= 10:
            raise ValueError("broken")
        return smooth(items)

    bench = Bench(score, on_error="raise")
    with pytest.raises(Exception, match="broken"):
        bench.run()
    assert len(bench.caller.in_flight) == 0 and bench.state.n_scored >= 10


def test_another_caller_takes_over_and_what_the_first_has_in_flight_is_kept():
    seen: list[int] = []

    def score(items: Any) -> np.ndarray:
        seen.extend(items.ids.tolist())
        time.sleep(0.02)
        return smooth(items)

    bench = Bench(score, budget=40)
    other = Caller("score", score, read_scores, bench.parts.gather.payload, Calls(workers=2))

    def each(group: Any) -> None:
        if bench.state.n_scored >= 12 and bench.parts.score is not other:
            bench.parts = replace(bench.parts, score=other)

    bench.run(each)
    assert bench.state.n_scored == 40 and len(seen) == len(set(seen)) == 40


def test_a_small_library_is_scored_to_its_end():
    bench = Bench(budget=1000, n=40)
    bench.run()
    assert bench.state.n_scored == 40
    assert isinstance(bench.bodies[-1], ev.Finished) and bench.bodies[-1].ending == "EXHAUSTED"
