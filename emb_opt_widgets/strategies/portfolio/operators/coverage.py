"""Regions that few calls were spent on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Coverage"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Items of the regions that have few scores for their size.

    Args:
        name: Under which its calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "coverage"
    prior: Prior = (0.3, 4.0)

    learning: ClassVar[bool] = True
    said: ClassVar[str] = "regions with few scores"

    def propose(self, board: Board, n: int) -> Candidates:
        """Free rows, drawn cell by cell."""
        library, blocked, rng = board.library, board.blocked, board.rng
        spent = library.cell[np.append(board.rows, board.pending)]
        counts = np.bincount(spent, minlength=len(library.centres)).astype(float)
        free = np.bincount(library.cell[~blocked], minlength=len(library.centres))
        size = library.cell_size
        if board.doubt is not None:
            size = size - np.bincount(library.cell, np.minimum(board.doubt, 1), len(size)).clip(max=size)
        members: dict[int, list[int]] = {}
        found: dict[int, float] = {}
        while len(found) < n:
            weight = np.where(free > 0, np.sqrt(size), 0) / (1 + counts) ** 2
            if not weight.sum() > 0:
                break
            cell = int(rng.choice(len(weight), p=weight / weight.sum()))
            if cell not in members:
                rows_in = library.members(cell)
                members[cell] = rows_in[~blocked[rows_in]].tolist()
            row = members[cell].pop(int(rng.integers(len(members[cell]))))
            found[row] = float(weight[cell] / weight.sum() / free[cell])
            counts[cell] += 1
            free[cell] -= 1
        return Candidates(np.array(list(found), np.int64), np.array(list(found.values())), blind=True)
