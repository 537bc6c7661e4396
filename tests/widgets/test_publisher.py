"""The publisher's thread: one for all, there while pages look, quiet when nothing happens."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from emb_opt_widgets.widgets.channel import Channel
from emb_opt_widgets.widgets.publisher import Publisher, publisher
from emb_opt_widgets.widgets.requests import parse

from .mirror import Page
from .test_feed import until
from .world import Thing


class Counted(Publisher):
    """A publisher that counts how often it looks."""

    ticks = 0

    def tick(self) -> float | None:
        self.ticks += 1
        return super().tick()


class Desk:
    """A channel of its own at a shared publisher, and a page that acknowledges at once."""

    def __init__(self, by: Publisher) -> None:
        self.thing = Thing()
        self.channel = Channel(self.thing.watch, self._send, by.wake)
        self.page = Page("p", self._say)
        self.threads: set[str] = set()

    def _say(self, message: dict[str, Any]) -> None:
        self.channel.receive(parse(message, {}, {}))  # type: ignore[arg-type]

    def _send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.threads.add(threading.current_thread().name)
        self.page.hear(content, buffers)

    def value(self) -> Any:
        facts = self.page.mirror.facts
        return None if facts is None else facts.get("value")


def publishing() -> int:
    return sum(thread.name == "eow-publisher" for thread in threading.enumerate())


def test_there_is_one_a_kernel() -> None:
    assert publisher() is publisher()


def test_one_thread_serves_all_and_ends_with_the_last_page() -> None:
    by = Publisher()
    until(lambda: publishing() == 0)
    desks = [Desk(by) for _ in range(5)]
    assert publishing() == 0
    for desk in desks:
        desk.page.hello()
    until(lambda: all(desk.value() == 0 for desk in desks))
    for number, desk in enumerate(desks):
        for _ in range(number + 1):
            desk.thing.append(1)
    until(lambda: [desk.value() for desk in desks] == [1, 2, 3, 4, 5])
    assert publishing() == 1 and {name for desk in desks for name in desk.threads} == {"eow-publisher"}
    for desk in desks:
        desk.page.bye()
    until(lambda: publishing() == 0)
    assert not by.busy and all(desk.thing.open == 0 for desk in desks)
    desks[0].page.hello()
    desks[0].thing.append(1)
    until(lambda: desks[0].value() == 2)
    desks[0].channel.close()
    until(lambda: publishing() == 0)


def test_one_that_fails_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    by = Publisher()
    bad, good = Desk(by), Desk(by)
    for desk in (bad, good):
        desk.page.hello()
    until(lambda: bad.value() == good.value() == 0)
    bad.thing.broken = RuntimeError("broken")
    for number in range(1, 6):
        bad.thing.append(1)
        good.thing.append(1)
        until(lambda: good.value() == number)  # noqa: B023
    until(lambda: bad.page.mirror.facts is not None and "broken" in str(bad.page.mirror.facts.get("trouble")))
    bad.thing.broken = None
    until(lambda: bad.value() == 5)
    assert "broken" in caplog.text
    for desk in (bad, good):
        desk.channel.close()


def test_idle_costs_nothing() -> None:
    by = Counted()
    desk = Desk(by)
    desk.page.hello()
    until(lambda: desk.value() == 0)
    time.sleep(2.5)
    ticks, spent = by.ticks, time.process_time()
    folds = desk.thing.folds
    time.sleep(3.0)
    assert by.ticks - ticks <= 3 and desk.thing.folds == folds
    assert time.process_time() - spent < 0.3
    desk.page.bye()
    until(lambda: not by.busy)
    ticks = by.ticks
    for _ in range(1_000):
        desk.thing.append(1)
    time.sleep(0.3)
    assert by.ticks == ticks


def test_changes_by_the_thousand_wake_it_at_most_so_often() -> None:
    by = Counted()
    desk = Desk(by)
    desk.page.hello()
    until(lambda: desk.value() == 0)
    ticks, began = by.ticks, time.monotonic()
    while time.monotonic() - began < 1.0:
        desk.thing.append(1)
        time.sleep(0.0002)
    assert by.ticks - ticks < 60
    until(lambda: desk.value() == desk.thing.value)
    desk.channel.close()
