"""Which kernel explains the scores: log marginal likelihood on a subset, climbed over a grid.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), eq. 2.30 (with the prior's scale profiled out)
and section 5.4.2 (leave-one-out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import CONSTANT, matern
from emb_opt_widgets.strategies.portfolio.linear_algebra import NumpyFactor
from emb_opt_widgets.strategies.portfolio.target import rank_correlation

__all__ = ["LENGTH", "NOISE", "QUADRATIC", "SHARE", "Evidence", "Place"]

Float64 = npt.NDArray[np.float64]
Place = list[int]
"""Positions in the grids `SHARE`, `LENGTH`, `NOISE`, `QUADRATIC`."""

SHARE = (0.0, 0.1, 0.3, 0.6, 0.9)
"""Of the linear part in the prior variance."""
LENGTH = tuple(float(4.0**k) for k in np.arange(-3, 1.01, 0.5))
"""Squared length scales, in typical squared distances."""
NOISE = (1e-6, 1e-4, 1e-3, 5e-3, 0.02, 0.06, 0.15, 0.4, 1.0, 2.5)
QUADRATIC = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.4, 0.3, 0.3))
"""Weights of the features x, |x|² and the single xⱼ²."""
_IMPOSSIBLE = -1e9


class Evidence:
    """The likelihood of standardised targets on `n` points; what was computed is remembered.

    Args:
        squared: `(n, n)` squared distances, in typical ones.
        grams: `(n, n)` linear Gram matrices, one for each of `QUADRATIC`.
        targets: `(n, t)` in columns.
        scores: `(n,)` what they stand for.
        shares: The values the linear part's share may take.
        floor: The least position in `NOISE`.
        checkpoint: Called between the steps of a search.
    """

    def __init__(
        self, squared: Float64, grams: Sequence[Float64], targets: Float64, scores: Float64, shares: Sequence[float],
        floor: int, checkpoint: Callable[[], None],
    ) -> None:  # fmt: skip
        self._squared, self._grams = squared, grams
        self._targets, self._scores = targets, scores
        self._shares, self._floor, self._checkpoint = shares, floor, checkpoint
        self._n = len(squared)
        self._likelihood: dict[tuple[int, ...], Float64] = {}
        self._merit: dict[tuple[int, ...], Float64] = {}
        self._matrices: dict[tuple[int, int, int], Float64] = {}

    def _matrix(self, share: int, length: int, quadratic: int) -> Float64:
        w = self._shares[share]
        key = (share, length if w < 1 else 0, quadratic if w > 0 else 0)
        if key not in self._matrices:
            matrix = np.full((self._n, self._n), CONSTANT)
            if w > 0:
                matrix += w * (1 + self._grams[quadratic])
            if w < 1:
                matrix += (1 - w) * matern(self._squared / LENGTH[length])
            self._matrices[key] = matrix
        return self._matrices[key]

    def _factor(self, place: Place) -> tuple[NumpyFactor, Float64]:
        """The factor, and its inverse times the targets `(t, n)`: both stand in the factor of the matrix that is
        bordered by the targets."""
        n, noise = self._n, NOISE[place[2]]
        whole = n + self._targets.shape[1]
        bordered = np.zeros((whole, whole))
        bordered[:n, :n] = self._matrix(place[0], place[1], place[3])
        bordered[n:, :n] = self._targets.T
        at = np.arange(whole)
        bordered[at[:n], at[:n]] += noise
        bordered[at[n:], at[n:]] = 1 + 2 * float((self._targets**2).sum()) / noise
        lower = np.linalg.cholesky(bordered)
        return NumpyFactor(lower[:n, :n]), lower[n:, :n]

    def of(self, place: Place, target: int) -> float:
        """Log marginal likelihood of a target for each point."""
        key = tuple(place)
        if key not in self._likelihood:
            try:
                factor, u = self._factor(place)
                misfit = -0.5 * np.log(np.maximum((u * u).sum(axis=1) / self._n, 1e-12))
                self._likelihood[key] = misfit - np.log(np.diag(factor.lower)).mean()
            except np.linalg.LinAlgError:
                self._likelihood[key] = np.full(self._targets.shape[1], _IMPOSSIBLE)
        return float(self._likelihood[key][target])

    def search(self, place: Place, target: int, reach: int) -> tuple[Place, float]:
        """The best place near this one for a target, and its likelihood.

        Args:
            place: Where to begin.
            target: Its column.
            reach: How far share and length may move at a time.
        """
        starts = [place]
        if reach == 1 and not self._floor:
            starts.append([len(self._shares) - 1, place[1], self._floor, place[3]])
        return max((self._climb(list(start), target, reach) for start in starts), key=lambda found: found[1])

    def _climb(self, place: Place, target: int, reach: int) -> tuple[Place, float]:
        sizes = (len(self._shares), len(LENGTH), len(NOISE), len(self._grams))
        low = (0, 0, self._floor, 0)
        place = [int(np.clip(v, least, size - 1)) for v, least, size in zip(place, low, sizes)]
        for _ in range(4):
            before = list(place)
            for axis in (2, 0, 1, 3):
                if sizes[axis] == 1 or (axis == 1 and self._shares[place[0]] == 1):
                    continue
                self._checkpoint()
                far = reach if axis in (0, 1) else 9
                span = range(max(low[axis], place[axis] - far), min(sizes[axis], place[axis] + far + 1))
                tried = [[*place[:axis], value, *place[axis + 1 :]] for value in span]
                place = max(tried, key=lambda p: self.of(p, target))
            if place == before:
                break
        return place, self.of(place, target)

    def left_out(self, place: Place, target: int) -> float:
        """Rank correlation of a target's leave-one-out predictions with the scores."""
        key = tuple(place)
        if key not in self._merit:
            self._checkpoint()
            try:
                factor, u = self._factor(place)
                inverse = factor.inverse
                wrong = (inverse.T @ u.T) / (inverse * inverse).sum(axis=0)[:, None]
                told = (self._targets - wrong).T
                self._merit[key] = np.array([rank_correlation(row, self._scores) for row in told])
            except np.linalg.LinAlgError:
                self._merit[key] = np.full(self._targets.shape[1], -1.0)
        return float(self._merit[key][target])
