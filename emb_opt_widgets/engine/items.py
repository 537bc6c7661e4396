"""Items as columns, and the light views that item-wise user functions see.

Knows nothing of queries, scores' meaning or where items come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.ids import as_ids
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.tables import to_frame, write_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Item", "Items", "Proposed", "as_ids", "concatenate"]


class Item:
    """One item of a batch, as a view: `id`, `item`, `embedding (d,)`, `score`, `data`."""

    __slots__ = ("_batch", "_index")

    def __init__(self, batch: Items, index: int) -> None:
        self._batch = batch
        self._index = index

    @property
    def id(self) -> int | str:
        value = self._batch.ids[self._index]
        return value if isinstance(value, str) else int(value)

    @property
    def item(self) -> Any:
        items = self._batch.items
        return None if items is None else items[self._index]

    @property
    def embedding(self) -> npt.NDArray[Any]:
        row: npt.NDArray[Any] = self._batch.embeddings[self._index]
        return row

    @property
    def score(self) -> float | None:
        scores = self._batch.scores
        if scores is None or np.isnan(scores[self._index]):
            return None
        return float(scores[self._index])

    @property
    def data(self) -> dict[str, Any]:
        return self._batch.row_data(self._index)

    def __repr__(self) -> str:
        return f"Item(id={self.id!r}, item={self.item!r:.60}, score={self.score})"


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Why items were handed out, one value each.

    Attributes:
        predicted: `(n,)` what the strategy expects, in units of the score; NaN where no model can be asked.
        deviation: `(n,)` its standard deviation.
        operator: What proposed each. reason: In words.
    """

    predicted: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    operator: Sequence[str]
    reason: Sequence[str]

    @classmethod
    def nothing(cls, n: int) -> Proposed:
        """Nothing known of `n` items."""
        return cls(np.full(n, np.nan), np.full(n, np.nan), [""] * n, [""] * n)

    def take(self, rows: npt.NDArray[Any]) -> Proposed:
        """Those at these positions."""
        words = ([column[i] for i in rows.tolist()] for column in (self.operator, self.reason))
        return Proposed(self.predicted[rows], self.deviation[rows], *words)

    def columns(self) -> dict[str, Any]:
        """By name."""
        return {
            "predicted": self.predicted, "deviation": self.deviation, "operator": self.operator, "reason": self.reason,
        }  # fmt: skip


