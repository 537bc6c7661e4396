"""Costs that are known before: cheap items of equal promise come first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.strategies.portfolio.prices import Prices

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4000, 6)).astype(np.float32)
TRUTH = np.exp(-((X - 0.4) ** 2).sum(axis=1)) + np.exp(-((X + 0.8) ** 2).sum(axis=1))
DEAR = RNG.random(4000) < 0.5
TOP = set(np.argsort(-TRUTH)[:80].tolist())


def search_with(price: Any, by: Any, seed: int, budget: float = 600.0) -> eow.Search:
    source = ArraySource(X, data={"price": np.asarray(price, float), "one": np.ones(4000)})
    cost = None if by is None else eow.Cost(by=by, unit="EUR")
    search = eow.Search(source, lambda items: TRUTH[items.ids], budget=budget, seed=seed, cost=cost)
    search.run(progress=False)
    return search


def test_a_budget_goes_further_where_half_of_the_library_costs_ten_times_as_much() -> None:
    price = np.where(DEAR, 10.0, 1.0)
    found, blind, dear = [], [], []
    for seed in range(4):
        ids = search_with(price, "price", seed, 250).results().ids
        found.append(len(TOP & set(ids.tolist())))
        dear.append(DEAR[ids].mean())
        plain = search_with(price, None, seed, 250).results()
        order = plain.ids[np.argsort(plain.call)]
        blind.append(len(TOP & set(order[np.cumsum(price[order]) <= 250].tolist())))
    assert np.mean(found) > 1.3 * np.mean(blind), (found, blind)
    assert max(dear) < 0.35 < DEAR.mean()


def test_what_is_dear_is_bought_where_it_promises_enough() -> None:
    """All that is good is dear: it is found all the same."""
    good = np.sort(TRUTH)[-400] <= TRUTH
    ids = search_with(np.where(good, 3.0, 1.0), "price", 0, budget=600).results().ids
    assert good[ids].mean() > 0.3 and len(TOP & set(ids.tolist())) > 40


def test_what_costs_nothing_and_what_none_can_pay_stop_nothing() -> None:
    price = np.where(RNG.random(4000) < 0.01, 0.0, 1.0)
    price[RNG.random(4000) < 0.3] = 1e6
    search = search_with(price, "price", 0, budget=60.5)
    ids = search.results().ids
    assert price[ids].max() == 1.0 and len(ids) >= 60 and search.status == "finished"
    assert search.controller.state.spent <= 60.5


def test_one_price_for_all_changes_nothing() -> None:
    assert (
        search_with(X[:, 0] ** 2, "one", 4, 90.0).results().ids.tolist()
        == search_with(X[:, 0], None, 4, 90).results().ids.tolist()
    )


def test_dear_rows_are_thinned_and_some_stay() -> None:
    price = Prices(
        np.r_[np.ones(500), np.full(500, 10.0)], np.log(np.r_[np.ones(500), np.full(500, 10.0)]).astype(np.float32)
    )
    none = np.zeros(1000, np.bool_)
    thinned = price.thinned(none, 10, np.random.default_rng(0))
    assert not thinned[:500].any() and 0.8 < thinned[500:].mean() < 0.98
    assert price.thinned(none, 999, np.random.default_rng(0)) is none
    assert price.within(5.0, none)[500:].all() and price.within(0.5, none) is none and price.within(None, none) is none


@pytest.mark.parametrize("source", [X, "asked"])
def test_costs_that_only_answers_tell_are_no_preference(source: Any) -> None:
    class Asked(ArraySource):
        remote = True

    library = ArraySource(X) if source is X else Asked(X)
    search = eow.Search(
        library, lambda items: [{"score": s, "data": {"cost": 1.0}} for s in TRUTH[items.ids]], budget=40,
        cost=eow.Cost(by="reported"), seed=1,
    )  # fmt: skip
    search.run(progress=False)
    plain = eow.Search(library, lambda items: TRUTH[items.ids], budget=40, seed=1)
    plain.run(progress=False)
    assert search.results().ids.tolist() == plain.results().ids.tolist()
