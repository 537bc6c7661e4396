"""Score functions that fail in every way: the search completes, failures are visible, nothing is paid twice."""

from __future__ import annotations

import itertools
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.answers import read_filter, read_scores

from ..conftest import Counted, smooth


def make(library: np.ndarray, score: Any, **more: Any) -> eow.Search:
    return eow.Search(library, score, update=eow.RLUpdate([0.5]), k=8, queries=6, **more)


def removed(search: eow.Search) -> dict[Any, str]:
    results = search.results(include_removed=True)
    return {i: why for i, s, why in zip(results.ids.tolist(), results.scores, results.data["removed"]) if np.isnan(s)}


def test_one_bad_item_of_a_batch_is_isolated(library: np.ndarray) -> None:
    bad = {3, 17, 250}
    called: list[int] = []

    def score(items: Any) -> np.ndarray:
        called.extend(items.ids.tolist())
        if bad & set(items.ids.tolist()):
            raise ZeroDivisionError("no such molecule")
        return smooth(items)

    search = eow.Search(library, score, update=eow.RLUpdate([0.5]), k=400, queries=1)
    search.run(rounds=1, progress=False)
    assert set(removed(search)) == bad
    assert all("ZeroDivisionError: no such molecule" in why for why in removed(search).values())
    assert search.n_scored == 400 and len(search.results()) == 397
    assert len(called) < 400 + 400 * 4, "halving, not one call for each item"


def test_retries_are_tried_before_an_item_counts_as_failed(library: np.ndarray) -> None:
    tries: dict[int, int] = {}

    def score(items: Any) -> np.ndarray:
        (only,) = items.ids.tolist()
        tries[only] = tries.get(only, 0) + 1
        if tries[only] < 3:
            raise ConnectionError("busy")
        return smooth(items)

    search = make(library, score, batch_size=1, retries=2)
    search.run(rounds=1, progress=False)
    assert set(tries.values()) == {3} and not removed(search)


@pytest.mark.parametrize("workers", [0, 4])
@pytest.mark.timeout(120)
def test_a_scorer_that_fails_in_every_way_completes(library: np.ndarray, workers: int) -> None:
    chance = np.random.default_rng(5)
    lock, release = threading.Lock(), threading.Event()

    def score(items: Any) -> Any:
        with lock:
            fate = chance.random()
        if fate < 0.20:
            raise RuntimeError("raised")
        if fate < 0.25:
            release.wait(60)
        if fate < 0.30:
            n = len(items)
            return [[np.nan] * n, [np.inf] * n, [-np.inf] * n, [None] * n, [1.0] * (n + 1)][int(fate * 1000) % 5]
        return smooth(items)

    pool = ThreadPoolExecutor(workers) if workers else None
    search = make(library, score, batch_size=1, timeout=0.1, executor=pool)
    search.run(rounds=4, progress=False)
    release.set()
    if pool:
        pool.shutdown()
    assert search.status is eow.SearchStatus.FINISHED and search.n_rounds == 4
    reasons = list(removed(search).values())
    assert any("raised" in why for why in reasons) and any("timed out after 0.1 s" in why for why in reasons)
    assert np.isfinite(search.results().scores).all() and len(search.results()) > 20
    assert np.isfinite(search.tree.embedding).all()
    assert len(search.results()) + len(reasons) == search.n_scored


def test_a_batch_that_hangs_is_left_behind_without_an_executor(library: np.ndarray) -> None:
    release = threading.Event()

    def score(items: Any) -> np.ndarray:
        if 3 in items.ids:
            release.wait(30)
        return smooth(items)

    search = eow.Search(library[:16], score, update=eow.RLUpdate([0.5]), k=16, queries=1, timeout=0.2)
    began = time.perf_counter()
    search.run(rounds=1, progress=False)
    release.set()
    assert time.perf_counter() - began < 5
    assert list(removed(search)) == [3] and len(search.results()) == 15


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (lambda i: np.zeros(len(i) + 1), "values"),
        (lambda i: 1.0, "shape ()"),
        (lambda i: None, "None"),
        (lambda i: "high", "a str ('high')"),
        (lambda i: {"valid": True}, "a dict with the keys 'valid'"),
        (lambda i: set(i.ids.tolist()), "a set, which has no order"),
        (lambda i: itertools.count(), "a count of more than"),
        (lambda i: np.array(["2020-01-01"] * len(i), "datetime64[ns]"), "dates (datetime64[ns])"),
        (lambda i: [np.datetime64("2020-01-01")] * len(i), "a datetime64"),
        (lambda i: b"\x00" * len(i), "a bytes"),
        (lambda i: np.ma.masked_array(np.zeros((len(i), 2))), "shape"),
        (lambda i: ["high"] * len(i), "a str"),
        (lambda i: np.zeros((len(i), 2)), "shape"),
        (lambda i: [[1, 2]] * len(i), "a list"),
    ],
)
def test_a_score_function_of_the_wrong_kind_is_one_clear_error(library: np.ndarray, answer: Any, got: str) -> None:
    search = make(library, answer)
    with pytest.raises(eow.FunctionError, match="score function returned the wrong thing") as error:
        search.run(rounds=2, progress=False)
    assert got in str(error.value) and "one value for each item" in str(error.value)
    assert search.status is eow.SearchStatus.FAILED and search.n_scored == 0


