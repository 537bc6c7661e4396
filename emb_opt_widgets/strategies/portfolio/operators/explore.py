"""Where all surrogates together hope for most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Explore"]


@dataclass(frozen=True, slots=True)
class Explore:
    """As `Blend`, boldly: by what an item may turn out to be, as a surrogate that is not linear tells it.

    Args:
        name: Under which its calls are credited.
        prior: Hits and misses it begins with.
        boldness: Standard deviations added to what is expected of an item; None: the portfolio's.
    """

    name: str = "explore"
    prior: Prior = (1.5, 2.0)
    boldness: float | None = None

    learning: ClassVar[bool] = True
    said: ClassVar[str] = "all models, boldly"

    def propose(self, board: Board, n: int) -> Candidates:
        """The rows with the highest hopes, as a batch."""
        bold = board.boldness if self.boldness is None else self.boldness
        return board.promising(n, bold, variances=board.refining)
