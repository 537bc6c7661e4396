"""What a prune would do, before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emb_opt_widgets.engine.protocols import Closes
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.errors import failing_as
from emb_opt_widgets.search.commands import check_node
from emb_opt_widgets.search.engine import SearchRun

__all__ = ["PrunePreview", "prune_preview"]


@dataclass(frozen=True, slots=True)
class PrunePreview:
    """What a prune would do; as text, a sentence for a person.

    Attributes:
        nodes: How many active nodes it would make inactive.
        unscored: How many items that are not scored would not be proposed any more; None where the strategy closes no
            region.
        best: The best score among the items that these nodes found first; None where there is none.
        counted: Whether `unscored` was counted; else it is estimated from a sample.
    """

    nodes: int
    unscored: int | None
    best: float | None
    counted: bool = True

    def __str__(self) -> str:
        parts = ["1 node" if self.nodes == 1 else f"{self.nodes:,} nodes"]
        if self.unscored is not None:
            about, items = "" if self.counted else "about ", "item" if self.unscored == 1 else "items"
            parts.append(f"{about}{self.unscored:,} unscored {items}")
        if self.best is not None:
            parts.append(f"best {self.best:.3g}")
        return ", ".join(parts)


def prune_preview(run: SearchRun, nodes: Sequence[int], subtree: bool = True) -> PrunePreview:
    """What a prune of these nodes would do.

    Raises:
        UnknownNodeError: The tree has no such node.
    """
    with run.lock:
        state = run.state
        given = np.array([check_node(state, node) for node in nodes], np.int64)
        within = np.union1d(given, state.descendants(given)) if subtree and len(given) else np.unique(given)
        within = within[state.nodes["status"][within] == NodeStatus.ACTIVE] if len(within) else within
        items, best, unscored, counted = state.items, None, None, True
        if len(items):
            mine = np.isin(items["node"], within) & (items["status"] == ItemStatus.SCORED)
            gains = items["score"][mine] * state.sign
            best = float(gains.max() * state.sign) if len(gains) else None
        parts = run.engine.parts()
        if isinstance(parts.update, Closes) and len(within):
            with failing_as("update"):
                unscored, counted = parts.update.would_close(within.tolist(), parts.view(state))
        return PrunePreview(len(within), unscored, best, counted)
