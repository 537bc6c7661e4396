"""Calling a user's function on batches of items: executors, retries, time limits, and the one bad item of a batch.

Knows nothing of what the answers mean, nor of the search that asked.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_any
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import FunctionError, as_function_error, failing_as

__all__ = ["CallHealth", "CallPolicy", "Caller"]

Rows = npt.NDArray[np.int32]
_TICK = 0.02


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How a function is called.

    Attributes:
        batch_size: Items per call. None: all at once, or one each with an executor.
        retries: How often a failing call is repeated before it counts as failed.
        timeout: Seconds one call may take. None: no limit.
        on_error: "record" removes the item that failed and goes on; "raise" ends the search.
    """

    batch_size: int | None = None
    retries: int = 0
    timeout: float | None = None
    on_error: str = "record"


@dataclass(slots=True)
class CallHealth:
    """How a function has done so far, over all rounds.

    Attributes:
        worked: It has answered at least once.
        failures: Items it failed on before it ever answered.
        patience: So many, and it is taken to be broken.
    """

    worked: bool = False
    failures: int = 0
    patience: int = 20


@dataclass(slots=True)
class _Task:
    rows: Rows
    attempt: int = 0
    began: float = 0.0


class _Inline(Executor):
    """Runs a call at once, in the thread that asks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Threads(Executor):
    """A daemon thread for each call, so that one that never returns can be left behind."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="eow-call", daemon=True).start()
        return future


def invoke(function: Callable[[Items], Any], items: Items) -> Any:
    """Call a function, plain or async; module-level so that a process pool can be sent it."""
    result = function(items)
    if inspect.isawaitable(result):

        async def finish() -> Any:
            return await result

        return asyncio.run(finish())
    return result


