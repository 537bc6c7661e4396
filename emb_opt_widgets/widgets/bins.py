"""Bins of a histogram that stay where they are while values arrive. Pure: knows no widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Bins", "settled"]

_FEWEST, _WANTED, _MOST = 12, 30, 60
_LARGEST = 1e300
_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of equal width whose edges are whole multiples of it.

    Attributes:
        first: Number of the first bin; it starts at `first * width`.
        count: How many there are.
        width: Of each.
    """

    first: int
    count: int
    width: float

    @property
    def low(self) -> float:
        """Where the first bin starts."""
        return self.first * self.width

    @property
    def high(self) -> float:
        """Where the last bin ends."""
        return (self.first + self.count) * self.width

    def centers(self) -> npt.NDArray[np.float64]:
        """`(count,)` middles."""
        return np.asarray((self.first + np.arange(self.count) + 0.5) * self.width, np.float64)

    def counts(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """`(count,)` how many of `(n,)` finite values fall where; the outermost bins take what lies outside."""
        place = np.floor(values / self.width) - self.first
        return np.bincount(np.clip(place, 0, self.count - 1).astype(np.int64), minlength=self.count)


def settled(values: npt.NDArray[np.float64], before: Bins | None) -> Bins:
    """Bins that cover values: those of before where they do, else extended, else as many of them made one as needed.

    Args:
        values: `(n,)` finite, n > 0.
        before: The bins so far; while they are few they are chosen afresh.
    """
    low, high = max(float(values.min()), -_LARGEST), min(float(values.max()), _LARGEST)
    if before is None or before.count < _FEWEST:
        return _covering(low, high, _nice(low, high))
    low, high = min(low, before.low), max(high, math.nextafter(before.high, -math.inf))
    width = before.width
    while (high - low) / _MOST > width or _covering(low, high, width).count > _MOST:
        width *= 2
    return _covering(low, high, width)


def _covering(low: float, high: float, width: float) -> Bins:
    first = math.floor(low / width)
    return Bins(first, math.floor(high / width) - first + 1, width)


def _nice(low: float, high: float) -> float:
    """A round width: about thirty bins for the range, never finer than its numbers can tell."""
    finest = max(abs(low), abs(high)) * 1e-6
    span = max((high - low) / _WANTED, finest) or 1.0 / _WANTED
    scale = 10.0 ** math.floor(math.log10(span))
    return next(scale * step for step in _STEPS if scale * step >= span * (1 - 1e-9))
