"""Item ids and the dense row numbers that stand for them inside the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import as_ids

__all__ = ["IdTable"]


class IdTable:
    """Ids in the order they were first seen; the row of an id is its place."""

    __slots__ = ("_ids", "_n", "_row")

    def __init__(self) -> None:
        self._row: dict[int | str, int] = {}
        self._ids: npt.NDArray[Any] = np.empty(16, np.int64)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def row(self, item_id: int | str) -> int | None:
        """The row of one id, None if it was never seen."""
        return self._row.get(item_id)

    def rows(self, ids: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """`(n,)` rows of ids, -1 where never seen."""
        found = list(map(self._row.get, ids.tolist()))
        if None in found:
            found = [-1 if row is None else row for row in found]
        return np.array(found, np.int32)

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
        values = ids.tolist()
        need = self._n + len(values)
        if ids.dtype == object and self._ids.dtype != object:
            self._ids = self._ids.astype(object)
        if need > len(self._ids):
            grown = np.empty(max(need, 2 * len(self._ids)), self._ids.dtype)
            grown[: self._n] = self._ids[: self._n]
            self._ids = grown
        self._ids[self._n : need] = values
        self._row.update(zip(values, range(self._n, need)))
        self._n = need

    def take(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`(n,)` ids of rows: int64, or object where some are text."""
        out: npt.NDArray[Any] = self._ids[: self._n][rows]
        return out
