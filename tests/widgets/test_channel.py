"""The bridge under loss, doubling and reordering; its rates, credits and silence, in a time of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.widgets.requests import Hello

from .world import World


def greeted(pages: int = 1, rows: int = 10) -> World:
    world = World(pages)
    world.thing.append(rows)
    for page in world.pages:
        page.hello()
    world.run(1.0)
    return world


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 400)),
        st.tuples(st.just("change"), st.lists(st.integers(0, 10_000), min_size=1, max_size=30)),
        st.tuples(st.just("say"), st.text(max_size=5)),
        st.tuples(st.just("time"), st.sampled_from([0.01, 0.1, 0.5, 2.1, 4.0, 11.0])),
        st.tuples(st.just("hello"), st.integers(0, 1)),
        st.tuples(st.just("bye"), st.integers(0, 1)),
        st.tuples(st.sampled_from(["down", "up"]), st.sampled_from(["carry", "lose", "double", "turn", "late"])),
    ),
    max_size=60,
)


def mangle(queue: list[Any], how: str, carry: Any) -> None:
    waiting = queue[:]
    queue.clear()
    if how == "lose":
        waiting = waiting[1:]
    elif how == "double":
        waiting = [message for message in waiting for _ in range(2)]
    elif how == "turn":
        waiting.reverse()
    elif how == "late" and waiting:
        queue.append(waiting.pop(0))
    for message in waiting:
        carry(message)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_whatever_is_lost_doubled_or_reordered_every_copy_converges(steps: list[tuple[str, Any]]) -> None:
    world = World(2)
    world.pages[0].hello()
    for what, how in steps:
        match what:
            case "time":
                world.run(how, carried=False)
            case "hello" | "bye":
                getattr(world.pages[how], what)()
            case "down":
                mangle(world.down, how, lambda message: world.arrive(*message))
            case "up":
                mangle(world.up, how, world.hear)
            case _:
                getattr(world.thing, what)(how)
    world.run(15.0)
    for page in world.pages:
        page.hello()
    world.run(60.0)
    assert world.thing.open == 1
    for page in world.pages:
        assert world.true(page)


@settings(max_examples=50, deadline=None)
@given(lost=st.sets(st.integers(0, 60), max_size=30), slow=st.booleans())
def test_a_page_that_stays_converges_by_itself(lost: set[int], slow: bool) -> None:
    """Without another hello, as long as it does not lose two messages that follow on one another."""
    world, missed, number = greeted(2), set[str](), 0
    for step in range(30):
        world.thing.append(3)
        world.thing.change([step])
        world.run(0.05 if slow else 0.3, carried=False)
        for content, buffers in world._taken(world.down):
            to = {"p0", "p1"} if content["to"] is None else {content["to"]}
            if number in lost and not to & missed:
                missed |= to
            else:
                missed -= to
                world.arrive(content, buffers)
            number += 1
        for message in world._taken(world.up):
            world.hear(message)
    world.run(30.0)
    assert all(world.true(page) for page in world.pages)


def test_two_pages_are_told_the_same_thing_once() -> None:
    world = greeted(2)
    before = len(world.sent)
    world.thing.append(5)
    world.run(1.0)
    news = world.sent[before:]
    assert len(news) == 1 and news[0][1]["to"] is None
    assert all(world.true(page) for page in world.pages)


def test_one_who_comes_later_is_told_all_and_the_other_nothing_twice() -> None:
    world = World(2)
    world.thing.append(3_000)
    world.pages[0].hello()
    world.run(1.0)
    before = world.pages[0].heard
    world.pages[1].hello()
    world.run(1.0)
    assert world.true(world.pages[1]) and world.pages[0].heard == before
    assert world.sent[-1][1]["to"] == "p1"


def test_a_page_that_comes_back_is_told_only_what_it_lacks() -> None:
    world = greeted(2, rows=2_000)
    world.pages[0].bye()
    world.pages[0].away = True
    world.thing.change([1, 2, 3])
    world.run(1.0)
    world.pages[0].away = False
    world.pages[0].hello()
    before = len(world.sent)
    world.run(1.0)
    ((_, content, _),) = world.sent[before:]
    assert content["parts"][0]["base"] > 0 and len(content["parts"]) == 1
    assert world.true(world.pages[0])


def test_no_more_than_two_messages_are_under_way_then_one_more_try_then_silence() -> None:
    world = greeted()
    world.pages[0].silent = True
    began, before = world.now, len(world.sent)
    for _ in range(150):
        world.thing.append(1)
        world.run(0.1)
    times = [at - began for at, _, _ in world.sent[before:]]
    assert len(times) == 3
    assert times[1] < 0.5 and 2.0 <= times[2] <= 2.4
    assert not world.channel.live and world.thing.open == 0
    folds = world.thing.folds
    world.thing.append(1)
    world.run(60.0)
    assert world.thing.folds == folds and len(world.sent) == before + 3 and not world.publisher.busy


def test_a_page_taken_for_gone_that_acknowledges_is_back() -> None:
    world = greeted()
    page = world.pages[0]
    page.silent = True
    world.thing.append(1)
    world.run(12.0)
    assert not world.channel.live
    page.silent = False
    page.ack(world.sent[-1][1]["n"])
    world.run(1.0)
    assert world.channel.live and world.true(page)


def test_a_slow_page_does_not_hold_up_a_quick_one() -> None:
    world = greeted(2)
    world.pages[1].silent = True
    for _ in range(50):
        world.thing.append(1)
        world.run(0.1)
        if world.now > 3:
            assert len(world.pages[0].mirror.tables["rows"]) >= world.thing.rows - 3
    world.run(1.0)
    assert world.true(world.pages[0])


def test_at_most_ten_messages_and_50_kb_a_second_while_live_and_all_of_it_in_the_end() -> None:
    world = greeted(2)
    began = world.now + 1.0
    for _ in range(1_000):
        world.thing.append(80)
        world.run(0.01)
    weights = world.weights(began)
    seconds = world.now - began
    assert 30 < len(weights) <= 10 * seconds + 1
    assert 40_000 * seconds < sum(weight for _, weight in weights) <= 50_000 * seconds + 16_000
    gaps = [b - a for (a, _), (b, _) in pairwise(weights)]
    assert min(gaps) >= 0.1 - 1e-6
    world.run(60.0)
    assert all(world.true(page) for page in world.pages)


def test_a_page_that_has_just_come_catches_up_faster() -> None:
    world = World()
    world.thing.append(200_000)
    world.pages[0].hello()
    world.run(0.2)
    assert world.true(world.pages[0])
    weights = [weight for _, weight in world.weights()]
    assert sum(weights) > 2_000_000 and max(weights) <= 262_144


def test_what_piled_up_is_sent_faster_once_things_rest() -> None:
    world = greeted()
    world.thing.append(300_000)
    world.run(10.0)
    assert world.true(world.pages[0])


def test_a_page_to_which_nothing_happens_costs_nothing() -> None:
    world = greeted()
    world.run(5.0)
    folds, wakes, sent = world.thing.folds, world.wakes, len(world.sent)
    world.run(3_600.0)
    assert (world.thing.folds, len(world.sent)) == (folds, sent) and world.wakes - wakes <= 2
    assert world.channel.live


def test_without_a_page_nothing_is_watched() -> None:
    world = World()
    world.thing.append(10)
    world.run(3_600.0)
    assert (world.thing.watches, world.thing.folds, world.sent) == (0, 0, [])
    world.pages[0].hello()
    world.run(1.0)
    world.pages[0].bye()
    world.run(1.0)
    assert (world.thing.watches, world.thing.open) == (1, 0) and not world.publisher.busy
    world.pages[0].hello()
    world.run(1.0)
    assert world.thing.watches == 2 and world.true(world.pages[0])


def test_the_next_hello_starts_a_new_life() -> None:
    world = greeted()
    first = world.channel.epoch
    world.pages[0].bye()
    world.run(1.0)
    assert world.channel.epoch is None
    world.pages[0].hello()
    world.run(1.0)
    assert world.channel.epoch not in (None, first) and world.true(world.pages[0])


def test_a_failure_is_told_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    world = greeted(2)
    world.thing.broken = ValueError("no <b>such</b> row")
    world.thing.append(1)
    world.run(1.0)
    for page in world.pages:
        assert page.mirror.facts is not None
        assert "ValueError: no <b>such</b> row" in page.mirror.facts["trouble"]
    assert "failed" in caplog.text
    sent = len(world.sent)
    world.run(4.0)
    assert len(world.sent) == sent
    world.thing.broken = None
    world.run(10.0)
    assert all(world.true(page) for page in world.pages)


def test_beats_are_at_most_two_a_second_and_only_when_something_changes() -> None:
    world = greeted()
    world.run(5.0)
    before = world.beats
    for _ in range(100):
        world.thing.append(1)
        world.run(0.1)
    assert 15 <= world.beats - before <= 21
    before = world.beats
    world.run(100.0)
    assert world.beats - before <= 1


def test_a_flood_of_hellos_costs_a_bounded_amount() -> None:
    world = World(0)
    taken = [world.channel.receive(Hello(f"x{i}", None, {})) for i in range(3_000)]
    assert sum(taken) == 1_000
    world.run(0.1)
    assert len(world.channel._clients) == 32


def test_stamps_from_the_future_or_of_unknown_tables_count_as_none() -> None:
    world = greeted(2)
    epoch = world.channel.epoch
    world.channel.receive(Hello("p0", epoch, {"rows": 10**9, "nothing": 3}))
    world.pages[0].mirror.__init__()  # type: ignore[misc]
    world.run(1.0)
    assert world.true(world.pages[0])
