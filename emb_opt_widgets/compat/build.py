"""Models made without validation, from values that are known to be right: a tenth of the time.

They equal those that validation makes, field for field.
"""

from __future__ import annotations

import uuid
from typing import Any

from emb_opt_widgets.compat.schemas import Batch, InteralData, Item, Query, fresh_internal

__all__ = ["awaiting_batch", "bare_item", "bare_query", "copied", "lineage", "query_id"]

_set = object.__setattr__
_LINEAGE = set(InteralData.model_fields)
_ITEM = {*Item.model_fields, "internal"}
_QUERY = {*Query.model_fields, "internal", "id"}
_PLAIN = fresh_internal()


def _model(cls: Any, fields: dict[str, Any], given: set[str], extra: dict[str, Any] | None) -> Any:
    model = cls.__new__(cls)
    _set(model, "__dict__", fields)
    _set(model, "__pydantic_fields_set__", set(given))
    _set(model, "__pydantic_extra__", extra)
    _set(model, "__pydantic_private__", _PLAIN.__pydantic_private__)
    return model


def query_id() -> str:
    """An id that no other query has."""
    return f"query_{uuid.uuid1()}"


def lineage(
    removed: bool = False,
    reason: str | None = None,
    parent: str | None = None,
    collection: int | None = None,
    iteration: int | None = None,
) -> InteralData:
    """Where an item or a query stands."""
    fields = {
        "removed": removed, "removal_reason": reason, "parent_id": parent, "collection_id": collection,
        "iteration": iteration,
    }  # fmt: skip
    model: InteralData = _model(InteralData, fields, _LINEAGE, None)
    return model


def bare_item(id: Any, item: Any, embedding: list[float], data: dict[Any, Any], internal: InteralData) -> Item:
    """An item without a score."""
    fields = {"id": id, "item": item, "embedding": embedding, "score": None, "data": data}
    model: Item = _model(Item, fields, _ITEM, {"internal": internal})
    return model


def copied(item: Item, internal: InteralData) -> Item:
    """The same item, standing elsewhere."""
    fields = dict(item.__dict__)
    fields["embedding"] = list(fields["embedding"])
    fields["data"] = dict(fields["data"])
    model: Item = _model(type(item), fields, _ITEM, {**(item.__pydantic_extra__ or {}), "internal": internal})
    return model


def bare_query(
    id: str, item: Any, embedding: list[float], data: dict[Any, Any], results: list[Item], internal: InteralData
) -> Query:
    """A query."""
    fields = {"item": item, "embedding": embedding, "data": data, "query_results": results}
    model: Query = _model(Query, fields, _QUERY, {"internal": internal, "id": id})
    return model


def awaiting_batch(view: Any) -> Batch:
    """A batch whose queries are made when somebody looks."""
    batch: Batch = _model(Batch, {}, {"queries"}, None)
    batch._await(view)
    return batch
