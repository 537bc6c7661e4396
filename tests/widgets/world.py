"""A kernel's publisher, pages and the wires between them, in a time of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from emb_opt_widgets.widgets.channel import Channel
from emb_opt_widgets.widgets.publisher import Publisher
from emb_opt_widgets.widgets.requests import parse
from emb_opt_widgets.widgets.tables import Table

from .mirror import Page, same


class Thing:
    """A live object of two tables and a number."""

    def __init__(self) -> None:
        self.value = 0
        self.watches = self.folds = self.open = 0
        self.pending: list[tuple[str, Any]] = []
        self.rows = 0
        self.broken: Exception | None = None
        self._changed: Callable[[], None] | None = None

    def watch(self, changed: Callable[[], None]) -> Thing:
        self.watches, self.open = self.watches + 1, self.open + 1
        self._changed = changed
        self.tables: Mapping[str, Table] = {
            "rows": Table({"a": "f8", "b": "i4"}), "words": Table({"text": "json"}),
        }  # fmt: skip
        self.pending.clear()
        self.tables["rows"].append(self.rows, a=np.arange(self.rows), b=0)
        return self

    def append(self, n: int) -> None:
        self.rows += n
        self._note("append", n)

    def change(self, rows: list[int]) -> None:
        if self.rows:
            self._note("change", [row % self.rows for row in rows])

    def say(self, text: str) -> None:
        self._note("say", text)

    def _note(self, what: str, how: Any) -> None:
        self.value += 1
        if self._changed is not None:
            self.pending.append((what, how))
            self._changed()

    def fold(self) -> Mapping[str, Any]:
        self.folds += 1
        if self.broken is not None:
            raise self.broken
        for what, how in self.pending:
            if what == "append":
                self.tables["rows"].append(how, a=self.value, b=self.value)
            elif what == "change":
                self.tables["rows"].change(how, b=self.value)
            else:
                self.tables["words"].append(1, text=[how])
        self.pending.clear()
        return {"value": self.value, "rows": self.rows}

    def close(self) -> None:
        self.open -= 1
        self._changed = None


class World:
    """Time, a publisher, one channel and its pages; messages to and fro are kept until `carry`."""

    def __init__(self, pages: int = 1, watch: Any = None) -> None:
        self.now = 0.0
        self.publisher = Publisher(lambda: self.now, threaded=False)
        self.thing = Thing()
        self.beats = 0
        self.sent: list[tuple[float, dict[str, Any], list[bytes]]] = []
        self.down: list[tuple[dict[str, Any], list[bytes]]] = []
        self.up: list[dict[str, Any]] = []
        self.channel = Channel(watch or self.thing.watch, self._send, self.publisher.wake, self._beat)
        self.pages = [Page(f"p{i}", self.up.append) for i in range(pages)]
        self.wakes = 0

    def _send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.sent.append((self.now, content, buffers))
        self.down.append((content, buffers))

    def _beat(self) -> None:
        self.beats += 1

    def carry(self) -> None:
        """Bring every message where it goes."""
        while self.up or self.down:
            for content, buffers in self._taken(self.down):
                self.arrive(content, buffers)
            for message in self._taken(self.up):
                self.hear(message)

    @staticmethod
    def _taken(queue: list[Any]) -> list[Any]:
        out = queue[:]
        queue.clear()
        return out

    def arrive(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        for page in self.pages:
            page.hear(content, buffers)

    def hear(self, message: dict[str, Any]) -> None:
        self.channel.receive(parse(json.loads(json.dumps(message)), {}, {}))  # type: ignore[arg-type]

    def run(self, seconds: float, carried: bool = True) -> None:
        """Let time pass, as the publisher's thread would: it wakes when something is due or somebody wakes it."""
        end = self.now + seconds
        while True:
            if carried:
                self.carry()
            wait = self.publisher.tick()
            self.wakes += 1
            if carried and (self.up or self.down):
                continue
            if wait is None or self.now + wait > end:
                self.now = end
                return
            self.now += max(wait, 1e-6)

    def true(self, page: Page) -> bool:
        """Whether a page's copy is the kernel's."""
        facts = {"value": self.thing.value, "rows": self.thing.rows}
        mirror = page.mirror
        right = all(same(mirror, name, table) for name, table in self.channel.tables.items())
        return mirror.facts == facts and mirror.epoch == self.channel.epoch and right

    def weights(self, since: float = 0.0) -> list[tuple[float, int]]:
        return [
            (at, len(json.dumps(content)) + sum(map(len, buffers)))
            for at, content, buffers in self.sent if at >= since
        ]  # fmt: skip
