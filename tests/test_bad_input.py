"""What a person can get wrong: one clear error each (expected, got, what to do), before anything is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

from .conftest import smooth

GOOD = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
NAN = GOOD.copy()
NAN[7, 2] = np.nan


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (np.empty((0, 4), np.float32), "at least one"),
        (np.zeros(4), r"shape|dimension"),
        (NAN, "finite|NaN"),
        ("library.npy", "source"),
        (None, "source"),
        ([[1.0, 2.0]], "cannot be searched"),
    ],
)
def test_sources(source: Any, why: str) -> None:
    with pytest.raises(eow.InputError, match=why):
        eow.Search(source, smooth, k=1)


def test_duplicate_ids() -> None:
    with pytest.raises(eow.InputError, match="uplicate|twice|distinct"):
        eow.sources.ArraySource(GOOD, ids=[1] * 50)


@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [
        ("k", 0, "at least 1"), ("k", 51, "at most 50"), ("k", 2.5, "whole number"), ("k", True, "whole number"),
        ("queries", 0, "at least 1"), ("queries", np.zeros((2, 3)), r"\(q, 4\)"), ("queries", "start", "item ids"),
        ("queries", np.full((1, 4), np.nan), "finite"), ("queries", [999], "999"), ("queries", [], "item ids"),
        ("queries", [0.5, 1.5], "item ids"),
        ("budget", 0, "at least 1"), ("budget", "10", "whole number"), ("seed", -1, "at least 0"),
        ("direction", "up", "maximize"), ("on_error", "ignore", "record"), ("retries", -1, "at least 0"),
        ("timeout", 0, "above 0"), ("batch_size", 0, "at least 1"), ("executor", 4, "Executor"),
        ("filter", 3, "function"), ("update", 3, "propose"), ("prune", "top", "keep"),
    ],
)  # fmt: skip
def test_arguments(argument: str, value: Any, why: str) -> None:
    with pytest.raises(eow.InputError, match=why) as error:
        eow.Search(GOOD, smooth, **{"k": 5, argument: value})
    assert "xpected" in str(error.value)


def test_a_score_that_is_no_function() -> None:
    with pytest.raises(eow.InputError, match="function of Items"):
        eow.Search(GOOD, [1, 2, 3])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "build",
    [
        lambda: eow.RLUpdate([]), lambda: eow.RLUpdate([np.inf]), lambda: eow.RLUpdate([0.1], max_norm=-1),
        lambda: eow.TopKPrune(0), lambda: eow.TopKPrune(1, score_agg="median"),
        lambda: eow.TopKPrune(1, group_by="colour"), lambda: eow.TopKDiscreteUpdate(0),
        lambda: eow.TopKContinuousUpdate(1.5), lambda: eow.GradientQueries(3, [0.1]),
        lambda: eow.GradientQueries(eow.TopKContinuousUpdate(1), []),
    ],
)  # fmt: skip
def test_strategies(build: Any) -> None:
    with pytest.raises(eow.InputError, match="xpected"):
        build()


@pytest.mark.parametrize(
    ("update", "why"),
    [
        (lambda q: np.zeros((len(q), 3)), "update function"),
        (lambda q: np.full((len(q), 4), np.nan), "finite"),
        (lambda q: "up", "update function"),
        (lambda q: 1 / 0, "division"),
    ],
)
def test_updates_that_answer_wrongly_fail_the_search_and_lose_nothing(update: Any, why: str) -> None:
    search = eow.Search(GOOD, smooth, update=update, k=5)
    with pytest.raises(eow.FunctionError, match=why):
        search.run(rounds=3, progress=False)
    assert search.status is eow.SearchStatus.FAILED and why in search.reason + why
    paid = search.n_scored
    search.set(update=eow.RLUpdate([0.1]))
    search.run(rounds=2, progress=False)
    assert search.n_scored >= paid > 0


@pytest.mark.parametrize("path", [5, b"x", "", "."])
def test_paths(path: Any) -> None:
    with pytest.raises((eow.InputError, eow.FileError), match=r"str or a Path|folder"):
        eow.Search(GOOD, smooth, path=path)


def test_exports_that_cannot_be_written(tmp_path: Any) -> None:
    results = eow.Search(GOOD, smooth).run(rounds=1, progress=False)
    for write in (results.to_csv, results.to_parquet):
        with pytest.raises(eow.FileError, match="cannot be written"):
            write(tmp_path / "nowhere" / "r")
    source = eow.sources.ArraySource(GOOD[:3], items=["\ud800", "b", "c"], ids=["x", "y", "z"])
    odd = eow.Search(source, lambda i: [1.0] * len(i), update=eow.RLUpdate([0.5]), k=3).run(rounds=1, progress=False)
    odd.to_csv(tmp_path / "odd.csv")
    odd.to_parquet(tmp_path / "odd.parquet")
    with pytest.raises(eow.InputError, match="64 bits"):
        eow.sources.ArraySource(GOOD[:1], ids=[2**70])


def test_a_pruner_that_answers_wrongly() -> None:
    search = eow.Search(GOOD, smooth, prune=lambda q: [True], k=5)
    with pytest.raises(eow.FunctionError, match="prune function returned the wrong thing"):
        search.run(rounds=1, progress=False)


def test_plain_functions_for_update_and_prune() -> None:
    search = eow.Search(
        GOOD, smooth, update=lambda q: q.embeddings * 0.5, prune=lambda q: q.statistics()[1] > -9, k=5, queries=3
    )
    search.run(rounds=3, progress=False)
    tree = search.tree
    np.testing.assert_allclose(tree.embedding[3:6], tree.embedding[:3] * 0.5)
    assert tree.operator[3] == "<lambda>"


@pytest.mark.parametrize("score", [lambda i: np.zeros(len(i)), lambda i: np.full(len(i), np.nan), lambda i: i.ids % 2])
@pytest.mark.parametrize("n", [1, 3, 40])
def test_degenerate_libraries_and_scores_do_not_crash_or_warn(score: Any, n: int, recwarn: Any) -> None:
    for library in (GOOD[:n, :1], np.ones((n, 3), np.float32)):
        for update in (eow.RLUpdate([0.5]), eow.TopKDiscreteUpdate(2), eow.TopKContinuousUpdate(2), None):
            search = eow.Search(library, score, update=update, prune=eow.TopKPrune(1), k=1, queries=2)
            search.run(rounds=3, progress=False)
            assert search.status is eow.SearchStatus.FINISHED
    assert not [w for w in recwarn if "emb_opt" in str(w.filename)]


def test_a_library_smaller_than_the_usual_k_and_a_filter_that_rejects_all_say_what_happened() -> None:
    search = eow.Search(GOOD[:5], smooth)
    search.run(progress=False)
    assert search.n_scored == 5 and "Every item is judged: 5 are scored" in search.reason
    nothing = eow.Search(GOOD, smooth, filter=lambda i: np.zeros(len(i), bool), budget=9)
    nothing.run(progress=False)
    assert "50 rejected by the filter" in nothing.reason


def test_huge_finite_scores_stay_finite() -> None:
    search = eow.Search(GOOD, lambda i: np.where(i.ids % 2, 1.7e308, -1.7e308), update=eow.RLUpdate([0.5]), k=9)
    search.run(rounds=3, progress=False)
    assert np.isfinite(search.tree.embedding).all() and np.isfinite(search.tree.mean_score).all()
    assert search.best is not None and search.best.score == 1.7e308
