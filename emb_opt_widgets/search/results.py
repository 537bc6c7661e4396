"""What a search found, as columns; and the tree of its queries, as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Item, Items
from emb_opt_widgets.tables import to_frame, write_csv, write_parquet

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BestItem", "MeasurementTable", "Provenance", "QueryTree", "ResultRows", "Results"]

_SHOWN = 10


class _Best(NamedTuple):
    id: int | str
    score: float
    item: Any


class Provenance(NamedTuple):
    """Where results come from, `(n,)` each: the node, what proposed the call, the place of the first answer among all,
    how many measurements, the standard error of their mean, and with what probability the call was chosen."""

    query: npt.NDArray[np.int64]
    operator: list[str]
    call: npt.NDArray[np.int64]
    n_measured: npt.NDArray[np.int64]
    stderr: npt.NDArray[np.float64]
    propensity: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[Any]) -> Provenance:
        """Those at these positions."""
        made = [self.operator[i] for i in rows.tolist()]
        measured = self.n_measured[rows], self.stderr[rows]
        return Provenance(self.query[rows], made, self.call[rows], *measured, self.propensity[rows])

    @classmethod
    def unknown(cls, n: int) -> Provenance:
        """Of `n` results of which nothing is known."""
        no = np.full(n, -1)
        return cls(no, [""] * n, no, np.zeros(n, np.int64), np.full(n, np.nan), np.full(n, np.nan))


class BestItem(_Best):
    """The best item so far: `id, score, item`, and beside them its `embedding`, `(d,)`.

    Attributes:
        score: The mean of what was measured of it, or what is believed of it: `basis` says which ("measured",
            "believed").
        n_measured: How many measurements. stderr: Standard error of their mean, NaN where nothing tells it.
    """

    embedding: npt.NDArray[Any]
    basis: str
    n_measured: int
    stderr: float

    def __new__(
        cls,
        id: int | str,
        score: float,
        item: Any,
        embedding: npt.NDArray[Any],
        n_measured: int = 1,
        stderr: float = float("nan"),
        basis: str = "measured",
    ) -> BestItem:
        made = super().__new__(cls, id, score, item)
        made.embedding, made.basis = embedding, basis
        made.n_measured, made.stderr = n_measured, stderr
        return made


class ResultRows(NamedTuple):
    """The rows of a `Results`.

    Attributes:
        ids: `(n,)`. scores: `(n,)`.
        embeddings: Where the `(n, d)` vectors come from. payload: Where items and data come from.
        reasons: Why each is removed, or None. provenance: Where they come from, or None.
    """

    ids: npt.NDArray[Any]
    scores: npt.NDArray[np.float64]
    embeddings: Callable[[], npt.NDArray[Any]]
    payload: Callable[[], Items]
    reasons: list[str] | None = None
    provenance: Provenance | None = None

    @classmethod
    def nothing(cls, dim: int) -> ResultRows:
        """No rows."""
        none = Items(np.empty(0, np.int64), np.empty((0, dim), np.float32))
        return cls(none.ids, np.empty(0), lambda: none.embeddings, lambda: none)


class Results:
    """Items with their scores, best first. A snapshot: it does not change while the search goes on.

    Attributes:
        ids: `(n,)` int64 or object.
        scores: `(n,)` float64; NaN for removed items, which come last.
        embeddings: `(n, d)`.
        items: What the vectors stand for, or None.
        data: Columns by name: the source's, and what filter and score functions answered beside.
        query, operator, call: `(n,)` the node that found each (-1: none), what proposed to score it, and the place of
            its first answer among all, from 0.
        propensity: `(n,)` with what probability each was chosen; NaN where nobody chose.
        n_measured, stderr: `(n,)` measurements of each, and the standard error of their mean (NaN: unknown).
        rank: `(n,)` from 1.
    """

    def __init__(self, find: Callable[[], ResultRows]) -> None:
        self._find = find

    @cached_property
    def _found(self) -> ResultRows:
        return self._find()

    @cached_property
    def _payload(self) -> Items:
        found = self._found
        return Items(found.ids, found.embeddings(), scores=found.scores, later=found.payload)

    @property
    def ids(self) -> npt.NDArray[Any]:
        return self._found.ids

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        return self._found.scores

    @property
    def embeddings(self) -> npt.NDArray[Any]:
        return self._payload.embeddings

    @property
    def items(self) -> Any:
        return self._payload.items

    @property
    def data(self) -> Mapping[str, Any]:
        """Columns by name; `removed` says why, where removed items are included."""
        out = self._payload.columns()
        if self._found.reasons is not None:
            out["removed"] = self._found.reasons
        return out

    @property
    def _provenance(self) -> Provenance:
        found = self._found
        return Provenance.unknown(len(found.ids)) if found.provenance is None else found.provenance

    @property
    def query(self) -> npt.NDArray[np.int64]:
        return self._provenance.query

    @property
    def operator(self) -> list[str]:
        return self._provenance.operator

    @property
    def call(self) -> npt.NDArray[np.int64]:
        return self._provenance.call

    @property
    def n_measured(self) -> npt.NDArray[np.int64]:
        return self._provenance.n_measured

    @property
    def stderr(self) -> npt.NDArray[np.float64]:
        return self._provenance.stderr

    @property
    def propensity(self) -> npt.NDArray[np.float64]:
        return self._provenance.propensity

    @property
    def rank(self) -> npt.NDArray[np.int64]:
        return np.arange(1, len(self) + 1)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._payload)

    def __getitem__(self, index: int) -> Item:
        return self._payload[index]

    def head(self, n: int = 10) -> Results:
        """The best `n`."""
        whole, first = self._found, np.arange(min(n, len(self)))
        return Results(
            lambda: ResultRows(
                whole.ids[first],
                whole.scores[first],
                lambda: self.embeddings[first],
                lambda: self._payload.take(first),
                None if whole.reasons is None else whole.reasons[: len(first)],
                None if whole.provenance is None else whole.provenance.take(first),
            )
        )

    def columns(self) -> dict[str, Any]:
        """`id`, `score`, `stderr` and `n_measured` where anything was measured again or inexactly, `item` where there
        is one, and the data columns."""
        out: dict[str, Any] = {"id": self.ids, "score": self.scores}
        if (self.n_measured > 1).any() or not np.isnan(self.stderr).all():
            out |= {"stderr": self.stderr, "n_measured": self.n_measured}
        if self.items is not None:
            out["item"] = list(self.items)
        for name, column in self.data.items():
            out[name if name not in out else f"data_{name}"] = column
        return out

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row an item, best first."""
        return to_frame(self.columns())

    def to_parquet(self, path: str | Path) -> None:
        """Write a Parquet file. Dates stay dates; a column of several kinds becomes text."""
        write_parquet(self.columns(), path)

    def to_csv(self, path: str | Path) -> None:
        """Write a CSV file, UTF-8. Text that a spreadsheet would run as a formula gets a leading apostrophe."""
        write_csv(self.columns(), path)

    def __repr__(self) -> str:
        lines = [f"Results: {len(self)} items"]
        for item in self.head(_SHOWN):
            text = "" if item.item is None else f"  {str(item.item)!r:.60}"
            lines.append(f"  {'—' if item.score is None else format(item.score, '.6g'):>10}  {item.id}{text}")
        return "\n".join([*lines, *(["  …"] if len(self) > _SHOWN else [])])

    def _repr_html_(self) -> str:
        from emb_opt_widgets.report.html import results_table

        return results_table(self.head(_SHOWN).columns(), total=len(self))


