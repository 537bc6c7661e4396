"""Which kernel explains the scores: log marginal likelihood on a subset, climbed over a grid.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), eq. 2.30 (with the prior's scale profiled out)
and section 5.4.2 (leave-one-out).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import matern
from emb_opt_widgets.strategies.portfolio.target import rank_correlation

__all__ = ["CONSTANT", "LENGTH", "NOISE", "QUADRATIC", "SHARE", "Evidence", "Place"]

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
CONSTANT = 0.1
"""Prior variance of the constant."""
_IMPOSSIBLE = -1e9


class Evidence:
    """The likelihood of standardised targets on `n` points, with kernel matrices remembered.

    Args:
        squared: `(n, n)` squared distances, in typical ones.
        grams: `(n, n)` linear Gram matrices, one for each of `QUADRATIC`.
        shares: The values the linear part's share may take.
        floor: The least position in `NOISE`.
    """

    def __init__(self, squared: Float64, grams: Sequence[Float64], shares: Sequence[float], floor: int) -> None:
        self._squared = squared
        self._grams = grams
        self._shares = shares
        self._floor = floor
        self._n = len(squared)
        self._memo: dict[tuple[int, ...], float] = {}
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

    def _factor(self, place: Place) -> Float64:
        noisy = self._matrix(place[0], place[1], place[3]).copy()
        noisy[np.diag_indices(self._n)] += NOISE[place[2]]
        out: Any = np.linalg.cholesky(noisy)
        return np.asarray(out, np.float64)

    def of(self, place: Place, targets: Float64) -> float:
        """Log marginal likelihood for each point."""
        key = tuple(place)
        if key not in self._memo:
            try:
                factor = self._factor(place)
                u = np.linalg.solve(factor, targets)
                misfit = -0.5 * np.log(max(float(u @ u) / self._n, 1e-12))
                self._memo[key] = float(misfit - np.log(np.diag(factor)).mean())
            except np.linalg.LinAlgError:
                self._memo[key] = _IMPOSSIBLE
        return self._memo[key]

    def forget(self) -> None:
        """Another target comes."""
        self._memo = {}

    def search(self, place: Place, targets: Float64, reach: int) -> tuple[Place, float]:
        """The best place near this one, and its likelihood.

        Args:
            place: Where to begin.
            targets: `(n,)`.
            reach: How far share and length may move at a time.
        """
        self.forget()
        starts = [place]
        if reach == 1 and not self._floor:
            starts.append([len(self._shares) - 1, place[1], self._floor, place[3]])
        return max((self._climb(list(start), targets, reach) for start in starts), key=lambda found: found[1])

    def _climb(self, place: Place, targets: Float64, reach: int) -> tuple[Place, float]:
        sizes = (len(self._shares), len(LENGTH), len(NOISE), len(self._grams))
        low = (0, 0, self._floor, 0)
        place = [int(np.clip(v, least, size - 1)) for v, least, size in zip(place, low, sizes)]
        for _ in range(4):
            before = list(place)
            for axis in (2, 0, 1, 3):
                if sizes[axis] == 1 or (axis == 1 and self._shares[place[0]] == 1):
                    continue
                far = reach if axis in (0, 1) else 9
                span = range(max(low[axis], place[axis] - far), min(sizes[axis], place[axis] + far + 1))
                tried = [[*place[:axis], value, *place[axis + 1 :]] for value in span]
                place = max(tried, key=lambda p: self.of(p, targets))
            if place == before:
                break
        return place, self.of(place, targets)

    def left_out(self, place: Place, targets: Float64, scores: Float64) -> float:
        """Rank correlation of leave-one-out predictions with the scores."""
        try:
            inverse: Any = np.linalg.inv(self._factor(place))
        except np.linalg.LinAlgError:
            return -1.0
        inverse = inverse.T @ inverse
        return rank_correlation(targets - inverse @ targets / np.diag(inverse), scores)
