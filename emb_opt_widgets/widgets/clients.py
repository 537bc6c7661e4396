"""What the kernel knows of one page that looks at a feed: what it was sent, what it has said to have, what it owes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CREDITS", "Client"]

CREDITS = 2
RETRY = 2.0
GONE = 10.0


@dataclass(slots=True)
class Sent:
    """A message on its way: when it was sent, where the page stands once it has it, the facts that it carried."""

    at: float
    stamps: dict[str, int]
    facts: int | None


@dataclass(slots=True)
class Client:
    """One page.

    Attributes:
        sent, have: Stamps by table: once all that is on its way arrives; as the page has said.
        facts_sent, facts_have: The same of the facts' version; -1: none.
        flying: Messages not acknowledged, by number, oldest first.
        since: How long an acknowledgement is waited for.
        credits: Messages that may be on their way at once.
        tried: It was given its one more try.
        catching: It has just appeared and is not up to date yet.
    """

    sent: dict[str, int]
    have: dict[str, int]
    facts_sent: int = -1
    facts_have: int = -1
    flying: dict[int, Sent] = field(default_factory=dict)
    since: float = 0.0
    credits: int = CREDITS
    tried: bool = False
    catching: bool = True

    def behind(self, clocks: Mapping[str, int], facts: int) -> bool:
        """Whether there is something to tell it that is not on its way."""
        return self.facts_sent != facts or any(self.sent.get(table, 0) < clock for table, clock in clocks.items())

    @property
    def credit(self) -> bool:
        """Whether a message may be sent to it."""
        return len(self.flying) < self.credits

    def overdue(self, now: float) -> bool:
        """Whether it is to be given one more try."""
        return bool(self.flying) and not self.tried and now - self.since >= RETRY

    def gone(self, now: float) -> bool:
        """Whether it is taken for gone."""
        return bool(self.flying) and now - self.since >= GONE

    def due(self) -> float | None:
        """When silence will mean something; None: never."""
        if not self.flying:
            return None
        return self.since + (GONE if self.tried else RETRY)

    def rewind(self) -> None:
        """Take all that is not acknowledged for lost, and allow one message more."""
        self.sent, self.facts_sent = dict(self.have), self.facts_have
        self.credits, self.tried = len(self.flying) + 1, True

    def note(self, n: int, now: float, reached: Mapping[str, int], facts: int | None) -> None:
        """A message was sent.

        Args:
            n: Its number. now: When.
            reached: The stamps it brings the page to.
            facts: The version it carried, or None.
        """
        for table, stamp in reached.items():
            self.sent[table] = max(stamp, self.sent.get(table, 0))
        if facts is not None:
            self.facts_sent = facts
        if not self.flying:
            self.since = now
        self.flying[n] = Sent(now, dict(self.sent), facts)

    def acknowledge(self, n: int, now: float, have: Mapping[str, int]) -> None:
        """The page has drawn message `n`; a table that is not where that message brings it has lost an earlier one."""
        for table, stamp in have.items():
            self.have[table] = max(stamp, self.have.get(table, 0))
        seen = self.flying.get(n)
        if seen is not None:
            for table, stamp in seen.stamps.items():
                if self.have.get(table, 0) < stamp:
                    self.sent[table] = self.have.get(table, 0)
            if seen.facts is not None:
                self.facts_have = max(self.facts_have, seen.facts)
        self.flying = {number: sent for number, sent in self.flying.items() if number > n}
        self.since, self.credits, self.tried = now, CREDITS, False
