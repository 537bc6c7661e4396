"""Filling a batch: which rows are worth a look, which an operator would take, and whose turn each slot is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.ensemble import LINEAR, Ensemble, Member
from emb_opt_widgets.strategies.portfolio.library import Library, stable_order
from emb_opt_widgets.strategies.portfolio.operators import Candidates
from emb_opt_widgets.strategies.portfolio.target import best_first, ranks

__all__ = ["Slot", "acquire", "mix", "screen"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
Slot = tuple[int, str, float]
"""A row, the operator that drew it, and the probability with which its slot went to it."""

_PAIRS = (16_000_000, 5_000_000)
"""Rows times points that a kernel may evaluate in a round, in a small library and in a large one."""
_LARGE = 250_000
_ROOM = (20_000, 10_000)
_ROOM_FOR_ALL = 8_000
"""Rows up to which every model looks at all that are reachable."""
_BEST_OF_EACH = 4_096
_BY_CHANCE = 2_048
_WIDE = 512
_SHORT = 192
_ONE_BY_ONE = 512
"""The largest batch in which every pick is taken as scored before the next."""
_PENDING = 256
_NONE: Array = np.empty(0, np.int64)
_ROUNDING = 1e-7
"""Least noise, in variances: what is below it is not known of a covariance."""


def screen(library: Library, ensemble: Ensemble, rows: Array, gains: Float64, blocked: npt.NDArray[np.bool_]) -> Array:
    """Free rows worth every model's look: those that the first two expect most of, and some by chance.

    Args:
        library: What the rows are of.
        ensemble: Who is asked.
        rows: `(n,)` scored. gains: `(n,)` finite.
        blocked: `(N,)` rows that must not be proposed.
    """
    free = _reachable(library, ensemble, rows, gains, blocked)
    others = ensemble.group(ensemble.refining)
    if len(free) <= _ROOM_FOR_ALL or len(others) < 2 or not ensemble.refining:
        return free
    first = [max(others, key=lambda name: ensemble.weights[name]), *[n for n in ensemble.fits if n not in others]]
    told = [ensemble.fits[name].at(library, free) for name in first]
    total = sum(ensemble.weights[name] for name in first)
    shares = [ensemble.weights[name] / total if total > 0 else 1 / len(first) for name in first]
    told.append(np.asarray(sum(share * mean for share, mean in zip(shares, told))))
    take = np.zeros(len(free), bool)
    for mean in told:
        promise = ensemble.discounted(library, free, mean)
        take[np.argpartition(-promise, _BEST_OF_EACH)[:_BEST_OF_EACH]] = True
    take[stable_order(free + len(rows))[:_BY_CHANCE]] = True
    return free[take]


def _reachable(
    library: Library, ensemble: Ensemble, rows: Array, gains: Float64, blocked: npt.NDArray[np.bool_]
) -> Array:
    """Free rows worth a kernel's evaluation: all, or the linear model's best, the best cells, and around the best.

    Args:
        library: What the rows are of.
        ensemble: Who is asked.
        rows: `(n,)` scored. gains: `(n,)` finite.
        blocked: `(N,)` rows that must not be proposed.
    """
    room = max(_ROOM[library.n > _LARGE], _PAIRS[library.n > _LARGE] // ensemble.n_points)
    if library.n - int(blocked.sum()) <= room:
        return np.flatnonzero(~blocked)
    first = ensemble.fits.get(LINEAR) or next(iter(ensemble.fits.values()))
    promise = ensemble.discounted(library, None, first.everywhere(library))
    promise[blocked] = -np.inf
    take = np.zeros(library.n, bool)
    take[np.argpartition(-promise, room // 2)[: room // 2]] = True
    weights = ensemble.group(ensemble.refining)
    by_cell = np.asarray(sum(w * ensemble.fits[n].predict(library.centres) for n, w in weights.items()))
    best = np.zeros(len(by_cell), bool)
    best[library.cell[rows[best_first(gains, 64)]]] = True
    left = room - room // 2
    for cell in np.argsort(-(ranks(by_cell) + len(by_cell) * best), kind="stable"):
        members = library.members(int(cell))
        members = members[~blocked[members] & ~take[members]]
        if len(members) > left:
            members = members[np.argpartition(-promise[members], left - 1)[:left]]
        take[members] = True
        left -= len(members)
        if left <= 0:
            break
    take[blocked] = False
    return np.flatnonzero(take)


def acquire(
    library: Library, process: Member, rows: Array, mean: Array, b: int, beta: float, rng: np.random.Generator,
    pending: Array = _NONE,
) -> Array:  # fmt: skip
    """Up to `b` of the free `rows`, by upper confidence bound, the variance shrinking as the batch fills: around what
    is picked, and around what is pending, whose scores are taken to be as expected.

    Srinivas et al., "Gaussian Process Optimization in the Bandit Setting" (2010); batches as in Desautels et al.,
    "Parallelizing Exploration-Exploitation Tradeoffs" (2014).

    Args:
        library: What the rows are of.
        process: Whose variances.
        rows: `(m,)`. mean: `(m,)` what is expected of them.
        b: How many. beta: Standard deviations added to a mean.
        rng: Draws half of those whose variance is looked at.
        pending: `(p,)` rows that are being scored; the latest 256 count.
    """
    wide = max(_WIDE, 2 * b)
    if len(rows) > 2 * wide:
        drawn = rng.integers(0, len(rows), wide)
        looked = np.unique(np.concatenate([np.argpartition(-mean, wide)[:wide], drawn]))
        rows, mean = rows[looked], mean[looked]
    m = min(len(rows), max(_SHORT, 2 * b))
    if beta and b < m < len(rows):
        bound = mean + beta * process.deviation_at(library, rows)
        looked = np.argpartition(-bound, m - 1)[:m]
        rows, mean = rows[looked], mean[looked]
    short = np.argpartition(-mean, m - 1)[:m]
    short = short[np.argsort(-mean[short], kind="stable")]
    if beta == 0 or m <= b:
        return rows[short[:b]]
    if b > _ONE_BY_ONE:
        bound = mean[short] + beta * process.deviation_at(library, rows[short])
        return rows[short[np.argsort(-bound, kind="stable")[:b]]]
    looked, pending = rows[short], pending[-_PENDING:]
    block = library.block(np.concatenate([pending, looked]) if len(pending) else looked)
    library.checkpoint()
    return looked[_fill(process, block, mean[short].astype(np.float64), b, beta)]


def _fill(process: Member, block: Array, mean: Float64, b: int, beta: float) -> list[int]:
    """Positions of `b` of the last rows of a block, each chosen as if those before it had been scored: one rank-one
    downdate a pick, and one for each of the rows at the beginning that no `mean` is given for: they are taken first."""
    _, covariance = process.posterior(block)
    taken = len(block) - len(mean)
    mean = np.concatenate([np.full(taken, -np.inf), mean])
    variance, free = np.diag(covariance).copy(), np.arange(len(mean)) >= taken
    noise = max(process.variance * process.noise, _ROUNDING * float(variance.max()))
    down = np.empty((taken + b, len(mean)))
    out: list[int] = []
    for t in range(taken + b):
        bound = mean + beta * np.sqrt(np.maximum(variance, 0))
        j = t if t < taken else int(np.argmax(np.where(free, bound, -np.inf)))
        free[j] = False
        out.append(j)
        column = covariance[:, j] - down[:t, j] @ down[:t]
        down[t] = column / np.sqrt(max(column[j], 0.0) + max(noise, 1e-300))
        variance -= down[t] ** 2
    return [j - taken for j in out[taken:]]


def mix(lists: Mapping[str, Candidates], share: Mapping[str, float], b: int, rng: np.random.Generator) -> list[Slot]:
    """Slot by slot: draw an operator by its share, take its next row that is not taken.

    A slot's probability: over the operators that would have put this row there, the sum of their shares among those
    that still have rows, each times the row's own chance where the operator draws its rows.
    """
    left = {name: listed.rows.tolist()[::-1] for name, listed in lists.items()}
    own = {
        name: np.ones(len(listed.rows)) if listed.chance is None else listed.chance for name, listed in lists.items()
    }
    taken = set[int]()
    out: list[Slot] = []
    while len(out) < b:
        for rows in left.values():
            while rows and rows[-1] in taken:
                rows.pop()
        names = [name for name in left if left[name]]
        if not names:
            break
        chance = np.array([share[name] for name in names])
        chance = chance / chance.sum() if chance.sum() > 0 else np.full(len(names), 1 / len(names))
        name = names[int(rng.choice(len(names), p=chance))]
        row = left[name][-1]
        same = [(part, other) for part, other in zip(chance.tolist(), names) if left[other][-1] == row]
        would = sum(part * float(own[other][-len(left[other])]) for part, other in same)
        taken.add(row)
        out.append((row, name, min(1.0, would)))
    return out
