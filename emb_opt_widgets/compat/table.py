"""The rows of a data plugin as the engine's item ids.

A row that names its item is one item, whoever finds it. A row without an id is a new item each time it is found, as it
is in emb_opt, whose items then get ids of their own. Knows nothing of queries.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.found import ColumnPlugin, Found, Payload

__all__ = ["Table"]

Int64 = npt.NDArray[np.int64]
_NAMELESS = 1 << 40


@cache
def _id_adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(str | int)


class Table:
    """What was found of a plugin's store so far.

    Args:
        plugin: One of ours.
    """

    def __init__(self, plugin: ColumnPlugin) -> None:
        self._plugin = plugin
        self._known: dict[int, Payload] = {}
        self._row_of_id: dict[Any, int] = {}
        self._row_of_key: dict[int, int] = {}

    def rows(self, found: Found) -> Int64:
        """The hits' rows, read where they are new."""
        if found.payload is not None:
            return self._given(found.payload)
        rows = np.empty(0, np.int64) if found.rows is None else found.rows
        distinct, first = np.unique(rows, return_index=True)
        new = [row for row in distinct[np.argsort(first)].tolist() if row not in self._known]
        for row, payload in zip(new, self._plugin.read(new)):
            self._known[row] = _checked(payload)
        return rows

    def _given(self, payload: Any) -> Int64:
        rows = np.empty(len(payload), np.int64)
        for place, one in enumerate(payload):
            row = self._row_of_id.setdefault(one.id, len(self._row_of_id))
            if row not in self._known:
                self._known[row] = _checked(one)
            rows[place] = row
        return rows

    def once(self, rows: Int64, owner: Int64) -> tuple[Int64, Int64]:
        """Each item once for each owner: where its id came first, what came last; rows without an id all stay."""
        merged: dict[tuple[int, Any], tuple[int, int]] = {}
        for place, (own, row) in enumerate(zip(owner.tolist(), rows.tolist())):
            name = self._known[row].id
            merged[own, (place,) if name is None else name] = (own, row)
        pairs = np.array(list(merged.values()), np.int64).reshape(-1, 2)
        return pairs[:, 1], pairs[:, 0]

    def keys(self, rows: Int64) -> Int64:
        """The engine's ids of the hits in these rows."""
        nameless = {row for row in set(rows.tolist()) if self._known[row].id is None}
        if not nameless:
            return rows
        keys = rows.copy()
        for place, row in enumerate(rows.tolist()):
            if row in nameless:
                keys[place] = _NAMELESS + len(self._row_of_key)
                self._row_of_key[int(keys[place])] = row
        return keys

    def payload(self, key: int) -> Payload:
        """What is known of an item."""
        return self._known[self._row_of_key.get(key, key)]


def _checked(payload: Payload) -> Payload:
    """A payload with its id and its vector in the form the models have them."""
    name = payload.id
    if name is not None and type(name) not in (int, str):
        name = _id_adapter().validate_python(name)
    return payload._replace(id=name, embedding=np.asarray(payload.embedding, np.float64))
