"""What every live thing shares: its thread, its queue, what is told of it, what a full disk leaves waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.errors import FileError, InputError, StateError
from emb_opt_widgets.live.progress import Bar, see_through
from emb_opt_widgets.live.steering import Asked

from .counting import END, counting


def kinds(run: Any) -> list[str]:
    return [event.kind for event in run.store.read()]


def test_a_life():
    run, steer = counting()
    assert run.status is RunStatus.READY and not run.running
    steer.start(5)
    assert run.wait(10) and run.status is RunStatus.FINISHED and run.state.done == 5
    steer.step(3).result(1)
    assert run.wait(10) and run.status is RunStatus.PAUSED and run.state.done == 8
    steer.resume()
    assert run.wait(10) and run.state.done == END
    with pytest.raises(StateError, match="at its end"):
        steer.start()
    with pytest.raises(StateError, match="nothing to pause"):
        steer.pause()


@pytest.mark.parametrize("more", [0, -1, 1.5, "2", True])
def test_how_many_is_checked(more: Any):
    _, steer = counting()
    with pytest.raises(InputError, match="counts"):
        steer.start(more)
    with pytest.raises(InputError, match="n is not usable"):
        steer.step(more)


def test_what_is_asked_between_groups_takes_effect_once():
    run, steer = counting(lambda pulse: time.sleep(0.002))
    steer.start()
    for _ in range(3):
        run.submit("add", {"n": 100}, command_id="a", who="browser")
    with pytest.raises(StateError, match="upwards"):
        run.submit("add", {"n": -1})
    with pytest.raises(InputError, match="no command"):
        run.submit("multiply", {"n": 2})
    with pytest.raises(StateError, match="running already"):
        steer.start()
    steer.pause(Asked(id="p")).result(10)
    assert run.wait(10) and 100 < run.state.done < 200 and kinds(run).count("command") == 2
    assert steer.pause(Asked(id="p")).result(0) == []
    steer.stop().result(0)
    assert run.status is RunStatus.STOPPED


def test_what_it_can():
    run, steer = counting(lambda pulse: time.sleep(0.002))
    assert steer.can() == {
        "start": True, "pause": False, "resume": False, "step": True, "stop": True, "add": True,
    }  # fmt: skip
    steer.start()
    assert {name for name, fits in steer.can().items() if fits} == {"pause", "stop", "add"}
    steer.pause().result(10)
    run.wait(10)
    assert {name for name, fits in steer.can().items() if fits} == {"start", "resume", "step", "stop", "add"}


def test_a_full_disk_loses_nothing():
    run, steer = counting()
    steer.start(3)
    run.wait(10)
    run.store.full = True
    with pytest.raises(FileError):
        steer.start(3)
    assert run.status is RunStatus.FAILED and "full" in run.reason
    run.store.full = False
    steer.start(2)
    assert run.wait(10) and run.state.done == 5 and kinds(run).count("started") == 3


def test_a_disk_that_fills_while_it_runs_loses_nothing():
    run, steer = counting()
    run.listen(lambda bodies: setattr(run.store, "full", run.state.done == 3))
    steer.start(10)
    with pytest.raises(FileError, match="full"):
        see_through(run)
    assert run.state.done == 3 and run.status is RunStatus.FAILED
    run.store.full = False
    run._listeners.clear()
    steer.start(6)
    see_through(run)
    numbers = [event.body.number for event in run.store.read() if event.kind == "counted"]
    assert numbers == list(range(1, len(numbers) + 1)) and run.state.done == numbers[-1] >= 9


def test_what_fails_is_raised_where_the_person_waits():
    def broken(_: Any) -> None:
        raise RuntimeError("mine")

    run, steer = counting(broken)
    steer.start()
    with pytest.raises(RuntimeError, match="mine"):
        see_through(run, Bar(None, "count", lambda: run.state.done, lambda: ""))
    assert run.status is RunStatus.FAILED and run.reason == "mine"


def test_subscribers_hear_every_event_in_order_in_the_runs_thread():
    run, steer = counting()
    heard: list[ev.Event] = []
    threads: set[str] = set()

    def hear(events: Sequence[ev.Event]) -> None:
        heard.extend(events)
        threads.add(threading.current_thread().name)

    end = run.subscribe(hear)
    before = time.time()
    steer.start(4)
    run.wait(10)
    end()
    end()
    steer.start(4)
    run.wait(10)
    kept = list(run.store.read(0, len(heard)))
    assert [(e.seq, e.kind) for e in heard] == [(e.seq, e.kind) for e in kept]
    assert heard[-1].kind == "finished" and all(before <= e.time <= time.time() for e in heard)
    assert threads == {"MainThread", "eow-counting"}


def test_a_subscriber_that_steers_does_not_upset_the_order_for_others():
    run, steer = counting()
    heard: list[int] = []
    run.subscribe(lambda events: run.submit("add", {"n": 10}, command_id="once") if run.state.done == 2 else None)
    run.subscribe(lambda events: heard.extend(event.seq for event in events))
    steer.start(20)
    run.wait(10)
    assert heard == list(range(len(run.store)))
    assert "add" in {command.name for command in run.state.commands.values()}


def test_what_a_subscriber_raises_is_a_notice():
    run, steer = counting()

    def broken(_: Any) -> None:
        raise ValueError("not mine")

    end = run.subscribe(broken)
    steer.start(3)
    run.wait(10)
    (notice,) = run.notices
    assert notice.source == "subscriber" and "ValueError: not mine" in notice.text and notice.count == 5
    end()
    with pytest.raises(InputError, match="function"):
        run.subscribe(3)  # type: ignore[arg-type]


def test_thinking_is_given_up_for_what_a_person_asks_and_begins_anew():
    thinking, begun = threading.Event(), []

    def think(pulse: Any) -> None:
        begun.append(1)
        thinking.set()
        end = time.monotonic() + (5 if len(begun) < 3 else 0)
        while time.monotonic() < end:
            pulse.checkpoint()
            time.sleep(0.005)

    run, steer = counting(think)
    steer.start(1)
    thinking.wait(5)
    asked = time.monotonic()
    run.submit("add", {"n": 0})
    steer.pause().result(5)
    assert run.wait(5) and time.monotonic() - asked < 1.0
    assert run.status is RunStatus.PAUSED and run.state.done == 0 and len(begun) == 2
    assert kinds(run) == ["started", "command", "command", "paused"]
    steer.resume()
    assert run.wait(5) and run.state.done == 1


def test_an_interrupt_pauses_and_at_rest_changes_nothing():
    run, steer = counting(lambda pulse: time.sleep(0.002))
    run.interrupt()
    assert kinds(run) == []
    steer.start()
    run.interrupt()
    assert run.wait(10) and "interrupt" in run.reason and run.state.commands["c1"].who == "keyboard"


def test_settling_tells_whether_it_rests():
    gate = threading.Event()
    thinking = threading.Event()

    def think(_: Any) -> None:
        thinking.set()
        gate.wait(20)

    run, steer = counting(think)
    steer.start(1)
    thinking.wait(5)
    steer.pause()
    began = time.monotonic()
    assert run.settle() is False and time.monotonic() - began < 3
    gate.set()
    assert run.wait(10) and run.settle() is True


def test_closing_a_run_that_ends_by_itself_is_no_error():
    for _ in range(20):
        run, steer = counting()
        steer.start(30)
        run.close()
        assert not run.running
