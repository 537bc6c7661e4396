"""The parts of the default strategy, each against a slow, obvious computation."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.strategies.portfolio import plan
from emb_opt_widgets.strategies.portfolio.bandit import FLOOR, credit, shares
from emb_opt_widgets.strategies.portfolio.batch import _fill, acquire, mix
from emb_opt_widgets.strategies.portfolio.board import Board
from emb_opt_widgets.strategies.portfolio.ensemble import Scored, _standing, called, fit_ensemble, learn
from emb_opt_widgets.strategies.portfolio.kernels import CONSTANT, linear_gram, matern
from emb_opt_widgets.strategies.portfolio.known import imputed, is_readable
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.linear import Sums
from emb_opt_widgets.strategies.portfolio.operators import OPERATORS, Candidates, Coverage, Neighbours, Uniform
from emb_opt_widgets.strategies.portfolio.relevance import relevant
from emb_opt_widgets.strategies.portfolio.rows import HeldRows, ReadRows, open_rows
from emb_opt_widgets.strategies.portfolio.settings import operator_shares
from emb_opt_widgets.strategies.portfolio.state import Batch, Memory, RoundPlan
from emb_opt_widgets.strategies.portfolio.surrogates import SURROGATES, Linear
from emb_opt_widgets.strategies.portfolio.target import best_first, rank_correlation, ranks, transform

EVERY = tuple(SURROGATES.values())


def library(n: int = 600, d: int = 5, seed: int = 0) -> Library:
    x = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32) * 2 + 1
    return Library(HeldRows([x], n))


def ensemble_of(lib: Library, rows: Any, gains: Any, surrogates: Any = EVERY) -> Any:
    ensemble, _, failed = fit_ensemble(Scored(lib, rows, gains), surrogates, Memory())
    assert failed == [] and ensemble is not None
    return ensemble


def fitted(lib: Library, n: int = 80) -> Any:
    rows = np.random.default_rng(1).choice(lib.n, n, replace=False)
    y = np.sin(lib.block(rows)).sum(1).astype(float)
    return ensemble_of(lib, rows, y), rows, y


def board_of(lib: Library, rows: Any, gains: Any, blocked: Any, rng: np.random.Generator, **more: Any) -> Board:
    return Board(lib, rows, gains, np.ones(len(rows), bool), blocked, rng, **more)


def test_ranks_best_first_and_standing_equal_the_loop() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.standard_normal(50), rng.integers(0, 4, 50).astype(float), np.zeros(5)):
        slow = [(values < v).sum() + ((values == v).sum() - 1) / 2 for v in values]
        np.testing.assert_allclose(ranks(values), slow)
        np.testing.assert_allclose(_standing(values, values), np.array(slow) / max(len(values) - 1, 1))
        for k in (1, 3, 20):
            np.testing.assert_array_equal(best_first(values, k), np.argsort(-values, kind="stable")[:k])
    assert _standing(np.array([1.0, np.nan, 3.0]), np.array([np.nan, 3.0])).tolist() == [0.0, 1.0]
    assert rank_correlation(np.arange(5), np.arange(5) ** 3) == pytest.approx(1)
    assert rank_correlation(np.ones(5), np.arange(5)) == 0


@pytest.mark.parametrize("kind", ["raw", "power", "normal"])
def test_targets_keep_the_order(kind: str) -> None:
    y = np.random.default_rng(0).standard_normal(60) ** 3
    z = transform(y, kind)
    assert z.mean() == pytest.approx(0, abs=1e-9) and z.std() == pytest.approx(1)
    assert np.all(np.diff(z[np.argsort(y)]) >= 0)
    assert not transform(np.ones(4), kind).any()


@pytest.mark.parametrize("name", ["linear", "kernel0", "kernel0.5", "learned"])
def test_predictions_equal_the_dense_posterior(name: str) -> None:
    lib = library()
    ensemble, _, _ = fitted(lib)
    process = ensemble.fits[name]
    some = np.arange(0, 600, 7)
    mean, covariance = process.posterior(lib.block(some))
    np.testing.assert_allclose(process.at(lib, some), mean, atol=2e-4 * max(1, np.abs(mean).max()))
    np.testing.assert_allclose(process.everywhere(lib)[some], process.at(lib, some), rtol=1e-4, atol=1e-5)
    slow = np.sqrt(np.maximum(np.diag(covariance), 0))
    np.testing.assert_allclose(process.deviation(lib.block(some)), slow, atol=0.05 * slow.max())
    np.testing.assert_allclose(process.gram @ process.alpha, process.targets, atol=1e-6)
    assert CONSTANT > 0
    at_points = process.in_scores(process.targets)
    np.testing.assert_allclose(at_points, process.scores, atol=1e-9)


@pytest.mark.parametrize("name", ["linear", "kernel0", "kernel0.5", "learned"])
def test_gradients_equal_differences(name: str) -> None:
    lib, step = library(), 1e-3
    process = fitted(lib)[0].fits[name]
    points = process.points[:6].astype(np.float64)
    flat = replace(process, metric=replace(process.metric, map=None))
    for axis in range(lib.dim):
        there, back = points.copy(), points.copy()
        there[:, axis] += step
        back[:, axis] -= step
        rise = (flat.posterior(there)[0] - flat.posterior(back)[0]) / (2 * step)
        np.testing.assert_allclose(process.gradients()[:6, axis], rise, atol=1e-5 * max(1, np.abs(rise).max()))


def test_the_learned_metric_is_stretched_where_the_scores_change() -> None:
    lib = library(d=6)
    rows = np.random.default_rng(1).choice(lib.n, 120, replace=False)
    ensemble = ensemble_of(lib, rows, np.sin(2 * lib.block(rows)[:, 2]).astype(float))
    stretch = np.linalg.norm(ensemble.fits["learned"].metric.map, axis=1)
    others = np.delete(stretch, 2)
    assert stretch[2] > 1.5 * others.max() and others.min() > 0
    assert ensemble.fits["learned"].left_out <= ensemble.fits["kernel0"].left_out


def test_no_metric_is_learned_where_nothing_is_expected_to_change() -> None:
    lib = library()
    process = replace(fitted(lib)[0].fits["kernel0"], alpha=np.zeros(80))
    assert relevant(lib, process) is process.metric
    assert "learned" not in fitted(library(d=1))[0].fits


@pytest.mark.parametrize("n", [600, 21_000])
def test_what_is_expected_is_discounted_where_scores_fail(n: int) -> None:
    lib = library(n)
    rows = np.random.default_rng(1).choice(lib.n, 120, replace=False)
    z = lib.block(np.arange(lib.n))
    gains = np.where(z[rows, 0] > 0, np.nan, z[rows, 1].astype(float))
    ensemble, memory, _ = fit_ensemble(Scored(lib, rows, gains), EVERY, Memory())
    assert ensemble is not None
    flat = np.full(lib.n, 2.0, np.float32)
    kept = ensemble.discounted(lib, None, flat)
    np.testing.assert_allclose(kept, ensemble.discounted(lib, np.arange(lib.n), flat), atol=1e-4)
    assert kept[z[:, 0] < -1].mean() > 1.8 > 0.5 > kept[z[:, 0] > 1].mean() and kept.max() <= 2
    low = np.full(lib.n, -9.0, np.float32)
    np.testing.assert_array_equal(ensemble.discounted(lib, None, low), low)
    assert "works" in memory.hyper and "works" not in memory.weights
    sure = ensemble_of(lib, rows, z[rows, 1].astype(float))
    assert sure.discounted(lib, None, flat) is flat


def test_filling_a_batch_equals_conditioning_again_after_every_pick() -> None:
    lib = library()
    process = fitted(lib)[0].fits["kernel0"]
    rows = np.arange(100, 160)
    mean, covariance = process.posterior(lib.block(rows))
    noise = process.variance * process.noise
    left, picked = covariance.copy(), []
    for _ in range(12):
        bound = mean + 0.7 * np.sqrt(np.maximum(np.diag(left), 0))
        bound[picked] = -np.inf
        j = int(np.argmax(bound))
        picked.append(j)
        left = left - np.outer(left[:, j], left[j]) / (left[j, j] + noise)
    assert _fill(process, lib.block(rows), mean, 12, 0.7) == picked
    got = acquire(lib, process, rows, mean.astype(np.float32), 12, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(got, rows[np.argsort(-mean.astype(np.float32), kind="stable")[:12]])


def test_slots_go_by_shares_and_tell_their_probability() -> None:
    lists = {
        "a": Candidates(np.array([1, 2, 3])),
        "b": Candidates(np.array([1, 4, 5])),
        "c": Candidates(np.array([7]), chance=np.array([0.5])),
    }
    share, first = {"a": 0.5, "b": 0.3, "c": 0.2}, []
    for seed in range(2000):
        row, _, probability = mix(lists, share, 1, np.random.default_rng(seed))[0]
        assert probability == pytest.approx({1: 0.8, 7: 0.1}[row])
        first.append(row)
    assert np.mean(np.array(first) == 1) == pytest.approx(0.8, abs=0.04)
    everything = mix(lists, share, 99, np.random.default_rng(0))
    assert sorted(row for row, _, _ in everything) == [1, 2, 3, 4, 5, 7]


def test_a_slot_is_as_likely_as_all_who_would_fill_it_together() -> None:
    share = {"a": 0.5, "b": 0.3, "c": 0.2}
    last = {
        "a": Candidates(np.array([5])),
        "b": Candidates(np.array([5]), np.array([1.0])),
        "c": Candidates(np.array([5])),
    }
    assert mix(last, share, 3, np.random.default_rng(0))[0][2] == pytest.approx(1.0)
    lists = {
        "a": Candidates(np.array([1, 2])),
        "b": Candidates(np.array([2]), np.array([0.5])),
        "c": Candidates(np.array([1])),
    }
    for seed in range(50):
        first, second = mix(lists, share, 2, np.random.default_rng(seed))
        assert first[2] == pytest.approx(0.7 if first[0] == 1 else 0.15)
        assert second[2] == pytest.approx(0.5 / 0.8 + 0.3 / 0.8 * 0.5 if first[0] == 1 else 1.0)


@pytest.mark.parametrize("n_free", [2, 30, 300])
def test_what_is_drawn_tells_its_chance(n_free: int) -> None:
    """Over many draws, one over the chance is the number of rows there were to draw from."""
    lib = library()
    blocked = np.ones(600, bool)
    blocked[np.argsort(lib.block(np.arange(600))[:, 0])[:n_free]] = False
    rows = np.flatnonzero(blocked)
    for operator in (Coverage(), Uniform()):
        boards = (board_of(lib, rows, np.zeros(len(rows)), blocked, np.random.default_rng(i)) for i in range(1500))
        drawn: list[Any] = [operator.propose(board, 3).chance for board in boards]
        for place in range(min(3, n_free)):
            inverse = np.array([1 / chance[place] for chance in drawn])
            error = inverse.std() / np.sqrt(len(inverse))
            assert abs(inverse.mean() - (n_free - place)) < 5 * error + 1e-9


def test_shares_follow_what_scored() -> None:
    counts: Any = {}
    for _ in range(20):
        counts = credit(counts, ["good", "bad", "good", "bad"], np.array([0.9, 0.05, 0.8, 0.0]))
    share = shares(counts, {"good": (1, 1), "bad": (1, 1)}, np.random.default_rng(0))
    assert share["good"] > 0.9 and share["bad"] >= FLOOR * 0.9 and sum(share.values()) == pytest.approx(1)


def test_what_models_explain_and_what_is_left_of_the_budget_move_the_shares() -> None:
    ensemble = fitted(library())[0]
    operators = [OPERATORS[name] for name in ("blend", "explore", "neighbours", "coverage")]

    def share(left_out: float, left: float) -> dict[str, float]:
        told = replace(ensemble, trust=dict.fromkeys(ensemble.fits, left_out))
        return operator_shares(operators, told, Memory(), left, np.random.default_rng(0))

    sure, unsure, late = share(0.95, 1.0), share(0.3, 1.0), share(0.3, 0.05)
    assert sure["blend"] > unsure["blend"] + 0.05
    assert sum(late.values()) == pytest.approx(1) and min(late.values()) > 0
    assert late["explore"] < 0.2 * unsure["explore"] and late["neighbours"] > unsure["neighbours"]
    assert share(1.0, 1.0)["blend"] > 0.9


def test_large_batches_are_distinct_free_rows() -> None:
    lib = library(4000)
    process = fitted(lib)[0].fits["kernel0"]
    rows = np.arange(100, 4000)
    got = acquire(lib, process, rows, process.at(lib, rows), 700, 0.7, np.random.default_rng(0))
    assert len(got) == len(set(got.tolist())) == 700 and set(got.tolist()) <= set(rows.tolist())


def test_learning_takes_failures_as_nothing_gained_and_keeps_what_it_cannot_judge() -> None:
    memory = Memory(last=Batch([1, 2, 3, 4], ["a", "a", "b", "b"], {"m": [1.0, 2.0, 3.0, 4.0]}))
    memory = learn(memory, np.array([0, 1, 2, 3]), np.array([1.0, 2.0, 3.0, np.nan]), np.zeros(4, bool))
    assert memory.skill["m"] == [3.0, 3.0] and memory.last is None
    assert memory.credit["b"] == pytest.approx([1.0, 1.0])
    assert learn(memory, np.empty(0, int), np.array([1.0]), np.empty(0, bool)) == memory


def test_learning_waits_for_scores_that_are_still_to_come() -> None:
    batch = Batch(list(range(8)), ["a"] * 8, {"m": [float(i) for i in range(8)]}, None, None)
    gains = np.arange(6.0)
    few = np.array([0, 1, -1, -1, -1, -1, -1, -1])
    memory = learn(Memory(last=batch), few, gains, few < 0)
    assert memory.skill == {} and memory.waiting is not None and list(memory.waiting.rows) == list(range(8))
    memory = replace(memory, last=Batch([20], ["b"], {"m": [0.0], "new": [1.0]}))
    assert called(memory).tolist() == [*range(8), 20]
    most = np.array([0, 1, 2, 3, 4, 5, -1, -1, -1])
    memory = learn(memory, most, gains, np.array([False] * 7 + [True, True]))
    assert memory.skill["m"] == [6.0, 6.0] and memory.skill["new"] == [0.0, 0.0]
    assert memory.waiting is not None and list(memory.waiting.rows) == [7, 20]
    assert memory.waiting.predicted["new"][1] == 1.0 and np.isnan(memory.waiting.predicted["new"][0])
    assert Memory.read(json.loads(json.dumps(memory.plain()))).waiting is not None


def test_what_is_pending_is_taken_as_scored_where_a_batch_is_filled() -> None:
    lib = library()
    process = fitted(lib)[0].fits["kernel0"]
    rows = np.arange(100, 400)
    mean = process.at(lib, rows)
    alone = acquire(lib, process, rows, mean, 3, 3.0, np.random.default_rng(0))
    beside = acquire(lib, process, np.setdiff1d(rows, alone[:2]), np.delete(mean, alone[:2] - 100), 1, 3.0,
                     np.random.default_rng(0), alone[:2])  # fmt: skip
    assert beside.tolist() == alone[2:].tolist()


def test_a_memory_becomes_plain_values_and_comes_back() -> None:
    whole = Memory(
        {"m": [1.0, 2.0]}, {"a": [0.5, 0.5]}, {"m": {"best": "raw", "raw": [1, 2, 3, 4]}}, {"m": 1.0},
        RoundPlan("model", {"a": 1.0}, 4), Batch([3], ["a"], {"m": [0.1]}, 1, [0.5]), ("x failed",),
    )  # fmt: skip
    for memory in (whole, Memory(), replace(whole, plan=None, last=None), Memory(last=Batch([], [], {}))):
        assert Memory.read(json.loads(json.dumps(memory.plain()))).plain() == memory.plain()
    assert Memory().plain() == {"by": "portfolio"} and Memory.read(None) == Memory()
    assert Memory.read({"skill": {"m": [1, 2]}, "by": "another"}) == Memory()


def test_operators_propose_free_rows_once() -> None:
    lib, rng = library(), np.random.default_rng(0)
    rows, blocked = np.arange(50), np.zeros(600, bool)
    blocked[:300] = True
    gains = rng.standard_normal(50)
    every: Any = (Neighbours(), Coverage(), Uniform())
    for operator, n in [*((one, 20) for one in every), (Uniform(), 10_000)]:
        listed = operator.propose(board_of(lib, rows, gains, blocked, rng), n)
        assert len(set(listed.rows.tolist())) == len(listed.rows) > 0 and not blocked[listed.rows].any()
        assert listed.chance is not None and np.all((listed.chance > 0) & (listed.chance <= 1))
    blocked[:] = True
    for operator in every:
        assert not len(operator.propose(board_of(lib, rows, gains, blocked, rng), 20).rows)
    blocked[:] = False
    assert not len(Neighbours().propose(board_of(lib, rows[:0], gains[:0], blocked, rng), 20).rows)


def test_plans_are_bounded() -> None:
    assert [plan.initial_size(b) for b in (1, 2, 100, 10_000)] == [1, 1, 18, 175]
    assert [plan.initial_size(b, 96) for b in (1, 100, 200, 10_000)] == [1, 50, 96, 192]
    assert [plan.whole(b, 96) for b in (1, 96, 143, 144, 250)] == [96, 96, 96, 192, 288]
    assert all(plan.whole(b, 1) == b for b in range(1, 30))
    assert plan.batch_size(10**7, 10**7, 0.0) == plan.LARGEST and plan.batch_size(100, 3, 0.0) == 3
    assert plan.batch_size(200, 104, 1.0, 96) == 96 and plan.batch_size(200, 8, 1.0, 96) == 8
    assert plan.batch_size(10**7, 10**7, 0.0, 1000) == 1000
    assert plan.with_spares(5, 100, 0) == 5 and plan.with_spares(5, 50, 50) == 11
    assert plan.with_spares(5, 0, 10_000) == 1024 and plan.with_spares(2000, 0, 99) == 2000
    assert plan.with_spares(1, 1, 399) == 202
    assert plan.horizon(None, 0, None) == 128 and plan.horizon(None, 500, None) == 1000 and plan.horizon(9, 0, 4) == 4
    np.testing.assert_array_equal(imputed(np.array([1.0, np.nan])), [1.0, 1.0])


def test_rows_are_views_where_they_can_be_and_the_same_where_they_cannot() -> None:
    x = np.random.default_rng(0).standard_normal((70_000, 3)).astype(np.float32)
    held, ids = open_rows(eow.sources.ArraySource(x))
    assert isinstance(held, HeldRows)
    assert all(np.shares_memory(block, x) for _, block in held.blocks(8192))
    read, _ = open_rows(eow.sources.ArraySource(x.astype(np.float16)))
    assert isinstance(read, ReadRows)
    some = np.array([69_999, 0, 65_536, 5])
    for rows, exact in ((held, x), (read, x.astype(np.float16).astype(np.float32))):
        np.testing.assert_array_equal(rows.take(some), exact[some])
        np.testing.assert_array_equal(np.concatenate([b for _, b in rows.blocks(5000)]), exact)
        assert all(start == sum(map(len, before)) for start, before in _starts(rows))
    np.testing.assert_array_equal(ids.rows(np.array([5, -1, 70_000])), [5, -1, -1])
    assert is_readable(eow.sources.ArraySource(x)) and not is_readable(object())


def _starts(rows: Any) -> Any:
    seen: list[Any] = []
    for start, block in rows.blocks(9000):
        yield start, list(seen)
        seen.append(block)


def test_a_library_is_never_copied() -> None:
    x = np.random.default_rng(0).standard_normal((200_000, 32)).astype(np.float32)
    source = eow.sources.ArraySource(x)
    tracemalloc.start()
    Library(open_rows(source)[0])
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < x.nbytes / 4 and peak < x.nbytes


def test_the_linear_model_by_sums_equals_its_dual_on_all_rows() -> None:
    lib = library(4000)
    rows = np.random.default_rng(1).choice(4000, 3000, replace=False)
    y = np.sin(lib.block(rows)).sum(1).astype(float)
    sums = Sums()
    process = ensemble_of(lib, rows[:900], y[:900], (Linear(),)).fits["linear"]
    process.targets, process.scores = y - y.mean(), y
    for n in (1500, 2048, 3000, 3000):
        weights = sums.fit(process, lib, rows[:n], y[:n])
        points = process.metric.apply(lib.block(rows[:n])).astype(float)
        lengths = process.metric.lengths(points)
        gram = 1 + CONSTANT + linear_gram(points, lengths, points, lengths, process.kernel.quadratic)
        alpha = np.linalg.solve(gram + process.noise * np.eye(n), (y - y.mean())[:n])
        some = lib.block(np.arange(50))
        own = process.metric.lengths(some.astype(float))
        slow = (1 + CONSTANT + linear_gram(some.astype(float), own, points, lengths, process.kernel.quadratic)) @ alpha
        process.primal = weights
        np.testing.assert_allclose(process.predict(some), slow, atol=1e-3)
    for a, b in zip(Sums().fit(process, lib, rows, y), weights):
        np.testing.assert_array_equal(a, b)


def test_the_kernel_is_materns() -> None:
    squared = np.linspace(0, 30, 50).reshape(5, 10)
    root = np.sqrt(5 * squared)
    np.testing.assert_allclose(matern(squared.copy()), (1 + root + root**2 / 3) * np.exp(-root), rtol=1e-12)
    assert matern(squared.astype(np.float32)).dtype == np.float32