class Items(Sequence[Item]):
    """A batch of items, column by column.

    Args:
        ids: `(n,)` int or str.
        embeddings: `(n, d)` float32 (float64 where the source holds it so).
        items: What the vectors stand for, `(n,)` sequence, or None.
        data: Columns of length `n` by name.
        scores: `(n,)` float64, NaN where unknown, or None.
        extra: Per item, what a filter or a score function answered beside its verdict; it shadows `data`.
        later: Where `items`, `data` and `extra` come from when somebody looks at them, instead of now.
        proposed: Why they were handed out, where they were.
    """

    __slots__ = ("_data", "_extra", "_items", "_later", "_proposed", "embeddings", "ids", "scores")

    def __init__(
        self,
        ids: Any,
        embeddings: npt.NDArray[Any],
        items: Sequence[Any] | npt.NDArray[Any] | None = None,
        data: Mapping[str, Any] | None = None,
        scores: npt.NDArray[np.float64] | None = None,
        extra: Sequence[Mapping[str, Any] | None] | None = None,
        later: Callable[[], Items] | None = None,
        proposed: Proposed | None = None,
    ) -> None:
        self.ids = as_ids(ids)
        self.embeddings = embeddings
        self.scores = scores
        self._items = items
        self._data: Mapping[str, Any] = {} if data is None else data
        self._extra = extra
        self._later = later
        self._proposed = proposed
        n = len(self.ids)
        columns = {"embeddings": embeddings, "items": items, "scores": scores, **self._data}
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise InputError(
                    f"Column {name!r} has the wrong length",
                    expected=f"{n} values, one for each id",
                    got=len(column),
                )

    def _load(self) -> None:
        if self._later is not None:
            whole, self._later = self._later(), None
            self._items, self._data, self._extra = whole.items, whole.data, whole._extra

    @property
    def items(self) -> Sequence[Any] | npt.NDArray[Any] | None:
        """What the vectors stand for."""
        self._load()
        return self._items

    @property
    def data(self) -> Mapping[str, Any]:
        """Columns of payload by name."""
        self._load()
        return self._data

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Item]:
        return (Item(self, i) for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Items: ...
    def __getitem__(self, index: int | slice) -> Item | Items:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        n = len(self)
        if not -n <= index < n:
            raise IndexError(index)
        return Item(self, index % n)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.int64]) -> Items:
        """The items at these positions, in this order, as a batch."""
        self._load()
        return Items(
            self.ids[rows],
            self.embeddings[rows],
            None if self.items is None else _take(self.items, rows),
            {name: _take(column, rows) for name, column in self.data.items()},
            None if self.scores is None else self.scores[rows],
            None if self._extra is None else [self._extra[i] for i in rows],
            proposed=None if self._proposed is None else self._proposed.take(rows),
        )

    def with_columns(
        self,
        scores: npt.NDArray[np.float64] | None = None,
        extra: Sequence[Mapping[str, Any] | None] | None = None,
    ) -> Items:
        """The same items with these scores and answers attached."""
        return Items(self.ids, self.embeddings, self.items, self.data, scores, extra)

    def handed_out(self, proposed: Proposed) -> Items:
        """The same items with why they were handed out."""
        return Items(self.ids, self.embeddings, self.items, self.data, self.scores, self._extra, None, proposed)

    @property
    def proposed(self) -> Proposed:
        """Why they were handed out."""
        return Proposed.nothing(len(self)) if self._proposed is None else self._proposed

    @property
    def predicted(self) -> npt.NDArray[np.float64]:
        """`(n,)` what the strategy expects of each, in units of the score; NaN where no model can be asked."""
        return self.proposed.predicted

    @property
    def deviation(self) -> npt.NDArray[np.float64]:
        """`(n,)` standard deviations of `predicted`."""
        return self.proposed.deviation

    @property
    def operator(self) -> Sequence[str]:
        """`(n,)` what proposed each."""
        return self.proposed.operator

    @property
    def reason(self) -> Sequence[str]:
        """`(n,)` why, in words."""
        return self.proposed.reason

    def table(self) -> dict[str, Any]:
        """All but the vectors by column: `id`, `item`, `score` where one is known, why it was handed out, and data."""
        out: dict[str, Any] = {"id": self.ids}
        if self.items is not None:
            out["item"] = list(self.items)
        if self.scores is not None and not np.isnan(self.scores).all():
            out["score"] = self.scores
        if self._proposed is not None:
            out.update(self._proposed.columns())
        return out | {name: column for name, column in self.columns().items() if name not in out}

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row an item. With scores in a column `score`, it is what `tell` takes."""
        return to_frame(self.table())

    def to_csv(self, path: str | Path) -> None:
        """Write a CSV file, UTF-8. Text that a spreadsheet would run as a formula gets a leading apostrophe."""
        write_csv(self.table(), path)

    def __reduce__(self) -> tuple[Any, ...]:
        self._load()
        columns = (self.ids, self.embeddings, self._items, self._data, self.scores, self._extra)
        return Items, columns if self._proposed is None else (*columns, None, self._proposed)

    def columns(self) -> dict[str, Any]:
        """Payload columns by name, with what functions answered laid over them."""
        out = dict(self.data)
        if self._extra is None:
            return out
        for name in dict.fromkeys(name for answered in self._extra if answered for name in answered):
            below = out.get(name, [None] * len(self))
            out[name] = [
                answered[name] if answered and name in answered else old for answered, old in zip(self._extra, below)
            ]
        return out

    def row_data(self, index: int) -> dict[str, Any]:
        """Everything else that is known of one item, by name."""
        out = {name: column[index] for name, column in self.data.items()}
        answered = None if self._extra is None else self._extra[index]
        if answered:
            out.update(answered)
        return out

    def __repr__(self) -> str:
        width = self.embeddings.shape[1] if self.embeddings.ndim == 2 else "?"
        return f"Items(n={len(self)}, d={width}, data={list(self.data)})"


def _take(column: Any, rows: npt.NDArray[Any]) -> Any:
    if isinstance(column, np.ndarray):
        return column[rows]
    return [column[i] for i in rows]


def concatenate(batches: Sequence[Items]) -> Items:
    """One batch from several; a column that one batch lacks is None there."""
    if len(batches) == 1:
        return batches[0]
    names = {name for batch in batches for name in batch.data}
    whole = all(batch.items is None for batch in batches)

    def joined(parts: list[Any], lengths: list[int]) -> list[Any]:
        return [v for part, n in zip(parts, lengths) for v in ([None] * n if part is None else part)]

    lengths = [len(b) for b in batches]
    ids = [v for b in batches for v in b.ids.tolist()]
    return Items(
        ids,
        np.concatenate([b.embeddings for b in batches]),
        None if whole else joined([b.items for b in batches], lengths),
        {name: joined([b.data.get(name) for b in batches], lengths) for name in sorted(names)},
    )
