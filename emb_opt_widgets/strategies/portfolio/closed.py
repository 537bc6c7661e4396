"""Which items a person's prunes closed: those most of whose nearest scored items are of pruned nodes.

`SearchView.closures` tells what was known at the moment of each prune; an item is closed where at any of them more than
half of its 15 nearest answered items (Euclidean distance of the vectors as they are) were found by nodes that are
still pruned. With fewer, it lies at the edge: it may be proposed, but what is expected of it counts the less the more
of them there are, and nothing beside a closed one. A pure function of the log, computed when something is pruned, block
by block, and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.status import ItemStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio.kernels import square_distances
from emb_opt_widgets.strategies.portfolio.library import Library, stable_order

__all__ = ["CLOSED", "NEAREST", "count_closed", "count_closed_among", "doubted_among", "doubted_rows", "votes"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Share = npt.NDArray[np.float32]
Closure = tuple[npt.NDArray[np.int64], Mask]

NEAREST = 15
CLOSED = 1.0
"""Halves of the votes above which an item is closed."""
_KEY = "portfolio/closed"
_PAIRS = 4_000_000
"""Distances between two checkpoints."""
_COUNTED = 20_000_000
"""Distances up to which a preview counts; beyond, it estimates from a sample."""


def votes(block: Array, points: Array, inside: Mask) -> Share:
    """`(m,)` the share of the nearest points of each row that is inside, in halves: above 1 it is most of them.

    Args:
        block: `(m, d)`. points: `(n, d)` in the same units.
        inside: `(n,)`.
    """
    n = len(points)
    if n == 0 or not inside.any():
        return np.zeros(len(block), np.float32)
    if n <= NEAREST:
        return np.full(len(block), 2 * inside.mean(), np.float32)
    near = np.argpartition(square_distances(block, points), NEAREST - 1, axis=1)[:, :NEAREST]
    out: Share = 2 * inside[near].mean(axis=1, dtype=np.float32)
    return out


def doubted_rows(view: SearchView, library: Library) -> Share | None:
    """`(N,)` how far each row of a library is closed: not at all at 0, wholly above 1; None where nothing is. One pass
    for each moment, with checkpoints."""
    closures = view.closures()
    if not closures:
        return None
    keys = [(rows.tobytes(), inside.tobytes()) for rows, inside in closures]
    held_keys, held = view.cache.get(_KEY, ([], None))
    if held is None or held_keys != keys[: len(held_keys)] or len(held) != library.n:
        held_keys, held = [], np.zeros(library.n, np.float32)
    out: Share = held.copy()
    for closure in closures[len(held_keys) :]:
        points = _points(closure, view, library)
        for start, block in library.blocks(_step(len(points))):
            part = out[start : start + len(block)]
            open_ = part <= CLOSED
            part[open_] = np.maximum(part[open_], votes(block[open_], points, closure[1]))
    view.cache[_KEY] = keys, out
    return out


def doubted_among(view: SearchView, vectors: Array) -> Share:
    """`(m,)` the same of vectors of the source's units."""
    out = np.zeros(len(vectors), np.float32)
    for closure in view.closures():
        out = np.maximum(out, _votes_among(vectors, closure, view))
    return out


def _votes_among(vectors: Array, closure: Closure, view: SearchView) -> Share:
    rows, inside = closure
    points = view.items()["embedding"][rows].astype(np.float64)
    middle = points.mean(axis=0) if len(points) else 0.0
    out, step = np.zeros(len(vectors), np.float32), _step(len(points))
    for start in range(0, len(vectors), step):
        view.checkpoint()
        block = vectors[start : start + step].astype(np.float64)
        out[start : start + step] = votes(block - middle, points - middle, inside)
    return out


def _step(n: int) -> int:
    return max(64, _PAIRS // max(n, 1))


def _points(closure: Closure, view: SearchView, library: Library) -> Array:
    return library.scaled(view.items()["embedding"][closure[0]])


def count_closed(nodes: Sequence[int], view: SearchView, library: Library, blocked: Mask) -> tuple[int, bool]:
    """How many more rows a prune of these nodes would close.

    Args:
        nodes: To be pruned.
        view: The search.
        library: What the rows are of.
        blocked: `(N,)` rows that do not count: spent, or closed already.

    Returns:
        The number, and whether it was counted; else it is estimated from a sample.
    """
    closure = view.closing(nodes)
    free, most = np.flatnonzero(~blocked), max(NEAREST, _COUNTED // max(len(closure[0]), 1))
    looked = free if len(free) <= most else free[stable_order(free)[:most]]
    points, step, found = _points(closure, view, library), _step(len(closure[0])), 0
    for start in range(0, len(looked), step):
        found += int((votes(library.block(looked[start : start + step]), points, closure[1]) > CLOSED).sum())
    return round(found * len(free) / max(len(looked), 1)), len(looked) == len(free)


def count_closed_among(nodes: Sequence[int], view: SearchView) -> tuple[int, bool]:
    """The same of what was seen and not scored, where a source can only be asked."""
    items = view.items()
    if not items:
        return 0, True
    vectors = items["embedding"][items["status"] < ItemStatus.SCORED]
    open_ = vectors[doubted_among(view, vectors) <= CLOSED]
    return int((_votes_among(open_, view.closing(nodes), view) > CLOSED).sum()), True
