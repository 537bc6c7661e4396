"""What went wrong beside the work itself, and what a person should know of it, in one place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

__all__ = ["Notice", "Notices", "said_of"]

_MOST = 100
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know.

    Attributes:
        time: When it came last, in seconds since the epoch.
        source: Where it comes from: "subscriber", "display", "source", "update", …
        text: A sentence for a person.
        count: How often it came.
        first: When it came first.
        number: Its own among those of a search, from 1.
    """

    time: float
    source: str
    text: str
    count: int
    first: float
    number: int = 1

    def __str__(self) -> str:
        times = "" if self.count == 1 else f" ({self.count:,} times)"
        return f"{self.source}: {self.text}{times}"


class Notices(Sequence[Notice]):
    """The last hundred notices, the latest last; equal ones are counted. May be added to from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], Notice] = {}
        self._made = 0
        self._followers: list[Callable[[], None]] = []

    def add(self, source: str, text: str) -> None:
        """One more.

        Args:
            source, text: As in `Notice`; a longer text is cut.
        """
        now, said = time.time(), " ".join(text.split())[:_LONGEST]
        with self._lock:
            known = self._kept.pop((source, said), None)
            if known is None:
                self._made += 1
                known = Notice(now, source, said, 0, now, self._made)
            self._kept[source, said] = replace(known, time=now, count=known.count + 1)
            while len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
            followers = tuple(self._followers)
        for follower in followers:
            follower()

    def follow(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have a function called, in the thread that adds, whenever there is one more; it must be quick and not raise.

        Returns:
            What ends it.
        """
        with self._lock:
            self._followers.append(changed)

        def end() -> None:
            with self._lock:
                if changed in self._followers:
                    self._followers.remove(changed)

        return end

    def _list(self) -> list[Notice]:
        with self._lock:
            return list(self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Notice: ...
    @overload
    def __getitem__(self, index: slice) -> list[Notice]: ...
    def __getitem__(self, index: int | slice) -> Notice | list[Notice]:
        return self._list()[index]

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._list())

    def __repr__(self) -> str:
        return "\n".join([f"Notices: {len(self)}", *(f"  {notice}" for notice in self)])


def said_of(error: BaseException) -> str:
    """An error as a person reads it, whatever it is."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
