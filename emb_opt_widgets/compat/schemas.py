"""`Item`, `Query`, `Batch` and what plugins answer, as pydantic models.

A query's results, and a batch's queries, may be awaited: they are made when somebody looks. Knows nothing of where they
come from.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Optional

from emb_opt_widgets.compat.awaiting import Awaiting  # says what to install, where pydantic is missing

from pydantic import BaseModel, ConfigDict, model_validator  # isort: skip

__all__ = [
    "Batch",
    "DataSourceFunction",
    "DataSourceResponse",
    "FilterFunction",
    "FilterResponse",
    "InteralData",
    "Item",
    "PruneFunction",
    "PruneResponse",
    "Query",
    "ScoreFunction",
    "ScoreResponse",
    "UpdateFunction",
    "UpdateResponse",
]

if TYPE_CHECKING:
    Data = dict[Any, Any]
else:
    Data = Optional[dict[Any, Any]]  # noqa: UP045 - None is taken, and becomes an empty dictionary

ALL_REMOVED = "all query results removed"


class InteralData(BaseModel):
    """Where an item or a query stands.

    Attributes:
        removed: Whether some step took it out. removal_reason: Why.
        parent_id: The query it comes from. collection_id: The collection it belongs to.
        iteration: The round it was made in.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    removed: bool
    removal_reason: str | None
    parent_id: str | None
    collection_id: int | None
    iteration: int | None


def fresh_internal() -> InteralData:
    """Of something that nothing happened to yet."""
    return InteralData(removed=False, removal_reason=None, parent_id=None, collection_id=None, iteration=None)


class Item(BaseModel, extra="allow"):
    """An item of the source: `id`, what it is, its vector, its score once known, and other data.

    `internal` (an `InteralData`) says where it stands. Without an id it gets one of its own.
    """

    id: str | int | None
    item: Any | None
    embedding: list[float]
    score: float | None
    data: Data

    @model_validator(mode="after")
    def _complete(self) -> Item:
        if not hasattr(self, "internal"):
            self.internal = fresh_internal()
        if self.__dict__["data"] is None:
            self.data = {}
        if self.id is None:
            self.id = f"item_{uuid.uuid1()}"
        return self

    def update_internal(self, **kwargs: Any) -> None:
        """Set fields of `internal`."""
        self.internal.__dict__.update(kwargs)

    @classmethod
    def from_minimal(
        cls,
        id: str | int | None = None,
        item: Any | None = None,
        embedding: Any = None,
        score: float | None = None,
        data: dict[Any, Any] | None = None,
    ) -> Item:
        """An item of which only some is known."""
        fields: dict[str, Any] = {"id": id, "item": item, "embedding": embedding, "score": score, "data": data}
        return cls(**fields)


if TYPE_CHECKING:
    Results = list[Item]
else:
    Results = Optional[list[Item]]  # noqa: UP045


class Query(Awaiting, extra="allow"):
    """A point to look from, and what was found there.

    `id` and `internal` (an `InteralData`) are its own; it iterates over, and indexes, its results.
    """

    _awaited: ClassVar[tuple[str, ...]] = ("data", "query_results")

    item: Any | None
    embedding: list[float]
    data: Data
    query_results: Results

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        return iter(self.query_results)

    def __getitem__(self, idx: Any) -> Any:
        return self.query_results[idx]

    def __len__(self) -> int:
        return len(self.query_results)

    def valid_results(self) -> Iterator[Item]:
        """The results that are not removed."""
        return (result for result in self.query_results if not result.internal.removed)

    def enumerate_query_results(self, skip_removed: bool = True) -> Iterator[tuple[int, Item]]:
        """Results with their places; with `skip_removed` only those that are not removed."""
        for i, result in enumerate(self.query_results):
            if not (skip_removed and result.internal.removed):
                yield i, result

    @model_validator(mode="after")
    def _complete(self) -> Query:
        if not hasattr(self, "internal"):
            self.internal = fresh_internal()
        if not hasattr(self, "id"):
            self.id = f"query_{uuid.uuid1()}"
        if self.__dict__.get("query_results", ()) is None:
            self.query_results = []
        if self.__dict__.get("data", ()) is None:
            self.data = {}
        return self

    @classmethod
    def from_item(cls, item: Any) -> Query:
        """A query at an item: with what the item is, its data, and its parent query."""
        query = cls.from_minimal(item.item, item.embedding, item.data)
        query.data["_source_item_id"] = item.id
        query.update_internal(parent_id=item.internal.parent_id, collection_id=item.internal.collection_id)
        return query

    @classmethod
    def from_parent_query(cls, embedding: Any, parent_query: Any) -> Query:
        """A query at a point, as the child of another."""
        query = cls.from_minimal(embedding=embedding)
        query.update_internal(parent_id=parent_query.id, collection_id=parent_query.internal.collection_id)
        return query

    def add_query_results(self, query_results: list[Item]) -> None:
        """Append results, and tell them which query found them."""
        own = self.internal
        for result in query_results:
            result.update_internal(parent_id=self.id, collection_id=own.collection_id, iteration=own.iteration)
            self.query_results.append(result)

    def update_internal(self, **kwargs: Any) -> None:
        """Set fields of `internal`; a query all of whose results are removed is removed too."""
        self.internal.__dict__.update(kwargs)
        results = self.__dict__.get("query_results")
        if results and all(result.internal.removed for result in results):
            self.internal.__dict__.update(removed=True, removal_reason=ALL_REMOVED)

    @classmethod
    def from_minimal(
        cls,
        item: Any | None = None,
        embedding: Any = None,
        data: dict[Any, Any] | None = None,
        query_results: list[Item] | None = None,
    ) -> Query:
        """A query of which only some is known."""
        fields = {"item": item, "embedding": embedding, "data": data, "query_results": query_results}
        return cls(**fields)


