"""Is it an executor that calls can run on? One function a promise.

    case = ExecutorCase(make=lambda: ProcessPoolExecutor(2))

    @pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
    def test_my_executor(check):
        check(case)

or all of them at once: `check_executor(case)`. A promise that is not kept raises `AssertionError`. What is made is what
`emb_opt_widgets.executors.as_workers` takes, or `Workers` of your own; it is closed after each check.

Knows nothing of pytest, items or searches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emb_opt_widgets.errors import WorkerDied
from emb_opt_widgets.executors import Call, Reply, Workers, as_workers

__all__ = ["EXECUTOR_CHECKS", "ExecutorCase", "check_executor"]


@dataclass(frozen=True, slots=True)
class ExecutorCase:
    """A way to make the executor under test, and what it promises.

    Attributes:
        make: A new executor of two workers or more, or a function's worth of one (`as_workers`).
        unmake: Ends it.
        in_process: Whether calls run in this process: then a worker cannot die, nor end a call at its limit.
        begins: Whether it can be told when a call has begun.
        patience: Seconds within which a short call is back, start of workers included.
    """

    make: Callable[[], Any]
    unmake: Callable[[Any], None] = lambda executor: None
    in_process: bool = False
    begins: bool = True
    patience: float = 60.0


class _Unsendable(Exception):
    """Can be pickled, and not unpickled."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} of {second}")


class _Heavy:
    """A function with a megabyte of weights, that counts how often it is unpickled in a process."""

    arrived = 0

    def __init__(self) -> None:
        self.weights = bytes(1_000_000)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        type(self).arrived += 1

    def __call__(self, argument: int) -> tuple[int, int, int]:
        time.sleep(0.05)
        return os.getpid(), type(self).arrived, len(self.weights)


async def _later(argument: int) -> int:
    return -argument


def _do(what: Any) -> Any:
    """What a check asks a worker to do."""
    match what:
        case int():
            return what * what
        case ("sleep", seconds):
            time.sleep(seconds)
            return "slept"
        case ("raise", name):
            raise {"value": ValueError("no such thing"), "key": KeyboardInterrupt(), "exit": SystemExit(3)}[name]
        case "unsendable":
            raise _Unsendable(1, 2)
        case "unreadable":
            return lambda: None
        case "die":
            os._exit(7)
    raise AssertionError(what)


@contextmanager
def _workers(case: ExecutorCase) -> Iterator[Workers]:
    executor = case.make()
    workers = as_workers(executor)
    try:
        yield workers
    finally:
        workers.close()
        case.unmake(executor)


def _reply(call: Call, patience: float) -> Reply:
    end = time.monotonic() + patience
    while call.reply is None:
        if time.monotonic() > end:
            raise AssertionError(f"a call ends within {patience:g} s; it has not, and begun is {call.begun}")
        time.sleep(0.005)
    return call.reply


def _expect(holds: object, promise: str, got: object = None) -> None:
    if not holds:
        raise AssertionError(f"{promise}{'' if got is None else f'; got {got!r}'}")


def answers(case: ExecutorCase) -> None:
    """Every call ends with what the function returns; awaitables are awaited; the bell rings once for each."""
    with _workers(case) as workers:
        rung: list[int] = []
        calls = [workers.submit(_do, i) for i in range(9)]
        for i, call in enumerate(calls):
            call.when_ended(lambda i=i: rung.append(i))  # type: ignore[misc]
        values = [_reply(call, case.patience).value for call in calls]
        _expect(values == [i * i for i in range(9)], "calls are answered, each with its own", values)
        value = _reply(workers.submit(_later, 5), case.patience).value
        _expect(value == -5, "an awaitable is awaited", value)
        time.sleep(0.05)
        _expect(sorted(rung) == list(range(9)), "whoever waits is told once when a call ends", rung)


