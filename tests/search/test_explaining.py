"""Why: what is thought of an item, what a node and an operator cost and found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

X = np.random.default_rng(0).normal(size=(2000, 5)).astype(np.float32)
TRUTH = np.sin(X[:, 0].astype(np.float64)) + 0.5 * X[:, 1]


class OnlyAsked(eow.sources.ArraySource):
    """Cannot be read through."""

    remote = True


def run_on(source: Any = X, rounds: int | None = 6, **more: Any) -> eow.Search:
    search = eow.Search(source, lambda items: TRUTH[items.ids], budget=120, seed=0, **more)
    search.run(rounds=rounds, progress=False)
    return search


@pytest.mark.parametrize("source", [X, OnlyAsked(X)], ids=["readable", "asked"])
def test_an_item_is_explained_by_its_models_its_likes_and_its_place(source: Any) -> None:
    search = run_on(source)
    before = search.events.digest()
    known = search.results(include_removed=True).ids
    seen = np.setdiff1d(search.controller.state.ids.take(np.arange(len(search.controller.state.items))), known)
    item = int(seen[0])
    found = search.explain(item)
    assert found.score is None and found.operator == "" and abs(found.expected - TRUTH[item]) < 4 * found.deviation
    assert sum(one.weight for one in found.surrogates) == pytest.approx(1)
    assert {"linear", "kernel0"} <= {one.surrogate for one in found.surrogates}
    assert all(-1 <= one.trust <= 1 and one.deviation > 0 for one in found.surrogates)
    alike = [one.alike for one in found.neighbours]
    assert len(alike) == 8 and alike == sorted(alike, reverse=True) and max(alike) <= 1 + 1e-6
    assert all(one.score == pytest.approx(TRUTH[one.id]) for one in found.neighbours)
    assert 1 <= found.place <= found.of
    assert f"item {item}" in str(found) and "kernel0 expects" in str(found)
    assert search.events.digest() == before


def test_places_order_items_as_what_is_expected_of_them_does() -> None:
    search = run_on()
    free = [i for i in range(0, 2000, 97) if i not in set(search.results().ids.tolist())]
    found = [search.explain(i) for i in free]
    order = np.argsort([-one.expected for one in found], kind="stable")
    assert [found[i].place for i in order] == sorted(one.place for one in found)
    assert {one.of for one in found} == {2000 - search.n_scored}


def test_a_scored_item_says_who_asked_for_it() -> None:
    search = run_on(direction="minimize")
    top = search.results()
    found = search.explain(top[0])
    assert found == search.explain(top.ids[0])
    assert (
        found.score == pytest.approx(TRUTH[top.ids[0]]) and found.operator == top.operator[0] and found.n_measured == 1
    )
    assert top.ids[0] not in [one.id for one in found.neighbours]
    assert abs(found.expected - found.score) < 4 * found.deviation, "in units of the score"


def test_before_anything_is_known_and_where_a_strategy_does_not_tell() -> None:
    fresh = eow.Search(X, lambda items: TRUTH[items.ids])
    assert fresh.explain(5).expected is None and "no surrogate" in str(fresh.explain(5))
    assert len(fresh.operators) == 0 and repr(fresh.operators) == "no calls yet"
    plain = run_on(update=eow.RLUpdate([0.5]), rounds=2)
    assert plain.explain(plain.best.id).expected is None and plain.explain(plain.best.id).score == plain.best.score


def test_a_node_and_its_subtree_are_accounted_for() -> None:
    search = run_on()
    roots = np.flatnonzero(search.tree.parent == -1)
    told = [search.explain(node=int(root)) for root in roots]
    assert sum(one.calls for one in told) == search.n_scored == sum(one.cost for one in told)
    assert sum(one.among_best for one in told) == 20
    assert max(one.best for one in told if one.best is not None) == search.best.score
    assert all(one.left is not None for one in told) and "of the 20 best" in str(told[0])


def test_a_persons_branches_are_accounted_for_like_any_operator(tmp_path: Path) -> None:
    search = run_on(rounds=4)
    search.branch(item=int(np.argmax(TRUTH)))
    search.run(progress=False)
    table = search.operators
    assert table.calls.sum() == search.n_scored == table.cost.sum() and table.among_best.sum() == 20
    place = table.operator.tolist().index("branch")
    assert table.calls[place] > 0 and table.best[place] in search.results().scores
    assert "branch: " in repr(table) and list(table.to_pandas().columns) == table.columns
    table.to_csv(tmp_path / "operators.csv")


def test_it_may_be_asked_while_the_search_runs() -> None:
    search = eow.Search(X, lambda items: TRUTH[items.ids], budget=400, seed=0, batch_size=2)
    search.start()
    while search.n_scored < 40:
        pass
    for item in range(0, 400, 40):
        search.explain(item)
    search.wait()
    plain = eow.Search(X, lambda items: TRUTH[items.ids], budget=400, seed=0, batch_size=2)
    plain.run(progress=False)
    assert search.results().ids.tolist() == plain.results().ids.tolist()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda s: s.explain(), "neither"),
        (lambda s: s.explain(3, node=1), "both"),
        (lambda s: s.explain("no such"), "no such"),
        (lambda s: s.explain(1.5), "wrong type"),
        (lambda s: s.explain(99_999), "99"),
        (lambda s: s.explain(node=10_000), "no such node"),
    ],
)
def test_what_is_not_there_is_refused(call: Any, error: str) -> None:
    search = run_on(rounds=2)
    with pytest.raises(eow.EmbOptError, match=error):
        call(search)
