"""Item ids and the dense row numbers that stand for them inside the engine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import enlarged
from emb_opt_widgets.errors import InputError

__all__ = ["IdTable", "as_ids"]

_DENSE = 1 << 24
_LARGEST = 2**63 - 1


def as_ids(ids: Any) -> npt.NDArray[Any]:
    """Item ids as one array: int64 where all are integers of its range, else an object array of `str` and `int`.

    Args:
        ids: `(n,)` whole numbers from -2**63 to 2**64 - 1, text, or UUIDs (each becomes its text).

    Returns:
        `(n,)` int64 or object array.

    Raises:
        InputError: An id is neither, is too large, or is text that no file can hold.
    """
    array = ids if isinstance(ids, np.ndarray) else None
    if array is not None and array.ndim == 1 and array.dtype.kind in "iu":
        large = array.dtype.itemsize == 8 and array.dtype.kind == "u" and len(array) and int(array.max()) > _LARGEST
        return array.astype(object) if large else array.astype(np.int64, copy=False)
    values = array.tolist() if array is not None else list(ids)
    if any(type(v) not in (int, str) for v in values):
        values = [_plain_id(v) for v in values]
    if all(type(v) is int for v in values):
        try:
            return np.array(values, dtype=np.int64)
        except OverflowError:
            pass
    _check_ids(values)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _plain_id(value: Any) -> int | str:
    if isinstance(value, (np.integer, np.str_)):
        value = value.item()
    if isinstance(value, UUID):
        return str(value)
    if type(value) not in (int, str):
        raise InputError(
            "An item id has the wrong type",
            expected="int or str (or a UUID)",
            got="None" if value is None else f"{type(value).__name__} ({value!r:.60})",
            hint="Give every item an integer or a string as its id",
        )
    plain: int | str = value
    return plain


def _check_ids(values: list[int | str]) -> None:
    large = next((v for v in values if isinstance(v, int) and not -(2**63) <= v < 2**64), None)
    if large is not None:
        raise InputError(
            "An item id is too large",
            expected="whole numbers of at most 64 bits, from -2**63 to 2**64 - 1",
            got=f"{large:#x}"[:60],
            hint="Give such numbers as text: ids=[str(i) for i in ids]",
        )
    texts = [v for v in values if isinstance(v, str)]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        broken = next(text for text in texts if not _is_whole(text))
        raise InputError(
            "An item id is no text that a file can hold",
            expected="text without lone surrogates",
            got=ascii(broken)[:60],
            hint='Decode it as it was written, or replace them: text.encode("utf-8", "replace").decode()',
        ) from None


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
