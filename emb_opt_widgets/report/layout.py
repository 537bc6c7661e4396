"""Where the nodes of a query tree stand: rounds from left to right, children beside their parents.

A round's places depend on the rounds before it alone, so a tree that grows does not move what is drawn already,
until it has to be drawn smaller.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["TreeColumns", "columns_of", "places"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class TreeColumns(Protocol):
    """The nodes' columns by name, as `QueryTree` has them."""

    def __getitem__(self, name: str, /) -> Any:
        """One column."""


def columns_of(tree: TreeColumns) -> Int64:
    """`(n,)` the column of every node: its round, and one after its parent's where it has not looked yet."""
    round_ = np.asarray(tree["round"], np.int64).copy()
    parent = np.asarray(tree["parent"], np.int64)
    latest = int(round_.max(initial=-1)) + 1
    for node in np.flatnonzero(round_ < 0):
        before = round_[parent[node]] if parent[node] >= 0 else -1
        round_[node] = min(latest, before + 1)
    return round_


def places(tree: TreeColumns, height: float, gap: float) -> tuple[Int64, Float64]:
    """Columns and heights of all nodes.

    Args:
        tree: With `parent` and `round`; a parent stands before its children.
        height: Of the drawing.
        gap: Wanted between neighbours of a column; less where a column is too full for it.

    Returns:
        `(columns (n,), y (n,))`, y from 0 to `height`.
    """
    column = columns_of(tree)
    parent = np.asarray(tree["parent"], np.int64)
    y = np.zeros(len(column))
    order = np.argsort(column, kind="stable")
    bounds = np.flatnonzero(np.diff(column[order], prepend=-1, append=np.iinfo(np.int64).max))
    for start, stop in pairwise(bounds.tolist()):
        members = order[start:stop]
        apart = min(gap, height / len(members))
        wanted = _wanted(members, parent, y, height, apart)
        rank = np.lexsort((members, wanted))
        y[members[rank]] = _spread(wanted[rank], apart, height)
    return column, y


def _wanted(members: Int64, parent: Int64, y: Float64, height: float, apart: float) -> Float64:
    """Where the nodes of a column would stand if there were room: siblings around their parent, roots evenly."""
    own = parent[members]
    wanted = np.empty(len(members))
    roots = np.flatnonzero(own < 0)
    wanted[roots] = (np.arange(len(roots)) + 0.5) / max(len(roots), 1) * height
    children = np.flatnonzero(own >= 0)
    if len(children):
        by_parent = children[np.argsort(own[children], kind="stable")]
        _, first, count = np.unique(own[by_parent], return_index=True, return_counts=True)
        rank = np.arange(len(by_parent)) - np.repeat(first, count)
        wanted[by_parent] = y[own[by_parent]] + (rank - (np.repeat(count, count) - 1) / 2) * apart
    return wanted


def _spread(wanted: Float64, apart: float, height: float) -> Float64:
    """The nearest places to those wanted (rising) that are `apart`, in least squares: pool adjacent violators."""
    shift = np.arange(len(wanted)) * apart
    blocks: list[tuple[float, int]] = []
    for value in (wanted - shift).tolist():
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    level = np.repeat([t / c for t, c in blocks], [c for _, c in blocks])
    room = max(0.0, height - (len(wanted) - 1) * apart)
    out: Float64 = np.clip(level, 0.0, room) + shift
    return out
