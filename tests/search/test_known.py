"""What was known before, what measurements cost and how exact they are, and other endings than the budget."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.items import Items

from ..conftest import smooth

N = 400
RL = eow.RLUpdate((0.1,))


@pytest.fixture(scope="module")
def library() -> np.ndarray:
    return np.random.default_rng(8).normal(size=(N, 6)).astype(np.float32)


def truth(items: Items) -> np.ndarray:
    return np.asarray(items.embeddings @ np.array([2.0, 1, 1, 0, 0, 0]), np.float64)


def value(library: np.ndarray) -> np.ndarray:
    return np.asarray(library @ np.array([2.0, 1, 1, 0, 0, 0]), np.float64)


@pytest.mark.parametrize("form", ["pair", "frame", "series", "file"])
def test_what_is_known_costs_nothing_and_comes_first(library: np.ndarray, tmp_path: Path, form: str) -> None:
    ids, source = np.arange(0, N, 4), eow.sources.ArraySource(library)
    scores = value(library)[ids]
    known: Any = (ids, scores)
    if form == "frame":
        known = pd.DataFrame({"id": ids, "score": scores}).sample(frac=1, random_state=0)
    elif form == "series":
        known = pd.Series(scores, index=ids)
    elif form == "file":
        with eow.Search(source, None, path=tmp_path / "old.eow") as old:
            old.tell(ids, scores)
        known = tmp_path / "old.eow"
    search = eow.Search(source, truth, known=known, budget=20, path=tmp_path / "new.eow")
    assert search.n_scored == 0 and len(search.results()) == 100 and search.best is not None
    results = search.run(progress=False)
    assert search.n_scored == 20 and len(results) == 120
    assert not set(search.measurements.id[100:].tolist()) & set(ids.tolist()), "nothing is measured again"
    assert search.measurements.source[:100].tolist() == ["known"] * 100 and not search.measurements.paid[:100].any()
    assert results.scores[0] == value(library).max(), "the models start from what is known"
    search.close()
    with eow.load(tmp_path / "new.eow", source, truth) as again:
        assert again.results().ids.tolist() == results.ids.tolist() and again.n_scored == 20
    replayed = eow.replay(tmp_path / "new.eow", source)
    assert replayed.n_scored == 20 and replayed.results().scores.tolist() == results.scores.tolist()


def test_the_noise_of_an_earlier_search_is_kept(library: np.ndarray, tmp_path: Path) -> None:
    with eow.Search(library, None, path=tmp_path / "old.eow") as old:
        old.tell([1, 2], [1.0, 2.0], noise=[0.3, np.nan])
    search = eow.Search(library, None, known=tmp_path / "old.eow")
    assert search.results().stderr.tolist()[1] == 0.3 and np.isnan(search.results().stderr[0])


def test_tell_can_say_that_nothing_was_paid(library: np.ndarray) -> None:
    search = eow.Search(library, None, budget=3)
    search.tell([1, 2, 3, 4], np.arange(4.0), paid=False)
    assert search.n_scored == 0 and len(search.ask(5)) == 3
    search.tell(search.pending, np.zeros(3))
    search.tell(9, 7.0, paid=False)
    assert search.n_scored == 3 and search.best is not None and search.best.score == 7.0


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (([1, 2], [1.0, np.nan]), "not finite"),
        (([1, 2], [1.0, None]), "not finite"),
        (([1, 1], [1.0, 2.0]), "twice"),
        (([1, N + 7], [1.0, 2.0]), str(N + 7)),
        (([1, 2], [1.0]), "2 scores"),
        (pd.DataFrame({"id": [1, 1], "score": [1.0, 2.0]}), "twice"),
        (pd.DataFrame({"id": [1, N + 7], "score": [1.0, 2.0]}), str(N + 7)),
        (pd.DataFrame({"id": [1, 2], "score": [1.0, np.inf]}), "not finite"),
        (pd.DataFrame({"id": [1, 2], "score": [1.0, 2.0], "noise": [0.1, -0.1]}), "noise"),
        (pd.DataFrame({"id": [1, 2], "score": [1.0, 2.0], "cost": [-1.0, 1.0]}), "cost"),
        (pd.DataFrame({"id": [1], "value": [2.0]}), "no scores"),
        (pd.DataFrame({"score": [2.0]}), "does not name"),
        ({1: 2.0}, "known is not usable"),
        ("nowhere.eow", "nowhere"),
    ],
)
def test_what_is_known_must_be_usable_and_else_no_file_is_made(
    library: np.ndarray, tmp_path: Path, known: Any, why: str
) -> None:
    with pytest.raises(eow.EmbOptError, match=why):
        eow.Search(library, None, known=known, path=tmp_path / "s.eow")
    assert not (tmp_path / "s.eow").exists()


# -- cost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", [None, RL])
def test_the_budget_is_in_the_unit_of_the_cost(library: np.ndarray, update: Any, tmp_path: Path) -> None:
    price = np.random.default_rng(0).uniform(1, 9, N)
    source = eow.sources.ArraySource(library, data={"price": price})
    search = eow.Search(
        source, truth, update=update, cost=eow.Cost(by="price", unit="EUR"), budget=100, path=tmp_path / "s.eow"
    )
    search.run(progress=False)
    paid = search.measurements
    np.testing.assert_allclose(paid.cost, price[paid.id.astype(int)])
    assert 80 < paid.cost.sum() <= 100 and search.status is eow.SearchStatus.FINISHED and "budget" in search.reason
    search.set(budget=120)
    search.run(progress=False)
    assert 100 < search.measurements.cost.sum() <= 120
    with pytest.raises(eow.InputError, match="below what is spent"):
        search.set(budget=50)
    search.close()
    with eow.load(tmp_path / "s.eow", source, truth) as again:
        assert again.measurements.cost.sum() == search.measurements.cost.sum()


def test_a_fixed_cost_is_paid_for_each_call(library: np.ndarray) -> None:
    search = eow.Search(library, truth, cost=eow.Cost(by=2.5, unit="h"), budget=26)
    search.run(progress=False)
    assert search.n_scored == 10 and search.measurements.cost.tolist() == [2.5] * 10


def test_a_reported_cost_may_overshoot_by_what_is_in_flight(library: np.ndarray) -> None:
    def score(items: Items) -> list[dict[str, Any]]:
        return [{"score": s, "valid": True, "data": {"cost": 3.0}} for s in truth(items).tolist()]

    search = eow.Search(library, score, cost=eow.Cost(by="reported"), budget=50, batch_size=1, update=RL)
    search.run(progress=False)
    assert search.measurements.cost.sum() == 51 and search.status is eow.SearchStatus.FINISHED
    lab = eow.Search(library, None, cost=eow.Cost(by="reported", unit="h"), budget=10)
    items = lab.ask(4)
    lab.tell(pd.DataFrame({"id": items.ids, "score": truth(items), "cost": [1.0, 2.0, 3.0, 9.0]}))
    assert lab.controller.state.spent == 15.0 and not len(lab.ask(1)) and "budget" in lab.reason
    with pytest.raises(eow.InputError, match="cost"):
        lab.tell(pd.DataFrame({"id": [0], "score": [1.0], "cost": [-1.0]}))


def test_a_cost_that_is_not_reported_is_told_once(library: np.ndarray) -> None:
    search = eow.Search(library, truth, cost=eow.Cost(by="reported", unit="h"), budget=30, batch_size=4, update=RL)
    search.run(progress=False)
    [told] = [one.text for one in search.notices if "without the cost" in one.text]
    assert "each counts 1" in told and search.measurements.cost.sum() == 30
    lab = eow.Search(library, None, cost=eow.Cost(by="reported"), budget=30)
    lab.tell(lab.ask(3), [1.0, 2.0, 3.0])
    lab.tell(lab.ask(1), [1.0])
    assert len([one for one in lab.notices if "without the cost" in one.text]) == 1
    plain = eow.Search(library, truth, cost=eow.Cost(by=2.0), budget=30, update=RL)
    plain.run(progress=False)
    assert not [one for one in plain.notices if "cost" in one.text]


def test_a_correction_is_as_exact_as_the_search_says(library: np.ndarray) -> None:
    search = eow.Search(library, None, noise=0.25)
    search.tell([3, 4], [1.0, 2.0])
    search.tell(3, 2.5, replace=True)
    assert search.measurements.noise.tolist() == [0.25] * 3


def test_a_score_may_tell_how_exact_it_is(library: np.ndarray) -> None:
    def score(items: Items) -> pd.DataFrame:
        noise = np.where(items.ids % 2, 0.5, np.nan)
        return pd.DataFrame({"score": truth(items), "noise": [None if np.isnan(n) else n for n in noise]})

    search = eow.Search(library, score, noise=0.1, budget=30, update=RL)
    search.run(progress=False)
    assert (search.measurements.noise == np.where(search.measurements.id % 2, 0.5, 0.1)).all()
    plain = eow.Search(library, score, budget=30, update=RL)
    plain.run(progress=False)
    assert np.isnan(plain.measurements.noise).all(), "noise is taken where it is asked for"
    bad = eow.Search(library, lambda items: score(items).assign(noise=-1.0), noise="estimate", budget=30)
    with pytest.raises(eow.EmbOptError, match="noise that cannot be used"):
        bad.run(progress=False)


def test_a_frame_that_a_score_returns_tells_its_cost_and_what_else_it_knows(library: np.ndarray) -> None:
    def score(items: Items) -> pd.DataFrame:
        table = pd.DataFrame({"id": items.ids, "score": truth(items), "cost": items.ids % 3 + 1.0, "by": "ann"})
        return table.iloc[::-1]

    search = eow.Search(library, score, cost=eow.Cost(by="reported", unit="h"), budget=40, batch_size=4, update=RL)
    results = search.run(progress=False)
    paid = search.measurements
    assert (paid.cost == paid.id % 3 + 1).all() and set(results.data["by"]) == {"ann"}
    np.testing.assert_allclose(results.scores, truth(results), rtol=1e-6)
    search = eow.Search(library, lambda items: score(items).assign(cost=-1.0), cost=eow.Cost(by="reported"), budget=40)
    with pytest.raises(eow.EmbOptError, match="reported a cost that cannot be used"):
        search.run(progress=False)
    assert search.n_scored == 0


def test_pending_items_reserve_what_they_cost(library: np.ndarray) -> None:
    source = eow.sources.ArraySource(library, data={"price": np.full(N, 4.0)})
    search = eow.Search(source, None, cost=eow.Cost(by="price", unit="EUR"), budget=20)
    assert len(search.ask(9)) == 5 and search.controller.state.budget_left == 0
    search.give_back(search.pending.ids[:2])
    assert search.controller.state.budget_left == 8.0 and len(search.ask(9)) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"cost": 3}, {"cost": eow.Cost(by="nothing")}, {"cost": eow.Cost(by="text")}, {"cost": eow.Cost(by="debt")},
        {"noise": -1.0}, {"noise": "nothing"}, {"noise": "debt"}, {"noise": np.inf}, {"noise": True},
        {"until": 5}, {"cost": eow.Cost(by=2.0), "budget": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_refused(library: np.ndarray, given: dict[str, Any]) -> None:
    data = {"text": ["a"] * N, "debt": np.full(N, -1.0)}
    with pytest.raises(eow.InputError):
        eow.Search(eow.sources.ArraySource(library, data=data), truth, **given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: eow.Cost(by=0), lambda: eow.Cost(by=True), lambda: eow.Cost(by=""), lambda: eow.Cost(unit=""),
        lambda: eow.Until(score=np.nan), lambda: eow.Until(no_better_for=0), lambda: eow.Until(no_better_for=1.5),
        lambda: eow.Until(seconds=0), lambda: eow.Until(seconds=True),
    ],
)  # fmt: skip
def test_costs_and_endings_are_checked(make: Any) -> None:
    with pytest.raises(eow.InputError, match="not usable"):
        make()


def test_noise_of_a_setting_goes_with_every_measurement(library: np.ndarray) -> None:
    sigma = np.linspace(0.1, 1, N)
    source = eow.sources.ArraySource(library, data={"sigma": sigma})
    search = eow.Search(source, truth, noise="sigma", budget=10, update=RL)
    search.run(progress=False)
    np.testing.assert_allclose(search.measurements.noise, sigma[search.measurements.id.astype(int)])
    results = search.results()
    np.testing.assert_allclose(results.stderr, sigma[results.ids])
    assert {"stderr", "n_measured"} <= set(results.to_pandas().columns)
    best = search.best
    assert best is not None and (best.basis, best.n_measured, best.stderr) == ("measured", 1, results.stderr[0])
    search.tell(best.id, best.score, noise=0.01, paid=False)
    assert search.best is not None and search.best.n_measured == 2 and search.best.stderr < 0.01


# -- endings -----------------------------------------------------------------------------------------------------------


def test_a_score_reached_ends_the_search_within_the_round(library: np.ndarray) -> None:
    goal = float(np.sort(value(library))[-20])
    search = eow.Search(library, truth, budget=120, batch_size=1, until=eow.Until(score=goal), update=RL)
    search.run(progress=False)
    assert search.status is eow.SearchStatus.FINISHED and "reached" in search.reason
    assert search.best is not None and search.best.score >= goal
    scores = search.measurements.score
    assert (scores[:-1] < goal).all() and len(scores) < 120
    search.set(until=None)
    search.run(progress=False)
    assert search.n_scored == 120


def test_no_better_for_so_many_calls_ends_the_search(library: np.ndarray) -> None:
    search = eow.Search(
        library, truth, batch_size=1, until=eow.Until(no_better_for=30), update=RL, budget=390, direction="minimize"
    )
    search.run(progress=False)
    scores = search.measurements.score
    assert search.status is eow.SearchStatus.FINISHED and "30 calls" in search.reason
    assert len(scores) - 1 - int(np.argmin(scores)) == 30


def test_what_is_known_is_no_call_without_a_better_one(library: np.ndarray) -> None:
    search = eow.Search(
        library, truth, known=(np.arange(60), value(library)[:60]), batch_size=1, until=eow.Until(no_better_for=5)
    )
    search.run(progress=False)
    assert search.n_scored >= 5


def test_a_time_that_is_over_ends_the_search(library: np.ndarray) -> None:
    def slow(items: Items) -> np.ndarray:
        time.sleep(0.02)
        return truth(items)

    search = eow.Search(library, slow, batch_size=1, update=RL, until=eow.Until(seconds=0.3))
    began = time.monotonic()
    search.run(progress=False)
    assert search.status is eow.SearchStatus.FINISHED and "time" in search.reason
    assert time.monotonic() - began < 10 and 0 < search.n_scored < N


# -- what a score function returns -------------------------------------------------------------------------------------


def test_a_series_of_a_score_function_is_aligned(library: np.ndarray) -> None:
    def score(items: Items) -> pd.Series:
        order = np.random.default_rng(0).permutation(len(items))
        return pd.Series(truth(items)[order], index=[f"w{i}" for i in np.asarray(items.data["at"])[order]])

    ids = [f"w{i}" for i in range(N)]
    source = eow.sources.ArraySource(library, ids=ids, data={"at": np.arange(N)})
    search = eow.Search(source, score, update=RL, budget=30)
    results = search.run(progress=False)
    np.testing.assert_allclose(results.scores, truth(results))


def test_the_table_of_measurements(library: np.ndarray, tmp_path: Path) -> None:
    search = eow.Search(library, None)
    search.tell([3, 4], [1.0, None])
    search.tell(3, 2.0, replace=True)
    search.tell(5, 9.0, paid=False)
    table = search.measurements
    assert table.id.tolist() == [3, 4, 3, 5] and table.replaced.tolist() == [True, False, False, False]
    assert table.source.tolist() == ["tell", "tell", "correction", "known"] and table.cost.tolist() == [
        1.0,
        1.0,
        0.0,
        0.0,
    ]
    assert table.reason.tolist() == ["", "null score", "", ""]
    table.to_csv(tmp_path / "m.csv")
    assert pd.read_csv(tmp_path / "m.csv")["id"].tolist() == table.to_pandas()["id"].tolist()
    assert "4 measurements of 3 items" in repr(table)


def test_what_is_spent_is_told_in_the_unit_of_the_cost(library, tmp_path, capsys):
    cost = eow.Cost(by=2.5, unit="EUR")
    search = eow.Search(library, smooth, budget=30, cost=cost, name="dear")
    search.run()
    assert "30 of 30 EUR spent, 12 scored" in repr(search) and "EUR" in capsys.readouterr().err
    page = search.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>30</b> of 30 EUR · 12 scored" in page
    assert "0 of 300 scored" in repr(eow.Search(library, smooth, budget=300))


def test_known_measurements_are_no_part_of_what_is_spent(library, capsys):
    search = eow.Search(
        library, smooth, budget=10, known=(np.arange(50), smooth(eow.Items(np.arange(50), library[:50])))
    )
    search.run()
    assert "10 of 10 scored" in repr(search) and "10/10" in capsys.readouterr().err
