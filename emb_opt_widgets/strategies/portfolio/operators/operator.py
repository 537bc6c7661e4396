"""What an operator is: it looks at the board and says which rows it would score, in its order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Candidates", "Operator", "Prior"]

Prior = tuple[float, float]
"""Hits and misses that an operator begins with: what is believed of it before it has drawn anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What an operator would score, in its order.

    Attributes:
        rows: `(m,)` library rows, each once, none of them blocked.
        chance: `(m,)` probability of each, where the operator drew it; None where it is certain.
        seeds: `(m,)` the scored row that each was found from; None where there is none.
        surrogates: Those that told how sure they are; empty for all.
        blind: Whether they were proposed whatever is expected of them.
    """

    rows: npt.NDArray[Any]
    chance: npt.NDArray[np.float64] | None = None
    seeds: npt.NDArray[Any] | None = None
    surrogates: tuple[str, ...] = ()
    blind: bool = False

    def as_arrays(self) -> Candidates:
        """The same, with arrays where lists were given."""
        rows = np.asarray(self.rows)
        return replace(
            self,
            rows=rows if rows.size else rows.astype(np.int64),
            chance=None if self.chance is None else np.asarray(self.chance, np.float64),
            seeds=None if self.seeds is None else np.asarray(self.seeds),
        )


@runtime_checkable
class Operator(Protocol):
    """One way to spend calls. A frozen dataclass: configuration only, no state between rounds."""

    @property
    def name(self) -> str:
        """Under which its calls are credited; its own in a portfolio."""

    @property
    def prior(self) -> Prior:
        """Hits and misses it begins with."""

    @property
    def learning(self) -> bool:
        """Whether its calls are as much for what they tell as for what they find: late in a budget they get less."""

    @property
    def said(self) -> str:
        """What a person is told of it, in a few words: "neighbours of the best"."""

    def propose(self, board: Board, n: int) -> Candidates:
        """Up to `n` free rows of the library, those first that it would score first."""
