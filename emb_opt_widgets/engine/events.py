"""What happened, in order: the only truth. Everything else is a fold of these.

A body is frozen and made of plain values and arrays; a field marked `unlogged` travels with the live event
only and can be had again from the source; one marked `sparse` is not stored where it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "BODIES",
    "Added",
    "Body",
    "Chosen",
    "Commanded",
    "Corrected",
    "Created",
    "Event",
    "Filtered",
    "Finished",
    "GivenBack",
    "HandedOut",
    "Looked",
    "Paused",
    "Pruned",
    "QueriesMade",
    "Reopened",
    "Resumed",
    "RoundEnded",
    "Scored",
    "SourceChanged",
    "Started",
    "logged",
]

Array = npt.NDArray[Any]
_SPARSE = {"sparse": True}


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Base of all event bodies."""

    kind: ClassVar[str] = ""


def logged(body: Body) -> dict[str, Any]:
    """The fields of an event that are stored, by name."""
    kept = (f for f in fields(body) if not f.metadata.get("unlogged"))
    values = ((f, getattr(body, f.name)) for f in kept)
    return {f.name: value for f, value in values if not (f.metadata.get("sparse") and value is f.default)}


@dataclass(frozen=True, slots=True, eq=False)
class Created(Body):
    """A search came to be: its configuration, the fingerprint of its source, its seed."""

    kind: ClassVar[str] = "created"
    config: Mapping[str, Any]
    source: Mapping[str, Any]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Started(Body):
    """The engine was asked to run until `until` rounds are done (None: until something else ends it)."""

    kind: ClassVar[str] = "started"
    until: int | None


@dataclass(frozen=True, slots=True, eq=False)
class QueriesMade(Body):
    """New nodes, numbered on from the last one. Every searched active node counts as expanded from here on,
    unless a command made these."""

    kind: ClassVar[str] = "queries"
    round: int
    parents: Array
    embeddings: Array
    operator: Sequence[str]
    reason: Sequence[str]
    propensity: Array
    gradients: Array | None = None
    steps: Array | None = None
    items: Sequence[Array | None] | None = None
    memory: Mapping[str, Any] | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Looked(Body):
    """What the nodes found: item rows, ragged by `offsets`. Rows of items not seen before are numbered on
    from the last one, in the order of `new_ids`."""

    kind: ClassVar[str] = "hits"
    round: int
    nodes: Array
    offsets: Array
    rows: Array
    new_ids: Any
    filtered: bool
    vectors: Array | None = None
    payload: Sequence[Any] | None = None
    embeddings: Array | None = field(default=None, metadata={"unlogged": True})


@dataclass(frozen=True, slots=True, eq=False)
class Added(Body):
    """Items that a person brought (a score told for an item that no query had found)."""

    kind: ClassVar[str] = "added"
    round: int
    new_ids: Any
    vectors: Array | None = None
    payload: Sequence[Any] | None = None
    embeddings: Array | None = field(default=None, metadata={"unlogged": True})


@dataclass(frozen=True, slots=True, eq=False)
class Filtered(Body):
    """The filter's verdicts, once for each item."""

    kind: ClassVar[str] = "filtered"
    rows: Array
    valid: Array
    reasons: Mapping[str, str]
    data: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chosen(Body):
    """What this round spends score calls on, in order; `operator`: what proposed each, where its node does not say it
    ("" where it does), and `reason`, by operator."""

    kind: ClassVar[str] = "chosen"
    round: int
    rows: Array
    propensity: Array | None = None
    memory: Mapping[str, Any] | None = None
    operator: Sequence[str] | None = field(default=None, metadata=_SPARSE)
    reason: Mapping[str, str] | None = field(default=None, metadata=_SPARSE)


@dataclass(frozen=True, slots=True, eq=False)
class Scored(Body):
    """One batch's scores: a measurement of each row. NaN: not valid, for the reason under the row's place in the batch.

    `noise`: standard deviations, NaN where unknown. `cost`: what each cost; None: one call. `paid`: whether the budget
    pays for them.
    """

    kind: ClassVar[str] = "scored"
    rows: Array
    values: Array
    reasons: Mapping[str, str]
    data: Sequence[Any] | None = None
    told: bool = False
    noise: Array | None = field(default=None, metadata=_SPARSE)
    cost: Array | None = field(default=None, metadata=_SPARSE)
    paid: bool = field(default=True, metadata=_SPARSE)


