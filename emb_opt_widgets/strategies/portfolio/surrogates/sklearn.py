"""Any scikit-learn regressor as a surrogate."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError, needing
from emb_opt_widgets.strategies.portfolio.library import stable_order
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Observed
from emb_opt_widgets.strategies.portfolio.target import rank_correlation

__all__ = ["Regressor", "SklearnSurrogate"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
_LEAST = 1e-6


class Regressor(Protocol):
    """What scikit-learn calls a regressor."""

    def fit(self, X: Any, y: Any, /) -> Any:
        """Fit to vectors `(n, d)` and values `(n,)`."""

    def predict(self, X: Any, /) -> Any:
        """Values `(m,)` of vectors `(m, d)`."""


@dataclass(frozen=True, slots=True)
class SklearnSurrogate:
    """A scikit-learn regressor, or what behaves like one (LightGBM's, XGBoost's).

    How far it is off is told by its estimators where it has a list of them (forests, bagging), by
    `predict(…, return_std=True)` where it can (Gaussian processes, Bayesian ridge), else by what it left out.

    Args:
        estimator: Never fitted itself: copies of it are. Where `random_state` is None, it follows the search's seed.
        name: Under which it is believed; by default the estimator's class.
        folds: Parts of the scored items that are left out, one after the other, to see how well it predicts.

    Raises:
        InputError: No estimator, its class, or less than two folds.
    """

    estimator: Regressor
    name: str = ""
    folds: int = 3

    def __post_init__(self) -> None:
        fine = not isinstance(self.estimator, type) and all(
            callable(getattr(self.estimator, name, None)) for name in ("fit", "predict", "get_params")
        )
        if not fine:
            raise InputError(
                "estimator is not usable",
                expected="a regressor: RandomForestRegressor()",
                got=f"{self.estimator!r:.80}",
            )
        if isinstance(self.folds, bool) or not isinstance(self.folds, int) or self.folds < 2:
            raise InputError("folds is not usable", expected="a whole number of at least 2", got=repr(self.folds))
        object.__setattr__(self, "name", self.name or type(self.estimator).__name__)

    def fit(self, observed: Observed) -> FittedRegressor:
        """Fit once to all, and once without each fold."""
        vectors, targets = observed.vectors, observed.targets
        rng = observed.rng(f"surrogate/{self.name}")
        left_out = np.zeros(len(targets))
        order = stable_order(observed.rows)
        for fold in range(self.folds):
            out = order[fold :: self.folds]
            kept = np.setdiff1d(order, out)
            if len(kept) and len(out):
                observed.checkpoint()
                left_out[out] = np.ravel(self._copy(rng).fit(vectors[kept], targets[kept]).predict(vectors[out]))
        observed.checkpoint()
        whole = self._copy(rng).fit(vectors, targets)
        off = float(np.sqrt(np.mean((left_out - targets) ** 2))) if len(targets) else 1.0
        return FittedRegressor(whole, rank_correlation(left_out, observed.gains), off)

    def _copy(self, rng: np.random.Generator) -> Any:
        with needing("SklearnSurrogate", "demo"):
            from sklearn.base import clone
        out = clone(self.estimator)
        unset = [key for key, value in out.get_params().items() if key.endswith("random_state") and value is None]
        return out.set_params(**{key: int(rng.integers(2**31)) for key in unset}) if unset else out


@dataclass(frozen=True, slots=True, eq=False)
class FittedRegressor:
    """A fitted regressor.

    Attributes:
        regressor: What answers. left_out: As in `Fitted`.
        off: Root mean square of what it was off where it was left out.
    """

    regressor: Any
    left_out: float
    off: float

    def predict(self, vectors: npt.NDArray[np.float32]) -> Array:
        """Mean `(m,)` of vectors."""
        return np.ravel(self.regressor.predict(vectors))

    def deviation(self, vectors: npt.NDArray[np.float32]) -> Array:
        """Standard deviation `(m,)` of vectors."""
        parts = getattr(self.regressor, "estimators_", None)
        if isinstance(parts, list) and len(parts) > 1:
            columns = getattr(self.regressor, "estimators_features_", None) or [slice(None)] * len(parts)
            told = [np.ravel(part.predict(vectors[:, some])) for part, some in zip(parts, columns)]
            spread: Array = np.std(told, axis=0)
            return np.maximum(spread, _LEAST)
        if "return_std" in inspect.signature(self.regressor.predict).parameters:
            _, deviation = self.regressor.predict(vectors, return_std=True)
            return np.maximum(np.ravel(np.asarray(deviation, np.float64)), _LEAST)
        return np.full(len(vectors), max(self.off, _LEAST))
