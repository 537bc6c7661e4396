"""What keeps a search's events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from emb_opt_widgets.engine.events import Body, Event

__all__ = ["Store"]


class Store(Protocol):
    """An append-only list of events."""

    def append(self, bodies: Sequence[Body], payload: Sequence[tuple[int, Any]] = ()) -> None:
        """Keep these bodies, all or none; what was paid for outlives the process from here on, in a file.

        Args:
            bodies: In order.
            payload: `(row, plain value)` of items, to be shown when there is no source.
        """

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Event]:
        """Events `start` to `stop`, in order."""

    def __len__(self) -> int:
        """How many events are kept."""

    def close(self) -> None:
        """Let go of the file."""