@dataclass(frozen=True, slots=True, eq=False)
class Corrected(Body):
    """New values in place of all that was measured of these rows; costs nothing. A command of the same id follows, and
    its undo brings the old values back."""

    kind: ClassVar[str] = "corrected"
    command: str
    rows: Array
    values: Array
    reasons: Mapping[str, str]
    data: Sequence[Any] | None = None
    noise: Array | None = field(default=None, metadata=_SPARSE)


@dataclass(frozen=True, slots=True, eq=False)
class HandedOut(Body):
    """These rows are being measured: no answer yet, and their cost is reserved.

    `to`: "person" (`ask`) or "worker". `cost`: what is reserved for each; None: one call. `predicted`, `deviation`:
    what the strategy expected of each, in units of the score.
    """

    kind: ClassVar[str] = "handed_out"
    rows: Array
    to: str
    cost: Array | None = field(default=None, metadata=_SPARSE)
    predicted: Array | None = field(default=None, metadata=_SPARSE)
    deviation: Array | None = field(default=None, metadata=_SPARSE)


@dataclass(frozen=True, slots=True, eq=False)
class GivenBack(Body):
    """These rows are not measured after all: free again, nothing paid."""

    kind: ClassVar[str] = "given_back"
    rows: Array
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reopened(Body):
    """Failed rows are open again. `refund`: their failures were an outage's; what they cost is given back."""

    kind: ClassVar[str] = "reopened"
    rows: Array
    reason: str
    refund: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SourceChanged(Body):
    """The source has another fingerprint from here on: it grew, or its order changed. `dropped`: rows that it lost, or
    that stand for something else now, each with the reason."""

    kind: ClassVar[str] = "source_changed"
    source: Mapping[str, Any]
    dropped: Array
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Pruned(Body):
    """Nodes that do not go on. `by`: "search" (nothing left in them) or "pruner"."""

    kind: ClassVar[str] = "pruned"
    nodes: Array
    by: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class RoundEnded(Body):
    """Statistics of the nodes that looked in this round, over all their valid hits."""

    kind: ClassVar[str] = "round_ended"
    round: int
    nodes: Array
    n_valid: Array
    mean: Array
    max: Array
    n_scored: int


@dataclass(frozen=True, slots=True, eq=False)
class Commanded(Body):
    """A person's command with its effect: the nodes it changed and what they were before."""

    kind: ClassVar[str] = "command"
    id: str
    name: str
    arguments: Mapping[str, Any]
    who: str
    note: str
    nodes: Array
    before: Array
    after: Array
    config: Mapping[str, Any] | None = None
    config_before: Mapping[str, Any] | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Paused(Body):
    """The engine came to rest between score batches."""

    kind: ClassVar[str] = "paused"
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Resumed(Body):
    """The engine went on; `until` as in `Started`."""

    kind: ClassVar[str] = "resumed"
    until: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Finished(Body):
    """The search ended; `ending` names how, `reason` says it to a person."""

    kind: ClassVar[str] = "finished"
    ending: str
    reason: str


BODIES: Mapping[str, type[Body]] = {
    body.kind: body
    for body in (
        Created, Started, QueriesMade, Looked, Added, Filtered, Chosen, HandedOut, GivenBack, Reopened, Scored,
        Corrected, Pruned, RoundEnded, Commanded, SourceChanged, Paused, Resumed, Finished,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log. Two events are equal when all but their times are.

    Attributes:
        seq: Place in the log, from 0.
        body: What happened.
        time: When, in seconds since the epoch; kept apart from what must be identical.
    """

    seq: int
    body: Body
    time: float = field(compare=False, default=float("nan"))

    @property
    def kind(self) -> str:
        """`created`, `started`, `queries`, `hits`, `added`, `filtered`, `chosen`, `handed_out`, `given_back`,
        `reopened`, `scored`, `corrected`, `pruned`, `round_ended`, `command`, `source_changed`, `paused`, `resumed`
        or `finished`."""
        return self.body.kind

    @property
    def note(self) -> str:
        """What the person wrote with a command."""
        return self.body.note if isinstance(self.body, Commanded) else ""

    @property
    def who(self) -> str:
        """Who gave a command."""
        return self.body.who if isinstance(self.body, Commanded) else ""

    def to_dict(self) -> dict[str, Any]:
        """The event as plain values, arrays as lists."""

        def plain(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return value.tolist()
            if isinstance(value, (list, tuple)):
                return [plain(v) for v in value]
            return dict(value) if isinstance(value, Mapping) else value

        return {"seq": self.seq, "kind": self.kind, **{name: plain(value) for name, value in logged(self.body).items()}}
