"""Events in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from emb_opt_widgets.engine.events import Body, Event

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps events for as long as the process lives."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def append(self, bodies: Sequence[Body], payload: Sequence[tuple[int, Any]] = ()) -> None:
        now = time.time()
        first = len(self._events)
        self._events += [Event(first + i, _logged(body), now) for i, body in enumerate(bodies)]

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Event]:
        return iter(self._events[start:stop])

    def __len__(self) -> int:
        return len(self._events)

    def close(self) -> None:
        pass


def _logged(body: Body) -> Body:
    """The body without what travels with the live event only."""
    unlogged = [f.name for f in fields(body) if f.metadata.get("unlogged")]
    return replace(body, **dict.fromkeys(unlogged)) if unlogged else body
