"""Rows that wait to be called on: in which order, from when, and how fast. Calls nothing itself."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = ["Backlog", "Batch", "Pace"]

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows that are called on together.

    Attributes:
        rows: `(n,)`. tries: How often they failed. waits: How often they were put off together.
        deaths: How many workers died of them, perhaps.
        rest: Whether they are what is left of a batch that was answered in part.
    """

    rows: Rows
    tries: int = 0
    waits: int = 0
    deaths: int = 0
    rest: bool = False

    def part(self, positions: npt.NDArray[np.intp], rest: bool) -> Batch:
        """Some of its rows."""
        return replace(self, rows=self.rows[positions], rest=rest)

    def halves(self) -> tuple[Batch, Batch]:
        """Its rows in two parts."""
        half = len(self.rows) // 2
        return replace(self, rows=self.rows[:half]), replace(self, rows=self.rows[half:])


def batches(rows: Rows, whole: Rows, size: int) -> list[Batch]:
    """What is left of a round, in the batches in which it would be called on had nobody stopped in between: of what was
    begun, the halves that a failure left.

    Args:
        rows: `(n,)` of `whole`, in its order. whole: `(m,)` all rows of the round. size: Rows of a call.
    """
    left = np.isin(whole, rows)

    def parts(batch: Rows, todo: npt.NDArray[np.bool_]) -> list[Batch]:
        if not todo.any():
            return []
        if todo.all():
            return [Batch(batch)]
        half = len(batch) // 2
        return parts(batch[:half], todo[:half]) + parts(batch[half:], todo[half:])

    out = list[Batch]()
    for i in range(0, len(whole), size):
        out += parts(whole[i : i + size], left[i : i + size])
    return out


class Backlog:
    """Batches that wait: those due at a time, those in order, and suspects that are called on alone."""

    def __init__(self) -> None:
        self._ready: deque[Batch] = deque()
        self._later: list[tuple[float, int, Batch]] = []
        self._number = itertools.count()
        self.suspects: deque[Batch] = deque()

    def __len__(self) -> int:
        return len(self._ready) + len(self._later) + len(self.suspects)

    def __iter__(self) -> Iterator[Batch]:
        yield from self.suspects
        yield from (batch for _, _, batch in sorted(self._later, key=lambda entry: entry[:2]))
        yield from self._ready

    def add(self, batch: Batch) -> None:
        """Last in order."""
        self._ready.append(batch)

    def first(self, *batches: Batch) -> None:
        """Before all others, in this order."""
        self._ready.extendleft(reversed(batches))

    def put_off(self, batch: Batch, until: float) -> None:
        """Not before a time; then before those in order."""
        heapq.heappush(self._later, (until, next(self._number), batch))

    def due(self, now: float) -> bool:
        """Whether one may be called on now, suspects aside."""
        return bool(self._ready) or bool(self._later and self._later[0][0] <= now)

    def take(self, now: float) -> Batch:
        """The next one, suspects aside."""
        if self._later and self._later[0][0] <= now:
            return heapq.heappop(self._later)[2]
        return self._ready.popleft()

    @property
    def next_due(self) -> float | None:
        """When the next of those that were put off is due."""
        return self._later[0][0] if self._later else None

    def clear(self) -> Rows:
        """Empty it; the rows that waited."""
        rows = [batch.rows for batch in self]
        self._ready.clear()
        self._later.clear()
        self.suspects.clear()
        return np.concatenate(rows) if rows else np.empty(0, np.int32)


class Pace:
    """How many calls may be in flight, and how soon the next may start.

    Where a service asks to be left alone for a while, half as many are made at once; each answer allows one more.

    Args:
        rate: Calls a second at most. None: no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._gap = 0.0 if rate is None else 1.0 / rate
        self._next = 0.0
        self._allowed: float | None = None
        self._patient_until = 0.0

    @property
    def next_start(self) -> float:
        """When the next call may start."""
        return self._next

    def window(self, most: int) -> int:
        """Calls in flight at most, of the `most` that workers can take."""
        return most if self._allowed is None else max(1, min(most, int(self._allowed)))

    def started(self, now: float) -> None:
        """A call starts."""
        self._next = max(now, self._next) + self._gap

    def asked_to_wait(self, seconds: float, now: float, in_flight: int) -> None:
        """A service asked to be left alone; however many calls say so, once in that time."""
        if now >= self._patient_until:
            self._allowed = max(1.0, in_flight / 2)
            self._patient_until = now + seconds

    def answered(self, most: int) -> None:
        """A call was answered."""
        if self._allowed is not None:
            self._allowed = self._allowed + 1
            if self._allowed >= most:
                self._allowed = None
