"""Regions that were not asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emb_opt_widgets.strategies.portfolio.operators.asker import Ground, Question
from emb_opt_widgets.strategies.portfolio.operators.operator import Prior

__all__ = ["Spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Asks anywhere, as far out as what was seen lies.

    Args:
        name: Under which calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "spread"
    prior: Prior = (0.5, 2.0)

    def ask(self, ground: Ground) -> Question:
        """A normal deviate with the deviations of what was seen."""
        library = ground.library
        deviation = library.block(np.arange(library.n)).std(axis=0)
        z = (ground.rng.standard_normal((1, library.dim)) * deviation).astype(np.float32)
        return Question(ground.original(z), "a region not asked about")
