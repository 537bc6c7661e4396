"""A search's events as a sequence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from threading import RLock
from typing import overload

from emb_opt_widgets.engine.events import Event
from emb_opt_widgets.live.store import Store, encode

__all__ = ["EventLog"]


class EventLog(Sequence[Event]):
    """Events in order, read from where they are kept. Grows as the search goes on."""

    def __init__(self, store: Store, lock: RLock) -> None:  # type: ignore[valid-type,unused-ignore]
        self._store = store
        self._lock = lock

    def __len__(self) -> int:
        return len(self._store)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        n = len(self)
        if isinstance(index, slice):
            wanted = range(n)[index]
            if not len(wanted):
                return []
            low, high = min(wanted), max(wanted)
            block = self._block(low, high + 1)
            return [block[i - low] for i in wanted]
        if not -n <= index < n:
            raise IndexError(index)
        return self._block(index % n, index % n + 1)[0]

    def __iter__(self) -> Iterator[Event]:
        at = 0
        while block := self._block(at, at + 1000):
            yield from block
            at += len(block)

    def _block(self, start: int, stop: int) -> list[Event]:
        with self._lock:
            return list(self._store.read(start, stop))

    def to_bytes(self) -> bytes:
        """The whole log as canonical bytes, without times: equal for equal searches."""
        return b"".join(event.kind.encode() + b"\n" + encode(event.body) for event in self)

    def digest(self) -> str:
        """SHA-256 of `to_bytes()`, without holding it all."""
        sha = hashlib.sha256()
        for event in self:
            sha.update(event.kind.encode() + b"\n" + encode(event.body))
        return sha.hexdigest()

    def __repr__(self) -> str:
        return f"EventLog: {len(self)} events"
