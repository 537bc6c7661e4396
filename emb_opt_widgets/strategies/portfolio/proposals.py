"""Operators that need no model: unscored neighbours of the best, regions that no call was spent on, and chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import square_distances
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.target import best_first

__all__ = ["Listed", "coverage", "neighbours", "uniform"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_SEEDS = 12
_CELLS = 6
_AMONG = 5


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """What an operator would score, in its order.

    Attributes:
        rows: `(m,)`.
        chance: `(m,)` probability of each, where the operator drew it; None where it is certain.
        seeds: `(m,)` the scored row that each was found from; None where there is none.
    """

    rows: Array
    chance: Float64 | None = None
    seeds: Array | None = None


def neighbours(
    library: Library,
    rows: Array,
    gains: Float64,
    blocked: npt.NDArray[np.bool_],
    b: int,
    rng: np.random.Generator,
    value: Callable[[Array], Array],
) -> Listed:
    """Up to `b` unscored neighbours of the best scored rows, the better the more: of the 5 nearest the most promising.

    Args:
        library: What the rows are of.
        rows: `(n,)` scored. gains: `(n,)` finite.
        blocked: `(N,)` rows that must not be proposed.
        b: How many. rng: Draws the seeds.
        value: Rows to what is expected of them.
    """
    top = rows[best_first(gains, _SEEDS)]
    chance = np.exp(-np.arange(len(top)) / 4.0)
    chance /= chance.sum()
    queues = _queues(library, top, blocked, b)
    pool = np.unique(np.concatenate([*queues, np.empty(0, np.int64)])).astype(np.int64)
    worth = dict(zip(pool.tolist(), value(pool).tolist())) if len(pool) else {}
    left = [queue.tolist() for queue in queues]
    found: list[tuple[int, int, float]] = []
    taken: set[int] = set()
    for i in rng.choice(len(top), size=3 * b, p=chance).tolist() if len(top) else ():
        left[i] = [row for row in left[i] if row not in taken]
        if left[i] and len(found) < b:
            row = max(left[i][:_AMONG], key=lambda r: worth.get(r, 0.0))
            taken.add(row)
            found.append((row, int(top[i]), float(chance[i])))
    return Listed(
        np.array([f[0] for f in found], np.int64), np.array([f[2] for f in found]),
        np.array([f[1] for f in found], np.int64),
    )  # fmt: skip


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


def coverage(library: Library, rows: Array, blocked: npt.NDArray[np.bool_], b: int, rng: np.random.Generator) -> Listed:
    """Up to `b` free rows, drawn from the cells that have few scored `rows` for their size."""
    counts = np.bincount(library.cell[rows], minlength=len(library.centres)).astype(float)
    free = np.bincount(library.cell[~blocked], minlength=len(library.centres))
    members: dict[int, list[int]] = {}
    found: dict[int, float] = {}
    while len(found) < b:
        weight = np.where(free > 0, np.sqrt(library.cell_size), 0) / (1 + counts) ** 2
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
    return Listed(np.array(list(found), np.int64), np.array(list(found.values())))


def uniform(blocked: npt.NDArray[np.bool_], b: int, rng: np.random.Generator) -> Listed:
    """Up to `b` free rows, each as likely as any other that is left."""
    n, free = len(blocked), len(blocked) - int(blocked.sum())
    b = min(b, free)
    chance = 1.0 / (free - np.arange(b))
    if free <= 0.2 * n:
        return Listed(rng.choice(np.flatnonzero(~blocked), b, replace=False).astype(np.int64), chance)
    found: dict[int, None] = {}
    while len(found) < b:
        row = int(rng.integers(n))
        if not blocked[row]:
            found[row] = None
    return Listed(np.array(list(found), np.int64), chance)
