"""Any BoTorch or GPyTorch model as a surrogate."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError, needing
from emb_opt_widgets.strategies.portfolio.library import stable_order
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Observed
from emb_opt_widgets.strategies.portfolio.target import best_first, rank_correlation

__all__ = ["BoTorchSurrogate"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
Factory = Callable[[Any, Any], Any]
"""Vectors `(n, d)` and targets `(n, 1)`, float64 tensors, to a model."""

_STEP = 512
_STEPS = 100
_LEFT_OUT = 5


def _single_task(x: Any, y: Any) -> Any:
    from botorch.models import SingleTaskGP

    return SingleTaskGP(x, y)


@dataclass(frozen=True, slots=True)
class BoTorchSurrogate:
    """A BoTorch model, or an exact GPyTorch one, fitted by the marginal likelihood.

    A fifth of the scored items is left out to see how well it predicts; what that fit found is taken for all of them.

    Args:
        factory: Vectors `(n, d)` and targets `(n, 1)`, float64 tensors, to a model; None: `SingleTaskGP`.
        name: Under which it is believed.
        points: Scored items that it is fitted to, at most: the best, and a stable random rest.
        fitted: Whether the factory's models are fitted already.

    Raises:
        InputError: No function, or too few points.
    """

    factory: Factory | None = None
    name: str = "botorch"
    points: int = 400
    fitted: bool = False

    def __post_init__(self) -> None:
        if self.factory is not None and not callable(self.factory):
            expected = "a function of vectors (n, d) and targets (n, 1)"
            raise InputError("factory is not usable", expected=expected, got=f"{self.factory!r:.80}")
        if isinstance(self.points, bool) or not isinstance(self.points, int) or self.points < 10:
            raise InputError("points is not usable", expected="a whole number of at least 10", got=repr(self.points))

    def fit(self, observed: Observed) -> FittedModel:
        """Fit to most of the scored items, look at the rest, and take them in."""
        with needing("BoTorchSurrogate", "botorch"):
            import botorch
            import torch
        at = self._kept(observed)
        x = torch.as_tensor(observed.vectors[at], dtype=torch.float64)
        y = torch.as_tensor(observed.targets[at], dtype=torch.float64)[:, None]
        order = stable_order(observed.rows[at])
        out, rest = np.sort(order[::_LEFT_OUT]), np.sort(np.delete(order, np.s_[::_LEFT_OUT]))
        seed = int(observed.rng(f"surrogate/{self.name}").integers(2**31))
        with torch.random.fork_rng(devices=[]), botorch.settings.validate_input_scaling(False):
            torch.manual_seed(seed)
            observed.checkpoint()
            part = self._made(x[rest], y[rest])
            left_out = FittedModel(part, 0.0).predict(observed.vectors[at][out])
            observed.checkpoint()
            whole = self._taken_in(part, x, y)
        return FittedModel(whole, rank_correlation(left_out, observed.gains[at][out]))

    def _kept(self, observed: Observed) -> npt.NDArray[np.intp]:
        n = len(observed.rows)
        if n <= self.points:
            return np.arange(n)
        top = best_first(observed.gains, self.points // 2)
        rest = np.setdiff1d(np.arange(n), top)
        return np.sort(np.concatenate([top, rest[stable_order(observed.rows[rest])[: self.points - len(top)]]]))

    def _made(self, x: Any, y: Any) -> Any:
        """A model of these, fitted."""
        model = (self.factory or _single_task)(x, y)
        if not self.fitted:
            _maximise(model, x, y)
        return model.eval()

    def _taken_in(self, part: Any, x: Any, y: Any) -> Any:
        """A model of all, with what was found for a part of them; fitted anew where that cannot be carried over."""
        if self.fitted:
            return self._made(x, y)
        model = (self.factory or _single_task)(x, y)
        try:
            model.load_state_dict(part.state_dict())
        except RuntimeError:
            return self._made(x, y)
        return model.eval()


def _maximise(model: Any, x: Any, y: Any) -> None:
    """Fit by the marginal likelihood: BoTorch's way for a model of its own, gradient steps for a GPyTorch one."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models.model import Model
    from gpytorch.mlls import ExactMarginalLogLikelihood

    likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
    if isinstance(model, Model):
        fit_gpytorch_mll(likelihood)
        return
    model.train()
    steps = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(_STEPS):
        steps.zero_grad()
        loss = -likelihood(model(x), y[:, 0])
        loss.backward()
        steps.step()


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """A fitted BoTorch or GPyTorch model.

    Attributes:
        model: What answers. left_out: As in `Fitted`.
    """

    model: Any
    left_out: float

    def predict(self, vectors: npt.NDArray[np.float32]) -> Array:
        """Mean `(m,)` of vectors."""
        return self._each(vectors, mean=True)

    def deviation(self, vectors: npt.NDArray[np.float32]) -> Array:
        """Standard deviation `(m,)` of vectors."""
        return np.sqrt(np.maximum(self._each(vectors, mean=False), 0.0))

    def posterior(self, vectors: npt.NDArray[np.float32]) -> tuple[Float64, Float64]:
        """Mean `(m,)` and covariance `(m, m)` of few vectors."""
        import torch

        with torch.no_grad():
            told = _told(self.model, vectors)
            joint = getattr(told, "distribution", told)
            return told.mean.reshape(-1).numpy(), joint.covariance_matrix.numpy()

    def _each(self, vectors: npt.NDArray[np.float32], mean: bool) -> Array:
        import gpytorch
        import torch

        out = np.empty(len(vectors))
        with ExitStack() as settings:
            settings.enter_context(torch.no_grad())
            if mean:
                settings.enter_context(gpytorch.settings.skip_posterior_variances(True))
            for i in range(0, len(vectors), _STEP):
                told = _told(self.model, vectors[i : i + _STEP])
                out[i : i + _STEP] = (told.mean if mean else told.variance).reshape(-1).numpy()
        return out


def _told(model: Any, vectors: npt.NDArray[np.float32]) -> Any:
    """What BoTorch (a posterior) or GPyTorch (a normal) tells of vectors."""
    import torch
    from botorch.models.model import Model

    x = torch.as_tensor(np.asarray(vectors, np.float64))
    if isinstance(model, Model):
        return model.posterior(x)
    return model(x)
