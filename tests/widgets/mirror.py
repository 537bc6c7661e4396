"""A page, in Python: a copy of the tables as `docs/wire.md` says it is kept, and what a page sends back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

WIDTHS = {"f8": "<f8", "f4": "<f4", "i4": "<i4", "u1": "<u1"}


class Mirror:
    """Applies deltas. Rows that have not come yet are missing from `tables`, which is by table, row and column."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.facts: dict[str, Any] | None = None
        self.stamps: dict[str, int] = {}
        self.tables: dict[str, dict[int, dict[str, Any]]] = {}
        self.lengths: dict[str, int] = {}
        self._facts_from = -1

    def apply(self, content: dict[str, Any], buffers: list[bytes]) -> bool:
        """Apply a delta; whether there is a gap."""
        content = json.loads(json.dumps(content, allow_nan=False))
        assert all(type(buffer) is bytes for buffer in buffers)
        gap = False
        if content["epoch"] != self.epoch:
            gap = self.epoch is not None
            self.__init__()  # type: ignore[misc]
            self.epoch = content["epoch"]
        for part in content["parts"]:
            name, mine = part["table"], self.stamps.get(part["table"], 0)
            if part["to"] <= mine:
                continue
            if part["base"] > mine:
                gap = True
                continue
            rows = part["rows"]
            numbers = (
                range(rows["first"], rows["first"] + rows["count"])
                if "first" in rows
                else np.frombuffer(buffers[rows["buffer"]], "<i4").tolist()
            )
            table = self.tables.setdefault(name, {})
            for column, (kind, source) in part["columns"].items():
                values = source if kind == "json" else np.frombuffer(buffers[source], WIDTHS[kind]).tolist()
                assert len(values) == len(numbers)
                for row, value in zip(numbers, values):
                    table.setdefault(row, {})[column] = value
            self.stamps[name] = part["to"]
            self.lengths[name] = part["length"]
        if "facts" in content and content["n"] > self._facts_from:
            self.facts, self._facts_from = content["facts"], content["n"]
        return gap

    def have(self) -> dict[str, int]:
        return dict(self.stamps)


def same(mirror: Mirror, name: str, table: Any) -> bool:
    """Whether the copy of a table is whole and true."""
    copy = mirror.tables.get(name, {})
    if sorted(copy) != list(range(len(table))):
        return False
    for column in table.columns:
        mine = [copy[row][column] for row in range(len(table))]
        theirs = list(table[column])
        if not all(a == b or (a != a and b != b) for a, b in zip(mine, theirs)):
            return False
    return True


class Page:
    """A page: hears what is sent to all, answers what is for it."""

    def __init__(self, name: str, say: Any) -> None:
        self.name, self._say, self.mirror = name, say, Mirror()
        self.replies: list[dict[str, Any]] = []
        self.answers: list[tuple[dict[str, Any], list[bytes]]] = []
        self.heard = 0
        self.silent = self.away = False
        self._number = 0

    def hello(self) -> None:
        self._say({"type": "hello", "client": self.name, "epoch": self.mirror.epoch, "have": self.mirror.have()})

    def bye(self) -> None:
        self._say({"type": "bye", "client": self.name})

    def hear(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if content["type"] == "reply" and content["client"] == self.name:
            self.replies.append(content)
        if content["type"] == "answer" and content["client"] == self.name:
            self.answers.append((content, buffers))
        if self.away or content["type"] != "delta" or content["to"] not in (None, self.name):
            return
        self.heard += 1
        gap = self.mirror.apply(content, buffers)
        if self.silent:
            return
        self.ack(content["n"])
        if gap:
            self.hello()

    def ack(self, n: int) -> None:
        have = self.mirror.have()
        self._say({"type": "ack", "client": self.name, "epoch": self.mirror.epoch, "n": n, "have": have})

    def command(self, name: str, arguments: dict[str, Any] | None = None, note: str = "", id: str | None = None) -> str:
        self._number += 1
        made = id or f"{self.name}-{self._number}"
        message = {"type": "command", "client": self.name, "id": made, "name": name, "arguments": arguments or {}}
        self._say({**message, "note": note})
        return made

    def ask(self, what: str, arguments: dict[str, Any]) -> str:
        self._number += 1
        made = f"{self.name}-{self._number}"
        self._say({"type": "ask", "client": self.name, "id": made, "what": what, "arguments": arguments})
        return made
