"""Around what is promising and was not asked about."""

from __future__ import annotations

from dataclasses import dataclass

from emb_opt_widgets.strategies.portfolio.operators.asker import Ground, Question
from emb_opt_widgets.strategies.portfolio.operators.operator import Prior

__all__ = ["Around"]


@dataclass(frozen=True, slots=True)
class Around:
    """Asks at the most promising items that no query stood at yet: the search walks from neighbour to neighbour.

    Args:
        name: Under which calls are credited.
        prior: Hits and misses it begins with.
    """

    name: str = "around"
    prior: Prior = (2.0, 1.0)

    def ask(self, ground: Ground) -> Question:
        """At one of them; it counts as asked about from here on."""
        seed, chance = ground.draw(ground.unasked)
        ground.unasked = ground.unasked[ground.unasked != seed]
        reason = f"around item {ground.ids[seed]}, the most promising not asked about"
        return Question(ground.vectors[seed], reason, seed, chance)
