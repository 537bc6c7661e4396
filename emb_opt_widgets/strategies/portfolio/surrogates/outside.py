"""Another's fitted surrogate as a member of the ensemble: asked in blocks, and every answer checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import matern, square_distances
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.rows import BLOCK
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Fitted, JointFitted, Observed, SurrogateError
from emb_opt_widgets.strategies.portfolio.target import in_scores

__all__ = ["Outside"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_NEAR = 0.25
"""Squared distance, in mean ones between rows, at which predictions still vary together."""
_TRIED = 64


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """A fitted surrogate that is not one of ours.

    Attributes:
        surrogate: The name of what it was fitted by.
        fitted: What answers.
        targets, scores: `(n,)` what it was fitted to, and the scores they stand for.
        observed: What it was fitted to.
        variance, noise: The scale of a prediction, and the noise of a score in such.
    """

    surrogate: str
    fitted: Fitted
    targets: Float64
    scores: Float64
    observed: Observed
    variance: float = 1.0
    noise: float = 1e-3

    @classmethod
    def tried(cls, surrogate: str, fitted: object, observed: Observed) -> Outside:
        """One that answered about a few scored rows and a few others as it should.

        Raises:
            SurrogateError: It did not.
        """
        if not isinstance(fitted, Fitted):
            raise SurrogateError(
                surrogate, "fitted nothing usable", "left_out, predict, deviation", type(fitted).__name__
            )
        told = fitted.left_out
        if told is not None and not (isinstance(told, (int, float, np.number)) and -1 <= told <= 1):
            raise SurrogateError(surrogate, "told no usable left_out", "None, or a number in -1..1", repr(told))
        out = cls(surrogate, fitted, observed.targets, observed.gains, observed)
        step = max(1, observed.library.n // _TRIED)
        block = observed.library.block(np.concatenate([observed.rows[:_TRIED], np.arange(0, observed.library.n, step)]))
        out.predict(block)
        out.deviation(block)
        return out

    @property
    def left_out(self) -> float | None:
        """As the fitted one says."""
        told = self.fitted.left_out
        return None if told is None else float(told)

    @property
    def hyper(self) -> None:
        """Nothing is kept for its next fit."""

    def predict(self, block: Array) -> Array:
        """Mean `(m,)` of scaled vectors, float32."""
        return self._checked("predict", self._asked("predict", block), len(block))

    def deviation(self, block: Array) -> Array:
        """Standard deviations `(m,)` of scaled vectors, float32."""
        out = self._checked("deviation", self._asked("deviation", block), len(block))
        if (out < 0).any():
            raise SurrogateError(self.surrogate, "told negative deviations", "at least 0", float(out.min()))
        return out

    def at(self, library: Library, rows: Array) -> Array:
        """Mean `(m,)` of these rows, float32."""
        out = np.empty(len(rows), np.float32)
        for i in range(0, len(rows), BLOCK):
            self.observed.checkpoint()
            out[i : i + BLOCK] = self.predict(library.block(rows[i : i + BLOCK]))
        return out

    def deviation_at(self, library: Library, rows: Array) -> Array:
        """Standard deviations `(m,)` of these rows, float32."""
        return self.deviation(library.block(rows))

    def everywhere(self, library: Library) -> Array:
        """Mean `(N,)` of the whole library, float32."""
        out = np.empty(library.n, np.float32)
        for start, block in library.blocks(BLOCK):
            self.observed.checkpoint()
            out[start : start + len(block)] = self.predict(block)
        return out

    def posterior(self, block: Array) -> tuple[Float64, Float64]:
        """Mean `(m,)` and covariance `(m, m)` of few scaled vectors; where it tells none, near ones vary together."""
        if isinstance(self.fitted, JointFitted):
            mean, covariance = self._asked("posterior", block)
            covariance = np.asarray(covariance, np.float64)
            if covariance.shape != (len(block), len(block)) or not np.isfinite(covariance).all():
                expected = f"finite numbers, {(len(block), len(block))}"
                raise SurrogateError(self.surrogate, "told no usable covariance", expected, covariance.shape)
            return self._checked("posterior", mean, len(block)).astype(np.float64), covariance
        b = block.astype(np.float64)
        alike = matern(square_distances(b, b) / (2 * b.shape[1] * _NEAR))
        deviation = self.deviation(block).astype(np.float64)
        return self.predict(block).astype(np.float64), deviation[:, None] * alike * deviation

    def in_scores(self, predicted: Array) -> Float64:
        """Predictions `(m,)` as scores."""
        return in_scores(self.targets, self.scores, predicted)

    def _asked(self, what: str, block: Array) -> Any:
        try:
            return getattr(self.fitted, what)(block)
        except Exception as problem:
            raise SurrogateError(self.surrogate, f"raised in {what}: {type(problem).__name__}: {problem}") from problem

    def _checked(self, what: str, values: Any, n: int) -> Array:
        try:
            out: Array = np.asarray(values, np.float32)
        except (TypeError, ValueError):
            out = np.empty((), np.float32)
        if out.shape != (n,):
            got = f"shape {np.shape(values)}" if hasattr(values, "__len__") else type(values).__name__
            raise SurrogateError(self.surrogate, f"answered {what} with the wrong shape", f"shape ({n},)", got)
        if not np.isfinite(out).all():
            raise SurrogateError(
                self.surrogate, f"answered {what} with NaN or infinity", "finite numbers", "some that are not"
            )
        return out