class MeasurementTable:
    """Every measurement, column by column, in order of arrival. A snapshot.

    Attributes:
        id, score, noise, cost: `(n,)`; NaN: failed, unknown.
        paid, replaced: `(n,)` bool: the budget paid for it; a correction took its place, or was undone.
        query, operator: `(n,)` the node that found the item first (-1: none), and what proposed to score it.
        round: `(n,)` when it came. source: `(n,)` "score", "tell", "known" or "correction".
        reason: `(n,)` why it failed.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._columns["score"])

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self._columns)

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row a measurement."""
        return to_frame(self._columns)

    def to_csv(self, path: str | Path) -> None:
        """Write a CSV file, as `Results.to_csv` does."""
        write_csv(self._columns, path)

    def __repr__(self) -> str:
        return f"MeasurementTable: {len(self)} measurements of {len(set(self['id'].tolist()))} items"


class QueryTree:
    """The queries of a search, column by column; row `i` is node `i`. A snapshot.

    Attributes:
        id, parent, root, round: `(n,)` int64; parent is -1 for a root, round -1 until it has looked.
        status: `(n,)` str: active, pruned, removed, undone.
        reason: `(n,)` str: why it was made, or why it is not active.
        operator: `(n,)` str: what made it; of a place, what most of its items were proposed by.
        operators: `(n,)` mappings: how many of the calls that it found first each operator proposed.
        n_hits, n_new: `(n,)` int64: items found, and found first by it.
        mean_score, max_score: `(n,)` float64 over its valid hits; max is the best (the smallest when minimising).
        propensity: `(n,)` float64.
        expanded: `(n,)` bool: it has been asked for children.
        embedding: `(n, d)` float64.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._columns["id"])

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self._columns)

    def children(self, node: int) -> npt.NDArray[np.int64]:
        """Ids of a node's children."""
        return np.flatnonzero(self._columns["parent"] == node)

    def path(self, node: int) -> list[int]:
        """From a node up to its root."""
        out = []
        while node >= 0:
            out.append(int(node))
            node = int(self._columns["parent"][node])
        return out

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row a node; embeddings as one array a cell."""
        return to_frame({k: list(v) if k == "embedding" else v for k, v in self._columns.items()})

    def __repr__(self) -> str:
        status = list(self._columns["status"])
        counts = ", ".join(f"{status.count(s)} {s}" for s in dict.fromkeys(status))
        return f"QueryTree: {len(self)} queries ({counts})"
