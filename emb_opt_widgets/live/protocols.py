"""What a run drives, as it sees it: protocols. A search and a training each bring a state, and an engine that advances.

Nothing here knows threads; an engine hears of them by its `Pulse` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.live.commands import Command

__all__ = ["Bodies", "Engine", "Fold", "Orders", "Pulse", "Startable"]

Bodies = Sequence[ev.Body]


class Fold(Protocol):
    """A state: the fold of the events.

    Attributes:
        config: The settings as plain values, with a `name`.
        status, reason, ending: Where it stands, and why. until: How far to run, or None.
        commands: Commands that took effect, by id.
    """

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def reason(self) -> str: ...
    @property
    def ending(self) -> str | None: ...
    @property
    def until(self) -> int | None: ...
    @property
    def commands(self) -> Mapping[str, ev.Commanded]: ...
    @property
    def done(self) -> int:
        """Rounds, or steps, that are done."""

    @property
    def begun(self) -> bool:
        """Whether anything has happened yet, also where it never was started."""

    def apply(self, body: ev.Body) -> None:
        """Take in one event."""


class Pulse(Protocol):
    """What an engine may ask of its run while it advances."""

    def may_call(self) -> bool:
        """Whether another call of a user's function may be made; once False, come to rest, or at least to an end."""

    @property
    def halting(self) -> bool:
        """Whether a pause or a stop was asked for."""

    @property
    def pause_after(self) -> int | None:
        """How many rounds, or steps, are to be done before a pause; None: no end."""

    def checkpoint(self) -> None:
        """Raise `Interrupted` where a person has asked for something; what is not yielded yet is given up then."""

    def notify(self, source: str, text: str) -> None:
        """Tell the person something."""


class Engine(Protocol):
    """What goes on, stretch by stretch."""

    def advance(self, pulse: Pulse) -> Iterator[Bodies]:
        """One stretch (the rest of a round, a step): groups of events, each kept and folded before the next is asked
        for."""

    def rest(self, last: ev.Body) -> Iterator[Bodies]:
        """Come to rest: groups of events, of which `last` is the last; none where it cannot rest yet."""

    def verdict(self) -> ev.Body | None:
        """The end, where it is reached between two stretches, or the rest."""

    def reason(self) -> str:
        """Where it stands, and what to do next."""


class Orders(Engine, Protocol):
    """An engine with commands of its own, beside those that every live thing takes."""

    def check(self, command: Command) -> None:
        """Raise `InputError` where this is no command of its own."""

    def apply(self, command: Command, running: bool) -> Iterator[Bodies]:
        """Groups of events of a command; `running`: the engine advances just now.

        Raises:
            InputError, StateError: It does not fit the state; nothing was changed.
        """


class Startable(Orders, Protocol):
    """An engine that can be started.

    Attributes:
        noun: What people call it: "search". unit: What it is asked to do so many of: "rounds".
    """

    @property
    def noun(self) -> str: ...
    @property
    def unit(self) -> str: ...

    def check_start(self, until: int | None) -> None:
        """Raise `StateError` where it cannot go on, to that round or step."""

    def check_step(self) -> None:
        """Raise `StateError` where it can do no single ones."""

    def close(self) -> None:
        """Let go of what it holds, at rest."""

    def stepping(self, until: int | None, count: int) -> ev.Body:
        """What says that it does `count` of them now; `until` is what was asked for before."""
