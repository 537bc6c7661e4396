"""Ids and payload of a source that is addressed by row: which id stands in which row, and what comes with it.

Knows nothing of vectors or distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources.checks import unknown_id
from emb_opt_widgets.tables import values_of

__all__ = ["Columns", "IdTable"]

Rows = npt.NDArray[np.int64]


class IdTable:
    """Which id stands in which row. Row numbers themselves cost no memory and no lookup.

    Args:
        n: Rows.
        ids: `(n,)` distinct int or str; None: the row numbers.

    Raises:
        InputError: Wrong length, wrong type, or an id that comes twice.
    """

    __slots__ = ("_ids", "_order", "_rows", "_sorted", "n")

    def __init__(self, n: int, ids: Any = None) -> None:
        self.n = n
        self._ids: npt.NDArray[Any] | None = None
        self._rows: dict[int | str, int] | None = None
        self._order: npt.NDArray[np.int64] | None = None
        self._sorted: npt.NDArray[np.int64] | None = None
        if ids is None:
            return
        table = as_ids(ids)
        if len(table) != n:
            raise InputError("ids has the wrong length", expected=f"{n}, one for each vector", got=len(table))
        if table.dtype == np.int64:
            self._index_integers(table)
        else:
            self._index_objects(table)

    def _index_integers(self, table: npt.NDArray[np.int64]) -> None:
        if np.array_equal(table, np.arange(self.n)):
            return
        order = np.argsort(table, kind="stable")
        ordered = table[order]
        same = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(same):
            raise self._twice(int(ordered[same[0]]), int(order[same[0]]), int(order[same[0] + 1]))
        self._ids, self._order, self._sorted = table.copy(), order.astype(np.int64), ordered

    def _index_objects(self, table: npt.NDArray[Any]) -> None:
        rows: dict[int | str, int] = {}
        for row, value in enumerate(table):
            if rows.setdefault(value, row) != row:
                raise self._twice(value, rows[value], row)
        self._ids, self._rows = table, rows

    @staticmethod
    def _twice(value: Any, first: int, second: int) -> InputError:
        return InputError(
            "An id comes twice",
            expected="ids that are all different",
            got=f"{value!r:.80} in rows {first} and {second}",
            hint="Drop the repeated rows, or leave ids out and the row numbers are the ids",
        )

    def of(self, rows: Rows | slice) -> npt.NDArray[Any]:
        """The ids in these rows."""
        if self._ids is None:
            return np.arange(*rows.indices(self.n), dtype=np.int64) if isinstance(rows, slice) else rows
        found: npt.NDArray[Any] = self._ids[rows]
        return found

    def rows(self, ids: Any) -> Rows:
        """The rows of these ids, in this order.

        Raises:
            InputError: An id that the table does not have.
        """
        wanted = as_ids(ids)
        if self._rows is not None:
            found = [self._rows.get(value, -1) for value in wanted.tolist()]
            rows = np.array(found, dtype=np.int64)
        elif wanted.dtype != np.int64:
            raise self._unknown(next(v for v in wanted if isinstance(v, str) or v > 2**63 - 1))
        elif self._sorted is not None and self._order is not None:
            place = np.minimum(np.searchsorted(self._sorted, wanted), self.n - 1)
            rows = np.where(self._sorted[place] == wanted, self._order[place], -1)
        else:
            rows = np.where((wanted >= 0) & (wanted < self.n), wanted, -1)
        if len(rows) and rows.min() < 0:
            raise self._unknown(wanted[int(np.argmin(rows))])
        return rows

    def _unknown(self, value: Any) -> InputError:
        first = 0 if self._ids is None else self._ids[0]
        return unknown_id(
            value if isinstance(value, str) else int(value), self.n, first if isinstance(first, str) else int(first)
        )


class Columns:
    """Ids, items and data of a source by row.

    Args:
        n: Rows.
        ids: As for `IdTable`.
        items: `(n,)` sequence of what the vectors stand for, or None.
        data: Columns of length `n` by name: a mapping, or a data frame (pandas, polars, Arrow).
    """

    __slots__ = ("_data", "_items", "ids")

    def __init__(self, n: int, ids: Any = None, items: Any = None, data: Any = None) -> None:
        self.ids = IdTable(n, ids)
        self._items = None if items is None else _column("items", items, n)
        self._data = {str(name): _column(str(name), values, n) for name, values in _named(data)}

    def extended(self, items: Items) -> Columns:
        """These rows, and others after them.

        Raises:
            InputError: An id comes twice, or a column is missing.
        """
        n, m = self.ids.n, len(items)
        old = self.ids.of(slice(0, n))
        lacking = sorted(set(self._data) - set(items.data)) + (
            [] if self._items is None or items.items is not None else ["items"]
        )
        if lacking:
            raise InputError(
                "The new items lack what the others have", expected="the same columns", got=f"no {lacking}"
            )
        data = {name: [*_pick(column, slice(0, n)), *items.data[name]] for name, column in self._data.items()}
        whole = None if self._items is None else [*_pick(self._items, slice(0, n)), *(items.items or [])]
        return Columns(n + m, [*old.tolist(), *items.ids.tolist()], whole, data)

    def batch(self, rows: Rows | slice, embeddings: npt.NDArray[Any]) -> Items:
        """The items in these rows, with their vectors."""
        items = None if self._items is None else _pick(self._items, rows)
        return Items(self.ids.of(rows), embeddings, items, {name: _pick(col, rows) for name, col in self._data.items()})


def _named(data: Any) -> list[tuple[Any, Any]]:
    if data is None:
        return []
    if isinstance(data, Mapping):
        return list(data.items())
    names = getattr(data, "columns", None)
    if names is None or not hasattr(data, "__getitem__"):
        raise InputError(
            "data is not a set of columns",
            expected="a mapping of column names to sequences, or a data frame",
            got=type(data).__name__,
            hint='For example data={"price": prices}',
        )
    names = getattr(data, "column_names", names)
    return [(name, data[name]) for name in names]


def _column(name: str, values: Any, n: int) -> Any:
    if hasattr(values, "isna"):
        values = values_of(values)
    elif hasattr(values, "to_numpy"):
        values = values.to_numpy()
    elif isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)):
        values = np.asarray(values)
    length = len(values) if isinstance(values, Sequence) or np.ndim(values) else "a single value"
    if length != n:
        raise InputError(
            f"Column {name!r} has the wrong length", expected=f"{n} values, one for each vector", got=length
        )
    return values


def _pick(column: Any, rows: Rows | slice) -> Any:
    if isinstance(column, np.ndarray) or isinstance(rows, slice):
        return column[rows]
    return [column[i] for i in rows.tolist()]
