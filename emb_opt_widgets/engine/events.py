"""What happened, in order: the only truth. Everything else is a fold of these.

A body is frozen and made of plain values and arrays; a field marked `unlogged` travels with the live event
only and can be had again from the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "BODIES",
    "Added",
    "Body",
    "Chosen",
    "Commanded",
    "Created",
    "Event",
    "Filtered",
    "Finished",
    "Looked",
    "Paused",
    "Pruned",
    "QueriesMade",
    "Resumed",
    "RoundEnded",
    "Scored",
    "Started",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Base of all event bodies."""

    kind: ClassVar[str] = ""


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
    """What this round spends score calls on, in order."""

    kind: ClassVar[str] = "chosen"
    round: int
    rows: Array
    propensity: Array | None = None
    memory: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scored(Body):
    """One batch's scores. NaN: not valid, for the reason under the row's place in the batch."""

    kind: ClassVar[str] = "scored"
    rows: Array
    values: Array
    reasons: Mapping[str, str]
    data: Sequence[Any] | None = None
    told: bool = False


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
        Created, Started, QueriesMade, Looked, Added, Filtered, Chosen, Scored, Pruned,
        RoundEnded, Commanded, Paused, Resumed, Finished,
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
        """`created`, `started`, `queries`, `hits`, `added`, `filtered`, `chosen`, `scored`, `pruned`, `round_ended`,
        `command`, `paused`, `resumed` or `finished`."""
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
        from dataclasses import fields

        def plain(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return value.tolist()
            if isinstance(value, (list, tuple)):
                return [plain(v) for v in value]
            return dict(value) if isinstance(value, Mapping) else value

        logged = (f for f in fields(self.body) if not f.metadata.get("unlogged"))
        return {"seq": self.seq, "kind": self.kind, **{f.name: plain(getattr(self.body, f.name)) for f in logged}}
