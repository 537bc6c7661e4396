"""Measurements, pending items and corrections against a plain list of answers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.statistics import combined, pooled_noise
from emb_opt_widgets.engine.status import ItemStatus, Phase
from emb_opt_widgets.live.store.codec import decode, encode

CONFIG: dict[str, Any] = {"direction": "maximize", "budget": 100, "k": 4, "queries": {"random": 1}}
NONE = np.empty(0, np.int32)
value = st.floats(-5, 5)
noise = st.sampled_from([math.nan, 0.0, 0.1, 0.5, 2.0])


def fresh(n: int = 6, **config: Any) -> State:
    """A search that has looked once, found `n` items and chosen all of them."""
    state = State()
    bodies = [
        ev.Created({**CONFIG, **config}, {"dim": 2}, 0),
        ev.QueriesMade(0, np.array([-1]), np.zeros((1, 2)), ["start"], ["drawn"], np.ones(1)),
        ev.Looked(0, np.array([0]), np.array([0, n]), np.arange(n, dtype=np.int32), np.arange(10, 10 + n), False),
        ev.Chosen(0, np.arange(n, dtype=np.int32)),
    ]
    for body in bodies:
        state.apply(body)
    return state


def told(row: int, score: float, sigma: float = math.nan, paid: bool = True) -> ev.Scored:
    reasons = {} if math.isfinite(score) else {"0": "null score"}
    return ev.Scored(np.array([row]), np.array([score]), reasons, None, True, np.array([sigma]), None, paid)


def commanded(id: str, name: str, target: str | None = None) -> ev.Commanded:
    return ev.Commanded(id, name, {}, "python", "", NONE, NONE, NONE, target=target)


def by_hand(answers: list[tuple[float, float]]) -> tuple[int, float]:
    """How many valid answers, and their weighted mean."""
    fine = [(v, s) for v, s in answers if math.isfinite(v)]
    if not fine:
        return 0, math.nan
    exact = [v for v, s in fine if s == 0]
    if exact:
        return len(fine), sum(exact) / len(exact)
    if any(math.isnan(s) for _, s in fine):
        return len(fine), sum(v for v, _ in fine) / len(fine)
    weights = [1 / s**2 for _, s in fine]
    return len(fine), sum(w * v for w, (v, _) in zip(weights, fine)) / sum(weights)


step = st.one_of(
    st.tuples(st.just("tell"), st.integers(0, 3), value | st.just(math.nan), noise),
    st.tuples(st.just("correct"), st.integers(0, 3), value, noise),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


@given(steps=st.lists(step, max_size=14))
def test_scores_best_and_counts_follow_whatever_was_told_corrected_and_undone(steps: list[tuple[Any, ...]]) -> None:
    state, bodies = fresh(4), list[ev.Body]()
    standing: dict[int, list[tuple[float, float]]] = {row: [] for row in range(4)}
    paid, done, undone = 0, list[tuple[str, int, Any, Any]](), list[tuple[str, int, Any, Any]]()
    order: list[int] = []

    def apply(*more: ev.Body) -> None:
        for body in more:
            bodies.append(body)
            state.apply(body)

    for number, (kind, *given_) in enumerate(steps):
        if kind == "tell":
            row, score, sigma = given_
            apply(told(row, score, sigma))
            standing[row].append((score, sigma))
            order += [] if row in order else [row]
            paid += 1
        elif kind == "correct" and given_[0] in order:
            row, score, sigma = given_
            id = f"c{number}"
            apply(
                ev.Corrected(id, np.array([row]), np.array([score]), {}, None, np.array([sigma])),
                commanded(id, "correct"),
            )
            after = (score, sigma)
            done.append((id, row, tuple(standing[row]), after))
            undone.clear()
            standing[row] = [after]
        elif kind == "undo" and done:
            id, row, before, after = done.pop()
            apply(commanded(f"u{number}", "undo", id))
            standing[row] = [*before, *[a for a in standing[row] if a is not after]]
            undone.append((id, row, before, after))
        elif kind == "redo" and undone:
            id, row, before, after = undone.pop()
            apply(commanded(f"r{number}", "redo", id))
            standing[row] = [after, *[a for a in standing[row] if not any(a is b for b in before)]]
            done.append((id, row, before, after))
        _agrees(state, standing, order)
    assert state.spent == state.n_paid == paid and state.n_scored == state.n_answered == len(order)
    again = fresh(4)
    for body in bodies:
        again.apply(decode(body.kind, encode(body)))
    for name in ("status", "score", "measured", "call", "error"):
        np.testing.assert_array_equal(again.items[name], state.items[name])
    assert again.best_row == state.best_row and again.n_failed == state.n_failed


def _agrees(state: State, standing: dict[int, list[tuple[float, float]]], order: list[int]) -> None:
    means = {}
    for row, answers in standing.items():
        n, mean = by_hand(answers)
        assert state.items["measured"][row] == n
        np.testing.assert_allclose(state.items["score"][row], mean, rtol=1e-12, atol=1e-12)
        if answers:
            assert state.items["status"][row] == (ItemStatus.SCORED if n else ItemStatus.FAILED)
            assert bool(state.item_reasons.get(row)) == (n == 0)
        means[row] = mean
    scored = [row for row in order if math.isfinite(means[row])]
    assert state.n_failed == len(order) - len(scored)
    best = max((float(state.items["score"][row]) for row in scored), default=None)
    assert (state.best_row < 0) == (best is None)
    assert best is None or state.items["score"][state.best_row] == best


def test_one_measurement_is_its_own_mean_to_the_bit_and_exact_ones_leave_others_out() -> None:
    values = np.array([0.1, 1.0, 3.0, 5.0, 1.0, 2.0, 4.0, 0.3])
    sigma = np.array([0.7, 1.0, 1.0, np.nan, 0.0, 0.0, 0.5, np.nan])
    groups = np.array([0, 1, 1, 2, 3, 3, 3, 2])
    n, mean, error = combined(values, sigma, groups, 5)
    assert n.tolist() == [1, 2, 2, 3, 0] and mean[0] == 0.1
    np.testing.assert_allclose(mean[1:4], [2.0, 2.65, 1.5])
    np.testing.assert_allclose(error, [0.7, math.sqrt(0.5), abs(5.0 - 0.3) / 2, 0.0, np.nan])
    assert math.isnan(combined(np.array([2.0]), np.array([np.nan]), np.array([0]), 1)[2][0])


def test_noise_is_estimated_from_what_was_measured_again() -> None:
    assert math.isnan(pooled_noise(np.array([1.0, 2.0]), np.array([0, 1]), 2))
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 2)
    estimate = pooled_noise(rng.normal(size=400)[groups] + rng.normal(scale=0.3, size=800), groups, 400)
    assert abs(estimate - 0.3) < 0.03
    state = fresh(noise="estimate")
    for score in (1.0, 1.2):
        state.apply(told(0, score))
    state.apply(told(1, 5.0))
    sigma = math.sqrt(2) * 0.1
    np.testing.assert_allclose(state.errors(np.arange(2)), [0.1, sigma])
    assert math.isnan(state.errors(np.array([3]))[0])


def test_pending_items_reserve_the_budget_and_are_given_back_or_answered_late() -> None:
    state = fresh(budget=8)
    state.apply(ev.HandedOut(np.array([0, 1, 2]), "person"))
    assert state.handed_out().tolist() == [0, 1, 2] == state.awaited().tolist()
    assert state.calls_left == 5 and state.unscored().tolist() == [3, 4, 5]
    state.apply(ev.GivenBack(np.array([1])))
    assert state.calls_left == 6 and state.items["status"][1] == ItemStatus.CANDIDATE
    assert state.chosen.tolist() == [0, 2, 3, 4, 5] and not state.spent
    state.apply(ev.Scored(np.array([3, 4, 5]), np.array([1.0, 2.0, 3.0]), {}))
    assert state.phase is Phase.SCORE, "two are awaited"
    state.apply(ev.RoundEnded(0, np.array([0]), np.array([3]), np.array([2.0]), np.array([3.0]), 3))
    state.apply(told(0, 9.0))
    assert state.nodes["mean"][0] == 3.75 and state.nodes["max"][0] == 9.0 and state.best_row == 0
    assert state.calls_left == 8 - 5 and state.handed_out().tolist() == [2]


def test_a_scored_item_may_be_pending_again_and_stays_scored() -> None:
    state = fresh()
    state.apply(told(0, 1.0))
    state.apply(ev.HandedOut(np.array([0]), "worker"))
    assert state.items["status"][0] == ItemStatus.SCORED and state.handed_out().tolist() == [0]
    state.apply(told(0, 2.0))
    assert state.items["score"][0] == 1.5 and not len(state.handed_out())


def test_costs_are_counted_in_the_budgets_unit() -> None:
    state = fresh(budget=10.0, cost={"by": 2.5, "unit": "EUR"})
    assert state.calls_left == 4
    state.apply(told(0, 1.0))
    assert (state.spent, state.budget_left, state.calls_left, state.n_scored) == (2.5, 7.5, 3, 1)
    state.apply(told(1, 1.0, paid=False))
    assert (state.spent, state.n_scored, state.n_answered) == (2.5, 1, 2)
    reported = fresh(budget=10.0, cost={"by": "reported", "unit": "h"})
    reported.apply(ev.Scored(np.array([0, 1]), np.ones(2), {}, cost=np.array([3.0, 5.0])))
    assert (reported.spent, reported.call_cost, reported.calls_left) == (8.0, 4.0, 1)
    assert reported.measurements["cost"].tolist() == [3.0, 5.0]


def test_what_was_known_before_the_first_query_comes_first_and_costs_nothing() -> None:
    state = State()
    state.apply(ev.Created(CONFIG, {"dim": 2}, 0))
    state.apply(ev.Added(0, np.array([5, 7])))
    state.apply(ev.Scored(np.array([0, 1]), np.array([1.0, 2.0]), {}, told=True, paid=False))
    state.apply(ev.QueriesMade(0, np.array([-1]), np.zeros((1, 2)), ["start"], ["drawn"], np.ones(1)))
    state.apply(ev.Looked(0, np.array([0]), np.array([0, 2]), np.array([1, 2], np.int32), np.array([9]), False))
    assert state.ids.take(np.arange(3)).tolist() == [5, 7, 9]
    assert (state.n_scored, state.n_answered, state.calls_left, state.best_row) == (0, 2, 100, 1)
    assert state.items["call"].tolist() == [0, 1, -1]


def test_calls_without_a_better_one_are_counted() -> None:
    state = fresh()
    state.apply(ev.Scored(np.array([0, 1, 2]), np.array([1.0, 3.0, 2.0]), {}))
    assert state.unimproved == 1
    state.apply(ev.Scored(np.array([3, 4]), np.array([1.0, np.nan]), {"1": "null score"}))
    assert state.unimproved == 3
    state.apply(told(1, 1.0))
    assert state.unimproved == 4, "still the best, with a mean of 2"


def test_dropped_items_count_no_more_and_stay_paid() -> None:
    state = fresh()
    state.apply(ev.Scored(np.array([0, 1, 2]), np.array([1.0, 3.0, 2.0]), {}))
    state.apply(ev.SourceChanged({"dim": 2, "size": 5}, np.array([1]), ["no longer in the source"]))
    assert state.best_row == 2 and state.n_scored == 3 and state.source["size"] == 5
    assert state.items["status"][1] == ItemStatus.DROPPED and state.item_reasons[1] == "no longer in the source"
    state.apply(told(1, 99.0))
    assert state.items["status"][1] == ItemStatus.DROPPED and state.best_row == 2


@pytest.mark.parametrize("more", [{}, {"noise": np.array([0.5])}, {"cost": np.array([2.0])}, {"paid": False}])
def test_what_says_nothing_is_not_stored(more: dict[str, Any]) -> None:
    body = ev.Scored(np.array([0], np.int32), np.array([1.0]), {}, **more)
    stored = encode(body)
    assert [name for name in ("noise", "cost", "paid") if name.encode() in stored] == list(more)
    back = decode("scored", stored)
    assert isinstance(back, ev.Scored) and encode(back) == stored and back.paid is more.get("paid", True)