def test_a_function_that_never_works_is_not_paid_for_the_whole_budget(library: np.ndarray) -> None:
    counted = Counted(lambda items: 1 / 0)
    search = make(library, counted, batch_size=1, budget=300)
    search.run(progress=False)
    assert search.status is eow.SearchStatus.PAUSED and len(counted.calls) == 3
    assert search.n_scored == search.controller.state.n_failed == 0, "nothing of it is charged"
    assert "same error on every one of its first 3 calls: ZeroDivisionError" in search.reason


def test_a_service_that_goes_down_costs_no_budget_and_its_items_are_asked_for_again(library: np.ndarray) -> None:
    down = [False]

    def score(items: Any) -> np.ndarray:
        if down[0]:
            raise ConnectionError("no route")
        return smooth(items)

    search = make(library, score, batch_size=1, budget=60)
    search.run(rounds=1, progress=False)
    paid, down[0] = search.n_scored, True
    search.set(budget=200)
    search.run(rounds=4, progress=False)
    assert search.status is eow.SearchStatus.PAUSED and "20 items in a row, the last: ConnectionError" in search.reason
    assert search.n_scored == paid and not removed(search)
    down[0] = False
    search.run(rounds=4, progress=False)
    assert search.n_scored == len(search.results()) > paid + 20 and not removed(search)


def test_failures_in_a_row_that_an_answer_ends_are_facts_about_items(library: np.ndarray) -> None:
    def score(items: Any) -> np.ndarray:
        if items.ids[0] % 2:
            raise ValueError(f"item {items.ids[0]}")
        return smooth(items)

    search = make(library, score, batch_size=1)
    search.run(rounds=1, progress=False)
    assert search.status is eow.SearchStatus.FINISHED and all(i % 2 for i in removed(search))


@pytest.mark.parametrize("budget", [1, 10, 60, 300])
def test_a_default_search_whose_score_never_works_says_so(library: np.ndarray, budget: int) -> None:
    search = eow.Search(library, lambda items: 1 / 0, budget=budget)
    search.run(progress=False)
    assert search.status is eow.SearchStatus.PAUSED and search.n_scored == 0
    assert "ZeroDivisionError" in search.reason and "open again" in search.reason


def test_failures_stand_in_the_reason_and_the_text(library: np.ndarray) -> None:
    search = make(library, lambda i: [None if x % 2 else 1.0 for x in i.ids.tolist()])
    search.run(rounds=1, progress=False)
    assert "scores failed, the last: null score" in search.reason and "failed)" in repr(search)


def test_executors_that_cannot_run_are_one_clear_error(library: np.ndarray) -> None:
    shut = ThreadPoolExecutor(1)
    shut.shutdown()
    with pytest.raises(eow.FunctionError, match="executor failed"):
        make(library, smooth, executor=shut).run(rounds=1, progress=False)
    with ProcessPoolExecutor(1) as pool:
        search = make(library, die, executor=pool)
        search.run(rounds=1, progress=False)
        search.close()
    assert "first 3 calls: WorkerDied: its worker died 2 times" in search.reason and search.n_scored == 0


def die(items: Any) -> None:
    os._exit(3)


def test_a_response_that_says_nothing_of_valid_is_valid() -> None:
    assert read_scores([{"score": 2.0}], 1).values.tolist() == [2.0]
    with pytest.raises(eow.FunctionError, match="complex"):
        read_scores(np.array([1j]), 1)


