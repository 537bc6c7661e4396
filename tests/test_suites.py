"""The suites for updates, pruners and stores: ours pass, and each broken promise is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.live.store import MemoryStore, SQLiteStore
from emb_opt_widgets.protocols import Choice
from emb_opt_widgets.testing import (
    PRUNE_CHECKS,
    STORE_CHECKS,
    UPDATE_CHECKS,
    StoreCase,
    check_prune,
    check_store,
    check_update,
)

OURS = [
    eow.RLUpdate([0.1, 1.0]), eow.TopKDiscreteUpdate(2), eow.TopKContinuousUpdate(3),
    eow.GradientQueries(eow.TopKContinuousUpdate(2), [0.5]), eow.strategies.Portfolio(), eow.SurrogateUpdate(),
    eow.strategies.LatentUpdate(),
]  # fmt: skip


@pytest.mark.parametrize("check", UPDATE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("update", OURS, ids=lambda update: type(update).__name__)
def test_our_updates_pass(update, check):
    check(update)


@pytest.mark.parametrize("check", PRUNE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("prune", [eow.TopKPrune(2), eow.TopKPrune(1, "max", None)], ids=lambda prune: prune.score_agg)
def test_our_pruners_pass(prune, check):
    check(prune)


GOOD = eow.RLUpdate([0.5])


class Broken:
    """The good update with something changed of its answer, or of its ways."""

    def __init__(self, change):
        self.change, self.asked = change, 0

    def propose(self, queries, view):
        self.asked += 1
        return self.change(self, GOOD.propose(queries, view), queries, view)


def cached(self, made, queries, view):
    view.cache.setdefault("n", self.asked)
    return replace(made, embeddings=made.embeddings + view.cache["n"] % 2)


def written(self, made, queries, view):
    queries.embeddings.flags.writeable = True
    queries.embeddings[:] += 1
    return made


def by_score(self, made, queries, view):
    far = np.nansum(queries.hits.scores) if len(queries) else 0
    return replace(made, embeddings=made.embeddings + far)


class Chooser(Broken):
    def choose(self, candidates, view):
        return Choice(np.array([0, 0, 99]))


@pytest.mark.parametrize(
    ("update", "promise"),
    [
        (eow.RLUpdate, "has propose"),
        (Broken(lambda s, made, q, v: made.embeddings), "gives Proposals"),
        (Broken(lambda s, made, q, v: replace(made, embeddings=made.embeddings[:, :1])), "vectors are"),
        (Broken(lambda s, made, q, v: replace(made, embeddings=made.embeddings * np.inf)), "finite"),
        (Broken(lambda s, made, q, v: replace(made, parents=made.parents + 1000)), "parents"),
        (Broken(lambda s, made, q, v: replace(made, reason=["one"])), "reason is one text"),
        (Broken(lambda s, made, q, v: replace(made, propensity=np.zeros(len(made)))), "propensities"),
        (Broken(lambda s, made, q, v: made if len(q) else None), "gives Proposals"),
        (Broken(lambda s, made, q, v: replace(made, embeddings=made.embeddings + s.asked)), "same proposals"),
        (Broken(cached), "empty view.cache"),
        (Broken(written), "as they were before"),
        (Broken(by_score), "mirrors"),
        (Chooser(lambda s, made, q, v: made), "chosen once"),
    ],
)
def test_a_broken_update_is_seen(update, promise):
    with pytest.raises(AssertionError, match=promise):
        check_update(update)


@dataclass
class BrokenPrune:
    change: object
    asked: int = 0

    def keep(self, queries):
        self.asked += 1
        return self.change(self, queries)


def half(queries, scores):
    means = [np.nansum(scores[a:b]) for a, b in zip(queries.offsets, queries.offsets[1:])]
    return np.array([mean > np.median(means) for mean in means], bool)


def moved(self, queries):
    queries.offsets.flags.writeable = True
    queries.offsets[:] = 0
    return np.ones(len(queries), bool)


@pytest.mark.parametrize(
    ("prune", "promise"),
    [
        (eow.TopKPrune, "has keep"),
        (BrokenPrune(lambda s, q: np.ones(len(q))), "truth values"),
        (BrokenPrune(lambda s, q: np.ones(3, bool)), "one for each"),
        (BrokenPrune(lambda s, q: np.full(len(q), s.asked >= 6)), "same verdicts"),
        (BrokenPrune(moved), "as they were before"),
        (BrokenPrune(lambda s, q: half(q, q.hits.scores)), "mirrors"),
    ],
)
def test_a_broken_pruner_is_seen(prune, promise):
    with pytest.raises(AssertionError, match=promise):
        check_prune(prune)


def in_file(folder):
    names = iter(range(100))
    return StoreCase(
        lambda: SQLiteStore(folder / f"{next(names)}.eow", create=True), lambda store: SQLiteStore(store.path)
    )


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_our_stores_pass(check, tmp_path):
    check(StoreCase(MemoryStore))
    check(in_file(tmp_path))


class Backwards(MemoryStore):
    def read(self, start=0, stop=None):
        return iter(list(super().read(start, stop))[::-1])


class Everything(MemoryStore):
    def read(self, start=0, stop=None):
        return super().read()


class Halfway(MemoryStore):
    def append(self, bodies, payload=()):
        for body in bodies:
            super().append([body], payload)


@pytest.mark.parametrize(
    ("kind", "promise"),
    [(Backwards, "numbered from 0"), (Everything, "is the slice"), (Halfway, "keeps nothing of it")],
)
def test_a_broken_store_is_seen(kind, promise):
    with pytest.raises(AssertionError, match=promise):
        check_store(StoreCase(kind))


def test_a_store_that_forgets_is_seen():
    with pytest.raises(AssertionError, match="opened again it holds"):
        check_store(StoreCase(MemoryStore, lambda store: MemoryStore()))
