"""How many calls to spend at a time: the first design, the batches, and how far to look ahead without a budget."""

from __future__ import annotations

import numpy as np

__all__ = ["DESIGN", "LARGEST", "batch_size", "horizon", "initial_size", "whole", "with_spares"]

DESIGN = 0.1
"""Share of the budget that the design goes on to, while no model predicts."""
_FIRST = 1.75
_ROUNDS = (16, 48)
"""Planned rounds where the fit predicts nothing, and where it predicts everything."""
LARGEST = 256
_AHEAD = 128
_SPARES = 1024


def horizon(budget: int | None, n_scored: int, n_items: int | None) -> int:
    """The budget to plan with: the search's own, never more than there are items; without one, twice what is spent."""
    ahead = max(_AHEAD, 2 * n_scored) if budget is None else budget
    return max(1, ahead if n_items is None else min(ahead, n_items))


def initial_size(budget: int, at_once: int = 1) -> int:
    """Calls spent before a model is asked at all: whole batches of what is scored at once, at most half of all."""
    return min(max(1, budget // 2), whole(max(8, int(np.ceil(_FIRST * np.sqrt(budget)))), at_once))


def whole(b: int, at_once: int) -> int:
    """The multiple of what is scored at once that is nearest to `b` calls; one at least."""
    return max(1, (b + at_once // 2) // at_once) * at_once


def batch_size(budget: int, left: int, skill: float, at_once: int = 1) -> int:
    """Small where the last batches were predicted well, large where they were not; bounded, so that a round is too. In
    multiples of what is scored at once, but for the last.

    Args:
        budget: To plan with. left: Of it.
        skill: Rank correlation of predictions.
        at_once: Items that are scored at a time.
    """
    fewest, most = _ROUNDS
    planned = fewest + (most - fewest) * min(max(skill, 0.0), 1.0)
    return min(left, whole(int(min(LARGEST, max(1, np.ceil(0.9 * budget / planned)))), at_once))


def with_spares(b: int, passed: int, rejected: int) -> int:
    """How many to propose so that about `b` pass the filter, by what it passed so far."""
    if not rejected:
        return b
    acceptance = (passed + 1) / (passed + rejected + 1)
    return int(max(b, min(_SPARES, np.ceil(b / acceptance) + 1)))
