"""What an ensemble expects of items, and what it makes of scores that are not exact; in units of the gain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Member
from emb_opt_widgets.strategies.portfolio.fit import representative
from emb_opt_widgets.strategies.portfolio.known import imputed
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.process import Process

__all__ = ["believed", "expected", "inexact", "of_member"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]


def expected(ensemble: Ensemble, library: Library, rows: Array) -> tuple[Float64, Float64]:
    """Mean and standard deviation `(m,)` of what a measurement of these rows of the library would gain, NaN for -1."""
    inside = np.flatnonzero(rows >= 0)
    mean, deviation = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if len(inside):
        at = rows[inside]
        each = {name: of_member(member, library, at) for name, member in ensemble.fits.items()}
        mean[inside], deviation[inside] = _in_scores(ensemble, *_mixed(each, ensemble.weights))
    return mean, deviation


def inexact(errors: Float64, noise: float | str | None) -> bool:
    """Whether some of these standard errors `(n,)` are known to be above 0, or are to be estimated."""
    return noise == "estimate" or bool((errors > 0).any())


def believed(ensemble: Ensemble, library: Library, rows: Array, gains: Float64, errors: Float64) -> Float64:
    """Gains `(n,)`, each drawn towards what the others' scores say of it, the more the less exact it is.

    A measured mean y with standard error e, and the expectation m of all models that were not told of it, with variance
    v for a measurement: y + e²/v (m − y). That is the posterior mean of what the item gains without its noise.

    Args:
        ensemble: Fitted to these. library: What the rows are of.
        rows: `(n,)` all that were measured. gains: `(n,)` NaN where a score failed.
        errors: `(n,)` standard errors. NaN: as large as the noise that the models see.
    """
    came = np.isfinite(gains)
    kept = representative(library, rows, imputed(gains))
    inside = np.zeros(len(rows), np.bool_)
    inside[kept] = True
    each = {}
    for name, member in ensemble.fits.items():
        if not isinstance(member, Process):
            continue
        mean, variance = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        mean[kept[came[kept]]], variance[kept[came[kept]]] = member.left_one_out()
        others = np.flatnonzero(came & ~inside)
        if len(others):
            mean[others], variance[others] = of_member(member, library, rows[others])
        each[name] = mean[came], variance[came]
    if not each:
        return gains
    leader = ensemble.fits[max(each, key=lambda name: ensemble.weights[name])]
    middle, sigma = _mixed(each, ensemble.weights)
    mean, deviation = _in_scores(ensemble, middle, sigma)
    _, seen = _in_scores(ensemble, middle, np.full(len(middle), np.sqrt(leader.variance * leader.noise)))
    error = np.where(np.isnan(errors[came]), seen, errors[came])
    part = np.where(error > 0, (error / np.maximum(np.maximum(deviation, error), 1e-300)) ** 2, 0.0)
    out = gains.copy()
    out[came] += part * (mean - gains[came])
    return out


def of_member(member: Member, library: Library, rows: Array) -> tuple[Float64, Float64]:
    """A member's mean and variance `(m,)` of measurements of these rows, on its own scale."""
    deviation = member.deviation_at(library, rows).astype(np.float64)
    return member.at(library, rows).astype(np.float64), deviation**2 + member.variance * member.noise


def _mixed(each: Mapping[str, tuple[Float64, Float64]], weights: Mapping[str, float]) -> tuple[Float64, Float64]:
    """Mean and standard deviation of a mixture of these."""
    total = sum(weights[name] for name in each)
    share = {name: weights[name] / total if total > 0 else 1 / len(each) for name in each}
    mean = np.asarray(sum(share[name] * of[0] for name, of in each.items()))
    spread = sum(share[name] * (variance + (one - mean) ** 2) for name, (one, variance) in each.items())
    return mean, np.sqrt(np.asarray(spread))


def _in_scores(ensemble: Ensemble, mean: Float64, deviation: Float64) -> tuple[Float64, Float64]:
    low, high = ensemble.in_scores(mean - deviation), ensemble.in_scores(mean + deviation)
    return ensemble.in_scores(mean), high / 2 - low / 2
