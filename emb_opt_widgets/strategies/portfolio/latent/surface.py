"""The scores around the best point: a Gaussian process on at most some hundred points, made anew in milliseconds.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), eq. 2.25, 2.26 and 2.30 with the prior's scale
profiled out. Knows nothing of searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Surface", "fitted", "within"]

Float64 = npt.NDArray[np.float64]

_LENGTHS = (0.25, 1.0, 4.0, 16.0, 64.0, 256.0)
"""Squared length scales, in squares of the region's radius."""
_NOISE = (1e-4, 1e-2, 1e-1)
_CONSTANT = 1.0
_STEPS = 20
_STRIDE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A fitted surface; its targets have mean 0 and deviation 1.

    Attributes:
        points: `(n, d)`. squared_length: Of the kernel. factor: `(n, n)` Cholesky factor. weights: `(n,)`.
        deviation: Prior deviation.
    """

    points: Float64
    squared_length: float
    factor: Float64
    weights: Float64
    deviation: float

    def kernel(self, at: Float64, points: Float64) -> Float64:
        """`(m, n)` prior covariance, in squares of the prior deviation."""
        out: Float64 = np.exp(-0.5 * _squared(at, points) / self.squared_length) + _CONSTANT
        return out

    def uphill(self, at: Float64) -> Float64:
        """`(d,)` the gradient of what is expected at one point."""
        apart = at - self.points
        weights = np.exp(-0.5 * np.square(apart).sum(axis=1) / self.squared_length) * self.weights
        out: Float64 = -(weights @ apart) / self.squared_length
        return out

    def summit(self, start: Float64, radius: float, max_norm: float) -> Float64:
        """`(d,)` where an ascent from a point leads, within a radius of it."""
        point = start
        for _ in range(_STEPS):
            slope = self.uphill(point)
            point = point + _STRIDE * radius * slope / max(float(np.linalg.norm(slope)), 1e-12)
            point = start + within((point - start)[None], radius)[0]
            point = within(point[None], max_norm)[0]
        return point

    def best_of(self, pool: Float64, n: int, caution: float, pending: Float64) -> list[int]:
        """The places of `n` points of a pool, one after the other by expectation plus `caution` deviations, where those
        before, and the pending ones `(p, d)`, are taken as they are expected."""
        across = self.kernel(pool, self.points)
        solved = np.linalg.solve(self.factor, across.T)
        variance = np.maximum(1 + _CONSTANT - np.square(solved).sum(axis=0), 1e-9)
        every = np.concatenate([pool, pending])
        down = np.linalg.solve(self.factor, self.kernel(pending, self.points).T) if len(pending) else solved[:, :0]
        learnt: list[Float64] = []
        both = np.concatenate([solved, down], axis=1)
        left = np.maximum(1 + _CONSTANT - np.square(both).sum(axis=0), 1e-9)
        for place in range(len(pool), len(every)):
            left = self._told(every, both, left, place, learnt)
        mean, chosen = across @ self.weights, list[int]()
        for _ in range(min(n, len(pool))):
            variance = left[: len(pool)]
            worth = mean + caution * self.deviation * np.sqrt(variance)
            worth[chosen] = -np.inf
            chosen.append(int(np.argmax(worth)))
            left = self._told(every, both, left, chosen[-1], learnt)
        return chosen

    def _told(self, every: Float64, solved: Float64, left: Float64, place: int, learnt: list[Float64]) -> Float64:
        """The variances `(m,)` that are left once one more point is known."""
        shared = self.kernel(every, every[place : place + 1])[:, 0] - solved.T @ solved[:, place]
        for one in learnt:
            shared = shared - one * one[place]
        learnt.append(shared / np.sqrt(left[place] + 1e-6))
        return np.maximum(left - np.square(learnt[-1]), 1e-9)


def fitted(points: Float64, gains: Float64, radius: float) -> Surface | None:
    """The likeliest surface.

    Args:
        points: `(n, d)`. gains: `(n,)` finite.
        radius: What lengths are measured in.

    Returns:
        None where no kernel fits.
    """
    targets = (gains - gains.mean()) / max(float(gains.std()), 1e-12)
    squared, n = _squared(points, points), len(points)
    best: tuple[float, Surface] | None = None
    for length in _LENGTHS:
        prior = np.exp(-0.5 * squared / (length * radius**2)) + _CONSTANT
        for noise in _NOISE:
            noisy = prior.copy()
            noisy[np.diag_indices(n)] += noise
            try:
                factor: Any = np.linalg.cholesky(noisy)
            except np.linalg.LinAlgError:
                continue
            half = np.linalg.solve(factor, targets)
            scale = max(float(half @ half) / n, 1e-12)
            likelihood = -0.5 * n * np.log(scale) - float(np.log(np.diag(factor)).sum())
            if best is None or likelihood > best[0]:
                weights = np.linalg.solve(factor.T, half)
                best = likelihood, Surface(points, length * radius**2, factor, weights, float(np.sqrt(scale)))
    return None if best is None else best[1]


def within(points: Float64, most: float) -> Float64:
    """`(n, d)` points, those farther than this from 0 drawn back."""
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    out: Float64 = points * np.minimum(1.0, most / np.maximum(norms, 1e-300))
    return out


def _squared(a: Float64, b: Float64) -> Float64:
    out: Float64 = np.maximum(np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T, 0)
    return out
