"""Is it the same library? One that grew, changed its order, lost items, or holds other vectors under the same ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.search.reconcile import prints_of

N = 200
RL = eow.RLUpdate((0.1,))


@pytest.fixture(scope="module")
def library() -> np.ndarray:
    return np.random.default_rng(11).normal(size=(N, 5)).astype(np.float32)


def truth(items: Items) -> np.ndarray:
    return np.asarray(items.embeddings[:, 0] * 2 + items.embeddings[:, 1], np.float64)


def named(array: np.ndarray, ids: Any = None) -> eow.sources.ArraySource:
    return eow.sources.ArraySource(array, ids=[f"m{i}" for i in range(len(array))] if ids is None else ids)


def searched(library: np.ndarray, path: Path, update: Any = None, calls: int = 40) -> dict[str, float]:
    with eow.Search(named(library), truth, update=update, budget=calls, path=path) as search:
        results = search.run(progress=False)
        return dict(zip(results.ids.tolist(), results.scores.tolist()))


def scores_of(search: eow.Search) -> dict[str, float]:
    results = search.results()
    return dict(zip(results.ids.tolist(), results.scores.tolist()))


@pytest.mark.parametrize("update", [None, RL])
@pytest.mark.parametrize("how", ["grown", "permuted", "both"])
def test_a_library_that_grew_or_changed_its_order_goes_on(
    library: np.ndarray, tmp_path: Path, how: str, update: Any
) -> None:
    before = searched(library, tmp_path / "s.eow", update)
    array, ids = library, [f"m{i}" for i in range(N)]
    if how in ("grown", "both"):
        array = np.concatenate([array, np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32) + 1])
        ids = [*ids, *(f"new{i}" for i in range(60))]
    if how in ("permuted", "both"):
        order = np.random.default_rng(1).permutation(len(array))
        array, ids = array[order], [ids[i] for i in order]
    source = named(array, ids)
    with eow.load(tmp_path / "s.eow", source, truth) as again:
        assert scores_of(again) == before
        rows = [ids.index(i) for i in again.results().ids]
        np.testing.assert_array_equal(again.results().embeddings, array[rows])
        again.set(budget=80)
        again.run(progress=False)
        after = scores_of(again)
        assert len(after) == 80 and after.items() >= before.items()
        np.testing.assert_allclose(again.results().scores, truth(again.results()))
        assert [e.kind for e in again.events].count("source_changed") == 1
    with eow.load(tmp_path / "s.eow", source, truth) as third:
        assert scores_of(third) == after and [e.kind for e in third.events].count("source_changed") == 1
    assert scores_of(eow.replay(tmp_path / "s.eow", source)) == after


def test_other_vectors_under_the_same_ids_are_named_and_dropped_only_by_consent(
    library: np.ndarray, tmp_path: Path
) -> None:
    before = searched(library, tmp_path / "s.eow")
    scored = sorted(before)
    other = library.copy()
    other[int(scored[0][1:])] += 0.01
    swapped = library[np.random.default_rng(2).permutation(N)]
    for source, count in [(named(other), "1 have"), (named(swapped), f"of {len(before)} scored")]:
        size = (tmp_path / "s.eow").stat().st_size
        with pytest.raises(eow.InputError, match=count):
            eow.load(tmp_path / "s.eow", source, truth)
        with pytest.raises(eow.InputError, match="another vector"):
            eow.replay(tmp_path / "s.eow", source)
        assert (tmp_path / "s.eow").stat().st_size == size
    with eow.load(tmp_path / "s.eow", named(other), truth, drop_missing=True) as again:
        assert scores_of(again) == {i: s for i, s in before.items() if i != scored[0]}
        removed = again.results(include_removed=True)
        assert "another" in dict(zip(removed.ids.tolist(), removed.data["removed"]))[scored[0]]
        assert again.n_scored == len(before), "it stays paid"
        again.set(budget=60)
        again.run(progress=False)
        assert scored[0] not in scores_of(again)


def test_items_that_vanished_are_named(library: np.ndarray, tmp_path: Path) -> None:
    before = searched(library, tmp_path / "s.eow")
    best = max(before, key=lambda i: before[i])
    kept = [i for i in range(N) if f"m{i}" != best]
    source = named(library[kept], [f"m{i}" for i in kept])
    with pytest.raises(eow.InputError, match=f"1 are gone.*{best}"):
        eow.load(tmp_path / "s.eow", source, truth)
    with eow.load(tmp_path / "s.eow", source, truth, drop_missing=True) as again:
        assert again.best is not None and again.best.id != best
        again.set(budget=60)
        again.run(progress=False)
        assert best not in scores_of(again)
        with pytest.raises(eow.InputError, match="dropped"):
            again.tell([best], [1.0])


def test_unscored_items_may_vanish_without_consent(library: np.ndarray, tmp_path: Path) -> None:
    before = searched(library, tmp_path / "s.eow", calls=20)
    kept = [i for i in range(N) if f"m{i}" in before or i % 2]
    source = named(library[kept], [f"m{i}" for i in kept])
    with eow.load(tmp_path / "s.eow", source, truth) as again:
        assert scores_of(again) == before
        again.set(budget=60)
        again.run(progress=False)
        assert len(scores_of(again)) == 60


def test_pending_and_told_items_are_known_again_too(library: np.ndarray, tmp_path: Path) -> None:
    with eow.Search(named(library), None, known=(["m3"], [1.0]), path=tmp_path / "s.eow") as search:
        search.tell("m5", 2.0)
        items = search.ask(4)
    other = library.copy()
    other[3] += 1
    with pytest.raises(eow.InputError, match="m3"):
        eow.load(tmp_path / "s.eow", named(other))
    other = library.copy()
    other[5] += 1
    with pytest.raises(eow.InputError, match="m5"):
        eow.load(tmp_path / "s.eow", named(other))
    kept = [i for i in range(N) if f"m{i}" != items.ids[0]]
    with eow.load(tmp_path / "s.eow", named(library[kept], [f"m{i}" for i in kept])) as again:
        assert again.pending.ids.tolist() == items.ids[1:].tolist()


@pytest.mark.parametrize("make", [lambda a: a[:, :3], lambda a: a.astype(np.float64)])
def test_vectors_of_another_form_are_another_source(library: np.ndarray, tmp_path: Path, make: Any) -> None:
    searched(library, tmp_path / "s.eow")
    with pytest.raises(eow.InputError, match="not the source"):
        eow.load(tmp_path / "s.eow", named(make(library)), truth)
    with pytest.raises(eow.InputError, match="not the source"):
        eow.load(tmp_path / "s.eow", eow.sources.ArraySource(library, metric="ip"), truth)


def test_a_search_that_has_measured_nothing_is_known_by_its_first_vectors(library: np.ndarray, tmp_path: Path) -> None:
    eow.Search(library, None, path=tmp_path / "s.eow").close()
    with pytest.raises(eow.InputError, match="not the source"):
        eow.load(tmp_path / "s.eow", library * 2)
    eow.load(tmp_path / "s.eow", np.concatenate([library, library[:9] + 1])).close()


def test_prints_tell_vectors_apart_to_the_bit(library: np.ndarray) -> None:
    assert prints_of(library) == prints_of(np.asfortranarray(library)) and len(set(prints_of(library))) == N
    assert prints_of(library[:1])[0] != prints_of(np.nextafter(library[:1], 9))[0]
    assert prints_of(library[:2].astype(">f4")) == prints_of(library[:2])


# -- extend ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", [None, RL])
def test_a_library_is_extended_while_it_is_searched(library: np.ndarray, tmp_path: Path, update: Any) -> None:
    source = eow.sources.ArraySource(library.copy(), data={"batch": ["a"] * N})
    search = eow.Search(source, truth, update=update, budget=30, path=tmp_path / "s.eow")
    search.run(progress=False)
    better = library[:50] + np.array([6, 0, 0, 0, 0], np.float32)
    search.extend(Items(np.arange(1000, 1050), better, data={"batch": ["b"] * 50}))
    search.set(budget=90)
    results = search.run(progress=False)
    search.close()
    assert len(source) == 250 and len(results) == 90
    if update is None:
        assert results.ids[0] >= 1000 and results.data["batch"][0] == "b"
    with eow.load(tmp_path / "s.eow", source, truth) as again:
        assert again.results().ids.tolist() == results.ids.tolist()


def test_vectors_without_ids_are_numbered_on(library: np.ndarray) -> None:
    search = eow.Search(library.copy(), None)
    search.extend(library[:3] + 1)
    search.tell([N, N + 2], [1.0, 2.0])
    np.testing.assert_array_equal(search.results().embeddings, library[[2, 0]] + 1)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (Items([3], np.ones((1, 5), np.float32)), "twice"),
        (Items([900], np.ones((1, 4), np.float32)), "shape"),
        (Items([900], np.full((1, 5), np.nan, np.float32)), "finite"),
        (np.ones((2, 7), np.float32), "shape"),
    ],
)
def test_what_does_not_fit_does_not_extend(library: np.ndarray, items: Any, why: str) -> None:
    search = eow.Search(library.copy(), None)
    before = search.events.digest()
    with pytest.raises(eow.EmbOptError, match=why):
        search.extend(items)
    assert search.events.digest() == before and len(search.controller.engine.source.source) == N


def test_a_source_that_cannot_grow_says_so(library: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", library)
    search = eow.Search(np.load(tmp_path / "a.npy", mmap_mode="r"), None)
    with pytest.raises(eow.InputError, match="on disk"):
        search.extend(library[:1])
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatL2(5)
    index.add(library)
    with pytest.raises(eow.InputError, match="cannot grow"):
        eow.Search(index, None).extend(library[:1])
