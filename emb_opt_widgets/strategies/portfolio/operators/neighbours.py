"""Unscored neighbours of the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio import plan
from emb_opt_widgets.strategies.portfolio.kernels import square_distances
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior
from emb_opt_widgets.strategies.portfolio.target import best_first

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Neighbours"]

Array = npt.NDArray[Any]

_SEEDS = 12
_CELLS = 6
_AMONG = 5


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Unscored neighbours of the best scored items, the better the more: of the 5 nearest the most promising.

    Args:
        name: Under which its calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "neighbours"
    prior: Prior = (1.0, 3.0)

    learning: ClassVar[bool] = False
    said: ClassVar[str] = "neighbours of the best"

    def propose(self, board: Board, n: int) -> Candidates:
        """Neighbours of what an active node found."""
        n, rng = min(n, plan.LARGEST), board.rng
        fine = np.flatnonzero(np.isfinite(board.gains) & board.open)
        top = board.rows[fine][best_first(board.gains[fine], _SEEDS)]
        chance = np.exp(-np.arange(len(top)) / 4.0)
        chance /= chance.sum()
        queues = _queues(board.library, top, board.blocked, n)
        seen = [queue[: n + _AMONG] for queue in queues]  # no more can be looked at: at most n are taken away
        pool = np.unique(np.concatenate([*seen, np.empty(0, np.int64)])).astype(np.int64)
        worth = dict(zip(pool.tolist(), board.expected(pool).tolist())) if len(pool) else {}
        left = [queue.tolist() for queue in queues]
        found: list[tuple[int, int, float]] = []
        taken: set[int] = set()
        for i in rng.choice(len(top), size=3 * n, p=chance).tolist() if len(top) else ():
            left[i] = [row for row in left[i] if row not in taken]
            if left[i] and len(found) < n:
                row = max(left[i][:_AMONG], key=lambda r: worth.get(r, 0.0))
                taken.add(row)
                found.append((row, int(top[i]), float(chance[i])))
        rows, seeds, odds = ([one[i] for one in found] for i in range(3))
        return Candidates(np.array(rows, np.int64), np.array(odds), np.array(seeds, np.int64))


def _queues(library: Library, top: Array, blocked: npt.NDArray[np.bool_], b: int) -> list[Array]:
    """The free rows nearest to each of `top`, nearest first, from the cells around it."""
    if not len(top):
        return []
    z = library.block(top)
    near = np.argsort(square_distances(z, library.centres), axis=1, kind="stable")[:, :_CELLS]
    wanted, out = 4 * b + 16, []
    for i in range(len(top)):
        rows = np.concatenate([library.members(int(cell)) for cell in near[i]])
        rows = rows[~blocked[rows]]
        far = square_distances(z[i : i + 1], library.block(rows))[0] if len(rows) else np.empty(0)
        if len(rows) > wanted:
            close = np.argpartition(far, 4 * b)[: 4 * b + 1]
            rows, far = rows[close], far[close]
        out.append(rows[np.argsort(far, kind="stable")][:wanted])
    return out
