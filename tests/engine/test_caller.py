"""The calls layer by itself: a function, rows, and whatever may go wrong between them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.answers import read_scores
from emb_opt_widgets.engine.caller import Caller
from emb_opt_widgets.engine.calls import Answered, CallHealth, Calls, Halt, Opened, Outcome
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import WorkerDied
from emb_opt_widgets.executors import Call, FutureWorkers, Reply

Rows = Any


def gather(rows: Rows) -> Items:
    return Items(np.asarray(rows), np.zeros((len(rows), 2), np.float32))


def make(function: Callable[[Items], Any], calls: Calls | None = None, **more: Any) -> Caller:
    return Caller("score", function, read_scores, gather, calls, **more)


def rows(n: int) -> Rows:
    return np.arange(n, dtype=np.int32)


def drained(caller: Caller, patience: float = 20.0) -> list[Outcome]:
    """Poll until nothing is left, as an engine would."""
    out: list[Outcome] = []
    end = time.monotonic() + patience
    while caller.busy:
        assert time.monotonic() < end, "the layer comes to an end"
        caller.bell.clear()
        outcomes = caller.poll()
        out += outcomes
        if any(isinstance(one, Halt) for one in outcomes):
            caller.recall()
        if caller.busy and not outcomes:
            caller.bell.wait(min(1.0, caller.patience()))
    return out + caller.settle()


def told(outcomes: list[Outcome]) -> dict[int, Any]:
    """Row to its score, or to why it has none."""
    out: dict[int, Any] = {}
    for one in outcomes:
        if isinstance(one, Answered):
            for i, row in enumerate(one.rows.tolist()):
                assert row not in out, "each row is answered once"
                out[row] = one.answer.reasons.get(str(i), float(one.answer.values[i]))
    return out


def itself(items: Items) -> Any:
    return items.ids.astype(float)


# -- answers that hold errors ----------------------------------------------------------------------------------


def test_what_a_batch_answered_is_kept_and_only_the_rest_is_asked_again() -> None:
    asked: list[list[int]] = []
    tries: dict[int, int] = {}

    def score(items: Items) -> list[Any]:
        ids = items.ids.tolist()
        asked.append(ids)
        out: list[Any] = []
        for i in ids:
            tries[i] = tries.get(i, 0) + 1
            out.append(ConnectionError("500") if i % 3 == 0 and tries[i] < 3 else float(i))
        return out

    answers = told(drained(make(score, Calls(batch_size=6, retries=3, backoff=0.01))))
    assert answers == {}
    caller = make(score, Calls(batch_size=6, retries=3, backoff=0.01))
    caller.submit(rows(12))
    assert told(drained(caller)) == {i: float(i) for i in range(12)}
    assert sum(map(len, asked)) == 12 + 2 * 4, "an item that has its answer is not asked for again"
    assert [0, 3] in asked, "and those that failed together are asked for together"


def test_an_error_in_place_of_a_score_that_stays_is_the_reason_of_its_item() -> None:
    caller = make(lambda items: [ValueError(f"bad {i}") if i == 2 else 1.0 for i in items.ids], Calls(batch_size=4))
    caller.submit(rows(8))
    assert told(drained(caller)) == {i: 1.0 for i in range(8)} | {2: "score failed: ValueError: bad 2"}


def test_one_bad_item_of_a_batch_is_found_by_halves() -> None:
    asked: list[int] = []

    def score(items: Items) -> Any:
        asked.extend(items.ids.tolist())
        if 17 in items.ids:
            raise ZeroDivisionError("no such molecule")
        return items.ids.astype(float)

    caller = make(score, Calls(batch_size=50))
    caller.submit(rows(200))
    answers = told(drained(caller))
    assert answers.pop(17) == "score failed: ZeroDivisionError: no such molecule" and len(answers) == 199
    assert len(asked) < 200 + 3 * 50


def test_retry_later_costs_nothing_and_others_go_on() -> None:
    began = time.monotonic()
    when: dict[int, list[float]] = {}

    def score(items: Items) -> Any:
        (i,) = items.ids.tolist()
        when.setdefault(i, []).append(time.monotonic() - began)
        if i == 1 and len(when[i]) == 1:
            raise eow.RetryLater(0.3, "429")
        return [float(i)]

    caller = make(score, Calls(batch_size=1))
    caller.submit(rows(5))
    assert told(drained(caller)) == {i: float(i) for i in range(5)}
    assert when[1][1] - when[1][0] >= 0.3 and max(when[i][0] for i in (2, 3, 4)) < 0.25


def test_retry_later_in_place_of_a_score_waits_for_that_item_alone() -> None:
    seen: list[list[int]] = []

    def score(items: Items) -> list[Any]:
        seen.append(items.ids.tolist())
        return [eow.RetryLater(0.1) if i in (1, 2) and len(seen) == 1 else float(i) for i in items.ids.tolist()]

    caller = make(score, Calls(batch_size=4))
    caller.submit(rows(4))
    assert told(drained(caller)) == {i: float(i) for i in range(4)} and seen == [[0, 1, 2, 3], [1, 2]]


def test_a_series_is_aligned_by_the_ids_of_its_index() -> None:
    pandas = pytest.importorskip("pandas")
    for workers in (None, FutureWorkers(ThreadPoolExecutor(2))):
        caller = make(
            lambda items: pandas.Series(items.ids[::-1] * 2.0, index=items.ids[::-1]),
            Calls(batch_size=5),
            workers=workers,
        )
        caller.submit(rows(20))
        assert told(drained(caller)) == {i: 2.0 * i for i in range(20)}


# -- outages, and what a function asks for ---------------------------------------------------------------------


def test_a_run_of_failures_is_an_outage_and_all_of_its_rows_are_open() -> None:
    caller = make(lambda items: 1 / 0 if items.ids[0] >= 3 else [1.0], Calls(batch_size=1, failures_in_a_row=7))
    caller.submit(rows(30))
    outcomes = caller.poll()
    while not any(isinstance(one, Halt) for one in outcomes):
        outcomes += caller.poll()
    (halt,) = [one for one in outcomes if isinstance(one, Halt)]
    assert told(outcomes) == {0: 1.0, 1: 1.0, 2: 1.0}
    assert halt.cause == "outage" and halt.rows.tolist() == [3, 4, 5, 6, 7, 8, 9] and not len(halt.reported)
    assert halt.failures[9] == "score failed: ZeroDivisionError: division by zero"
    assert "7 items in a row" in halt.reason and "ZeroDivisionError" in halt.reason
    assert caller.poll() == [] and caller.free == 0, "nothing more is called"
    assert caller.recall().tolist() == list(range(10, 30)) and not caller.busy


def test_failures_that_were_told_belong_to_the_run_that_goes_on() -> None:
    health = CallHealth(worked=True, first=None)
    down = make(lambda items: 1 / 0, Calls(batch_size=1, failures_in_a_row=5), health=health)
    first = [one for one in down(rows(3), lambda: True) if one is not None]
    assert [type(one) for one in first] == [Answered] * 3, "a round ends, and its failures are told"
    again = make(lambda items: 1 / 0, Calls(batch_size=1, failures_in_a_row=5), health=health)
    *_, halt = again(np.arange(10, 20, dtype=np.int32), lambda: True)
    assert isinstance(halt, Halt) and halt.rows.tolist() == [10, 11] and halt.reported.tolist() == [0, 1, 2]


def test_the_same_error_from_the_start_is_noticed_soon_also_in_batches() -> None:
    calls = []

    def score(items: Items) -> Any:
        calls.append(len(items))
        raise PermissionError("wrong key")

    caller = make(score, Calls(batch_size=24))
    *_, halt = caller(rows(240), lambda: True)
    assert isinstance(halt, Halt) and "every one of its first 3 calls: PermissionError: wrong key" in halt.reason
    assert len(calls) <= 10


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    ("error", "cause"),
    [(eow.Fatal("licence expired"), "fatal"), (KeyboardInterrupt(), "interrupt"), (SystemExit(2), "interrupt")],
)
def test_a_function_may_ask_for_a_halt(error: BaseException, cause: str, in_place: bool) -> None:
    def score(items: Items) -> Any:
        if items.ids[0] == 2:
            if in_place:
                return [error]
            raise error
        return [1.0]

    for workers in (None, FutureWorkers(ThreadPoolExecutor(1))):
        caller = make(score, Calls(batch_size=1), workers=workers)
        outcomes = [one for one in caller(rows(6), lambda: True) if one is not None]
        halt = outcomes[-1]
        assert isinstance(halt, Halt) and halt.cause == cause and halt.rows.tolist() == [2]
        assert told(outcomes) == {0: 1.0, 1: 1.0}


class _Silent(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text for you")


@pytest.mark.parametrize("error", [GeneratorExit(), _Silent(), StopIteration(), MemoryError()])
def test_odd_errors_are_failures_of_their_item(error: BaseException) -> None:
    def score(items: Items) -> Any:
        if items.ids[0] == 1:
            raise error
        return [1.0]

    caller = make(score, Calls(batch_size=1))
    caller.submit(rows(3))
    answers = told(drained(caller))
    assert answers.pop(1) == f"score failed: {type(error).__name__}" and answers == {0: 1.0, 2: 1.0}


# -- pace and time ---------------------------------------------------------------------------------------------


def test_no_more_calls_a_second_than_allowed() -> None:
    began: list[float] = []

    def score(items: Items) -> Any:
        began.append(time.monotonic())
        return [1.0]

    caller = make(score, Calls(workers=4, rate_limit=20))
    caller.submit(rows(10))
    drained(caller)
    assert min(np.diff(sorted(began))) > 0.02 and max(began) - min(began) >= 9 / 20 - 0.05


def test_workers_are_threads_of_their_own_and_no_more_than_that_many_run() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def score(items: Items) -> Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.03)
        with lock:
            running[0] -= 1
        return [float(items.ids[0])]

    caller = make(score, Calls(workers=3))
    assert caller.at_once == 3
    caller.submit(rows(12))
    assert told(drained(caller)) == {i: float(i) for i in range(12)} and most[0] == 3


def test_queued_calls_are_not_condemned_and_one_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    def score(items: Items) -> Any:
        if items.ids[0] == 0:
            release.wait(30)
        time.sleep(0.15)
        return [1.0]

    with ThreadPoolExecutor(2) as pool:
        caller = make(score, Calls(timeout=0.8), workers=FutureWorkers(pool))
        caller.submit(rows(12))
        answers = told(drained(caller))
        release.set()
    assert answers.pop(0) == "score failed: TimeoutError: timed out after 0.8 s"
    assert answers == {i: 1.0 for i in range(1, 12)}


class _Deaf(Executor):
    """Takes calls, and never answers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


