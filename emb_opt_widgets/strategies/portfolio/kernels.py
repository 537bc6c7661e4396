"""The covariances the surrogates are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["linear_gram", "matern", "square_distances"]

Array = npt.NDArray[Any]


def square_distances(a: Array, b: Array) -> Array:
    """Squared Euclidean distances `(n, m)` between the rows of `a (n, d)` and `b (m, d)`."""
    out: Array = a @ b.T
    out *= -2
    out += np.einsum("ij,ij->i", a, a)[:, None]
    out += np.einsum("ij,ij->i", b, b)
    return np.maximum(out, 0, out=out)


def matern(squared: Array) -> Array:
    """Matérn 5/2 of scaled squared distances, which are overwritten (Rasmussen and Williams, "Gaussian Processes for
    Machine Learning", 2006, eq. 4.17)."""
    squared *= 5
    root = np.sqrt(squared, out=squared)
    out: Array = root * root.dtype.type(1 / 3)
    out += 1
    out *= root
    out += 1
    np.negative(root, out=root)
    out *= np.exp(root, out=root)
    return out


def linear_gram(a: Array, qa: Array, b: Array, qb: Array, weights: tuple[float, float, float]) -> Array:
    """Inner products `(n, m)` of the features x, |x|² (standardised, `qa (n,)` and `qb (m,)`) and the single xⱼ²."""
    d = a.shape[1]
    out: Array = weights[0] / d * (a @ b.T)
    if weights[1]:
        out = out + weights[1] * np.outer(qa, qb)
    if weights[2]:
        out = out + weights[2] / d * ((a * a - 1) @ (b * b - 1).T) / 2
    return out