def counts(case: ExecutorCase) -> None:
    """It says how many calls run at once, or that it does not know."""
    with _workers(case) as workers:
        n = workers.workers
        _expect(n is None or (isinstance(n, int) and n >= 1), "workers is None or at least 1", n)


def errors(case: ExecutorCase) -> None:
    """What a call raises is its own reply, whatever it is: nobody else is harmed, this process least of all."""
    with _workers(case) as workers:
        whats = [("raise", "value"), "unsendable", ("raise", "key"), ("raise", "exit"), 4]
        replies = [_reply(workers.submit(_do, what), case.patience) for what in whats]
        _expect(isinstance(replies[0].error, ValueError), "an error comes back as it is", replies[0])
        _expect("1 of 2" in str(replies[1].error), "one that cannot be sent comes back as text", replies[1])
        _expect(isinstance(replies[2].error, KeyboardInterrupt), "an interrupt is an answer", replies[2])
        _expect(isinstance(replies[3].error, SystemExit), "so is an exit", replies[3])
        _expect(replies[4].value == 16, "and the workers work on", replies[4])


def begins(case: ExecutorCase) -> None:
    """A call has begun once it runs, and not before."""
    if not case.begins:
        return
    with _workers(case) as workers:
        _reply(workers.submit(_do, 1), case.patience)
        running = workers.submit(_do, ("sleep", 2.0))
        end = time.monotonic() + case.patience
        while running.begun is None and running.reply is None and time.monotonic() < end:
            time.sleep(0.005)
        _expect(running.reply is None and running.begun is not None, "a call that runs has begun", running.reply)
        value = _reply(running, case.patience).value
        _expect(value == "slept", "and ends", value)


def limits(case: ExecutorCase) -> None:
    """A worker of another process ends a call at its limit, which runs from its begin: queued calls keep theirs."""
    if case.in_process:
        return
    with _workers(case) as workers:
        n = 2 * (workers.workers or 2) + 1
        short = [workers.submit(_do, ("sleep", 0.3), 2.0) for _ in range(min(n, 9))]
        values = [_reply(call, case.patience).value for call in short]
        _expect(values == ["slept"] * len(short), "a call that waits its turn keeps its time", values)
        error = _reply(workers.submit(_do, ("sleep", 60.0), 0.5), case.patience).error
        _expect(isinstance(error, TimeoutError) and "0.5 s" in str(error), "a call ends at its limit", error)


def heavy_functions(case: ExecutorCase) -> None:
    """A function reaches each worker once, however often it is called."""
    if case.in_process:
        return
    with _workers(case) as workers:
        function = _Heavy()
        calls = [workers.submit(function, i) for i in range(8)]
        told = [_reply(call, case.patience).value for call in calls]
        _expect(all(size == 1_000_000 for _, _, size in told), "it arrives whole", told)
        _expect(all(arrived == 1 for _, arrived, _ in told), "once in each process", told)


def deaths(case: ExecutorCase) -> None:
    """A worker that dies costs its call; after `remake`, others are called."""
    if case.in_process:
        return
    with _workers(case) as workers:
        error = _reply(workers.submit(_do, "die"), case.patience).error
        _expect(isinstance(error, WorkerDied) and error.suspect, "the call is told as the one that died", error)
        for _ in range(5):
            workers.remake()
            try:
                call = workers.submit(_do, 3)
            except BrokenExecutor:
                time.sleep(0.2)
                continue
            reply = _reply(call, case.patience)
            if not isinstance(reply.error, WorkerDied):
                break
        _expect(reply.value == 9, "the workers work on", reply)


EXECUTOR_CHECKS: tuple[Callable[[ExecutorCase], None], ...] = (
    answers, counts, errors, begins, limits, heavy_functions, deaths,
)  # fmt: skip


def check_executor(case: ExecutorCase) -> None:
    """Every check, one after the other.

    Raises:
        AssertionError: A promise is not kept, and which.
    """
    for check in EXECUTOR_CHECKS:
        check(case)
