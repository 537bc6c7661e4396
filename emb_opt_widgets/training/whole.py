"""Whole numbers as people give them, numpy's too. Knows nothing of what they count."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["as_whole"]


def as_whole(value: Any, least: int = 1) -> int | None:
    """The number as an `int`, where it is a whole one and at least `least`; else None. True and False are none."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        return None
    return int(value)
