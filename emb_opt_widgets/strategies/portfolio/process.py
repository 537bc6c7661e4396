"""One Gaussian process that extrapolates (linear and quadratic features) and refines (Matérn 5/2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import CONSTANT, Kernel, covariance, square_distances, variances
from emb_opt_widgets.strategies.portfolio.library import Library, Metric
from emb_opt_widgets.strategies.portfolio.linear_algebra import NUMPY, Algebra, Factor
from emb_opt_widgets.strategies.portfolio.rows import BLOCK
from emb_opt_widgets.strategies.portfolio.target import in_scores

__all__ = ["Primal", "Process"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
Primal = tuple[Array, Array | None, np.float32, np.float32]
"""A linear part as weights: of x `(d,)`, of the single xⱼ² − 1 `(d,)` or None, of |x|², and the constant."""
_WORK = 4096
"""Of a step, for each of an algebra's `pairs`: see `Process.step`."""
_CHEAP = 64
"""Multiplications that a covariance costs beside those of its distance."""
_PARTS = 4
_REMEMBERED = 2_000_000
"""Items up to which what was predicted of a row is kept."""


@dataclass(eq=False)
class Process:
    """A fitted process over scaled vectors; what it predicts is the standardised target.

    Attributes:
        metric: In which distances are measured.
        points: `(n, d)` float32 mapped rows it was fitted to. lengths: `(n,)` their standardised squared lengths.
        kernel: Its covariance. noise: Beside it, in prior variances.
        alpha: `(n,)`. factor: Of the Gram matrix with the noise. variance: The prior's scale.
        left_out: Rank correlation of its leave-one-out predictions with the scores.
        targets, scores: `(n,)` what it was fitted to, and the scores they stand for.
        hyper: Where in the grids it was found, for the next fit.
        algebra: What computes.
    """

    metric: Metric
    points: Array
    lengths: Float64
    kernel: Kernel
    noise: float
    alpha: Float64
    factor: Factor
    variance: float
    left_out: float
    targets: Float64
    scores: Float64
    hyper: dict[str, Any]
    algebra: Algebra = NUMPY
    primal: Primal | None = None
    """The linear part, where it was fitted to more than the points."""
    _told: dict[str, Array] = field(default_factory=dict)
    _placed: dict[bool, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def gram(self) -> Float64:
        """`(n, n)` covariances of the points, with the noise."""
        lower = self.algebra.host(self.factor.lower)
        return np.asarray(lower @ lower.T)

    @cached_property
    def _linear(self) -> Primal:
        """The linear part as weights."""
        d, linear = self.points.shape[1], self.alpha * self.kernel.share
        wx, wq, ws = self.kernel.quadratic
        weights = (wx / d * (self.points.T @ linear)).astype(np.float32)
        squares = (self.points.astype(np.float64) ** 2 - 1).T @ linear
        return (
            weights,
            (ws / d * squares / 2).astype(np.float32) if ws else None,
            np.float32(wq * float(self.lengths @ linear)),
            np.float32(linear.sum() + CONSTANT * self.alpha.sum()),
        )

    def _mapped(self, block: Any, wide: bool = False) -> tuple[Any, Any]:
        """Scaled vectors `(m, d)` in the metric, and their standardised squared lengths `(m,)`."""
        b = self.algebra.place(block, wide)
        if self.metric.map is not None:
            b = b @ self.algebra.place(self.metric.map, wide)
        return b, ((b * b).sum(1) - self.metric.mean) / self.metric.deviation

    def _own(self, wide: bool) -> tuple[Any, Any, Any]:
        """The points, their lengths and the factor's inverse where it computes."""
        if wide not in self._placed:
            place = self.algebra.place
            self._placed[wide] = place(self.points, wide), place(self.lengths, wide), place(self.factor.inverse, wide)
        points, lengths, inverse = self._placed[wide]
        return points, lengths, inverse

    @cached_property
    def _kernel(self) -> tuple[Any, Any, Any, float]:
        """The kernel part's weights `(n,)`, and what makes five times a row's scaled squared distances: `(d, n)` to
        multiply it with, `(n,)` to add, and the factor of its squared length."""
        per = 5 / (2 * self.points.shape[1] * self.kernel.length)
        own = np.einsum("ij,ij->i", self.points, self.points) * np.float32(per)
        turned = np.ascontiguousarray(self.points.T) * np.float32(-2 * per)
        place = self.algebra.place
        return place((1 - self.kernel.share) * self.alpha), place(turned), place(own), per

    @property
    def step(self) -> int:
        """Rows to look at between two checkpoints."""
        d, pairs = self.points.shape[1], self.algebra.pairs
        row = d if self.kernel.share == 1 else len(self.alpha) * (d + _CHEAP)
        row += 0 if self.metric.map is None else d * d
        return int(np.clip(_WORK * pairs // row, 64, max(BLOCK, pairs >> 8)))

    def predict(self, block: Any) -> Array:
        """Mean `(m,)` of a block of scaled vectors; one step's worth at most."""
        b, lengths = self._mapped(block)
        weights, squares, by_length, constant = self._linear if self.primal is None else self.primal
        place = self.algebra.place
        mean = b @ place(weights) + float(by_length) * lengths + float(constant)
        if squares is not None:
            mean += (b * b - 1) @ place(squares)
        if self.kernel.share < 1:
            mean += self._refined(b)
        return self.algebra.host(mean)

    def _refined(self, b: Any) -> Any:
        """The kernel's part of the mean `(m,)`, by tiles that stay in the cache."""
        alpha, turned, own, per = self._kernel
        out = b[:, 0] * 0
        tile = max(1, self.algebra.pairs // len(self.alpha))
        for i in range(0, len(b), tile):
            part = b[i : i + tile]
            scaled = part @ turned
            scaled += own
            scaled += (per * (part * part).sum(1))[:, None]
            out[i : i + tile] = self.algebra.matern(scaled) @ alpha
        return out

    def gradients(self) -> Float64:
        """Of the mean at each of its points, `(n, d)`, along mapped vectors."""
        a, d = self.points.astype(np.float64), self.points.shape[1]
        share, (wx, wq, ws) = self.kernel.share, self.kernel.quadratic
        linear = self.alpha * share
        by_length = wq * float(self.lengths @ linear) / self.metric.deviation
        out: Float64 = wx / d * (a.T @ linear) + (2 * by_length + ws / d * ((a * a - 1).T @ linear)) * a
        if share < 1:
            per = 5 / (2 * d * self.kernel.length)
            root = np.sqrt(per * square_distances(a, a))
            pull = (1 + root) * np.exp(-root) * (per / 3 * (1 - share) * self.alpha)
            out += pull @ a - pull.sum(axis=1)[:, None] * a
        return out

    def at(self, library: Library, rows: Array) -> Array:
        """Mean `(m,)` of these rows, float32."""
        return self._remembered("mean", library, rows, self.predict)

    def deviation_at(self, library: Library, rows: Array) -> Array:
        """Posterior standard deviations `(m,)` of these rows, float32."""
        library.checkpoint()
        self._own(wide=False)  # inverts the factor, once
        return self._remembered("deviation", library, rows, self.deviation)

    def _remembered(self, what: str, library: Library, rows: Array, of: Callable[[Any], Array]) -> Array:
        """What was computed of rows before, and the others anew, a step at a time."""
        large = library.n > _REMEMBERED
        told = self._told.get(what)
        if told is None:
            told = np.full(0 if large else library.n, np.nan, np.float32)
            self._told[what] = told
        out = np.full(len(rows), np.nan, np.float32) if large else told[rows]
        fresh = np.flatnonzero(np.isnan(out))
        for i in range(0, len(fresh), self.step):
            library.checkpoint()
            part = fresh[i : i + self.step]
            out[part] = of(library.placed(rows[part]))
        if not large:
            told[rows] = out
        return out

    def everywhere(self, library: Library) -> Array:
        """Mean `(N,)` of the whole library, float32."""
        out = np.empty(library.n, np.float32)
        for start, block in library.placed_blocks(self.step):
            library.checkpoint()
            out[start : start + len(block)] = self.predict(block)
        if library.n <= _REMEMBERED:
            self._told["mean"] = out.copy()
        return out

    def posterior(self, block: Any) -> tuple[Float64, Float64]:
        """Mean `(m,)` and covariance `(m, m)` of few scaled vectors."""
        b, qb = self._mapped(block, wide=True)
        a, qa, inverse = self._own(wide=True)
        cross = covariance(self.algebra, self.kernel, b, qb, a, qa)
        own = covariance(self.algebra, self.kernel, b, qb, b, qb)
        told = cross @ inverse.T
        mean = cross @ self.algebra.place(self.alpha, wide=True)
        host = self.algebra.host
        return host(mean), host(self.variance * (own - told @ told.T))

    def deviation(self, block: Any) -> Array:
        """Posterior standard deviations `(m,)` of scaled vectors, float32."""
        b, qb = self._mapped(block)
        a, qa, inverse = self._own(wide=False)
        cross = covariance(self.algebra, self.kernel, b, qb, a, qa)
        left = variances(self.kernel, b, qb)
        step = -(-len(inverse) // _PARTS)
        for i in range(0, len(inverse), step):
            j = min(i + step, len(inverse))
            told = cross[:, :j] @ inverse[i:j, :j].T
            left = left - (told * told).sum(1)
        return np.asarray(self.algebra.host((self.variance * left.clip(min=0)) ** 0.5), np.float32)

    def left_one_out(self) -> tuple[Float64, Float64]:
        """What the others say of each of its points: mean `(n,)` and variance `(n,)`, the noise within it."""
        inverse = self.algebra.host(self.factor.inverse)
        precision: Float64 = np.asarray((inverse * inverse).sum(axis=0), np.float64)
        return self.targets - self.alpha / precision, self.variance / precision

    def in_scores(self, predicted: Array) -> Float64:
        """Predictions `(m,)` as scores: the inverse of the target's map, going on straight above the best."""
        return in_scores(self.targets, self.scores, predicted)
