"""The live search: running, states, the budget, determinism."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.items import Items

from ..conftest import Counted, smooth

RL = eow.RLUpdate([0.25, 1.0])


def test_finds_the_best_and_scores_each_item_once(search: eow.Search, counted: Counted, library: np.ndarray) -> None:
    results = search.run(rounds=6, progress=False)
    assert search.status is eow.SearchStatus.FINISHED
    assert search.n_rounds == 6
    assert set(counted.calls.values()) == {1}
    assert search.n_scored == len(results) == len(counted.calls)
    assert np.all(np.diff(results.scores) <= 0)
    assert search.best is not None and search.best.score == results.scores[0]
    np.testing.assert_array_equal(results.embeddings, library[results.ids])
    np.testing.assert_allclose(results.scores, smooth(results), rtol=1e-6)


@pytest.mark.parametrize("budget", [1, 7, 23, 60])
@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_the_budget_is_spent_to_the_last_call_and_never_exceeded(
    library: np.ndarray, counted: Counted, budget: int, batch_size: int | None
) -> None:
    search = eow.Search(library, counted, update=RL, k=5, queries=4, budget=budget, batch_size=batch_size)
    search.run(progress=False)
    assert search.n_scored == len(counted.calls) == budget
    assert search.status is eow.SearchStatus.FINISHED and "budget" in search.reason
    events = len(search.events)
    assert len(search.run(progress=False)) == budget and len(search.events) == events
    for call in (search.start, search.step, lambda: search.run(rounds=1), lambda: search.branch(0)):
        with pytest.raises(eow.StateError, match="budget"):
            call()
    search.set(budget=budget + 5)
    search.run(progress=False)
    assert search.n_scored == budget + 5


@pytest.mark.parametrize("update", [RL, eow.TopKContinuousUpdate(2), eow.TopKDiscreteUpdate(1)])
def test_queries_that_have_converged_do_not_keep_the_budget_from_being_spent(library: np.ndarray, update: Any) -> None:
    search = eow.Search(library, smooth, update=update, prune=eow.TopKPrune(1), k=4, queries=3, budget=400)
    search.run(progress=False)
    assert search.n_scored == 400 and "budget" in search.reason
    assert "fresh start" in search.tree.operator
    unlimited = eow.Search(library, smooth, update=update, prune=eow.TopKPrune(1), k=4, queries=3)
    unlimited.run(progress=False)
    assert "found nothing new" in unlimited.reason and "fresh start" not in unlimited.tree.operator


def test_statistics_use_all_valid_hits_cached_ones_included(search: eow.Search, library: np.ndarray) -> None:
    search.run(rounds=4, progress=False)
    tree = search.tree
    scores = dict(zip(search.results().ids.tolist(), search.results().scores.tolist()))
    nearest = [np.argsort(((library - q) ** 2).sum(1))[:6] for q in tree.embedding]
    for node, rows in enumerate(nearest):
        values = [scores[r] for r in rows.tolist()]
        assert tree.mean_score[node] == pytest.approx(np.mean(values))
        assert tree.max_score[node] == pytest.approx(max(values))
        assert tree.n_hits[node] == 6
    assert tree.n_new.sum() == search.n_scored


def test_same_seed_same_log_other_seed_other_log(library: np.ndarray) -> None:
    def log(seed: int, batch_size: int | None = None) -> bytes:
        search = eow.Search(library, smooth, update=RL, seed=seed, k=5, batch_size=batch_size)
        search.run(rounds=3, progress=False)
        search.branch(2, note="look here")
        search.run(rounds=2, progress=False)
        return search.events.to_bytes()

    assert log(1) == log(1)
    assert log(1) != log(2)


def test_minimize_mirrors_maximize(library: np.ndarray) -> None:
    up = eow.Search(library, smooth, update=RL, prune=eow.TopKPrune(1), k=5)
    down = eow.Search(library, lambda i: -smooth(i), update=RL, prune=eow.TopKPrune(1), k=5, direction="minimize")
    up.run(rounds=5, progress=False)
    down.run(rounds=5, progress=False)
    np.testing.assert_array_equal(up.results().ids, down.results().ids)
    np.testing.assert_array_equal(up.tree.max_score, -down.tree.max_score)
    np.testing.assert_array_equal(up.tree.status, down.tree.status)


def slow_score(items: Any) -> np.ndarray:
    time.sleep(0.02)
    return smooth(items)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors_give_the_same_tree(library: np.ndarray, pool: Any) -> None:
    alone = eow.Search(library, smooth, update=RL, k=5)
    alone.run(rounds=3, progress=False)
    with pool(2) as executor:
        search = eow.Search(library, smooth, update=RL, k=5, executor=executor, batch_size=4)
        search.run(rounds=3, progress=False)
    np.testing.assert_array_equal(search.tree.embedding, alone.tree.embedding)
    np.testing.assert_array_equal(search.results().ids, alone.results().ids)


def test_async_scores(library: np.ndarray) -> None:
    async def score(items: Items) -> np.ndarray:
        await asyncio.sleep(0.001)
        return smooth(items)

    search = eow.Search(library, score, update=RL, k=5)
    search.start(rounds=2)
    results = asyncio.run(search.wait_async())
    assert len(results) == search.n_scored > 0


def test_pause_keeps_the_call_in_flight_and_makes_no_other(library: np.ndarray) -> None:
    entered, leave = threading.Event(), threading.Event()

    def score(items: Items) -> np.ndarray:
        entered.set()
        leave.wait(10)
        return smooth(items)

    search = eow.Search(library, score, update=RL, k=5, batch_size=2)
    search.start(rounds=5)
    assert entered.wait(10)
    threading.Timer(0.2, leave.set).start()
    search.pause(note="lunch")
    assert search.wait(5) and search.status is eow.SearchStatus.PAUSED
    assert search.n_scored == 2
    with pytest.raises(eow.StateError, match="nothing to pause"):
        search.pause()
    search.step()
    assert search.wait(5) and search.n_rounds == 1
    search.resume()
    assert search.wait(5) and search.n_rounds == 5
    assert [e.note for e in search.events if e.kind == "command"][0] == "lunch"


def test_pause_to_last_call_is_quick(library: np.ndarray) -> None:
    calls: list[float] = []

    def score(items: Items) -> np.ndarray:
        time.sleep(0.005)
        calls.append(time.perf_counter())
        return smooth(items)

    late = []
    search = eow.Search(library, score, update=RL, k=20, queries=20, batch_size=1)
    for _ in range(20):
        search.start()
        time.sleep(0.02)
        asked = time.perf_counter()
        search.pause()
        assert search.wait(5)
        late.append(max([0.0, *(c - asked for c in calls)]))
        if search.status is eow.SearchStatus.FINISHED:
            break
    assert np.quantile(late, 0.95) < 0.5


def test_stop_from_within_the_score_function(library: np.ndarray) -> None:
    def score(items: Items) -> np.ndarray:
        if search.n_scored >= 10:
            search.stop()
        return smooth(items)

    search = eow.Search(library, score, update=RL, k=5, batch_size=5)
    search.run(progress=False)
    assert search.status is eow.SearchStatus.STOPPED
    assert 10 <= search.n_scored <= 15
    search.run(rounds=1, progress=False)
    assert search.n_scored > 10


def test_interrupt_pauses_and_loses_nothing(library: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    search = eow.Search(library, slow_score, update=RL, k=5, batch_size=3)
    plain = search.controller.wait
    interrupts = iter([True])

    def wait(timeout: float | None = None) -> bool:
        if next(interrupts, False):
            time.sleep(0.1)
            raise KeyboardInterrupt
        return plain(timeout)

    monkeypatch.setattr(search.controller, "wait", wait)
    results = search.run(rounds=50, progress=False)
    assert search.status is eow.SearchStatus.PAUSED
    assert len(results) == search.n_scored >= 3
    monkeypatch.undo()
    search.step(2)
    assert search.wait(20)


def test_a_live_start_returns_at_once_and_can_be_watched(library: np.ndarray) -> None:
    search = eow.Search(library, slow_score, update=RL, k=5, batch_size=2)
    began = time.perf_counter()
    search.start(rounds=3)
    assert time.perf_counter() - began < 0.5
    with pytest.raises(eow.StateError, match="running already"):
        search.start()
    seen = set()
    while not search.wait(0.01):
        seen.add(search.n_scored)
        assert len(search.tree) >= 0 and len(search.results()) <= search.n_scored + 2
    assert len(seen) > 3


def test_ask_and_tell(library: np.ndarray) -> None:
    search = eow.Search(library, None, update=RL, k=5, queries=2, budget=40)
    reference = eow.Search(library, smooth, update=RL, k=5, queries=2, budget=40)
    reference.run(progress=False)
    with pytest.raises(eow.StateError, match="ask"):
        search.run()
    while len(items := search.ask(7)):
        assert len(items) <= 7
        search.tell(items, smooth(items))
    assert search.n_scored == 40
    assert set(search.results().ids.tolist()) == set(reference.results().ids.tolist())
    np.testing.assert_array_equal(search.tree.embedding, reference.tree.embedding)


def test_ask_and_tell_end_when_the_budget_is_spent_and_go_on_with_a_larger_one(library: np.ndarray) -> None:
    search = eow.Search(library, None, budget=6, k=5)
    for budget in (6, 9):
        while len(items := search.ask(4)):
            search.tell(items, smooth(items))
        assert search.status is eow.SearchStatus.FINISHED and "budget" in search.reason
        assert search.n_scored == budget
        search.set(budget=9)


def test_waiting_from_within_a_score_function_is_refused(library: np.ndarray) -> None:
    def score(items: Items) -> np.ndarray:
        search.wait()
        return smooth(items)

    search = eow.Search(library, score, update=RL, on_error="raise")
    with pytest.raises(eow.FunctionError, match="another thread"):
        search.run(rounds=1, progress=False)


def test_tell_takes_any_item_and_measures_again(library: np.ndarray) -> None:
    search = eow.Search(library, None, update=RL, k=5, queries=2, budget=12)
    search.tell([399, 12], [3.0, None])
    assert search.best is not None and search.best.id == 399 and search.n_scored == 2
    search.tell(7, 1.5)
    search.tell(399, 1.0)
    assert search.best.score == 2.0 and search.n_scored == 3
    for items, scores, why in [
        ([1, 1], [1.0, 2.0], "twice"),
        ([1, 2], [1.0], "2 scores"),
        ([4000], [1.0], "4000"),
        (list(range(20, 40)), [0.0] * 20, "budget"),
    ]:
        before = search.events.digest()
        with pytest.raises(eow.EmbOptError, match=why):
            search.tell(items, scores)
        assert search.events.digest() == before
    handed = search.ask(4)
    again = search.ask(100)
    assert not set(handed.ids.tolist()) & set(again.ids.tolist())
    assert len(search.ask(5)) == 0 and "tell" in search.reason


def test_results_and_exports(search: eow.Search, tmp_path: Path) -> None:
    import pandas as pd

    results = search.run(rounds=2, progress=False)
    table = results.to_pandas()
    results.to_csv(tmp_path / "r.csv")
    results.to_parquet(tmp_path / "r.parquet")
    assert pd.read_csv(tmp_path / "r.csv")["id"].tolist() == table["id"].tolist() == results.ids.tolist()
    assert pd.read_parquet(tmp_path / "r.parquet")["score"].tolist() == results.scores.tolist()
    assert len(search.results(3)) == 3
    assert str(results.ids[0]) in results._repr_html_()


def test_a_spreadsheet_runs_no_formula(tmp_path: Path) -> None:
    source = eow.sources.ArraySource(np.eye(3), items=["=1+1", "@x", "fine"])
    search = eow.Search(source, lambda i: np.arange(len(i)), update=RL, k=3, queries=1)
    search.run(rounds=1, progress=False).to_csv(tmp_path / "r.csv")
    text = (tmp_path / "r.csv").read_text()
    assert "'=1+1" in text and "'@x" in text and ",fine" in text


def test_a_spreadsheet_gets_no_minus_zero(tmp_path: Path) -> None:
    search = eow.Search(np.eye(3), lambda i: np.array([-0.0, -1.5, -0.0])[i.ids], update=RL, k=3, queries=1)
    search.run(rounds=1, progress=False).to_csv(tmp_path / "r.csv")
    text = (tmp_path / "r.csv").read_text()
    assert "-0.0" not in text and "0.0" in text and "-1.5" in text


def test_progress_bar_reaches_the_end(search: eow.Search, capsys: pytest.CaptureFixture[str]) -> None:
    search.run(rounds=3)
    assert "100%" in capsys.readouterr().err


def test_a_raised_budget_is_said(library: np.ndarray, counted: Counted) -> None:
    search = eow.Search(library, counted, update=RL, k=5, queries=4, budget=10)
    search.run(progress=False)
    assert search.reason.startswith("The budget is spent.")
    search.set(budget=20)
    assert search.reason == "The budget was raised. run() goes on."
    search.run(progress=False)
    assert search.n_scored == 20 and search.reason.startswith("The budget is spent.")