class Caller:
    """Calls one function on rows of items, batch by batch.

    Args:
        name: "score" or "filter", for messages.
        function: `Items` to answers.
        read: Turns what the function returned into an `Answer`; raises `FunctionError` if it is not one.
        gather: Rows to their `Items`.
        policy: How to call.
        executor: Where to call; None: in the thread that asks.
        failed: The value of an item whose call failed.
        health: How it has done before.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Items], Any],
        read: Callable[[Any, int], Answer],
        gather: Callable[[Rows], Items],
        policy: CallPolicy,
        executor: Executor | None = None,
        failed: float | bool = float("nan"),
        health: CallHealth | None = None,
    ) -> None:
        self._name = name
        self._function = function
        self._read = read
        self._failed_value = failed
        self._gather = gather
        self._policy = policy
        self._pooled = executor is not None
        self._executor: Executor = executor or (_Inline() if policy.timeout is None else _Threads())
        workers = getattr(executor, "_max_workers", None)
        self._workers = workers if isinstance(workers, int) else None
        self._window = 1 if executor is None else 64
        if self._workers is not None:
            self._window = self._workers if policy.timeout is not None else 2 * self._workers
        self._health = health or CallHealth()
        self._queue: deque[_Task] = deque()
        self._flying: dict[Future[Any], _Task] = {}
        self._broken: FunctionError | None = None

    @property
    def at_once(self) -> int:
        """Items that are called on at a time: those of a call, times the workers that the executor is known to have."""
        return (self._policy.batch_size or 1) * (self._workers or 1)

    def __call__(self, rows: Rows, gate: Callable[[], bool]) -> Iterator[tuple[Rows, Answer] | None]:
        """Answers for all rows, batch by batch as they come.

        Args:
            rows: Item rows, in the order to call.
            gate: Asked before every call; once False, no further call is made, those under way finish and
                are answered, and the iterator ends early.

        Yields:
            `(rows, answer)` of one call, or None while calls are under way.

        Raises:
            FunctionError: The function fails and `on_error` is "raise"; it broke its contract on its very
                first call, twice; or all of its first items failed.
        """
        size = self._policy.batch_size or (1 if self._pooled else max(1, len(rows)))
        self._queue = deque(_Task(rows[i : i + size]) for i in range(0, len(rows), size))
        self._flying = {}
        self._broken = None
        error: FunctionError | None = None
        while self._queue or self._flying:
            stopped = error is not None or not gate()
            if stopped:
                self._recall()
                if not self._flying:
                    break
            while not stopped and self._queue and len(self._flying) < self._window and gate():
                try:
                    self._submit(self._queue.popleft())
                except FunctionError as broken:
                    error = broken
                    break
            for future in self._landed():
                task = self._flying.pop(future)
                try:
                    answer = self._settle(task, future)
                except FunctionError as broken:
                    error = broken
                    break
                if answer is not None:
                    yield answer
                if self._broken is not None:
                    error = self._broken
                    break
            else:
                if self._flying:
                    yield None
        if error is not None:
            raise error

    def _submit(self, task: _Task) -> None:
        starts_at_once = not self._pooled or (self._workers is not None and self._policy.timeout is not None)
        task.began = time.monotonic() if starts_at_once else 0.0
        items = self._gather(task.rows)
        with failing_as("executor"):
            self._flying[self._executor.submit(invoke, self._function, items)] = task

    def _recall(self) -> None:
        """Take back the calls that have not begun."""
        for future in [f for f in self._flying if f.cancel()]:
            self._queue.append(self._flying.pop(future))

    def _landed(self) -> list[Future[Any]]:
        if not self._flying:
            return []
        wait_any(self._flying, timeout=_TICK, return_when=FIRST_COMPLETED)
        landed = [f for f in self._flying if f.done()]
        if self._policy.timeout is not None:
            landed += self._overdue()
        return landed

    def _overdue(self) -> list[Future[Any]]:
        now = time.monotonic()
        limit = self._policy.timeout or 0.0
        late = []
        for future, task in self._flying.items():
            if future.done():
                continue
            if not task.began:
                task.began = now if future.running() else 0.0
            elif now - task.began > limit:
                late.append(future)
        if self._pooled and self._workers is not None:
            self._window -= len(late)
            if self._window <= 0:
                self._leave_pool()
        return late

    def _leave_pool(self) -> None:
        """Every worker of the pool is held by a call that does not return: go on in threads of our own."""
        self._pooled = False
        self._window = self._workers or 1
        self._executor = _Threads()

    def _settle(self, task: _Task, future: Future[Any]) -> tuple[Rows, Answer] | None:
        problem: BaseException
        contract = False
        if not future.done():
            future.cancel()
            problem = TimeoutError(f"timed out after {self._policy.timeout:g} s")
        else:
            try:
                answer = self._read(future.result(), len(task.rows))
            except BrokenExecutor as error:
                raise as_function_error("executor", error) from error
            except CancelledError as error:
                problem = error
            except FunctionError as error:
                problem, contract = error, True
            except Exception as error:
                problem = error
            else:
                self._health.worked = True
                return task.rows, answer
        return self._failed(task, problem, contract)

    def _failed(self, task: _Task, problem: BaseException, contract: bool) -> tuple[Rows, Answer] | None:
        retries = max(self._policy.retries, 1 if contract and not self._health.worked else 0)
        if task.attempt < retries:
            self._queue.appendleft(_Task(task.rows, task.attempt + 1))
            return None
        if contract and not self._health.worked:
            raise problem
        if self._policy.on_error == "raise":
            raise self._error(problem) from problem
        if len(task.rows) > 1:
            half = len(task.rows) // 2
            self._queue.appendleft(_Task(task.rows[half:]))
            self._queue.appendleft(_Task(task.rows[:half]))
            return None
        self._health.failures += 1
        if not self._health.worked and self._health.failures >= self._health.patience:
            self._broken = self._error(problem, f"on every one of its first {self._health.failures} items")
            self._broken.__cause__ = problem
        return task.rows, Answer(np.array([self._failed_value]), {"0": _text(self._name, problem)})

    def _error(self, problem: BaseException, when: str = "") -> FunctionError:
        if isinstance(problem, FunctionError):
            return problem
        return FunctionError(
            f"The {self._name} function failed{' ' if when else ''}{when}: {_describe(problem)}",
            hint="Nothing that was scored is lost: mend the function, pass it again (load, or a new search) and go on",
        )


def _describe(problem: BaseException) -> str:
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text}"[:500] if text else type(problem).__name__


def _text(name: str, problem: BaseException) -> str:
    return f"{name} failed: {_describe(problem)}"
