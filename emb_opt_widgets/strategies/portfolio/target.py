"""Scores on a scale on which a Gaussian model makes sense, and rank statistics.

Three monotone maps: the scores themselves, a power transform (Yeo and Johnson, "A new family of power
transformations", 2000), and normal scores of the ranks (van der Waerden, 1952).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TRANSFORMS", "best_first", "in_scores", "rank_correlation", "ranks", "transform"]

Float64 = npt.NDArray[np.float64]
TRANSFORMS = ("raw", "power", "normal")
_POWERS = np.linspace(-2, 4, 25)


def ranks(values: npt.NDArray[Any]) -> Float64:
    """Ranks from 0, `(n,)`; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    out: Float64 = middle[inverse.ravel()]
    return out


def best_first(values: npt.NDArray[Any], k: int) -> npt.NDArray[np.intp]:
    """Positions of the `k` largest values, largest first, ties in their order; sorts no more than it must."""
    at = np.arange(len(values))
    if len(values) > 4 * k:
        at = np.flatnonzero(values >= np.partition(values, len(values) - k)[len(values) - k])
    return at[np.argsort(-values[at], kind="stable")[:k]]


def rank_correlation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Spearman's correlation; 0 where a side is constant or there are fewer than 3 pairs."""
    if len(a) < 3:
        return 0.0
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else 0.0


def transform(scores: Float64, kind: str) -> Float64:
    """Finite scores `(n,)` on the scale of this name: zero mean, unit variance; zeros where they are constant."""
    low, high = (float(v) for v in (scores.min(initial=np.inf), scores.max(initial=-np.inf)))
    spread = high / 2 - low / 2
    if len(scores) < 2 or not spread > 0:
        return np.zeros(len(scores))
    unit = np.clip((scores / 2 - low / 2) / spread, 0, 1)
    if kind == "power":
        unit = _yeo_johnson(unit)
    elif kind == "normal":
        unit = _probit((ranks(scores) + 0.5) / len(scores))
    centred = unit - unit.mean()
    scale = float(centred.std())
    return centred / scale if scale > 1e-12 else np.zeros(len(scores))


def _probit(p: Float64) -> Float64:
    """Normal quantiles, by Winitzki's approximation of the inverse error function."""
    x = 2 * p - 1
    log = np.log1p(-x * x)
    t = 2 / (np.pi * 0.147) + log / 2
    out: Float64 = np.sign(x) * np.sqrt(2 * (np.sqrt(t * t - log / 0.147) - t))
    return out


def _yeo_johnson(values: Float64) -> Float64:
    """The power transform of largest likelihood, about the median."""
    centred = values - np.median(values)
    centred = np.clip(centred / (float(np.abs(centred).mean()) or 1.0), -1e6, 1e6)
    up, down = np.maximum(centred, 0), np.maximum(-centred, 0)
    slope = float((np.sign(centred) * np.log1p(np.abs(centred))).sum())
    best: tuple[float, Float64] | None = None
    for power in _POWERS:
        rise = np.log1p(up) if abs(power) < 1e-9 else ((1 + up) ** power - 1) / power
        fall = np.log1p(down) if abs(power - 2) < 1e-9 else ((1 + down) ** (2 - power) - 1) / (2 - power)
        z = np.where(centred >= 0, rise, -fall)
        variance = float(z.var())
        if not np.isfinite(variance) or variance < 1e-12:
            continue
        likelihood = -0.5 * len(values) * np.log(variance) + (power - 1) * slope
        if best is None or likelihood > best[0]:
            best = likelihood, z
    return centred if best is None else best[1]


def in_scores(targets: Float64, scores: Float64, predicted: npt.NDArray[Any]) -> Float64:
    """Predictions `(m,)` as scores: the inverse of the map that made targets of scores, going on straight above the
    best.

    Args:
        targets: `(n,)`. scores: `(n,)` that they stand for.
        predicted: `(m,)`, on the targets' scale.
    """
    order = np.argsort(targets, kind="stable")
    unit = float(np.abs(scores).max()) or 1.0
    z, y = targets[order], scores[order] / unit
    out: Float64 = np.interp(predicted, z, y)
    rise, run = y[-1] - y[len(y) // 2], z[-1] - z[len(z) // 2]
    above = predicted > z[-1]
    if above.any() and run > 0:
        out[above] = y[-1] + (predicted[above].astype(np.float64) - z[-1]) * (rise / run)
    limit = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        return np.clip(out * unit, -limit, limit)
