"""Axes for numbers of any size: as large as a float can be, all equal, apart in their last bits alone.

Pure: knows no drawings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.report.text import number

__all__ = ["Scale", "labels", "mean", "scale_of", "ticks"]

Float64 = npt.NDArray[np.float64]
_FINEST = 2.0**-46
"""The least width of an axis, as a part of the numbers at it: a hundred steps from one float to the next."""
_SMALLEST = 1e-290
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of numbers that is wide enough to be drawn.

    Attributes:
        low, high: Its ends; their difference may be more than a float can hold.
    """

    low: float
    high: float

    def part(self, values: float | Float64) -> Float64:
        """How far along the axis values lie: 0 at its low end, 1 at its high end."""
        width = self.high * _HALF - self.low * _HALF
        out: Float64 = (np.asarray(values, np.float64) * _HALF - self.low * _HALF) / width
        return out

    def counts(self, values: Float64, bins: int) -> npt.NDArray[np.int64]:
        """`(bins,)` how many of `(n,)` values fall where."""
        fine = values[np.isfinite(values)]
        place = np.clip(np.floor(self.part(fine) * bins), 0, bins - 1).astype(np.int64)
        return np.bincount(place, minlength=bins)


def scale_of(low: float, high: float) -> Scale:
    """An axis that holds two finite numbers, wider than they lie apart where that is too little to be drawn."""
    largest = max(abs(low), abs(high))
    if high * _HALF - low * _HALF <= _SMALLEST:
        room = max(0.5, largest * 0.2)
    else:
        room = max(0.0, (largest * _FINEST - (high - low)) * _HALF)
    most = np.finfo(np.float64).max
    return Scale(max(low - room, -most), min(high + room, most))


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within a range, ascending; `low` alone where there is none."""
    each = high / most - low / most
    if not each > _SMALLEST or not math.isfinite(each):
        return [low]
    power = math.floor(math.log10(each))
    times = next((m for m in (1, 2, 5) if each <= m * 10.0**power * (1 + 1e-12)), 10)
    step = times * 10.0**power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [_multiple(k * times, power) for k in range(first, last + 1)] or [low]


def _multiple(k: int, power: int) -> float:
    """`k * 10**power`, rounded once."""
    try:
        return float(k * 10**power) if power >= 0 else k / 10**-power
    except OverflowError:
        return math.copysign(np.finfo(np.float64).max, k)


def labels(at: Sequence[float]) -> tuple[list[str], str]:
    """What stands at ticks, and what all of them are counted from, where they are too close to be told apart.

    Args:
        at: Ascending.
    """
    texts = [number(one) for one in at]
    if len(set(texts)) == len(texts):
        return texts, ""
    return [f"+{number(one - at[0], 3)}" for one in at], f"from {at[0]:.17g}"


def mean(values: Float64) -> float:
    """The mean of `(n,)` finite values, n > 0, however large they are."""
    with np.errstate(over="ignore", invalid="ignore"):
        plain = float(values.mean())
        return plain if math.isfinite(plain) else float(np.nan_to_num((values / len(values)).sum()))