class Batch(Awaiting):
    """Queries that look together."""

    _awaited: ClassVar[tuple[str, ...]] = ("queries",)

    queries: list[Query]

    def __iter__(self) -> Iterator[Query]:  # type: ignore[override]
        return iter(self.queries)

    def __getitem__(self, idx: Any) -> Any:
        return self.queries[idx]

    def __len__(self) -> int:
        return len(self.queries)

    def get_item(self, query_index: int, result_index: int | None = None) -> Any:
        """The query at a place, or with `result_index` one of its results."""
        query = self.queries[query_index]
        return query if result_index is None else query[result_index]

    def valid_queries(self) -> Iterator[Query]:
        """The queries that are not removed."""
        return (query for query in self.queries if not query.internal.removed)

    def enumerate_queries(self, skip_removed: bool = True) -> Iterator[tuple[tuple[int, None], Query]]:
        """Queries with their places `(query, None)`."""
        for i, query in enumerate(self.queries):
            if not (skip_removed and query.internal.removed):
                yield (i, None), query

    def enumerate_query_results(self, skip_removed: bool = True) -> Iterator[tuple[tuple[int, int], Item]]:
        """Results of all queries with their places `(query, result)`; `skip_removed` skips removed queries too."""
        for (i, _), query in self.enumerate_queries(skip_removed):
            for j, result in query.enumerate_query_results(skip_removed):
                yield (i, j), result

    def flatten_queries(self, skip_removed: bool = True) -> tuple[list[tuple[int, None]], list[Query]]:
        """`enumerate_queries` as two lists."""
        pairs = list(self.enumerate_queries(skip_removed))
        return [place for place, _ in pairs], [query for _, query in pairs]

    def flatten_query_results(self, skip_removed: bool = True) -> tuple[list[tuple[int, int]], list[Item]]:
        """`enumerate_query_results` as two lists."""
        pairs = list(self.enumerate_query_results(skip_removed))
        return [place for place, _ in pairs], [result for _, result in pairs]


class DataSourceResponse(BaseModel):
    """What a data source found for a query. `valid=False` removes the query."""

    valid: bool
    data: dict[Any, Any] | None
    query_results: list[Item]


class FilterResponse(BaseModel):
    """A filter's verdict on an item. `valid=False` removes the item."""

    valid: bool
    data: dict[Any, Any] | None


class ScoreResponse(BaseModel):
    """An item's score. `valid=False`, or no score, removes the item."""

    valid: bool
    score: float | None
    data: dict[Any, Any] | None


class PruneResponse(BaseModel):
    """A pruner's verdict on a query. `valid=False` removes the query."""

    valid: bool
    data: dict[Any, Any] | None


class UpdateResponse(BaseModel):
    """A new query, and the id of the one it comes from."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    query: Query
    parent_id: str | None


DataSourceFunction = Callable[[list[Query]], list[DataSourceResponse]]
FilterFunction = Callable[[list[Item]], list[FilterResponse]]
ScoreFunction = Callable[[list[Item]], list[ScoreResponse]]
PruneFunction = Callable[[list[Query]], list[PruneResponse]]
UpdateFunction = Callable[[list[Query]], list[UpdateResponse]]
