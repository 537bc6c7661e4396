"""What one of our data plugins finds, in columns: the form behind both its list of responses and the runner's rounds.

Knows nothing of any store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.schemas import DataSourceResponse, Item

__all__ = ["COLUMNS", "ColumnPlugin", "Found", "Payload", "in_columns", "responses"]


_Plugin = TypeVar("_Plugin")


class Payload(NamedTuple):
    """What a store knows of one of its rows. Without an id, every hit is an item of its own."""

    id: Any
    item: Any
    data: dict[Any, Any] | None
    embedding: Any


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Hits of `q` points, concatenated: those of point `i` are `[offsets[i]:offsets[i + 1]]`.

    Attributes:
        distances: `(m,)`, as the store gives them.
        offsets: `(q + 1,)`.
        rows: `(m,)` rows of the store; None where it has none and every hit brings its payload.
        payload: `(m,)`, where it came with the hits.
    """

    distances: Sequence[Any] | npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None = None
    payload: Sequence[Payload] | None = None

    @classmethod
    def from_matrix(cls, rows: npt.NDArray[Any], distances: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> Found:
        """From `(q, k)` matrices, of which `valid` are hits."""
        offsets = np.concatenate([[0], np.cumsum(valid.sum(axis=1))]).astype(np.int64)
        return cls(distances[valid], offsets, rows[valid].astype(np.int64, copy=False))


class ColumnPlugin(Protocol):
    """A data plugin of ours."""

    empty_is_valid: bool
    """Whether a query without hits is itself valid."""

    def lookup(self, points: npt.NDArray[np.float64]) -> Found:
        """Hits of the points `(q, d)`."""

    def read(self, rows: list[int]) -> list[Payload]:
        """What stands in these rows, each read for itself."""


def responses(plugin: ColumnPlugin, queries: Sequence[Any]) -> list[DataSourceResponse]:
    """What the plugin answers as a function of `Query` objects."""
    found = plugin.lookup(np.array([query.embedding for query in queries]))
    if found.payload is not None:
        payload = list(found.payload)
    else:
        payload = plugin.read([] if found.rows is None else found.rows.tolist())
    items = [Item.from_minimal(p.id, p.item, p.embedding, None, p.data) for p in payload]
    out = []
    for start, stop in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist()):
        valid = plugin.empty_is_valid or stop > start
        data = {"query_distance": list(found.distances[start:stop])}
        out.append(DataSourceResponse(valid=valid, data=data, query_results=items[start:stop]))
    return out


COLUMNS: set[type] = set()
"""Our data plugins, which the runner asks for columns. What is derived from them is not among them."""


def in_columns(cls: type[_Plugin]) -> type[_Plugin]:
    """Class decorator: instances of this very class may be asked for columns."""
    COLUMNS.add(cls)
    return cls