def test_on_error_raise_keeps_what_was_scored_and_can_go_on(library: np.ndarray) -> None:
    broken = [True]

    def score(items: Any) -> np.ndarray:
        if broken[0] and search.n_scored >= 10:
            raise OSError("licence server")
        return smooth(items)

    search = make(library, score, batch_size=5, on_error="raise")
    with pytest.raises(eow.FunctionError, match="OSError: licence server"):
        search.run(rounds=2, progress=False)
    assert search.status is eow.SearchStatus.FAILED and search.n_scored == 10
    broken[0] = False
    search.run(rounds=2, progress=False)
    assert search.n_scored > 10


def test_non_finite_scores_rank_nowhere_and_enter_no_gradient(library: np.ndarray) -> None:
    def score(items: Any) -> list[float | None]:
        values = smooth(items).tolist()
        return [[v, None, float("nan"), float("inf"), -float("inf")][i % 5] for i, v in zip(items.ids.tolist(), values)]

    search = make(library, score, prune=eow.TopKPrune(1, group_by=None))
    search.run(rounds=4, progress=False)
    assert set(search.results().ids % 5) == {0}
    assert np.isfinite(search.tree.embedding).all()
    assert {"null score", "non-finite score (inf)"} <= set(removed(search).values())


def test_a_query_all_of_whose_hits_are_removed_is_removed(library: np.ndarray) -> None:
    far = np.full((1, 8), 50.0, np.float32)
    nearest = set(np.argsort(((library - far) ** 2).sum(1))[:4].tolist())
    search = eow.Search(
        library, smooth, filter=lambda i: [x not in nearest for x in i.ids.tolist()], update=eow.RLUpdate([0.5]),
        queries=np.concatenate([far, np.zeros((1, 8))]), k=4,
    )  # fmt: skip
    search.run(rounds=1, progress=False)
    assert search.tree.status.tolist() == ["removed", "active"]
    assert search.tree.reason[0] == "all query results removed"
    assert np.isnan(search.tree.mean_score[0])


def test_filter_is_asked_once_for_each_item_and_its_answers_are_data(library: np.ndarray) -> None:
    filtered = Counted(lambda items: [{"valid": i.id % 3 > 0, "data": {"third": i.id % 3}} for i in items])
    scored = Counted(lambda items: [i.data["third"] for i in items])
    search = eow.Search(library, scored, filter=filtered, update=eow.RLUpdate([0.5]), k=6)
    search.run(rounds=4, progress=False)
    assert set(filtered.calls.values()) == {1} and set(scored.calls.values()) == {1}
    assert all(i % 3 for i in scored.calls)
    assert search.results().data["third"] == [i % 3 for i in search.results().ids.tolist()]


class Response:
    def __init__(self, valid: bool, score: float | None = None, data: Any = None) -> None:
        self.valid, self.score, self.data = valid, score, data


def test_answers_of_every_accepted_form_read_the_same() -> None:
    torch = pytest.importorskip("torch")
    wanted = [1.0, 2.5, 3.0]
    for value in (
        wanted, tuple(wanted), np.array(wanted), np.array(wanted)[:, None], torch.tensor(wanted),
        torch.tensor(wanted, dtype=torch.bfloat16, requires_grad=True), [np.float32(v) for v in wanted],
        [Response(True, v) for v in wanted], [{"valid": True, "score": v} for v in wanted],
        [torch.tensor(v) for v in wanted],
    ):  # fmt: skip
        answer = read_scores(value, 3)
        assert answer.values.tolist() == wanted and not answer.reasons and answer.data is None
    mixed = read_scores([1.0, None, {"valid": False, "score": 3.0}, Response(True, None), float("nan")], 5)
    assert np.isnan(mixed.values[1:]).all()
    assert mixed.reasons == {
        "1": "null score", "2": "score response invalid", "3": "null score", "4": "non-finite score (nan)",
    }  # fmt: skip
    for verdicts in ([True, False], np.array([1, 0]), (Response(True), Response(False)), torch.tensor([True, False])):
        assert read_filter(verdicts, 2).values.tolist() == [True, False]
    with pytest.raises(eow.FunctionError, match="filter function returned the wrong thing"):
        read_filter([0.5, 1.0], 2)


