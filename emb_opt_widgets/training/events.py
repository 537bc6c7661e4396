"""What happens in a training, beside what happens in any live thing (created, started, paused, commands, finished).

As for a search, events are the only truth: what is shown is a fold of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from emb_opt_widgets.engine.events import (
    Array,
    Body,
    Commanded,
    Created,
    Finished,
    Paused,
    Resumed,
    Started,
)

__all__ = ["BODIES", "DURABLE", "CacheAged", "Checkpointed", "Evaluated", "Stepped"]


@dataclass(frozen=True, slots=True, eq=False)
class Stepped(Body):
    """A step of the optimiser. `epoch`: epochs gone through by then. Means over its batches; NaN where the loss tells
    no such thing. `skipped`: the gradient was not finite in half precision, and the scale was lowered instead."""

    kind: ClassVar[str] = "stepped"
    step: int
    epoch: int
    loss: float
    interpretable_loss: float
    staleness: float
    lr: float
    skipped: bool


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated(Body):
    """Top-k accuracy on held-out pairs after a step."""

    kind: ClassVar[str] = "evaluated"
    step: int
    ks: Sequence[int]
    accuracy: Array
    n_queries: int
    n_candidates: int


@dataclass(frozen=True, slots=True, eq=False)
class CacheAged(Body):
    """How old the rows of a cache are after a step, in steps of the cache: `counts[i]` of them are at least `edges[i]`
    and less than `edges[i + 1]`. `n_valid` rows hold an item."""

    kind: ClassVar[str] = "cache_aged"
    step: int
    cache: str
    edges: Array
    counts: Array
    n_valid: int


@dataclass(frozen=True, slots=True, eq=False)
class Checkpointed(Body):
    """All that a training needs to go on from here is in a file beside its own, of this number and CRC-32."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    number: int
    crc: int


BODIES: Mapping[str, type[Body]] = {
    body.kind: body
    for body in (Created, Started, Stepped, Evaluated, CacheAged, Checkpointed, Commanded, Paused, Resumed, Finished)
}
DURABLE = frozenset({"created", "started", "resumed", "checkpoint", "command", "paused", "finished"})
