"""On the line through two of the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emb_opt_widgets.strategies.portfolio.operators.asker import Ground, Question
from emb_opt_widgets.strategies.portfolio.operators.operator import Prior

__all__ = ["Between"]


@dataclass(frozen=True, slots=True)
class Between:
    """Asks on the line through two of the best, between them or a little beyond.

    Args:
        name: Under which calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "between"
    prior: Prior = (1.0, 1.0)

    def ask(self, ground: Ground) -> Question:
        """From one towards the other."""
        seed, chance = ground.draw(ground.best)
        other, _ = ground.draw(ground.best)
        z = ground.scaled(seed)
        z = z + np.float32(ground.rng.uniform(0.3, 1.3)) * (ground.scaled(other) - z)
        return Question(ground.original(z), "on the line through two of the best", seed, chance)
