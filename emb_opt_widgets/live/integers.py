"""Whole numbers as people give them, numpy's too. Knows nothing of what they count."""

from __future__ import annotations

import numpy as np

from emb_opt_widgets.errors import InputError

__all__ = ["as_whole", "whole_number"]


def as_whole(value: object, least: int = 1) -> int | None:
    """The number as an `int`, where it is a whole one and at least `least`; else None. True and False are none."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        return None
    return int(value)


def whole_number(name: str, value: object, least: int, optional: bool = False) -> int | None:
    """A whole number of at least `least`.

    Raises:
        InputError: It is not one.
    """
    if value is None and optional:
        return None
    whole = as_whole(value, least)
    if whole is None:
        also = " or None" if optional else ""
        raise InputError(f"{name} is not usable", expected=f"a whole number of at least {least}{also}", got=repr(value))
    return whole
