"""Scored queries as columns, what an update answers, and the light views that query-wise functions see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Item, Items
from emb_opt_widgets.engine.statistics import bounded, ragged_statistics
from emb_opt_widgets.errors import InputError

__all__ = ["Choice", "Lineage", "Proposals", "Queries", "Query", "QueryHit"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a query or a hit stands; the names are the reference library's (`Query.internal`)."""

    removed: bool
    removal_reason: str | None
    parent_id: int | None
    collection_id: int | None
    iteration: int | None


class QueryHit:
    """One hit of one query, as a view: an `Item` with the query that found it."""

    __slots__ = ("_item", "internal")

    def __init__(self, item: Item, internal: Lineage) -> None:
        self._item = item
        self.internal = internal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._item, name)

    def __repr__(self) -> str:
        return repr(self._item)


class Query:
    """One scored query, as a view: `id`, `embedding (d,)`, `item`, `data`, `query_results`, `internal`."""

    __slots__ = ("_batch", "_hits", "_index", "data", "id", "item")

    def __init__(self, batch: Queries, index: int) -> None:
        self._batch = batch
        self._index = index
        self._hits: list[QueryHit] | None = None
        self.id = int(batch.ids[index])
        self.item: Any = None
        self.data: dict[str, Any] = {}

    @property
    def embedding(self) -> Float64:
        row: Float64 = self._batch.embeddings[self._index]
        return row

    @property
    def internal(self) -> Lineage:
        b, i = self._batch, self._index
        return Lineage(False, None, _or_none(b.parents[i]), int(b.collections[i]), int(b.rounds[i]))

    @property
    def query_results(self) -> list[QueryHit]:
        if self._hits is None:
            b, i = self._batch, self._index
            collection, round = int(b.collections[i]), int(b.rounds[i])
            span = range(int(b.offsets[i]), int(b.offsets[i + 1]))
            self._hits = [
                QueryHit(
                    b.hits[j],
                    Lineage(not b.valid[j], None if b.valid[j] else "removed", self.id, collection, round),
                )
                for j in span
            ]
        return self._hits

    def valid_results(self) -> Iterator[QueryHit]:
        """The hits that are scored and not removed."""
        return (hit for hit in self.query_results if not hit.internal.removed)

    def enumerate_query_results(self, skip_removed: bool = True) -> Iterator[tuple[int, QueryHit]]:
        """Hits with their positions."""
        return ((i, h) for i, h in enumerate(self.query_results) if not (skip_removed and h.internal.removed))

    def __iter__(self) -> Iterator[QueryHit]:
        return iter(self.query_results)

    def __getitem__(self, index: int) -> QueryHit:
        return self.query_results[index]

    def __len__(self) -> int:
        return int(self._batch.offsets[self._index + 1] - self._batch.offsets[self._index])


class Queries(Sequence[Query]):
    """Scored queries, column by column, with their hits ragged by `offsets`.

    Attributes:
        ids: `(q,)` node ids. parents: `(q,)`, -1 for a root. collections: `(q,)` root node ids.
        rounds: `(q,)` the round in which each looked.
        embeddings: `(q, d)` float64.
        offsets: `(q + 1,)`; the hits of query `i` are `[offsets[i]:offsets[i + 1]]`.
        hits: the `m` hits as `Items`, with their scores.
        valid: `(m,)` True for a hit with a finite score that is not removed.
        sign: 1.0 when high scores are sought, else -1.0.
    """

    __slots__ = ("collections", "embeddings", "hits", "ids", "offsets", "parents", "rounds", "sign", "valid")

    def __init__(
        self,
        ids: Int64,
        parents: Int64,
        collections: Int64,
        rounds: Int64,
        embeddings: Float64,
        offsets: Int64,
        hits: Items,
        valid: npt.NDArray[np.bool_],
        sign: float,
    ) -> None:
        self.ids = ids
        self.parents = parents
        self.collections = collections
        self.rounds = rounds
        self.embeddings = embeddings
        self.offsets = offsets
        self.hits = hits
        self.valid = valid
        self.sign = sign

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Query]:
        return (Query(self, i) for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Query: ...
    @overload
    def __getitem__(self, index: slice) -> list[Query]: ...
    def __getitem__(self, index: int | slice) -> Query | list[Query]:
        if isinstance(index, slice):
            return [Query(self, i) for i in range(len(self))[index]]
        n = len(self)
        if not -n <= index < n:
            raise IndexError(index)
        return Query(self, index % n)

    def scored(self) -> tuple[Float64, npt.NDArray[Any], Int64, Int64]:
        """Only the valid hits: `(gains (v,), embeddings (v, d), positions (v,), offsets (q + 1,))`.

        A gain is a score with its sign turned so that more is always better.
        """
        positions = np.flatnonzero(self.valid)
        offsets = np.concatenate([[0], np.cumsum(self.valid)])[self.offsets].astype(np.int64)
        scores = self.hits.scores
        if scores is None:
            raise InputError("These queries have not been scored")
        whole = len(positions) == len(self.valid)
        embeddings = self.hits.embeddings if whole else self.hits.embeddings[positions]
        return bounded(scores[positions]) * self.sign, embeddings, positions, offsets

    def statistics(self) -> tuple[Int64, Float64, Float64]:
        """Per query: number of valid hits, their mean score and their best score, `(q,)` each (NaN: none)."""
        if self.hits.scores is None:
            raise InputError("These queries have not been scored")
        return ragged_statistics(self.hits.scores, self.valid, self.offsets, self.sign)


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """New queries, as an update proposes them.

    Attributes:
        embeddings: `(m, d)` float64, where each looks from.
        parents: `(m,)` node ids, -1 for a new root.
        operator: What made them: one name, or one each.
        reason: A sentence for a person: one, or one each.
        propensity: `(m,)` probability with which each was made, in (0, 1]; None means 1.
        gradients: `(m, d)` directions of rising score, or None. A query then also looks from
            `embedding + step * gradient` for every step in `steps`.
        steps: `(L,)` float64.
        items: Item ids each query takes as its hits, instead of asking the source. None, for all or for one: the source
            is asked.
        memory: What the update wants to be told in the next round: plain JSON values.
    """

    embeddings: Float64
    parents: Int64
    operator: str | Sequence[str] = "update"
    reason: str | Sequence[str] = ""
    propensity: Float64 | None = None
    gradients: Float64 | None = None
    steps: Float64 | None = None
    items: Sequence[npt.NDArray[Any] | None] | None = None
    memory: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        m = len(self.embeddings)
        for name in ("parents", "propensity", "gradients", "items"):
            value = getattr(self, name)
            if value is not None and len(value) != m:
                raise InputError(f"Proposals.{name} has the wrong length", expected=str(m), got=len(value))

    def __len__(self) -> int:
        return len(self.embeddings)

    @classmethod
    def none(cls, dim: int, memory: Mapping[str, Any] | None = None) -> Proposals:
        """Nothing to propose."""
        return cls(np.empty((0, dim)), np.empty(0, np.int64), memory=memory)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What to spend score calls on.

    Attributes:
        positions: `(c,)` positions among the candidates, in the order to score them.
        propensity: `(c,)` probability with which each was chosen; None means 1.
        memory: As in `Proposals`.
        operator: What proposed each, "" for what made the node that found it. None: that of all.
        reason: In words, by operator.
    """

    positions: Int64
    propensity: Float64 | None = None
    memory: Mapping[str, Any] | None = field(default=None)
    operator: Sequence[str] | None = None
    reason: Mapping[str, str] | None = None


def _or_none(value: Any) -> int | None:
    return None if value < 0 else int(value)
