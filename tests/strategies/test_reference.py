"""The reference's algorithms against slow, obvious loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.arrays import groups_by_length, whiten
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Queries
from emb_opt_widgets.strategies.gradient import clip_norm, loss_gradient


def queries(seed: int, lengths: list[int], d: int = 5, ties: bool = False) -> Queries:
    rng = np.random.default_rng(seed)
    q, m = len(lengths), sum(lengths)
    scores = rng.integers(0, 3, m).astype(float) if ties else rng.standard_normal(m)
    return Queries(
        ids=np.arange(10, 10 + q), parents=rng.integers(0, 3, q), collections=rng.integers(0, 2, q),
        rounds=np.zeros(q, np.int64), embeddings=rng.standard_normal((q, d)),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        hits=Items(np.arange(m), rng.standard_normal((m, d)).astype(np.float32), scores=scores),
        valid=rng.random(m) < 0.8, sign=1.0,
    )  # fmt: skip


def each(batch: Queries) -> Any:
    for i, q in enumerate(batch):
        rows = [j for j in range(batch.offsets[i], batch.offsets[i + 1]) if batch.valid[j]]
        yield q, batch.hits.embeddings[rows].astype(float), batch.hits.scores[rows]


LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=8)


@settings(deadline=None)
@given(seed=st.integers(0, 99), lengths=LENGTHS, penalty=st.sampled_from([0.0, 0.7]), norm=st.sampled_from([None, 0.5]))
def test_gradient_equals_the_loop_to_the_last_bit(seed: int, lengths: list[int], penalty: float, norm: Any) -> None:
    batch = queries(seed, lengths)
    made = eow.RLUpdate([0.25, 2.0], penalty, norm).propose(batch, None)  # type: ignore[arg-type]
    expected, parents = [], []
    for query, hits, scores in each(batch):
        if not len(hits):
            continue
        advantage = (scores - scores.mean()) / np.sqrt(scores.var() + 1e-8) + penalty
        gradient = (2 * advantage[None, :, None] * (query.embedding[None, None, :] - hits[None])).mean(1)
        if norm is not None:
            gradient = gradient * np.minimum(norm / (np.linalg.norm(gradient, axis=-1, keepdims=True) + 1e-6), 1)
        for lr in (0.25, 2.0):
            expected.append(query.embedding - gradient[0] * lr)
            parents.append(query.id)
    np.testing.assert_array_equal(made.embeddings, np.array(expected).reshape(-1, 5))
    np.testing.assert_array_equal(made.parents, parents)


@settings(deadline=None)
@given(seed=st.integers(0, 99), lengths=LENGTHS, k=st.integers(1, 4))
def test_top_k_updates_equal_the_loop_ties_included(seed: int, lengths: list[int], k: int) -> None:
    batch = queries(seed, lengths, ties=True)
    discrete = eow.TopKDiscreteUpdate(k).propose(batch, None)  # type: ignore[arg-type]
    continuous = eow.TopKContinuousUpdate(k).propose(batch, None)  # type: ignore[arg-type]
    points, parents, means = [], [], []
    for query, hits, scores in each(batch):
        best = hits[scores.argsort()[::-1][:k]]
        points.extend(best)
        parents.extend([query.id] * len(best))
        if len(best):
            means.append(np.average(best, 0))
    np.testing.assert_array_equal(discrete.embeddings, np.array(points).reshape(-1, 5))
    np.testing.assert_array_equal(discrete.parents, parents)
    np.testing.assert_array_equal(continuous.embeddings, np.array(means).reshape(-1, 5))


@settings(deadline=None)
@given(
    seed=st.integers(0, 99), lengths=LENGTHS, k=st.integers(1, 3), agg=st.sampled_from(["mean", "max"]),
    group=st.sampled_from([None, "collection_id", "parent_id"]),
)  # fmt: skip
def test_top_k_prune_keeps_the_best_of_each_group(seed: int, lengths: list[int], k: int, agg: Any, group: Any) -> None:
    batch = queries(seed, [n + 1 for n in lengths])
    batch.valid[:] = True
    keep = eow.TopKPrune(k, agg, group).keep(batch)
    value = [getattr(scores, agg)() for _, _, scores in each(batch)]
    labels = {"collection_id": batch.collections, "parent_id": batch.parents, None: np.zeros(len(batch))}[group]
    for i in range(len(batch)):
        rivals = [value[j] for j in range(len(batch)) if labels[j] == labels[i]]
        assert keep[i] == (sorted(rivals, reverse=True).index(value[i]) < k)


@given(lengths=st.lists(st.integers(0, 5)))
def test_groups_cover_each_place_once(lengths: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = [p for rows, flat in groups_by_length(offsets) for row in flat for p in row.tolist()]
    assert sorted(places) == list(range(sum(lengths)))


def test_clipping_by_any_norm_and_whitening_of_constants() -> None:
    gradients = np.random.default_rng(0).standard_normal((6, 4)) * 5
    for norm in (1.0, 2.0, 3.0, np.inf):
        clipped = clip_norm(gradients, 1.0, norm)
        assert (np.linalg.norm(clipped, ord=norm, axis=1) <= 1 + 1e-6).all()
    assert not whiten(np.full(5, 3.0)).any()
    alone = loss_gradient(np.ones((1, 4)), np.zeros((0, 4)), np.zeros(0), np.array([0, 0]))
    assert not alone.any()


def _as_near(library: np.ndarray, point: np.ndarray, a: int, b: int) -> bool:
    far = ((library[[a, b]] - point) ** 2).sum(axis=1)
    return bool(abs(far[0] - far[1]) <= 1e-5 * far.max())


def test_gradient_queries_look_along_the_gradient_of_rising_score(library: np.ndarray, score: Any) -> None:
    lrs = (0.5, 1.0, 4.0)
    search = eow.Search(library, score, update=eow.GradientQueries(eow.TopKContinuousUpdate(2), lrs), k=3, queries=2)
    search.run(rounds=2, progress=False)
    tree = search.tree
    second = np.flatnonzero(tree.round == 1)
    assert all(3 <= n <= 12 for n in tree.n_hits[second]) and max(tree.n_hits[second]) > 3
    for node in second:
        gradient, steps = search.controller.state.looks[int(node)]
        points = [tree.embedding[node], *(tree.embedding[node] + s * gradient for s in steps)]
        wanted: list[int] = []
        for point in points:
            wanted += [i for i in np.argsort(((library - point) ** 2).sum(1))[:3].tolist() if i not in wanted]
        got = search.controller.state.ids.take(search.controller.state.hits[int(node)]).tolist()
        assert sorted(got) == sorted(wanted)
        swapped = [(a, b) for a, b in zip(got, wanted) if a != b]
        assert all(any(_as_near(library, point, a, b) for point in points) for a, b in swapped), "but for near ties"
        before = score(Items([0], tree.embedding[node][None]))
        after = score(Items([0], (tree.embedding[node] + 0.01 * gradient / np.linalg.norm(gradient))[None]))
        assert after > before


@pytest.mark.parametrize("kind", [eow.RLUpdate([0.5]), eow.TopKDiscreteUpdate(1), eow.TopKContinuousUpdate(2)])
def test_strategies_are_restored_from_their_description(kind: Any) -> None:
    from emb_opt_widgets.engine.config import describe, rebuild
    from emb_opt_widgets.strategies import REGISTRY

    for part in (kind, eow.GradientQueries(kind, (0.1, 2.0), 0.3, 1.0, 1.0), eow.TopKPrune(2, "max", None)):
        assert rebuild(describe(part, REGISTRY), REGISTRY, lambda name: None) == part