def test_failed_items_are_opened_again_and_paid_again(library: np.ndarray, tmp_path: Any) -> None:
    broken = [True]

    def score(items: Any) -> list[Any]:
        odd = broken[0] and [i % 3 == 0 for i in items.ids.tolist()]
        return [ValueError("odd") if odd and odd[i] else v for i, v in enumerate(smooth(items).tolist())]

    search = make(library, score, path=tmp_path / "s.eow")
    search.run(rounds=1, progress=False)
    failed, paid = removed(search), search.n_scored
    assert failed and set(failed.values()) == {"score failed: ValueError: odd"}
    with pytest.raises(eow.InputError, match="did not fail"):
        search.retry([next(i for i in search.results().ids.tolist())])
    broken[0] = False
    search.retry(list(failed)[:1])
    search.retry(note="mended")
    search.run(rounds=1, progress=False)
    assert not removed(search) and len(search.results()) == search.n_scored == paid
    search.close()
    with eow.load(tmp_path / "s.eow", library, score) as again:
        assert again.results().ids.tolist() == search.results().ids.tolist() and not removed(again)


def test_a_retry_beyond_the_budget_changes_nothing(library: np.ndarray) -> None:
    search = make(library, lambda i: [None if x % 2 else 1.0 for x in i.ids.tolist()], budget=20)
    search.run(progress=False)
    before = removed(search)
    with pytest.raises(eow.InputError, match="budget does not allow"):
        search.retry()
    assert removed(search) == before and search.n_scored == 20


def test_calls_say_how_to_call_in_one_piece(library: np.ndarray, tmp_path: Any) -> None:
    threads: set[str] = set()

    def score(items: Any) -> np.ndarray:
        threads.add(threading.current_thread().name)
        time.sleep(0.01)
        return smooth(items)

    calls = eow.Calls(workers=2, retries=1, backoff=0.5)
    search = make(library, score, calls=calls, path=tmp_path / "s.eow")
    search.run(rounds=1, progress=False)
    assert threads == {"eow-call"}
    search.set(failures_in_a_row=5)
    search.set(calls=eow.Calls(batch_size=3))
    assert search.settings["batch_size"] == 3 and search.settings["backoff"] == 1.0
    search.undo()
    assert search.settings["backoff"] == 0.5 and search.settings["failures_in_a_row"] == 5
    search.close()
    with eow.load(tmp_path / "s.eow", library, score) as again:
        assert again.settings["workers"] == 2 and again.settings["retries"] == 1
    plain = make(library, score).settings
    assert not {"workers", "rate_limit", "backoff", "failures_in_a_row"} & set(plain), "logs stay as they were"


@pytest.mark.parametrize(
    ("more", "why"),
    [({"calls": 4}, "Calls"), ({"calls": eow.Calls(retries=2), "retries": 3}, "retries is given twice")],
)
def test_calls_that_contradict(library: np.ndarray, more: Any, why: str) -> None:
    with pytest.raises(eow.InputError, match=why):
        make(library, smooth, **more)


def test_an_interrupt_in_a_score_pauses_and_the_program_goes_on(library: np.ndarray) -> None:
    asked = [KeyboardInterrupt(), SystemExit(1)]

    def score(items: Any) -> np.ndarray:
        if asked:
            raise asked.pop()
        return smooth(items)

    search = make(library, score)
    for name in ("SystemExit", "KeyboardInterrupt"):
        search.run(rounds=1, progress=False)
        assert search.status is eow.SearchStatus.PAUSED and name in search.reason and search.n_scored == 0
    search.run(rounds=1, progress=False)
    assert search.n_scored == len(search.results()) > 0


def test_an_error_that_is_told_is_the_reason_of_its_item(library: np.ndarray) -> None:
    search = eow.Search(library, update=eow.RLUpdate([0.5]), k=4, queries=2)
    items = search.ask(3)
    search.tell(items, [1.0, ValueError("spilled"), 2.0])
    assert removed(search)[items.ids.tolist()[1]] == "score failed: ValueError: spilled"


def test_a_composite_hands_on_what_its_parts_answer_in_place_of_a_score(library: np.ndarray) -> None:
    odd = eow.strategies.CompositeScore(
        (smooth, lambda items: [ValueError("odd") if i == 3 else 1.0 for i in items.ids.tolist()])
    )
    search = eow.Search(library[:8], odd, update=eow.RLUpdate([0.5]), k=8, queries=1)
    search.run(rounds=1, progress=False)
    assert removed(search) == {3: "score failed: ValueError: odd"}
