"""The covariances the surrogates are made of, over numpy arrays and torch tensors alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.linear_algebra import NUMPY, Algebra

__all__ = ["CONSTANT", "Kernel", "covariance", "linear_gram", "lower_gram", "matern", "square_distances", "variances"]

Array = npt.NDArray[Any]

CONSTANT = 0.1
"""Prior variance of the constant."""
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Kernel:
    """A covariance that extrapolates (linear and quadratic features) and refines (Matérn 5/2).

    Attributes:
        share: Of the linear part in the prior variance.
        length: Squared length scale, in typical squared distances.
        quadratic: Weights of the features x, |x|² and the single xⱼ².
    """

    share: float
    length: float
    quadratic: tuple[float, float, float]


def square_distances(a: Any, b: Any) -> Any:
    """Squared Euclidean distances `(n, m)` between the rows of `a (n, d)` and `b (m, d)`."""
    out = a @ b.T
    out *= -2
    out += (a * a).sum(1)[:, None]
    out += (b * b).sum(1)
    return out.clip(min=0)


def matern(squared: Array) -> Array:
    """Matérn 5/2 of scaled squared distances, which are overwritten."""
    squared *= 5
    return NUMPY.matern(squared)


def linear_gram(a: Any, qa: Any, b: Any, qb: Any, weights: tuple[float, float, float]) -> Any:
    """Inner products `(n, m)` of the features x, |x|² (standardised, `qa (n,)` and `qb (m,)`) and the single xⱼ²."""
    d = a.shape[1]
    out = (weights[0] / d * a) @ b.T
    if weights[1]:
        out += (weights[1] * qa)[:, None] * qb
    if weights[2]:
        out += (weights[2] / (2 * d) * (a * a - 1)) @ (b * b - 1).T
    return out


def covariance(algebra: Algebra, kernel: Kernel, a: Any, qa: Any, b: Any, qb: Any) -> Any:
    """Prior covariances `(n, m)` between mapped rows `a (n, d)` and `b (m, d)`, whose squared lengths, standardised,
    are `qa (n,)` and `qb (m,)`."""
    if kernel.share == 1:
        return linear_gram(a, qa, b, qb, kernel.quadratic) + (1 + CONSTANT)
    out = square_distances(a, b)
    out *= 5 / (2 * a.shape[1] * kernel.length)
    out = algebra.matern(out)
    out *= 1 - kernel.share
    out += CONSTANT
    if kernel.share > 0:
        linear = linear_gram(a, qa, b, qb, kernel.quadratic)
        linear += 1
        linear *= kernel.share
        out += linear
    return out


def variances(kernel: Kernel, a: Any, qa: Any) -> Any:
    """Prior variances `(n,)`: the diagonal of `covariance(…, a, qa, a, qa)`."""
    wx, wq, ws = kernel.quadratic
    d = a.shape[1]
    out = (wx / d) * (a * a).sum(1) + wq * qa * qa
    if ws:
        out = out + ws / (2 * d) * ((a * a - 1) ** 2).sum(1)
    return kernel.share * (1 + out) + (1 - kernel.share + CONSTANT)


def lower_gram(
    algebra: Algebra, kernel: Kernel, a: Array, lengths: Array, noise: float, checkpoint: Callable[[], None]
) -> Any:
    """The lower half `(n, n)` of the covariances of mapped rows `a (n, d)` with each other, float64, with the noise on
    the diagonal; what is above is not to be read."""
    n = len(a)
    points, q = algebra.place(a, wide=True), algebra.place(lengths, wide=True)
    out = algebra.place(noise * np.eye(n), wide=True)
    step = max(1, -(-n // _PARTS))
    for i in range(0, n, step):
        checkpoint()
        j = min(i + step, n)
        out[i:j, :j] += covariance(algebra, kernel, points[i:j], q[i:j], points[:j], q[:j])
    return out
