"""Uphill of the surrogates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble
from emb_opt_widgets.strategies.portfolio.operators.asker import Ground, Question
from emb_opt_widgets.strategies.portfolio.operators.operator import Prior

__all__ = ["Gradient"]

Array = npt.NDArray[Any]

_STEPS = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Gradient:
    """Asks uphill of what all surrogates together expect, from one of the best.

    Args:
        name: Under which calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "gradient"
    prior: Prior = (3.0, 1.0)

    def ask(self, ground: Ground) -> Question:
        """The best of a few steps."""
        seed, chance = ground.draw(ground.best)
        point = ground.original(_uphill(ground.scaled(seed), ground.ensemble))
        return Question(point, "uphill of the surrogate, from one of the best", seed, chance)


def _uphill(z: Array, ensemble: Ensemble, step: float = 1e-2) -> Array:
    """The best of a few steps along the surrogate's gradient, by central differences."""
    d = z.shape[1]
    shift = np.float32(step) * np.eye(d, dtype=np.float32)
    value = ensemble.predict(np.concatenate([z + shift, z - shift]))
    gradient = (value[:d] - value[d:]) / (2 * step)
    gradient = gradient / max(float(np.linalg.norm(gradient)), 1e-12)
    reach = np.sqrt(2 * d) * 0.5
    tried = np.concatenate([z + np.float32(s * reach) * gradient for s in _STEPS]).astype(np.float32)
    return tried[[int(np.argmax(ensemble.predict(tried)))]]
