"""What an operator is where a source can only be asked: it says where to ask next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.operators.operator import Prior

__all__ = ["Asker", "Ground", "Question"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Where to ask.

    Attributes:
        point: `(d,)` in the source's own units.
        reason: A sentence for a person.
        seed: The row of the item that it starts from; -1 for none.
        chance: With what probability that one was drawn.
    """

    point: Array
    reason: str
    seed: int = -1
    chance: float = 1.0


@dataclass(slots=True, eq=False)
class Ground:
    """What was seen of a source that can only be asked, as a small library of its own.

    Attributes:
        library: All that was seen. vectors: `(n, d)` the same in the source's own units. ids: `(n,)`.
        ensemble: The fitted surrogates.
        best: Rows of the best scored items, best first; only what an active node found, as long as there is any.
        unasked: Rows of the most promising items that no query stood at yet; who asks there takes them out.
        rng: The round's random stream.
        reach: How many of these are drawn from.
    """

    library: Library
    vectors: Array
    ids: Array
    ensemble: Ensemble
    best: Array
    unasked: Array
    rng: np.random.Generator
    reach: int

    def draw(self, rows: Array) -> tuple[int, float]:
        """One of the rows (of the best, where there are none), the earlier the likelier, and with what chance."""
        rows = rows[: self.reach] if len(rows) else self.best
        chance = np.exp(-np.arange(len(rows)) / 4.0)
        chance /= chance.sum()
        i = int(self.rng.choice(len(rows), p=chance))
        return int(rows[i]), float(chance[i])

    def scaled(self, row: int) -> Array:
        """`(1, d)` a row's vector, centred and scaled."""
        return self.library.block(np.array([row]))

    def original(self, scaled: Array) -> Array:
        """`(d,)` a scaled vector `(1, d)` in the source's own units."""
        out: Array = self.library.original(scaled)[0]
        return out


@runtime_checkable
class Asker(Protocol):
    """One way to ask. A frozen dataclass; one that also has `propose` and what goes with it is an `Operator`, too."""

    @property
    def name(self) -> str:
        """Under which the calls for what it found are credited; its own in a portfolio."""

    @property
    def prior(self) -> Prior:
        """Hits and misses it begins with."""

    def ask(self, ground: Ground) -> Question:
        """Where to ask next."""
