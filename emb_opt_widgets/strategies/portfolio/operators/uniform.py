"""Chance: each free item as likely as any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Uniform"]


@dataclass(frozen=True, slots=True)
class Uniform:
    """Items by chance, each as likely as any other that is left.

    Args:
        name: Under which its calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "random"
    prior: Prior = (0.1, 6.0)

    learning: ClassVar[bool] = True
    said: ClassVar[str] = "by chance"

    def propose(self, board: Board, n: int) -> Candidates:
        """Free rows, drawn one after the other."""
        blocked, rng = board.blocked, board.rng
        free = len(blocked) - int(blocked.sum())
        n = min(n, free)
        chance = 1.0 / (free - np.arange(n))
        if free <= 0.2 * len(blocked):
            return Candidates(
                rng.choice(np.flatnonzero(~blocked), n, replace=False).astype(np.int64), chance, blind=True
            )
        found: dict[int, None] = {}
        while len(found) < n:
            row = int(rng.integers(len(blocked)))
            if not blocked[row]:
                found[row] = None
        return Candidates(np.array(list(found), np.int64), chance, blind=True)
