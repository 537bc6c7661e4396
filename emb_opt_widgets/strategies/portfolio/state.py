"""What the strategy remembers from one round to the next, in the events' `memory`: typed here, plain values there."""

from __future__ import annotations

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
    """

    rows: Sequence[int]
    operators: Sequence[str]
    predicted: Mapping[str, Sequence[float]]
    want: int | None = None
    chance: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What this strategy wrote down.

    Attributes:
        skill: By member, rank correlation on batches that it had not seen, and in how many items.
        credit: By operator, hits and misses.
        hyper: By member, what it was found with. weights: By member, how much it was believed.
        plan: Of the last round. last: Its calls; None where they are learnt from.
        troubles: What was left out of the last round, and why.
    """

    skill: Counts = field(default_factory=dict)
    credit: Counts = field(default_factory=dict)
    hyper: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    plan: RoundPlan | None = None
    last: Batch | None = None
    troubles: Sequence[str] = ()

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Memory:
        """From plain values, of this version or an earlier one; nothing where another strategy wrote them."""
        if plain is None or plain.get("by") != _KEY:
            return cls()
        plan, last = plain.get("plan"), plain.get("last")
        return cls(
            skill=plain.get("skill", {}),
            credit=plain.get("credit", {}),
            hyper=plain.get("hyper", {}),
            weights=plain.get("weights", {}),
            plan=None if plan is None else RoundPlan(plan["phase"], plan.get("shares", {}), plan.get("calls")),
            last=None
            if last is None
            else Batch(
                last.get("rows", ()),
                last.get("operators", ()),
                last.get("predicted", {}),
                last.get("want"),
                last.get("chance"),
            ),
            troubles=tuple(plain.get("troubles", ())),
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
        if self.last is not None:
            last = self.last
            out["last"] = {
                "rows": list(last.rows), "operators": list(last.operators),
                "predicted": {name: list(values) for name, values in last.predicted.items()},
            }  # fmt: skip
            out["last"] |= {} if last.want is None else {"want": last.want}
            out["last"] |= {} if last.chance is None else {"chance": list(last.chance)}
        return out | ({"troubles": list(self.troubles)} if self.troubles else {})
