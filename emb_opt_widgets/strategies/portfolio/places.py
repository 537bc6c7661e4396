"""A tree of places: a node is where some of a round's calls lie, a child goes on with the region of its parent.

*Node*: a few of a round's items that lie close together, three on average, at their mean. *Region* of a node: all items
whose nearest scored item it found; so regions split as more is scored, and fade where nothing more is. *Edge*: a node's
parent is the node in whose region most of its items lay when they were proposed (of several, the one that lies
nearest). Who proposed a call is not said by the node but by the call: operator, reason and propensity are the item's
own. What is scored does not depend on any of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import square_distances
from emb_opt_widgets.strategies.portfolio.library import Library

__all__ = ["continued", "grouped"]

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_SIZE = 3
_SIZES = (2, 5)
_WHOLE = 192
"""Items that are grouped together; more are halved first."""
_BLOCK = 8192
_GAIN = 1e-9


def grouped(block: Array) -> list[Int64]:
    """Rows that lie close together: groups of 2 to 5, three a group or a little more on average; fewer than 6 rows are
    one group.

    Begins with the closest triples, and moves and swaps rows while that brings the mean distance to the others of a
    row's group down.

    Args:
        block: `(m, d)`.

    Returns:
        Positions of each group, in order of their first.
    """
    groups = [part for half in _halves(block, np.arange(len(block))) for part in _parts(block, half)]
    return sorted(groups, key=lambda group: int(group[0]))


def _halves(block: Array, rows: Int64) -> Iterator[Int64]:
    if len(rows) <= _WHOLE:
        yield rows
        return
    axis = int(np.argmax(block[rows].var(axis=0)))
    order = rows[np.argsort(block[rows, axis], kind="stable")]
    for half in (order[: len(order) // 2], order[len(order) // 2 :]):
        yield from _halves(block, np.sort(half))


def _parts(block: Array, rows: Int64) -> list[Int64]:
    if len(rows) < 2 * _SIZE:
        return [rows] if len(rows) else []
    points = block[rows].astype(np.float64)
    points -= points.mean(axis=0)
    apart = np.sqrt(square_distances(points, points))
    np.fill_diagonal(apart, 0.0)
    label = _closer(apart, _triples(apart))
    return [rows[label == one] for one in range(int(label.max()) + 1)]


def _triples(apart: Float64) -> Int64:
    """`(m,)` labels: again and again the row whose nearest two are nearest, with these; the last few are one group."""
    label, left, group = np.zeros(len(apart), np.int64), np.arange(len(apart)), 0
    while len(left) >= 2 * _SIZE:
        near = apart[np.ix_(left, left)]
        np.fill_diagonal(near, -1.0)
        order = np.argsort(near, axis=1, kind="stable")[:, :_SIZE]
        best = order[int(np.argmin(np.take_along_axis(near, order, axis=1).sum(axis=1)))]
        label[left[best]] = group
        left, group = np.delete(left, best), group + 1
    label[left] = group
    return label


def _closer(apart: Float64, label: Int64) -> Int64:
    """Labels after all moves and swaps of single rows that bring rows closer to the others of their group."""
    m, n, every = len(label), int(label.max()) + 1, np.arange(len(label))
    label = label.copy()
    for _ in range(4 * m):
        member = np.eye(n)[label]
        size, to = member.sum(axis=0), apart @ member
        own, total = to[every, label], (to * member).sum(axis=0) / 2
        cost = _weight(size) * total
        moved = (_weight(size[label] - 1) * (total[label] - own) - cost[label])[:, None]
        moved = moved + _weight(size + 1) * (total + to) - cost
        moved[size[label] <= _SIZES[0]] = moved[:, size >= _SIZES[1]] = moved[every, label] = np.inf
        change = (to[:, label] - apart - own) * _weight(size)[label]
        swapped = np.where(label[:, None] == label, np.inf, change + change.T)
        if min(moved.min(), swapped.min()) > -_GAIN:
            break
        if moved.min() < swapped.min():
            row, group = np.unravel_index(int(moved.argmin()), moved.shape)
            label[row] = group
        else:
            one, other = np.unravel_index(int(swapped.argmin()), swapped.shape)
            label[[one, other]] = label[[other, one]]
    return label


def _weight(size: Array) -> Float64:
    """What a group's sum of distances is multiplied with: its size over its number of pairs."""
    out: Float64 = 2 / np.maximum(size - 1.0, 1.0)
    return out


def continued(library: Library, rows: Int64, scored: Int64, finders: Int64) -> tuple[Int64, Float64]:
    """The node in whose region each of some rows lies, and how far away its nearest scored item is, squared.

    Args:
        library: What the rows are of.
        rows: `(m,)`.
        scored: `(n,)` scored rows, at least one. finders: `(n,)` the node that found each.
    """
    block = library.block(rows)
    node, least = np.full(len(rows), -1, np.int64), np.full(len(rows), np.inf)
    for start in range(0, len(scored), _BLOCK):
        library.checkpoint()
        apart = square_distances(block, library.block(scored[start : start + _BLOCK]))
        at = apart.argmin(axis=1)
        near = apart[np.arange(len(rows)), at]
        node = np.where(near < least, finders[start + at], node)
        least = np.minimum(near, least)
    return node, least
