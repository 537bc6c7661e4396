"""What a feed can show: the protocol between the bridge and a live object (a search, a training)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.widgets.requests import Schema
from emb_opt_widgets.widgets.tables import Table

__all__ = ["Answer", "Live", "Watch"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an ask is answered: plain JSON without NaN, and buffers."""

    data: Mapping[str, Any]
    buffers: list[bytes] = field(default_factory=list)


class Watch(Protocol):
    """A live object being watched: its tables, kept up to date for as long as a page looks. Used by one thread."""

    tables: Mapping[str, Table]

    def fold(self) -> Mapping[str, Any]:
        """Bring the tables up to date; returns the facts, plain JSON without NaN. Quick, whatever has happened."""

    def close(self) -> None:
        """Stop listening."""


class Live(Protocol):
    """A live object that pages may watch and steer.

    Attributes:
        kind: "search" or "training".
        commands, asks: The arguments of what it takes, by name.
    """

    kind: str
    commands: Mapping[str, Schema]
    asks: Mapping[str, Schema]

    def watch(self, changed: Callable[[], None]) -> Watch:
        """Begin to listen; `changed` is to be called, from any thread, whenever there is something to fold."""

    def command(self, name: str, arguments: Mapping[str, Any], asked: Asked) -> Future[dict[str, Any]]:
        """Do what a page asks, at most once for each `asked.id`; quick, the future tells when it took effect.

        Returns:
            What the reply carries beside `ok`.

        Raises:
            EmbOptError: It does not fit.
        """

    def notify(self, source: str, text: str) -> None:
        """Tell the person something, in Python and on all pages; from any thread."""

    def ask(self, what: str, arguments: Mapping[str, Any]) -> Answer:
        """Answer a question; may take its time.

        Raises:
            EmbOptError: It cannot be answered.
        """
