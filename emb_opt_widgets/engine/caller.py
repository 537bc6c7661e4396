"""Calling a user's function on rows of items, wherever calls run: a pool that is fed and asked, and never blocks.

The face for whoever keeps workers busy:

    caller.submit(rows)            rows to call on; batches form here
    caller.poll(gate)              starts what may start, and tells what ended: `Answered`, `Opened`, `Halt`
    caller.bell                    a `threading.Event` set whenever a call ends, in whatever thread; share it with
                                   whatever else is to wake the loop, and clear it before each look
    caller.patience()              the longest that a loop may wait for the bell before it polls again
    caller.in_flight, caller.waiting, caller.held     rows that workers have, that wait here, whose failure is held back
    caller.free                    how many more calls workers could take now
    caller.recall()                takes back all that has not begun, and what was held back: these rows are open again
    caller.settle()                tells failures that are held back, where nothing else is left to call on
    caller.news()                  what a person should know: nothing begins, a service asks to wait, workers died

Each row that was submitted comes back exactly once: in an `Answered`, an `Opened`, a `Halt`, or from `recall`, which is
also to be called after a halt. A loop is

    while True:
        bell.clear(); apply_commands()
        caller.submit(propose(caller.free))
        for outcome in caller.poll(gate): ...
        bell.wait(caller.patience())

Without workers a call runs within `poll`, one a time. The iterator (`caller(rows, gate)`) is the same with a barrier.
Knows nothing of what the answers mean, nor of the search that asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.alignment import aligned, answered, names_items
from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.engine.backlog import Backlog, Batch, Pace, batches
from emb_opt_widgets.engine.calls import Answered, CallHealth, Calls, Halt, Opened, Outcome
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.trouble import Trouble
from emb_opt_widgets.errors import Fatal, FunctionError, RetryLater, StateError, WorkerDied, describe_error
from emb_opt_widgets.executors import Call, Inline, Reply, Threads, Workers

__all__ = ["Caller"]

Rows = npt.NDArray[np.int32]
_TICK = 0.02
_LOOK = 0.05
_LONG = 60.0
_QUIET = 30.0
_UNKNOWN = 64
_FRUITLESS = 5
_DEATHS = 2


def _joined(rows: list[Rows]) -> Rows:
    return np.concatenate(rows) if rows else np.empty(0, np.int32)


def _executor_hint(problem: Exception) -> str:
    told = f"{problem}" if isinstance(problem, StateError) else "Its workers cannot start, or do not stay"
    return f"{told.rstrip('.')}. Nothing that was scored is lost: load it with another executor, and go on"


class Caller:
    """Calls one function on rows of items.

    Args:
        name: "score" or "filter", for messages.
        function: `Items` to answers.
        read: Turns what the function returned into an `Answer`; raises `FunctionError` if it is not one.
        gather: Rows to their `Items`.
        calls: How to call.
        workers: Where calls run; None: in the thread that polls, or in `calls.workers` threads.
        failed: The value of an item whose call failed.
        health: How it has done before.
        bell: Rung whenever a call ends. None: one of its own.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Items], Any],
        read: Callable[[Any, int], Answer],
        gather: Callable[[Rows], Items],
        calls: Calls | None = None,
        workers: Workers | None = None,
        failed: float | bool = float("nan"),
        health: CallHealth | None = None,
        bell: threading.Event | None = None,
    ) -> None:
        self._name = name
        self._function = function
        self._read = read
        self._gather = gather
        self._calls = calls or Calls()
        self._health = health or CallHealth()
        self._trouble = Trouble(name, self._calls, failed, self._health)
        self._pooled = workers is not None or self._calls.workers is not None
        alone = Inline() if self._calls.timeout is None else Threads(1)
        self._workers: Workers = workers or (Threads(self._calls.workers) if self._calls.workers else alone)
        self._backlog = Backlog()
        self._pace = Pace(self._calls.rate_limit)
        self._flying: dict[Call, Batch] = {}
        self._isolating = False
        self._halted = False
        self._fruitless = 0
        self._odd = False
        self._news: list[str] = []
        self._heard = time.monotonic()
        self.bell = bell or threading.Event()

    # -- where it stands -------------------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        """Items that are called on at a time: those of a call, times the workers that are known to be there."""
        return (self._calls.batch_size or 1) * (self._most(1) if self._pooled else 1)

    @property
    def pooled(self) -> bool:
        """Whether there are workers, so that calls run beside the engine."""
        return self._pooled

    @property
    def batch_size(self) -> int:
        """Items per call, where there are workers."""
        return self._calls.batch_size or 1

    @property
    def at_most(self) -> int:
        """Calls in flight at most; 1 where the workers do not tell."""
        return self._most(1)

    @property
    def in_flight(self) -> Rows:
        """Rows that workers have."""
        return _joined([batch.rows for batch in self._flying.values()])

    @property
    def n_flying(self) -> int:
        """Calls that workers have."""
        return len(self._flying)

    @property
    def waiting(self) -> Rows:
        """Rows that wait here for a worker or a time."""
        return _joined([batch.rows for batch in self._backlog])

    @property
    def held(self) -> Rows:
        """Rows whose failure is held back."""
        return np.array([row for row, _ in self._trouble.held], np.int32)

    @property
    def free(self) -> int:
        """How many more calls workers could take now, beside those that wait."""
        if self._halted or self._isolating or self._backlog.suspects:
            return 0
        return max(0, self._window() - len(self._flying) - len(self._backlog))

    @property
    def busy(self) -> bool:
        """Whether a call is in flight or waits."""
        return bool(self._flying) or len(self._backlog) > 0

    @property
    def notice(self) -> str | None:
        """What is odd, for a person; None: nothing is."""
        quiet = time.monotonic() - self._heard
        if self._flying and quiet > _QUIET and not any(call.begun for call in self._flying):
            return (
                f"{len(self._flying)} calls were handed to the executor {quiet:.0f} s ago, and none has begun as far "
                "as is known. Are its workers there? pause() takes back what has not begun."
            )
        due = self._backlog.next_due
        if due is not None and not self._flying and due - time.monotonic() > 1:
            return f"{len(self.waiting)} items wait another {due - time.monotonic():.0f} s before they are tried again."
        return None

    def news(self) -> list[str]:
        """What happened that a person should know, since this was asked for last: once for each time."""
        odd = self.notice
        news, self._news = self._news, []
        if odd is not None and not self._odd:
            news.append(odd)
        self._odd = odd is not None
        return news

    def patience(self) -> float:
        """Seconds after which something is to be looked at though no bell rang."""
        now = time.monotonic()
        times = [now + _LONG]
        if self._backlog.due(now) and len(self._flying) < self._window():
            times.append(self._pace.next_start)
        due = self._backlog.next_due
        if due is not None and due > now:  # what is overdue waits for a call to end, which rings the bell
            times.append(due)
        if self._calls.timeout is not None:
            for call in self._flying:
                begun = call.begun
                times.append(now + _LOOK if begun is None else begun + self._calls.timeout + call.grace)
        return max(0.0, min(times) - now)

    def _most(self, unknown: int) -> int:
        known = [n for n in (self._workers.workers, self._calls.workers) if n is not None]
        return min(known) if known else unknown

    def _window(self) -> int:
        return self._pace.window(self._most(_UNKNOWN))

    # -- feeding and asking ----------------------------------------------------------------------------------

    def submit(self, rows: Rows, whole: Rows | None = None) -> None:
        """Rows to call on, in this order. A halt is over with it.

        Args:
            rows: `(n,)`. whole: All rows of the round that these are left of; None: these.
        """
        self._halted = False
        whole = rows if whole is None else whole
        size = self._calls.batch_size or (1 if self._pooled else max(1, len(whole)))
        for batch in batches(rows, whole, size):
            self._backlog.add(batch)

    def poll(self, gate: Callable[[], bool] = lambda: True) -> list[Outcome]:
        """Start what may start, and tell what ended. Never waits.

        Args:
            gate: Asked before every call; once False no further call is made.

        Raises:
            EmbOptError: Items cannot be had from the source; their rows wait still.
        """
        out: list[Outcome] = []
        while self._may_start() and gate():
            out += self._hand_over()
        for call in [call for call in self._flying if call.reply is not None]:
            self._heard = time.monotonic()
            out += self._settled(self._flying.pop(call), call.reply or Reply())
        if self._calls.timeout is not None:
            out += self._overdue(self._calls.timeout)
        return out

    def recall(self) -> Rows:
        """Take back the rows whose calls have not begun, and those whose failure is held back."""
        back = [self._flying.pop(call).rows for call in tuple(self._flying) if call.cancel()]
        held, self._trouble.held = self.held, []
        return _joined([*back, self._backlog.clear(), held])

    def settle(self) -> list[Outcome]:
        """Failures that were held back as verdicts; they still count as part of a run that goes on."""
        return [*self._trouble.settle()]

    def __call__(
        self, rows: Rows, gate: Callable[[], bool], whole: Rows | None = None
    ) -> Iterator[Answered | Halt | None]:  # fmt: skip
        """Answers for all rows, as they come.

        Args:
            rows: Item rows, in the order to call.
            whole: As in `submit`.
            gate: Asked before every call; once False, no further call is made, those under way finish and
                are answered, and the iterator ends early.

        Yields:
            What one call answered, as `(rows, answer)`; None while calls are under way; last, why it ended early.

        Raises:
            FunctionError: The function fails and `on_error` is "raise"; it broke its contract on its very
                first call, twice; or the executor cannot be used.
        """
        self.recall()  # of an iteration that was given up, as where an answer could not be kept
        self.submit(rows[~np.isin(rows, self.in_flight)], whole)
        halt: Halt | None = None
        stopped = False
        while self.busy:
            if halt is not None or not gate():
                stopped = True
                self.recall()
            self.bell.clear()
            outcomes = self.poll((lambda: False) if stopped else gate)
            for outcome in outcomes:
                if isinstance(outcome, Answered):
                    yield outcome
                elif isinstance(outcome, Halt):
                    halt = halt or outcome
            if not outcomes and self.busy:
                self.bell.wait(min(_TICK, self.patience()))
                yield None
        if stopped or halt is not None:
            self.recall()
        yield from self._trouble.settle()
        if halt is not None and halt.error is not None:
            raise halt.error from halt.error.__cause__
        if halt is not None:
            yield halt

    # -- starting --------------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        now = time.monotonic()
        if self._halted or self._pace.next_start > now:
            return False
        if self._backlog.suspects or self._isolating:
            return bool(self._backlog.suspects) and not self._flying
        return self._backlog.due(now) and len(self._flying) < self._window()

    def _hand_over(self) -> list[Outcome]:
        now = time.monotonic()
        self._isolating = bool(self._backlog.suspects)
        batch = self._backlog.suspects.popleft() if self._isolating else self._backlog.take(now)
        try:
            items = self._gather(batch.rows)
        except BaseException:
            self._back(batch)
            raise
        if not self._flying:
            self._heard = now
        try:
            call = self._workers.submit(self._function, items, self._calls.timeout)
        except Exception as error:
            self._back(batch)
            return self._remade(error)
        self._pace.started(now)
        self._flying[call] = batch
        call.when_ended(self.bell.set)
        return []

    def _back(self, batch: Batch) -> None:
        if self._isolating:
            self._backlog.suspects.appendleft(batch)
        else:
            self._backlog.first(batch)

    def _overdue(self, limit: float) -> list[Outcome]:
        out: list[Outcome] = []
        now = time.monotonic()
        for call in tuple(self._flying):
            begun = call.begun
            if call.reply is None and begun is not None and now - begun > limit + call.grace:
                batch = self._flying.pop(call)
                call.leave()
                out += self._settled(batch, Reply(error=TimeoutError(f"timed out after {limit:g} s")))
        return out

    def _remade(self, error: Exception) -> list[Outcome]:
        """After a death: the same workers again, or a halt where they cannot be had."""
        self._fruitless += 1
        try:
            if self._fruitless > _FRUITLESS:
                raise error
            self._workers.remake()
        except Exception as second:
            failed = FunctionError(f"The executor failed: {describe_error(error)}", hint=_executor_hint(second))
            failed.__cause__ = error
            return [self._halt(Halt("error", str(failed), np.empty(0, np.int32), error=failed))]
        self._news.append(
            f"A worker of the {self._name} function died ({describe_error(error)}). It is replaced; items that were in "
            "flight are asked for again, one at a time."
        )
        return []

    # -- what a call came to ---------------------------------------------------------------------------------

    def _in_order(self, value: Any, batch: Batch) -> Any:
        """A frame or series in the order of the batch; anything else as it is."""
        if not names_items(value):
            return value
        ids = self._gather(batch.rows).ids
        return answered(value, ids) if self._name == "score" else aligned(value, ids, self._name)

    def _settled(self, batch: Batch, reply: Reply) -> list[Outcome]:
        if not self._flying:
            self._isolating = False
        error = reply.error
        if error is None:
            try:
                answer = self._read(self._in_order(reply.value, batch), len(batch.rows))
            except FunctionError as wrong:
                if not self._health.worked and not self._halted:
                    return self._broke_contract(batch, wrong)
                error = wrong
            except BaseException as wrong:
                error = wrong
            else:
                return self._answered(batch, answer)
        if isinstance(error, WorkerDied) and not self._halted:
            return self._died(batch, error)
        if len(batch.rows) > 1 and self._is_plain(error) and not self._halted and self._calls.on_error == "record":
            self._split(batch)
            return []
        return self._failed(batch, error)

    def _answered(self, batch: Batch, answer: Answer) -> list[Outcome]:
        """An answer, and what its errors in place of values ask for."""
        errors = answer.errors
        good = np.array([i for i in range(len(batch.rows)) if i not in errors], np.intp)
        out: list[Outcome] = []
        if len(good):
            out += self._trouble.answered()
            self._fruitless = 0
            self._pace.answered(self._most(_UNKNOWN))
            out.append(Answered(batch.rows[good], answer.take(good) if errors else answer))
        kinds: dict[str, list[int]] = {}
        for i, error in errors.items():
            again = (
                "later" if isinstance(error, RetryLater) else "retry" if self._again(batch, error) else f"failed {i}"
            )
            kinds.setdefault(again, []).append(i)
        for fate, positions in kinds.items():
            worst = max((errors[i] for i in positions), key=lambda error: getattr(error, "seconds", 0.0))
            part = batch.part(np.array(positions, np.intp), rest=batch.rest or len(good) > 0)
            if len(good) and fate.startswith("failed") and self._is_fact(worst):
                out.append(self._trouble.verdict(int(part.rows[0]), worst))
            else:
                out += self._failed(part, worst)
        return out

    def _failed(self, batch: Batch, error: BaseException) -> list[Outcome]:
        """Rows that failed together, or one alone."""
        rows = batch.rows.tolist()
        now = time.monotonic()
        if self._halted:
            return [Opened(batch.rows, describe_error(error))]
        if isinstance(error, RetryLater):
            self._pace.asked_to_wait(error.seconds, now, len(self._flying) + 1)
            self._backlog.put_off(batch, now + error.seconds)
            return []
        if not self._is_plain(error):
            return [self._halt(self._trouble.stopped(rows, error))]
        if self._again(batch, error):
            delay = self._calls.backoff * 2.0**batch.tries
            self._backlog.put_off(replace(batch, tries=batch.tries + 1), now + delay)
            return []
        if self._calls.on_error == "raise":
            return [self._halt(self._trouble.fatal_error(rows, error))]
        halts = [self._trouble.hold_back(row, error, counts=not batch.rest) for row in rows]
        return [self._halt(halt) for halt in halts if halt is not None]

    def _is_fact(self, error: BaseException) -> bool:
        return self._is_plain(error) and self._calls.on_error == "record"

    @staticmethod
    def _is_plain(error: BaseException) -> bool:
        return not isinstance(error, (RetryLater, Fatal, KeyboardInterrupt, SystemExit))

    def _again(self, batch: Batch, error: BaseException) -> bool:
        return self._is_plain(error) and not isinstance(error, WorkerDied) and batch.tries < self._calls.retries

    def _halt(self, halt: Halt) -> Halt:
        self._halted = True
        return halt

    def _broke_contract(self, batch: Batch, wrong: FunctionError) -> list[Outcome]:
        """On its very first call: once more, then it is an error that no setting makes a fact about items."""
        if batch.tries >= max(1, self._calls.retries):
            return [self._halt(self._trouble.fatal_error(batch.rows.tolist(), wrong))]
        self._backlog.first(replace(batch, tries=batch.tries + 1))
        return []

    def _split(self, batch: Batch) -> None:
        """A batch that failed as a whole is asked again in halves, after a while where failures are retried."""
        halves = replace(batch, tries=0, waits=batch.waits + 1).halves()
        if not self._calls.retries:
            self._backlog.first(*halves)
            return
        delay = self._calls.backoff * 2.0 ** min(batch.waits, self._calls.retries - 1)
        for half in halves:
            self._backlog.put_off(half, time.monotonic() + delay)

    def _died(self, batch: Batch, error: WorkerDied) -> list[Outcome]:
        """Whoever was in flight may have killed the worker: they are called on again, one at a time."""
        out = self._remade(error)
        deaths = batch.deaths + error.suspect
        if error.suspect:
            self._fruitless = 0
        if self._halted:
            return [*out, Opened(batch.rows, describe_error(error))]
        if not error.suspect:
            self._backlog.first(batch)
        elif len(batch.rows) > 1:
            self._backlog.suspects.extend(replace(batch, deaths=deaths).halves())
        elif deaths < _DEATHS:
            self._backlog.suspects.append(replace(batch, deaths=deaths))
        else:
            twice = WorkerDied(f"its worker died {deaths} times; the item is set apart")
            out += self._failed(replace(batch, tries=self._calls.retries), twice)
        return out
