"""Which operator gets the next call: discounted rewards, Beta posteriors, probability matching with a floor.

Thompson, "On the likelihood that one unknown probability exceeds another" (1933), as shares of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["credit", "shares"]

FLOOR = 0.004
FORGET = 0.97

Counts = Mapping[str, Sequence[float]]


def credit(counts: Counts, operators: Sequence[str], rewards: np.typing.NDArray[np.float64]) -> dict[str, list[float]]:
    """Hits and misses by operator after a batch.

    Args:
        counts: Hits and misses so far.
        operators: `(b,)` who made each scored item of the batch; only its own draws count for an operator.
        rewards: `(b,)` in 0..1.
    """
    out = {}
    names = np.array(operators, dtype=object)
    for name in sorted(counts.keys() | set(operators)):
        good, bad = counts.get(name, (0.0, 0.0))
        mine = rewards[names == name]
        keep = FORGET if len(mine) else 1.0
        out[name] = [float(good * keep + mine.sum()), float(bad * keep + (1 - mine).sum())]
    return out


def shares(
    counts: Counts, prior: Mapping[str, tuple[float, float]], rng: np.random.Generator, draws: int = 512
) -> dict[str, float]:
    """Each operator's share of a batch: the probability that it is the best, sampled from the Beta posteriors.

    Args:
        counts: Hits and misses so far.
        prior: Hits and misses to begin with, for every operator there is.
    """
    names = sorted(prior)
    good = np.array([prior[n][0] + counts.get(n, (0.0, 0.0))[0] for n in names])
    bad = np.array([prior[n][1] + counts.get(n, (0.0, 0.0))[1] for n in names])
    best = np.bincount(rng.beta(good, bad, (draws, len(names))).argmax(axis=1), minlength=len(names)) / draws
    out = FLOOR + (1 - FLOOR * len(names)) * best
    return dict(zip(names, (out / out.sum()).tolist()))