def test_an_executor_that_never_answers_is_told_and_its_calls_can_be_taken_back(monkeypatch: Any) -> None:
    monkeypatch.setattr("emb_opt_widgets.engine.caller._QUIET", 0.05)
    caller = make(itself, workers=FutureWorkers(_Deaf()))
    caller.submit(rows(3))
    assert caller.poll() == [] and caller.in_flight.tolist() == [0, 1, 2] and caller.notice is None
    time.sleep(0.1)
    assert "3 calls were handed to the executor" in (caller.notice or "")
    assert caller.recall().tolist() == [0, 1, 2] and not caller.busy and caller.notice is None


# -- deaths ----------------------------------------------------------------------------------------------------


class _Mortal:
    """Two workers that die whenever one of them gets a poisonous row; whoever is in flight dies too."""

    workers = 2

    def __init__(self, poison: set[int]) -> None:
        self.poison = poison
        self.flying: list[tuple[Call, Items]] = []
        self.remade = 0

    def submit(self, function: Any, argument: Items, limit: float | None = None) -> Call:
        call = Call()
        self.flying.append((call, argument))
        if len(self.flying) == 2 or argument.ids[0] % 5 == 0:
            self.work(function)
        return call

    def work(self, function: Any) -> None:
        flying, self.flying = self.flying, []
        dead = any(self.poison & set(items.ids.tolist()) for _, items in flying)
        for call, items in flying:
            call.end(Reply(error=WorkerDied("killed")) if dead else Reply(function(items)))

    def remake(self) -> None:
        self.remade += 1

    def close(self) -> None:
        pass


