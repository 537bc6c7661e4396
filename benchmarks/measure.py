"""One measured number beside the limit it is held to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Measure", "timed"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number and what it should be.

    Attributes:
        name: What was measured.
        value: The number; NaN where it could not be measured.
        unit: Of the number.
        limit: What it is held to. sense: Whether it may be at most, or must be at least that.
        detail: How it came about: the single times, the sizes.
    """

    name: str
    value: float
    unit: str
    limit: float
    sense: Literal["at most", "at least"]
    detail: str

    @property
    def reached(self) -> bool | None:
        """Whether the limit is kept; None where nothing was measured."""
        if self.value != self.value:
            return None
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        value = None if self.value != self.value else self.value
        return {
            "name": self.name, "value": value, "unit": self.unit, "limit": self.limit, "sense": self.sense,
            "reached": self.reached, "detail": self.detail,
        }  # fmt: skip


def timed(function: Callable[[], Any]) -> float:
    """Seconds a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin
