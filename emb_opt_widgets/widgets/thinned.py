"""A series that may become very long, as a table of bounded length. Knows nothing of what is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.widgets.tables import Table

__all__ = ["MOST", "Reduced", "Thinned"]

MOST = 1_024
"""Rows of a table at most."""
_CHUNK = 1 << 16

Array = npt.NDArray[Any]
Read = Callable[[int, int], Mapping[str, Array]]


class Reduced:
    """How several values become one: their `last`, `mean`, `least`, `most` or `total`; NaN is left out.

    Args:
        source: The column of the series. how: One of these words. kind: The column type, as in `Table`.
    """

    def __init__(self, source: str, how: str, kind: str = "f8") -> None:
        self.source, self.how, self.kind = source, how, kind

    def __call__(self, values: Array, starts: Array) -> Array:
        """Values of the groups that begin at `starts`.

        Args:
            values: `(m,)`. starts: `(g,)`, ascending from 0.
        """
        if self.how == "last":
            return np.asarray(values[np.append(starts[1:], len(values)) - 1])
        if self.how == "least":
            return np.asarray(np.fmin.reduceat(values, starts))
        if self.how == "most":
            return np.asarray(np.fmax.reduceat(values, starts))
        if self.how == "total":
            return np.asarray(np.add.reduceat(values.astype(np.int64), starts))
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.add.reduceat(np.where(known, values, 0.0), starts)
            return np.asarray(total / np.add.reduceat(known.astype(np.int64), starts))


class Thinned:
    """A series as rows of `width` values each: 1 until there are more than `MOST`, then 2, 4, and so on.

    Whenever the width grows all rows are written anew, first to last, and those that are left over become empty.

    Args:
        columns: Name to how it comes about.

    Attributes:
        table: The columns, and `many`, how many values a row stands for: 0 in a row that is empty.
        width: Values of a row that is full.
    """

    def __init__(self, columns: Mapping[str, Reduced]) -> None:
        self._columns = columns
        self.table = Table({"many": "i4", **{name: how.kind for name, how in columns.items()}})
        self.width = 1
        self._count = 0

    def grow(self, count: int, read: Read) -> None:
        """Take in what is new.

        Args:
            count: How long the series is now; never less than before.
            read: Columns of the series from one place up to before another.
        """
        if count == self._count:
            return
        first, width = self._count // self.width, self.width
        while -(-count // width) > MOST:
            width, first = width * 2, 0
        chunk = max(_CHUNK // width, 1) * width
        for start in range(first * width, count, chunk):
            self._put(start // width, read(start, min(start + chunk, count)), width)
        self._count, self.width = count, width
        used = -(-count // width)
        left = np.flatnonzero(np.asarray(self.table["many"])[used:])
        self.table.change(left + used, many=0)

    def _put(self, row: int, values: Mapping[str, Array], width: int) -> None:
        length = len(next(iter(values.values())))
        starts = np.arange(0, length, width)
        made = {name: how(values[how.source], starts) for name, how in self._columns.items()}
        made["many"] = np.diff(np.append(starts, length))
        old = min(max(len(self.table) - row, 0), len(starts))
        self.table.change(np.arange(row, row + old), **{name: column[:old] for name, column in made.items()})
        self.table.append(len(starts) - old, **{name: column[old:] for name, column in made.items()})