@pytest.mark.parametrize("size", [1, 4])
def test_poisonous_items_are_named_and_all_others_are_answered(size: int) -> None:
    workers = _Mortal({10, 35})
    caller = make(itself, Calls(batch_size=size), workers=workers)
    caller.submit(rows(60))
    end = time.monotonic() + 20
    out: list[Outcome] = []
    while caller.busy and time.monotonic() < end:
        out += caller.poll()
        if workers.flying and caller.busy:
            workers.work(itself)
    answers = told(out + caller.settle())
    poisoned = {row: answers.pop(row) for row in (10, 35)}
    assert all("times; the item is set apart" in why for why in poisoned.values())
    assert answers == {i: float(i) for i in range(60) if i not in poisoned} and workers.remade > 0


# -- whatever happens, each row comes back once ----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 7), st.integers(0, 2), st.integers(0, 4),
    st.integers(2, 9),
)  # fmt: skip
def test_each_row_comes_back_exactly_once(
    seed: int, n: int, size: int, retries: int, workers: int, patience: int
) -> None:
    chance, lock = random.Random(seed), threading.Lock()

    def score(items: Items) -> Any:
        with lock:
            fates = [chance.random() for _ in range(len(items) + 1)]
        if fates[-1] < 0.15:
            raise RuntimeError("all of it")
        if fates[-1] < 0.18:
            raise eow.RetryLater(0.001)
        if fates[-1] < 0.19:
            raise eow.Fatal("enough")
        kinds = [ValueError("this"), eow.RetryLater(0.001), None, float("nan")]
        return [kinds[int(f * 20)] if f < 0.2 else float(i) for f, i in zip(fates, items.ids.tolist())]

    calls = Calls(workers or None, None, retries, 0.001, None, size, failures_in_a_row=patience)
    caller = make(score, calls, health=CallHealth(worked=True, first=None))
    caller.submit(rows(n))
    back: list[int] = []
    while caller.busy:
        caller.bell.clear()
        outcomes = caller.poll()
        for one in outcomes:
            assert isinstance(one, (Answered, Opened, Halt))
            back += one.rows.tolist()
            if isinstance(one, Halt):
                back += caller.recall().tolist()
        if not outcomes:
            caller.bell.wait(min(0.05, caller.patience()))
    for one in caller.settle():
        assert isinstance(one, Answered)
        back += one.rows.tolist()
    assert sorted(back) == list(range(n))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("workers", 0, "at least 1"), ("workers", 1.5, "whole number"), ("rate_limit", 0, "above 0"),
        ("rate_limit", float("inf"), "above 0"), ("retries", -1, "at least 0"), ("backoff", -1, "at least 0"),
        ("backoff", None, "at least 0"), ("timeout", 0, "above 0"), ("timeout", "3", "seconds above 0"),
        ("batch_size", True, "whole number"), ("on_error", "ignore", "record"), ("failures_in_a_row", 0, "at least 1"),
    ],
)  # fmt: skip
def test_calls_that_are_not_usable(name: str, value: Any, why: str) -> None:
    with pytest.raises(eow.InputError, match=f"{name} is not usable.*{why}"):
        Calls(**{name: value})


def test_an_overdue_item_is_waited_for_and_not_looked_for_without_a_rest() -> None:
    go, asked = threading.Event(), list[int]()

    def score(items: Items) -> np.ndarray:
        asked.extend(items.ids.tolist())
        if len(asked) == 1:
            raise eow.RetryLater(0.01)
        go.wait(20)
        return np.ones(len(items))

    def gather(rows: np.ndarray) -> Items:
        return Items(rows.astype(np.int64), np.zeros((len(rows), 2), np.float32))

    caller = Caller("score", score, read_scores, gather, Calls(workers=1))
    caller.submit(np.array([0, 1], np.int32))
    while len(asked) < 2:
        caller.poll()
        time.sleep(0.01)
    time.sleep(0.05)
    assert caller.busy and len(caller.waiting) == 1 and caller.patience() > 1
    go.set()
    while caller.busy:
        caller.poll()
        time.sleep(0.01)
    assert sorted(asked) == [0, 0, 1]
