"""A source's vectors by row: held as views of the array that they are in, or read again each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.ids import IdTable
from emb_opt_widgets.engine.protocols import ReadableSource

__all__ = ["BLOCK", "HeldRows", "ItemIds", "ReadRows", "Rows", "open_rows"]

BLOCK = 8192
_SPAN = 65_536

Array = npt.NDArray[Any]


class Rows(Protocol):
    """Vectors by row."""

    n: int
    dim: int

    def take(self, rows: Array) -> Array:
        """`(m, d)` vectors of these rows."""

    def blocks(self, step: int) -> Iterator[tuple[int, Array]]:
        """All vectors in order, at most `step` at a time, with the row of the first."""


class ItemIds:
    """Ids by row and back. Row numbers as ids cost nothing.

    Args:
        parts: The ids in order, in pieces.
    """

    def __init__(self, parts: Sequence[Array]) -> None:
        self._n = 0
        plain = True
        for part in parts:
            plain = plain and part.dtype == np.int64 and np.array_equal(part, self._n + np.arange(len(part)))
            self._n += len(part)
        self._table: IdTable | None = None
        if not plain:
            self._table = IdTable()
            for part in parts:
                self._table.add(part)

    def of(self, rows: Array) -> Array:
        """The ids in these rows."""
        return rows.astype(np.int64) if self._table is None else self._table.take(rows)

    def rows(self, ids: Array) -> npt.NDArray[np.int64]:
        """The rows of these ids; -1 for one that is not here."""
        if self._table is not None:
            return self._table.rows(ids).astype(np.int64)
        if ids.dtype == object:
            ids = np.array([i if isinstance(i, int) and i < self._n else -1 for i in ids.tolist()], np.int64)
        out: npt.NDArray[np.int64] = np.where((ids >= 0) & (ids < self._n), ids, -1)
        return out


class HeldRows:
    """Rows as views of an array that lives elsewhere.

    Args:
        views: `(≤ span, d)` each, all but the last of full length.
        span: Rows in a view.
    """

    def __init__(self, views: Sequence[Array], span: int) -> None:
        self._views = views
        self._span = span
        self.n = sum(map(len, views))
        self.dim = int(views[0].shape[1])

    def take(self, rows: Array) -> Array:
        if len(self._views) == 1:
            return np.asarray(self._views[0][rows])
        out = np.empty((len(rows), self.dim), self._views[0].dtype)
        view = rows // self._span
        for i in np.unique(view):
            mine = np.flatnonzero(view == i)
            out[mine] = self._views[i][rows[mine] - i * self._span]
        return out

    def blocks(self, step: int) -> Iterator[tuple[int, Array]]:
        for i, view in enumerate(self._views):
            for start in range(0, len(view), step):
                yield i * self._span + start, view[start : start + step]


class ReadRows:
    """Rows of a source that gives copies: nothing is kept, every pass reads it again."""

    def __init__(self, source: ReadableSource, ids: ItemIds, n: int, dim: int) -> None:
        self._source = source
        self._ids = ids
        self.n = n
        self.dim = dim

    def take(self, rows: Array) -> Array:
        if not len(rows):
            return np.empty((0, self.dim), np.float32)
        return np.asarray(self._source.fetch(self._ids.of(rows)).embeddings)

    def blocks(self, step: int) -> Iterator[tuple[int, Array]]:
        at = 0
        for items in self._source.scan(BLOCK):
            for start in range(0, len(items), step):
                part = items.embeddings[start : start + step]
                yield at, part
                at += len(part)


def open_rows(source: ReadableSource, checkpoint: Callable[[], None] = lambda: None) -> tuple[Rows, ItemIds]:
    """A source's rows, in the order of its scan, and their ids; one pass, with a checkpoint at every step."""
    n = len(source)
    ids: list[Array] = []
    views: list[Array] | None = []
    dim = 1
    for items in source.scan(_SPAN):
        checkpoint()
        dim = int(items.embeddings.shape[1])
        ids.append(items.ids)
        if views is not None and _is_view(items.embeddings, n):
            views.append(items.embeddings)
        else:
            views = None
    table = ItemIds(ids)
    if views:
        return HeldRows(views, _SPAN), table
    return ReadRows(source, table, n, dim), table


def _is_view(block: Array, n: int) -> bool:
    """Whether a block looks into an array of the whole source (or is all of it)."""
    root: Any = block
    while isinstance(root.base, np.ndarray):
        root = root.base
    return bool(root.size >= n * block.shape[1])
