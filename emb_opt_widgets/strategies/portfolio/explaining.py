"""Why an item stands where it does: what each surrogate expects of it, on which scored items that rests, its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.protocols import Opinion, Reasons
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio.beliefs import Learned, learned
from emb_opt_widgets.strategies.portfolio.kernels import covariance, variances
from emb_opt_widgets.strategies.portfolio.library import Library, stable_order
from emb_opt_widgets.strategies.portfolio.moments import expected, of_member
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, without

__all__ = ["reasons_of"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_RANKED = 100_000
"""Items among which a place is counted; of more, it is estimated from so many."""


def reasons_of(surrogates: Sequence[Surrogate], item: int | str, n: int, view: SearchView) -> Reasons | None:
    """As `Explains.explain`.

    Args:
        surrogates: Who is asked. item: Its id. n: Scored items to name. view: The search.
    """

    def told(asked: Sequence[Surrogate]) -> Reasons | None:
        known = learned(asked, view)
        if known is None:
            return None
        row = known.row(item)
        return None if row < 0 else _reasons(known, row, n)

    return without(surrogates, told, Troubles(view.notify))


def _reasons(known: Learned, row: int, n: int) -> Reasons:
    ensemble, library, at = known.ensemble, known.library, np.array([row])
    opinions = []
    for name, member in ensemble.fits.items():
        mean, variance = of_member(member, library, at)
        low, middle, high = (float(member.in_scores(mean + k * np.sqrt(variance))[0]) for k in (-1, 0, 1))
        trust = float(ensemble.trust[name])
        opinions.append(Opinion(name, middle, high / 2 - low / 2, float(ensemble.weights[name]), trust))
    mean, deviation = expected(ensemble, library, at)
    near, alike = _likeness(known, row)
    first = np.argsort(-alike, kind="stable")[: min(n, len(alike))]
    place, of = _place(known, row)
    return Reasons(
        float(mean[0]), float(deviation[0]), tuple(opinions), known.ids(near[first]), alike[first], place, of
    )


def _likeness(known: Learned, row: int) -> tuple[Array, Float64]:
    """Scored rows other than this, and how alike the most believed model finds each: the correlation of what it would
    expect of the two before any score."""
    others = known.scored.rows[np.isfinite(known.scored.gains) & (known.scored.rows != row)]
    leader, library = known.ensemble.leader(), known.library
    if isinstance(leader, Process):
        return others, _correlations(leader, library, row, others)
    a, b = library.block(np.array([row])).astype(np.float64), library.block(others).astype(np.float64)
    return others, np.exp(-((a - b) ** 2).mean(axis=1))


def _correlations(model: Process, library: Library, row: int, others: Array) -> Float64:
    both = model.metric.apply(library.block(np.append(others, row)))
    lengths = model.metric.lengths(both.astype(np.float64))
    place = model.algebra.place
    a, qa = place(both, wide=True), place(lengths, wide=True)
    with_it = model.algebra.host(covariance(model.algebra, model.kernel, a[:-1], qa[:-1], a[-1:], qa[-1:]))[:, 0]
    own = model.algebra.host(variances(model.kernel, a, qa))
    return np.asarray(with_it / np.sqrt(np.maximum(own[:-1] * own[-1], 1e-300)), np.float64)


def _place(known: Learned, row: int) -> tuple[int, int]:
    """Its place, from 1, by what is expected, among the items without a score and itself; and among how many."""
    library = known.library
    free = np.ones(library.n, np.bool_)
    free[known.scored.rows] = False
    free[row] = True
    rows = np.flatnonzero(free)
    looked = rows if len(rows) <= _RANKED else np.union1d(rows[stable_order(rows)[:_RANKED]], [row])
    value = known.ensemble.at(library, looked)
    ahead = int((value > value[np.searchsorted(looked, row)]).sum())
    return 1 + round(ahead * len(rows) / len(looked)), len(rows)
