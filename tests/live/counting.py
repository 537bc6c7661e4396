"""The smallest live thing: it counts. Its state is a number, its one command adds to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.errors import FileError, InputError, StateError
from emb_opt_widgets.live.commands import Command
from emb_opt_widgets.live.protocols import Bodies, Pulse
from emb_opt_widgets.live.run import Run
from emb_opt_widgets.live.steering import Lifecycle
from emb_opt_widgets.live.store import MemoryStore

END = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Counted(ev.Body):
    """One more."""

    kind = "counted"
    number: int


class Count:
    """The fold."""

    def __init__(self) -> None:
        self.config: Mapping[str, Any] = {"name": "counting"}
        self.status, self.reason = RunStatus.READY, "Not started."
        self.ending: str | None = None
        self.until: int | None = None
        self.commands: dict[str, ev.Commanded] = {}
        self.done = 0
        self.seen: list[str] = []

    @property
    def begun(self) -> bool:
        return self.done > 0

    def apply(self, body: ev.Body) -> None:
        self.seen.append(body.kind)
        match body:
            case Counted():
                self.done = body.number
            case ev.Started() | ev.Resumed():
                self.status, self.ending, self.until = RunStatus.RUNNING, None, body.until
            case ev.Paused():
                self.status, self.reason = RunStatus.PAUSED, body.reason
            case ev.Finished():
                ended = {"STOPPED": RunStatus.STOPPED, "FAILED": RunStatus.FAILED}
                self.status, self.ending, self.reason = (
                    ended.get(body.ending, RunStatus.FINISHED), body.ending, body.reason,
                )  # fmt: skip
            case ev.Commanded():
                self.commands[body.id] = body
                self.done += int(body.arguments.get("n", 0)) if body.name == "add" else 0


class Counting:
    """The engine.

    Args:
        state: The fold.
        think: Called with the pulse before each count.
    """

    noun = "counting"
    unit = "counts"

    def __init__(self, state: Count, think: Callable[[Pulse], None] = lambda pulse: None) -> None:
        self._state = state
        self.think = think

    def advance(self, pulse: Pulse) -> Iterator[Bodies]:
        self.think(pulse)
        yield [Counted(self._state.done + 1)]

    def rest(self, last: ev.Body) -> Iterator[Bodies]:
        yield [last]

    def verdict(self) -> ev.Finished | None:
        until = END if self._state.until is None else self._state.until
        return ev.Finished("ROUNDS", "Counted.") if self._state.done >= until else None

    def reason(self) -> str:
        return self._state.reason

    def check(self, command: Command) -> None:
        if command.name != "add":
            raise InputError("This is no command of a counting", expected="add", got=command.name)

    def apply(self, command: Command, running: bool) -> Iterator[Bodies]:
        if command.arguments["n"] < 0:
            raise StateError("It counts upwards")
        yield [command.event()]

    def check_start(self, until: int | None) -> None:
        if until is None and self._state.done >= END:
            raise StateError("It is at its end")

    def check_step(self) -> None:
        pass

    def close(self) -> None:
        pass

    def stepping(self, until: int | None, count: int) -> ev.Body:
        return ev.Resumed(until)


class Steering(Lifecycle[Run[Count, Counting]]):
    """Its commands."""

    def _can_besides(self) -> dict[str, bool]:
        return {"add": True}


class FullDisk(MemoryStore):
    """A store that refuses everything while `full`."""

    full = False

    def append(self, bodies: Sequence[ev.Body], payload: Sequence[tuple[int, Any]] = ()) -> None:
        if self.full:
            raise FileError("The disk is full")
        super().append(bodies, payload)


def counting(think: Callable[[Pulse], None] = lambda pulse: None) -> tuple[Run[Count, Counting], Steering]:
    """A new one, and its commands."""
    state = Count()
    run = Run(Counting(state, think), state, FullDisk())
    return run, Steering(run)
