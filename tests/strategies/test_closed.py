"""A person's prune closes a region: where it is, that it stays, what reverses it, and that the log alone tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.status import NodeStatus, RunStatus
from emb_opt_widgets.errors import UnknownNodeError
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.strategies.portfolio.closed import CLOSED, NEAREST, doubted_among, doubted_rows, votes
from emb_opt_widgets.strategies.portfolio.known import shelf_of

RNG = np.random.default_rng(0)
A, B = (np.r_[side, np.zeros(7)] for side in (3.0, -3.0))
X = (np.where(RNG.random(1500) < 0.5, 1, -1)[:, None] * A + RNG.standard_normal((1500, 8))).astype(np.float32)
TO_A, TO_B = (((X - centre) ** 2).sum(1) for centre in (A, B))
ON_B = TO_A > TO_B


def score(items: Any) -> Any:
    return np.maximum(np.exp(-TO_A / 20), 0.98 * np.exp(-TO_B / 20))[items.ids]


def begun(source: Any = None, rounds: int = 4, **more: Any) -> eow.Search:
    search = eow.Search(X if source is None else source, score, budget=150, seed=0, **more)
    search.run(rounds=rounds, progress=False)
    return search


def prune_b(search: eow.Search) -> int:
    """Prune every node the mean of whose items lies on b's side; how many."""
    results, count = search.results(), 0
    for node in np.unique(results.query[results.query >= 0]).tolist():
        middle = X[results.ids[results.query == node].astype(int)].mean(axis=0)
        if ((middle - A) ** 2).sum() > ((middle - B) ** 2).sum():
            search.prune_node(node, subtree=False)
            count += 1
    return count


def share_of_b(search: eow.Search, before: set[Any]) -> float:
    new = [i for i in search.results().ids.tolist() if i not in before]
    return float(ON_B[new].mean())


def scored(search: eow.Search) -> set[Any]:
    return set(search.results().ids.tolist())


