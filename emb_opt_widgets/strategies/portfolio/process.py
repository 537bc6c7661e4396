"""One Gaussian process that extrapolates (linear and quadratic features) and refines (Matérn 5/2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.evidence import CONSTANT
from emb_opt_widgets.strategies.portfolio.kernels import linear_gram, matern, square_distances
from emb_opt_widgets.strategies.portfolio.library import Library, Metric
from emb_opt_widgets.strategies.portfolio.rows import BLOCK
from emb_opt_widgets.strategies.portfolio.target import in_scores

__all__ = ["Primal", "Process"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
Primal = tuple[Array, Array | None, np.float32, np.float32]
"""A linear part as weights: of x `(d,)`, of the single xⱼ² − 1 `(d,)` or None, of |x|², and the constant."""
_PAIRS = 4_000_000


@dataclass(eq=False)
class Process:
    """A fitted process over scaled vectors; what it predicts is the standardised target.

    Attributes:
        metric: In which distances are measured.
        points: `(n, d)` float32 mapped rows it was fitted to. lengths: `(n,)` their standardised squared lengths.
        share: Of the linear part. length, noise: Of the kernel. quadratic: Weights of the linear features.
        alpha: `(n,)`. gram: `(n, n)` with the noise. variance: The prior's scale.
        left_out: Rank correlation of its leave-one-out predictions with the scores.
        targets, scores: `(n,)` what it was fitted to, and the scores they stand for.
        hyper: Where in the grids it was found, for the next fit.
    """

    metric: Metric
    points: Array
    lengths: Float64
    share: float
    length: float
    noise: float
    quadratic: tuple[float, float, float]
    alpha: Float64
    gram: Float64
    variance: float
    left_out: float
    targets: Float64
    scores: Float64
    hyper: dict[str, Any]
    primal: Primal | None = None
    """The linear part, where it was fitted to more than the points."""

    @cached_property
    def inverse(self) -> Array:
        """Of the Gram matrix; only what needs variances asks for it."""
        out: Array = np.linalg.inv(self.gram)
        return out

    @cached_property
    def _linear(self) -> Primal:
        """The linear part as weights."""
        d, linear = self.points.shape[1], self.alpha * self.share
        wx, wq, ws = self.quadratic
        weights = (wx / d * (self.points.T @ linear)).astype(np.float32)
        squares = (self.points.astype(np.float64) ** 2 - 1).T @ linear
        return (
            weights,
            (ws / d * squares / 2).astype(np.float32) if ws else None,
            np.float32(wq * float(self.lengths @ linear)),
            np.float32(linear.sum() + CONSTANT * self.alpha.sum()),
        )

    @cached_property
    def _kernel(self) -> tuple[Array, Array, Array, np.float32]:
        """The kernel part: its weights, its points transposed, their squared lengths, one over the length scale."""
        return (
            ((1 - self.share) * self.alpha).astype(np.float32),
            np.ascontiguousarray(self.points.T) * np.float32(-2),
            np.einsum("ij,ij->i", self.points, self.points),
            np.float32(1 / (2 * self.points.shape[1] * self.length)),
        )

    @property
    def step(self) -> int:
        """Rows to predict at a time."""
        return BLOCK if self.share == 1 else int(np.clip(_PAIRS // max(len(self.alpha), 1), 256, BLOCK))

    def predict(self, block: Array) -> Array:
        """Mean `(m,)` of a block of scaled vectors; one step's worth at most."""
        weights, squares, by_length, constant = self._linear if self.primal is None else self.primal
        b = self.metric.apply(block)
        mean: Array = b @ weights + by_length * self.metric.lengths(b) + constant
        if squares is not None:
            mean += (b * b - 1) @ squares
        if self.share < 1:
            alpha, turned, own, per = self._kernel
            k = b @ turned
            k += own
            k += np.einsum("ij,ij->i", b, b)[:, None]
            np.maximum(k, 0, out=k)
            k *= per
            mean += matern(k) @ alpha
        return mean

    def gradients(self) -> Float64:
        """Of the mean at each of its points, `(n, d)`, along mapped vectors."""
        a, d = self.points.astype(np.float64), self.points.shape[1]
        linear, (wx, wq, ws) = self.alpha * self.share, self.quadratic
        by_length = wq * float(self.lengths @ linear) / self.metric.deviation
        out: Float64 = wx / d * (a.T @ linear) + (2 * by_length + ws / d * ((a * a - 1).T @ linear)) * a
        if self.share < 1:
            per = 5 / (2 * d * self.length)
            root = np.sqrt(per * square_distances(a, a))
            pull = (1 + root) * np.exp(-root) * (per / 3 * (1 - self.share) * self.alpha)
            out += pull @ a - pull.sum(axis=1)[:, None] * a
        return out

    def at(self, library: Library, rows: Array) -> Array:
        """Mean `(m,)` of these rows, float32."""
        out = np.empty(len(rows), np.float32)
        for i in range(0, len(rows), self.step):
            out[i : i + self.step] = self.predict(library.block(rows[i : i + self.step]))
        return out

    def everywhere(self, library: Library) -> Array:
        """Mean `(N,)` of the whole library, float32."""
        out = np.empty(library.n, np.float32)
        for start, block in library.blocks(self.step):
            out[start : start + len(block)] = self.predict(block)
        return out

    def posterior(self, block: Array) -> tuple[Float64, Float64]:
        """Mean `(m,)` and covariance `(m, m)` of few scaled vectors."""
        b = self.metric.apply(block).astype(np.float64)
        qb = self.metric.lengths(b)
        a = self.points.astype(np.float64)
        cross: Any = CONSTANT
        own: Any = CONSTANT
        if self.share > 0:
            cross = cross + self.share * (1 + linear_gram(b, qb, a, self.lengths, self.quadratic))
            own = own + self.share * (1 + linear_gram(b, qb, b, qb, self.quadratic))
        if self.share < 1:
            per = 2 * a.shape[1] * self.length
            cross = cross + (1 - self.share) * matern(square_distances(b, a) / per)
            own = own + (1 - self.share) * matern(square_distances(b, b) / per)
        return cross @ self.alpha, self.variance * (own - (cross @ self.inverse) @ cross.T)

    def deviation(self, block: Array) -> Array:
        """Posterior standard deviations `(m,)` of scaled vectors, float32."""
        b = self.metric.apply(block)
        qb = self.metric.lengths(b)
        cross = np.full((len(b), len(self.points)), CONSTANT, np.float32)
        own = np.full(len(b), CONSTANT, np.float32)
        if self.share > 0:
            w, d = np.float32(self.share), self.points.shape[1]
            cross += w * (1 + linear_gram(b, qb, self.points, self.lengths.astype(np.float32), self.quadratic))
            square = self.quadratic[0] / d * np.einsum("ij,ij->i", b, b) + self.quadratic[1] * qb * qb
            if self.quadratic[2]:
                square = square + self.quadratic[2] / d * np.einsum("ij,ij->i", b * b - 1, b * b - 1) / 2
            own += w * (1 + square).astype(np.float32)
        if self.share < 1:
            per = np.float32(1 / (2 * b.shape[1] * self.length))
            cross += np.float32(1 - self.share) * matern(square_distances(b, self.points) * per)
            own += np.float32(1 - self.share)
        left = own - np.einsum("ij,ij->i", cross @ self.inverse.astype(np.float32), cross)
        out: Array = np.sqrt(self.variance * np.maximum(left, 0))
        return out

    def in_scores(self, predicted: Array) -> Float64:
        """Predictions `(m,)` as scores: the inverse of the target's map, going on straight above the best."""
        return in_scores(self.targets, self.scores, predicted)
