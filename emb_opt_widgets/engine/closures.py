"""What a person's prunes closed: which nodes, and what was known at each of those moments.

Prune means "there": the unscored items most of whose nearest scored items the pruned nodes found are closed, and no
operator proposes them. The region is fixed at the moment of the prune, for one that follows the scores erodes: what is
scored at its edge would open it. So the log need say no more than it does: which rows had an answer then, and which
nodes were pruned, are both folds of it; items are computed from these when somebody asks (`SearchView.closures`).
A node that is restored, or whose prune is undone, is taken out of every moment, and a redo puts it back. Only a
person's prune counts: a pruner ends lineages, the search removes what is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import NodeStatus

__all__ = ["Closures", "Moment"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A moment at which a person pruned.

    Attributes:
        rows: `(n,)` the items that had an answer by then.
        nodes: All nodes that were closed then.
    """

    rows: Rows
    nodes: frozenset[int]


class Closures:
    """The closed nodes, and the moments at which they were closed.

    Attributes:
        nodes: Those that are closed now.
        moments: In order; prunes between which nothing was answered are one.
    """

    def __init__(self) -> None:
        self.nodes: frozenset[int] = frozenset()
        self.moments: list[Moment] = []
        self._opened: dict[str, frozenset[int]] = {}

    def follow(self, body: ev.Commanded, commands: Mapping[str, ev.Commanded], answered: Callable[[], Rows]) -> None:
        """Fold a command in.

        Args:
            body: The command.
            commands: All so far, by id.
            answered: Tells the rows that have an answer.
        """
        shut = frozenset(np.asarray(body.nodes)[np.asarray(body.after) == NodeStatus.PRUNED].tolist())
        back = frozenset(np.asarray(body.nodes)[np.asarray(body.after) == NodeStatus.ACTIVE].tolist()) & self.nodes
        if back:
            self._opened[body.id] = back
            self.nodes -= back
        if not shut:
            return
        if body.name == "prune_node":
            self.nodes |= shut
            self._remember(answered())
        elif body.target is not None:
            pruned = commands[body.target].name == "prune_node"
            self.nodes |= shut if pruned else shut & self._opened.get(body.target, frozenset())

    def _remember(self, rows: Rows) -> None:
        before = self.nodes
        if self.moments and np.array_equal(self.moments[-1].rows, rows):
            before = before | self.moments.pop().nodes
        self.moments.append(Moment(rows, before))

    def in_force(self) -> list[Moment]:
        """The moments with those of their nodes that are still closed, without those that have none left."""
        left = (Moment(moment.rows, moment.nodes & self.nodes) for moment in self.moments)
        return [moment for moment in left if moment.nodes]
