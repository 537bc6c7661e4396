"""What all surrogates together expect most of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Blend"]


@dataclass(frozen=True, slots=True)
class Blend:
    """What all surrogates together, each by its weight, expect most of.

    Args:
        name: Under which its calls are credited.
        prior: Hits and misses it begins with.
        caution: Standard deviations added to what is expected of an item; None: the portfolio's.
    """

    name: str = "blend"
    prior: Prior = (6.0, 2.0)
    caution: float | None = None

    learning: ClassVar[bool] = False
    said: ClassVar[str] = "all models"

    def propose(self, board: Board, n: int) -> Candidates:
        """The most promising rows, as a batch."""
        return board.promising(n, board.caution if self.caution is None else self.caution)