def closed_of(search: eow.Search) -> np.ndarray:
    view = search.controller.engine.parts().view(search.controller.state)
    doubt = doubted_rows(view, shelf_of(view).library)
    return np.zeros(len(X), bool) if doubt is None else doubt > CLOSED


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(0, 40), share=st.floats(0, 1))
def test_votes_are_those_of_a_slow_loop(seed: int, n: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    block, points, inside = rng.normal(size=(12, 3)), rng.normal(size=(n, 3)), rng.random(n) < share
    told = votes(block, points, inside)
    for row, point in enumerate(block):
        near = np.argsort(((points - point) ** 2).sum(axis=1))[:NEAREST]
        expected = 2 * inside[near].mean() if n else 0.0
        assert told[row] == pytest.approx(expected, abs=1e-6)


def test_what_is_pruned_is_not_proposed_until_it_is_undone() -> None:
    free, pruned = begun(), begun()
    before = scored(pruned)
    count = prune_b(pruned)
    assert count > 3
    closed = closed_of(pruned)
    assert closed[ON_B].mean() > 0.9 and closed[~ON_B].mean() < 0.1
    pruned.run(rounds=4, progress=False)
    assert share_of_b(pruned, before) <= 0.02
    np.testing.assert_array_equal(closed_of(pruned), closed)
    for _ in range(count):
        pruned.undo()
    assert not closed_of(pruned).any()
    at = scored(pruned)
    pruned.run(progress=False)
    free.run(rounds=4, progress=False)
    at_free = scored(free)
    free.run(progress=False)
    assert abs(share_of_b(pruned, at) - share_of_b(free, at_free)) <= 0.25 and share_of_b(pruned, at) > 0.1


def test_no_closed_item_is_scored_and_known_scores_stay() -> None:
    search = begun()
    before = scored(search)
    prune_b(search)
    closed = closed_of(search)
    search.run(progress=False)
    assert not closed[[i for i in scored(search) - before]].any() and before <= scored(search)


def test_restore_opens_what_its_node_closed_and_undo_of_it_closes_the_same_again() -> None:
    search = begun()
    prune_b(search)
    closed, state = closed_of(search), search.controller.state
    search.run(rounds=2, progress=False)
    nodes = sorted(state.closures.nodes)
    for node in nodes:
        search.restore(node)
    assert not closed_of(search).any() and not state.closures.nodes
    for _ in nodes:
        search.undo()
    np.testing.assert_array_equal(closed_of(search), closed)
    search.redo()
    assert len(state.closures.nodes) == len(nodes) - 1


def test_a_pruner_closes_nothing() -> None:
    search = begun(prune=eow.TopKPrune(2))
    assert (search.tree.status == "pruned").any() and not closed_of(search).any()
    node = int(np.flatnonzero(search.tree.status == "pruned")[0])
    search.restore(node)
    search.undo()
    assert search.tree.status[node] == "pruned" and not search.controller.state.closures.nodes


def test_a_resumed_and_a_replayed_search_know_the_same_region(tmp_path: Path) -> None:
    path = tmp_path / "s.eow"
    search = begun(path=path)
    prune_b(search)
    closed = closed_of(search)
    search.close()
    loaded = eow.load(path, source=X, score=score)
    np.testing.assert_array_equal(closed_of(loaded), closed)
    loaded.run(progress=False)
    whole = begun()
    prune_b(whole)
    whole.run(progress=False)
    assert [e.to_dict() for e in loaded.events if e.kind == "chosen"] == [
        e.to_dict() for e in whole.events if e.kind == "chosen"
    ]
    loaded.close()
    replayed = eow.replay(path, source=X)
    assert replayed.controller.state.closures.nodes == whole.controller.state.closures.nodes


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_search_pauses_where_all_that_is_left_is_pruned(asynchronous: bool) -> None:
    workers = {"calls": eow.Calls(workers=2)} if asynchronous else {}
    search = begun(rounds=3, **workers)
    for node in np.flatnonzero(search.tree.status == "active").tolist():
        search.prune_node(node, subtree=False)
    assert closed_of(search).all()
    n = search.n_scored
    search.run(progress=False)
    assert search.status is RunStatus.PAUSED and "pruned" in search.reason and search.n_scored == n
    while search.controller.state.closures.nodes:
        search.undo()
    search.run(progress=False)
    assert search.status is RunStatus.FINISHED and search.n_scored == 150


def test_asking_ends_where_all_that_is_left_is_pruned() -> None:
    search = eow.Search(X, None, budget=150, seed=0)
    for _ in range(2):
        items = search.ask(20)
        search.tell(items, score(items))
    for node in np.flatnonzero(search.tree.status == "active").tolist():
        search.prune_node(node, subtree=False)
    assert len(search.ask(5)) == 0
    while search.controller.state.closures.nodes:
        search.undo()
    assert len(search.ask(5)) == 5


def test_a_preview_tells_what_the_prune_does() -> None:
    search = begun()
    node = int(search.results().query[0])
    before = search.events[-1].seq
    preview = search.prune_preview(node)
    assert search.events[-1].seq == before
    inside = {node, *search.controller.state.descendants(node).tolist()}
    assert preview.nodes == len(inside) and preview.best == search.best.score and preview.counted
    assert f"best {search.best.score:.3g}" in str(preview) and "unscored item" in str(preview)
    search.prune_node(node)
    ids = np.array(sorted(scored(search)))
    closed = closed_of(search)
    closed[ids] = False
    assert preview.unscored == closed.sum()
    assert search.prune_preview(node).nodes == 0 and search.prune_preview(node).unscored is None
    with pytest.raises(UnknownNodeError):
        search.prune_preview(10_000)


def test_a_preview_of_a_strategy_that_closes_nothing_says_so(search: eow.Search) -> None:
    search.run(rounds=2, progress=False)
    preview = search.prune_preview(0)
    assert preview.unscored is None and "unscored" not in str(preview)


class Asked:
    """A source that can only be asked."""

    def __init__(self) -> None:
        self._inner = ArraySource(X)
        self.dim = 8

    def __len__(self) -> int:
        return len(X)

    def search(self, queries: Any, k: int) -> Any:
        return self._inner.search(queries, k)

    def fetch(self, ids: Any) -> Any:
        return self._inner.fetch(ids)


def test_a_source_that_can_only_be_asked_drops_candidates_as_they_come() -> None:
    search = begun(Asked(), rounds=12)
    before = scored(search)
    assert search.prune_preview(0).unscored is not None
    for node in np.flatnonzero(search.tree.embedding[:, 1] > 0.3).tolist():
        search.prune_node(node, subtree=False)
    view = search.controller.engine.parts().view(search.controller.state)
    closed = doubted_among(view, X) > CLOSED
    assert 0 < closed.sum() < len(X)
    search.run(progress=False)
    assert not closed[list(scored(search) - before)].any()


def test_nodes_that_were_pruned_stay_visible() -> None:
    search = begun()
    node = int(search.results().query[0])
    search.prune_node(node, subtree=False)
    assert search.controller.state.nodes["status"][node] == NodeStatus.PRUNED and search.tree.n_hits[node] > 0
