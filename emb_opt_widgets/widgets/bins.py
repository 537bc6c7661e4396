"""Bins of a histogram: a function of the range of its values alone, so that all views show the same.

They stay where they are while values arrive; a range that outgrows them makes them wider. Pure: knows no widgets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Bins", "bins_of", "drawn"]

_MOST = 48
_FINEST = 1e-6
_LARGEST = 1e300
_SMALLEST = 1e-290
_SIDES = np.array([0.04, 0.04, 0.96, 0.96])
_UP = np.array([0, 1, 1, 0], np.float32)
_STEPS = (1.0, 2.0, 5.0)


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

    def outline(self, heights: npt.ArrayLike) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.float32]]:
        """`(4 count,)` x and y of a line around bars of these heights, a little apart, that stand on 0."""
        edges = (self.first + np.arange(self.count)[:, None] + _SIDES) * self.width
        tall = np.asarray(heights, np.float32)[:, None] * _UP
        return drawn(edges.ravel()), tall.ravel()

    def counts(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """`(count,)` how many of `(n,)` finite values fall where; the outermost bins take what lies outside."""
        place = np.floor(values / self.width) - self.first
        return np.bincount(np.clip(place, 0, self.count - 1).astype(np.int64), minlength=self.count)


def drawn(values: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
    """Coordinates as pages are sent them: as float32 where nothing that shows is lost by that."""
    span = float(np.ptp(values * 0.5)) if len(values) else 0.0
    size = float(np.abs(values).max(initial=0.0))
    if size < 1e37 and (size == 0.0 or (span > 1e-30 and span > size * 1e-5) or (span == 0.0 and size > 1e-30)):
        return values.astype(np.float32)
    return values


def bins_of(values: npt.NDArray[np.float64]) -> Bins:
    """The finest bins of a round width that cover values and are not too many.

    Args:
        values: `(n,)` finite, n > 0.
    """
    low, high = np.clip([values.min(), values.max()], -_LARGEST, _LARGEST).tolist()
    finest = max((high - low) / _MOST, max(abs(low), abs(high)) * _FINEST)
    finest = finest if finest > _SMALLEST else 1.0
    power = math.floor(math.log10(finest))
    for width in (step * 10.0**scale for scale in (power, power + 1) for step in _STEPS):
        bins = _covering(low, high, width)
        if width >= finest * (1 - 1e-9) and bins.count <= _MOST:
            break
    return bins


def _covering(low: float, high: float, width: float) -> Bins:
    first = math.floor(low / width)
    return Bins(first, math.floor(high / width) - first + 1, width)
