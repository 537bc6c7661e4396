"""Item ids and the dense row numbers that stand for them inside the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import enlarged
from emb_opt_widgets.engine.items import as_ids

__all__ = ["IdTable"]


_DENSE = 1 << 24


class IdTable:
    """Ids in the order they were first seen; the row of an id is its place.

    Small whole numbers (row numbers, mostly) are looked up in an array, anything else in a dictionary.
    """

    __slots__ = ("_ids", "_n", "_place", "_row")

    def __init__(self) -> None:
        self._row: dict[int | str, int] | None = None
        self._place: npt.NDArray[np.int32] = np.zeros(1024, np.int32)
        self._ids: npt.NDArray[Any] = np.empty(16, np.int64)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def row(self, item_id: int | str) -> int | None:
        """The row of one id, None if it was never seen."""
        if self._row is not None:
            return self._row.get(item_id)
        if isinstance(item_id, str) or not 0 <= item_id < len(self._place):
            return None
        return int(self._place[item_id]) - 1 if self._place[item_id] else None

    def rows(self, ids: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """`(n,)` rows of ids, -1 where never seen."""
        if self._row is not None or ids.dtype == object:
            found = [self.row(i) for i in ids.tolist()]
            return np.array([-1 if row is None else row for row in found], np.int32)
        inside = (ids >= 0) & (ids < len(self._place))
        out = np.full(len(ids), -1, np.int32)
        if inside.all():
            out = self._place[ids] - np.int32(1)
        else:
            out[inside] = self._place[ids[inside]] - 1
        return out

    def number(self, ids: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
        """Rows of ids, numbering the unseen ones on from the last, without adding them.

        Returns:
            `(rows (n,), new_ids)`, the new ones in order of first appearance.
        """
        rows = self.rows(ids)
        unseen = np.flatnonzero(rows < 0)
        if not len(unseen):
            return rows, ids[:0]
        fresh: dict[int | str, int] = {}
        rows[unseen] = [fresh.setdefault(i, self._n + len(fresh)) for i in ids[unseen].tolist()]
        return rows, as_ids(list(fresh))

    def add(self, ids: npt.NDArray[Any]) -> None:
        """Add ids that are not there yet."""
        need = self._n + len(ids)
        if ids.dtype == object and self._ids.dtype != object:
            self._ids = self._ids.astype(object)
        if need > len(self._ids):
            self._ids = enlarged(self._ids, need)
        self._ids[self._n : need] = ids
        if self._row is None and len(ids):
            if ids.dtype == object or ids.min() < 0 or ids.max() >= _DENSE:
                self._row = dict(zip(self._ids[: self._n].tolist(), range(self._n)))
            else:
                if ids.max() >= len(self._place):
                    old, self._place = self._place, np.zeros(min(_DENSE, 2 * int(ids.max()) + 1), np.int32)
                    self._place[: len(old)] = old
                self._place[ids] = np.arange(self._n + 1, need + 1)
        if self._row is not None:
            self._row.update(zip(ids.tolist(), range(self._n, need)))
        self._n = need

    def take(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`(n,)` ids of rows: int64, or object where some are text."""
        out: npt.NDArray[Any] = self._ids[: self._n][rows]
        return out
