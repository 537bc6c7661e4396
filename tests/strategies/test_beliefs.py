"""What the default strategy tells of items: what it expects of those it hands out, what it makes of noisy scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.strategies.portfolio.ensemble import Scored, fit_ensemble
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.moments import believed
from emb_opt_widgets.strategies.portfolio.rows import HeldRows
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import SURROGATES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1500, 6)).astype(np.float32)
TRUTH = np.sin(X[:, 0].astype(np.float64)) + 0.5 * X[:, 1] - 0.2 * X[:, 2] ** 2


class OnlyAsked(eow.sources.ArraySource):
    """Cannot be read through."""

    remote = True


def plates(search: eow.Search, scores: np.ndarray, n: int = 24) -> list[Items]:
    """Hand out and tell until the budget is spent."""
    out = []
    while len(items := search.ask(n)):
        out.append(items)
        search.tell(items, scores[items.ids])
    return out


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("source", [X, OnlyAsked(X)], ids=["readable", "asked"])
def test_what_is_expected_of_items_comes_true(source: Any, direction: Any) -> None:
    noisy = TRUTH + 0.4 * np.random.default_rng(1).standard_normal(len(TRUTH))
    search = eow.Search(source, None, budget=240, seed=0, direction=direction)
    handed = plates(search, noisy)
    assert np.isnan(handed[0].predicted).all(), "nothing was scored"
    late = handed[4:]
    z = np.concatenate([(noisy[one.ids] - one.predicted) / one.deviation for one in late])
    assert len(z) >= 100 and np.isfinite(z).all()
    assert 0.5 < (np.abs(z) < 1).mean() < 0.85 and (np.abs(z) < 2).mean() > 0.85
    told, got = np.concatenate([one.predicted for one in late]), np.concatenate([noisy[one.ids] for one in late])
    assert np.sqrt(np.mean((told - got) ** 2)) < 0.75 * noisy.std()


def test_telling_what_is_expected_changes_nothing_of_the_search() -> None:
    def found(predicts: bool) -> list[int]:
        search = eow.Search(X, None, budget=96, seed=3)
        ids: list[int] = []
        while len(items := search.ask(24)):
            ids += items.ids.tolist()
            if predicts:
                search.controller.engine.parts().update.predict(np.arange(5), _view(search))
            search.tell(items, TRUTH[items.ids])
        return ids

    assert found(True) == found(False)


def _view(search: eow.Search) -> Any:
    from emb_opt_widgets.engine.view import SearchView

    engine = search.controller.engine
    return SearchView(search.controller.state, engine.source.source, engine._cache)


def test_nothing_is_expected_where_all_scores_are_the_same() -> None:
    search = eow.Search(X, None, budget=60, seed=0)
    search.tell(search.ask(20), np.ones(20))
    assert np.isnan(search.ask(5).predicted).all()


def test_a_score_is_drawn_towards_what_the_others_say_by_how_inexact_it_is() -> None:
    library, rows = Library(HeldRows([X], len(X))), np.arange(200)
    scores = TRUTH[:200].copy()
    scores[7] += 3.0
    ensemble, _, _ = fit_ensemble(Scored(library, rows, scores), tuple(SURROGATES.values()), Memory())
    assert ensemble is not None
    exact = believed(ensemble, library, rows, scores, np.zeros(200))
    np.testing.assert_array_equal(exact, scores)
    errors = np.zeros(200)
    errors[7] = 0.1
    little = believed(ensemble, library, rows, scores, errors)
    errors[7] = 10.0
    much = believed(ensemble, library, rows, scores, errors)
    assert abs(much[7] - TRUTH[7]) < 1.0 < scores[7] - TRUTH[7]
    assert much[7] < little[7] < scores[7]
    others = np.arange(200) != 7
    np.testing.assert_array_equal(much[others], scores[others])


def test_a_failed_score_stays_one() -> None:
    library, rows = Library(HeldRows([X], len(X))), np.arange(100)
    scores = TRUTH[:100].copy()
    scores[[3, 50]] = np.nan
    ensemble, _, _ = fit_ensemble(Scored(library, rows, scores), tuple(SURROGATES.values()), Memory())
    assert ensemble is not None
    out = believed(ensemble, library, rows, scores, np.full(100, 0.5))
    assert np.isnan(out[[3, 50]]).all() and np.isfinite(np.delete(out, [3, 50])).all()


@pytest.mark.parametrize("noise", [0.7, "estimate"])
def test_the_best_is_not_the_luckiest_draw(noise: Any) -> None:
    """Over seeds, the item that is believed to be best is truly better than the one with the largest score."""
    better, basis = [], set()
    for seed in range(6):
        noisy = TRUTH + 0.7 * np.random.default_rng(seed).standard_normal(len(TRUTH))
        search = eow.Search(X, lambda items, s=noisy: s[items.ids], budget=100, seed=seed, noise=noise)
        search.run(progress=False)
        best, luckiest = search.best, int(search.results().ids[0])
        basis.add(best.basis)
        assert abs(best.score - TRUTH[best.id]) < abs(noisy[luckiest] - TRUTH[luckiest])
        better.append(TRUTH[best.id] - TRUTH[luckiest])
    assert basis == {"believed"} and np.mean(better) > 0


def test_without_noise_the_best_is_what_was_measured() -> None:
    search = eow.Search(X, lambda items: TRUTH[items.ids], budget=60, seed=0)
    search.run(progress=False)
    assert search.best.basis == "measured" and search.best.score == TRUTH[search.best.id]


def test_an_item_measured_again_brings_belief_and_a_correction_of_it_another() -> None:
    search = eow.Search(X, None, budget=80, seed=0)
    for _ in range(3):
        items = search.ask(20)
        search.tell(items, TRUTH[items.ids])
    assert search.best.basis == "measured"
    top = search.best.id
    search.tell(top, TRUTH[top] + 2.0)
    first = search.best
    assert first.basis == "believed" and first.score < search.results().scores[0]
    search.tell(top, TRUTH[top], replace=True)
    assert search.best.basis == "measured" and search.best.id == top


def test_what_is_believed_is_in_units_of_the_score_where_low_ones_are_sought() -> None:
    noisy = -TRUTH + 0.5 * np.random.default_rng(0).standard_normal(len(TRUTH))
    search = eow.Search(X, lambda items: noisy[items.ids], budget=100, seed=0, noise=0.5, direction="minimize")
    search.run(progress=False)
    assert search.best.basis == "believed" and noisy.min() < search.best.score < np.median(noisy)
