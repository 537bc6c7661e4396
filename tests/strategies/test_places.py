"""Nodes as places: what lies together, whose region it continues, and who proposed each call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.strategies.portfolio.places import grouped

CENTRES = np.random.default_rng(1).standard_normal((12, 6)) * 3
X = (CENTRES[np.arange(1200) % 12] + np.random.default_rng(0).standard_normal((1200, 6))).astype(np.float32)


def score(items: Any) -> Any:
    return -((items.embeddings - CENTRES[0]) ** 2).sum(axis=1)


def ran(budget: int = 160, **more: Any) -> eow.Search:
    search = eow.Search(X, score, budget=budget, seed=0, **more)
    search.run(progress=False)
    return search


def nearness(search: eow.Search) -> tuple[float, float]:
    """Mean over nodes of the distance within a node over that within its round, and items a node."""
    results, rounds = search.results(), search.tree.round
    ratios, sizes = [], []
    for node in np.unique(results.query):
        in_round = rounds[results.query] == rounds[node]
        mine = X[results.ids[results.query == node]]
        ratios.append(spread(mine) / spread(X[results.ids[in_round]]) if len(mine) > 1 else 1.0)
        sizes.append(len(mine))
    return float(np.mean(ratios)), float(np.mean(sizes))


def spread(points: np.ndarray) -> float:
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    return float(apart.sum() / (len(points) * (len(points) - 1)))


@settings(max_examples=60, deadline=None)
@given(m=st.integers(0, 60), d=st.integers(1, 4), seed=st.integers(0, 99), alike=st.booleans())
def test_groups_are_a_partition_of_three_on_average(m: int, d: int, seed: int, alike: bool) -> None:
    block = np.zeros((m, d)) if alike else np.random.default_rng(seed).normal(size=(m, d)).astype(np.float32)
    groups = grouped(block)
    assert sorted(np.concatenate([*groups, np.empty(0, int)]).tolist()) == list(range(m))
    if m >= 6:
        assert m / len(groups) >= 3 and all(2 <= len(group) <= 5 for group in groups)
    else:
        assert len(groups) == min(m, 1)


def test_groups_find_triples_that_lie_apart() -> None:
    block = np.repeat(np.eye(8) * 10, 3, axis=0) + np.random.default_rng(0).normal(size=(24, 8)) * 0.1
    order = np.random.default_rng(1).permutation(24)
    assert {frozenset((order[group] // 3).tolist()) for group in grouped(block[order])} == {
        frozenset([i]) for i in range(8)
    }


def test_a_large_batch_is_grouped_too() -> None:
    groups = grouped(np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32))
    assert sum(map(len, groups)) == 1000 and 1000 / len(groups) >= 3


@pytest.mark.parametrize("more", [{}, {"calls": eow.Calls(workers=2)}])
def test_a_node_is_a_place(more: dict[str, Any]) -> None:
    ratio, items = nearness(ran(400, **more))
    assert ratio <= 0.88 and items >= 3


def test_a_node_continues_the_region_of_its_parent() -> None:
    search = ran()
    state, tree = search.controller.state, search.tree
    results = search.results()
    call = dict(zip(results.ids.tolist(), results.call.tolist()))
    for node in np.flatnonzero(tree.round > 2).tolist():
        mine = results.ids[results.query == node]
        if not len(mine):
            continue
        first = min(call[i] for i in results.ids[tree.round[results.query] == tree.round[node]].tolist())
        known = results.ids[[call[i] < first for i in results.ids.tolist()]]
        nearest = known[((X[mine][:, None] - X[known][None]) ** 2).sum(-1).argmin(axis=1)]
        assert tree.parent[node] in state.items["node"][state.ids.rows(nearest)]
        np.testing.assert_allclose(tree.embedding[node], X[mine].mean(axis=0), atol=1e-4)


def test_who_proposed_a_call_is_the_calls_own() -> None:
    search = ran()
    results, tree = search.results(), search.tree
    assert {"blend", "coverage"} <= set(results.operator)
    for node in np.unique(results.query).tolist():
        mine = [op for op, query in zip(results.operator, results.query.tolist()) if query == node]
        assert tree.operators[node] == {name: mine.count(name) for name in tree.operators[node]}
        if tree.operator[node] != "start":
            assert mine.count(tree.operator[node]) == max(map(mine.count, mine))
    assert set(search.measurements.operator) == set(results.operator)
    assert np.all((results.propensity > 0) & (results.propensity <= 1))
    head = results.head(5)
    assert head.operator == results.operator[:5] and len(head.propensity) == 5


def test_asked_items_say_who_proposed_each() -> None:
    search = eow.Search(X, None, budget=100, seed=0)
    for _ in range(4):
        items = search.ask(12)
        assert all(items.operator) and all(items.reason)
        search.tell(items, score(items))
    assert any("% of the calls" in reason for reason in items.reason)


def test_a_file_keeps_who_proposed_each(tmp_path: Path) -> None:
    search = ran(path=tmp_path / "s.eow")
    told = search.results()
    operators, propensity = told.operator, told.propensity
    search.close()
    again = eow.load(tmp_path / "s.eow", source=X, score=score)
    assert again.results().operator == operators
    np.testing.assert_array_equal(again.results().propensity, propensity)
    again.close()
