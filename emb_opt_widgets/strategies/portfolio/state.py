"""What the strategy remembers from one round to the next, in the events' `memory`: typed here, plain values there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Batch", "Memory", "RoundPlan"]

_KEY = "portfolio"
Counts = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """How the last round's calls were shared out.

    Attributes:
        phase: "design" before a model is asked, "model" from then on.
        shares: Each operator's.
        calls: How many there were to share out; None where only hits tell.
    """

    phase: str
    shares: Mapping[str, float]
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The last round's calls, to learn from when their scores are there.

    Attributes:
        rows: Library rows; where the source can only be asked, the search's own rows of items.
        operators: Who drew each.
        predicted: What each member expected of each.
        want: How many of them are to be scored; None once that is chosen.
        chance: With what probability each slot went to its row; None once that is told.
        said: Why, by operator; empty once that is told.
    """

    rows: Sequence[int]
    operators: Sequence[str]
    predicted: Mapping[str, Sequence[float]]
    want: int | None = None
    chance: Sequence[float] | None = None
    said: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Batch | None:
        """From plain values, where there are any."""
        if plain is None:
            return None
        rows, operators, predicted = plain.get("rows", ()), plain.get("operators", ()), plain.get("predicted", {})
        return cls(rows, operators, predicted, plain.get("want"), plain.get("chance"), plain.get("said", {}))

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        predicted = {name: list(values) for name, values in self.predicted.items()}
        out: dict[str, Any] = {"rows": list(self.rows), "operators": list(self.operators), "predicted": predicted}
        out |= {} if self.want is None else {"want": self.want}
        out |= {} if self.chance is None else {"chance": list(self.chance)}
        return out | ({"said": dict(self.said)} if self.said else {})

    def take(self, positions: Sequence[int]) -> Batch:
        """These of its calls."""
        return Batch(
            [self.rows[i] for i in positions],
            [self.operators[i] for i in positions],
            {name: [values[i] for i in positions] for name, values in self.predicted.items()},
        )

    def joined(self, other: Batch | None) -> Batch:
        """With another's calls after its own; NaN where a member was not asked then."""
        if other is None:
            return self
        both, names = (self, other), dict.fromkeys([*self.predicted, *other.predicted])
        return Batch(
            [*self.rows, *other.rows],
            [*self.operators, *other.operators],
            {name: [v for one in both for v in one.predicted.get(name, [math.nan] * len(one.rows))] for name in names},
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """What this strategy wrote down.

    Attributes:
        skill: By member, rank correlation on batches that it had not seen, and in how many items.
        credit: By operator, hits and misses.
        hyper: By member, what it was found with. weights: By member, how much it was believed.
        plan: Of the last round. last: Its calls; None where they are learnt from.
        troubles: What was left out of the last round, and why.
        waiting: Calls of earlier rounds whose scores are still to come.
    """

    skill: Counts = field(default_factory=dict)
    credit: Counts = field(default_factory=dict)
    hyper: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    plan: RoundPlan | None = None
    last: Batch | None = None
    troubles: Sequence[str] = ()
    waiting: Batch | None = None

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Memory:
        """From plain values, of this version or an earlier one; nothing where another strategy wrote them."""
        if plain is None or plain.get("by") != _KEY:
            return cls()
        plan = plain.get("plan")
        return cls(
            skill=plain.get("skill", {}),
            credit=plain.get("credit", {}),
            hyper=plain.get("hyper", {}),
            weights=plain.get("weights", {}),
            plan=None if plan is None else RoundPlan(plan["phase"], plan.get("shares", {}), plan.get("calls")),
            last=Batch.read(plain.get("last")),
            troubles=tuple(plain.get("troubles", ())),
            waiting=Batch.read(plain.get("waiting")),
        )

    def plain(self) -> dict[str, Any]:
        """As plain values; what there is nothing of is left out."""
        out: dict[str, Any] = {"by": _KEY}
        for name in ("skill", "credit"):
            if counts := getattr(self, name):
                out[name] = {key: list(values) for key, values in counts.items()}
        out |= {name: dict(value) for name in ("hyper", "weights") if (value := getattr(self, name))}
        if self.plan is not None:
            out["plan"] = {"phase": self.plan.phase, "shares": dict(self.plan.shares)}
            out["plan"] |= {} if self.plan.calls is None else {"calls": self.plan.calls}
        out |= {name: batch.plain() for name in ("last", "waiting") if (batch := getattr(self, name)) is not None}
        return out | ({"troubles": list(self.troubles)} if self.troubles else {})
