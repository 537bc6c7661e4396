"""Around the places that a person branched from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.status import NodeStatus
from emb_opt_widgets.strategies.portfolio.kernels import square_distances
from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior

if TYPE_CHECKING:
    from emb_opt_widgets.engine.view import SearchView
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["PROTECTED", "PROTECTED_ROUNDS", "Branched", "branch_ages", "protected"]

Array = npt.NDArray[Any]

PROTECTED = 0.2
"""Share of the calls that branches have together while they are protected."""
PROTECTED_ROUNDS = 3
"""Rounds for which they are."""
_PLACES = 32
_NEAR = (64, 1024)
_KNOWN = 3
"""Scores around a place from which on models rank what lies there."""


def branch_ages(view: SearchView) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The latest active nodes that branches made, and for how many rounds each has been there."""
    nodes, made = view.nodes(), view.made_by("branch")
    made = made[nodes["status"][made] == NodeStatus.ACTIVE][-_PLACES:] if len(made) else made
    looked = nodes["round"][made].astype(np.int64) if len(made) else made
    return made, np.where(looked < 0, 0, view.round - looked)


def protected(share: Mapping[str, float], ages: npt.NDArray[np.int64]) -> dict[str, float]:
    """Shares of calls that leave a fifth to branches for three rounds; then they have what they earn."""
    mine = share.get(Branched.named, 0.0)
    if Branched.named not in share or mine >= PROTECTED or not (ages < PROTECTED_ROUNDS).any():
        return dict(share)
    rest = (1 - PROTECTED) / (1 - mine)
    return {name: PROTECTED if name == Branched.named else value * rest for name, value in share.items()}


@dataclass(frozen=True, slots=True)
class Branched:
    """What lies around the places of a person's branches: by distance until a few scores are known around a place, then
    by what the surrogates expect. The places take turns.

    A branch is a promise, not an order for a few calls: for three rounds a fifth of the calls is for branches, shared
    by them, then they get what their calls have earned, like any operator's.

    Args:
        name: Under which its calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "branch"
    prior: Prior = (1.0, 3.0)

    named: ClassVar[str] = "branch"
    learning: ClassVar[bool] = False
    said: ClassVar[str] = "around a branch"

    def propose(self, board: Board, n: int) -> Candidates:
        """Free rows around each place in turn."""
        if board.view is None or not n:
            return Candidates(np.empty(0, np.int64))
        nodes, _ = branch_ages(board.view)
        points = board.library.scaled(board.view.nodes()["embedding"][nodes]) if len(nodes) else np.empty((0, 1))
        lists = [self._around(board, apart, n) for apart in _distances(board, points)]
        found: dict[int, None] = {}
        for turn in range(max(map(len, lists), default=0)):
            found.update((listed[turn], None) for listed in lists if turn < len(listed))
        return Candidates(np.array(list(found)[:n], np.int64))

    def _around(self, board: Board, apart: Array, n: int) -> list[int]:
        """The rows near one place, best first."""
        near = np.argpartition(apart, m - 1)[:m] if (m := int(np.clip(4 * n, *_NEAR))) < len(apart) else None
        rows = np.arange(len(apart)) if near is None else near
        known = np.isin(board.rows[np.isfinite(board.gains)], rows).sum()
        free = rows[~board.blocked[rows]]
        if board.ensemble is None or known < _KNOWN or not len(free):
            return [int(row) for row in free[np.argsort(apart[free], kind="stable")]][:n]
        bound = board.expected(free) + board.caution * board.deviation(free)
        return [int(row) for row in free[np.argsort(-bound, kind="stable")]][:n]


def _distances(board: Board, points: Array) -> Array:
    """`(p, N)` squared distances from each place to every row."""
    out = np.empty((len(points), board.library.n), np.float32)
    for start, block in board.library.blocks() if len(points) else ():
        out[:, start : start + len(block)] = square_distances(points, block)
    return out
