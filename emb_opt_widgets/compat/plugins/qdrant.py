"""A Qdrant collection as a data plugin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.data_source import DataSourcePlugin
from emb_opt_widgets.compat.found import Found, Payload, in_columns, responses
from emb_opt_widgets.compat.schemas import DataSourceResponse, Query
from emb_opt_widgets.errors import MissingDependencyError

__all__ = ["QdrantDataPlugin"]


@in_columns
class QdrantDataPlugin(DataSourcePlugin):
    """What a Qdrant collection finds; an item's id is its point's.

    Args:
        k: Hits per query.
        collection_name: The collection.
        qdrant_client: A `qdrant_client.QdrantClient`.
        item_key: Payload key of what the vectors stand for.
        search_request_kwargs: More fields of each request, such as `filter` or `params`.
        distance_cutoff: Only hits with a score below this, as Qdrant gives it.
    """

    empty_is_valid = False

    def __init__(
        self,
        k: int,
        collection_name: str,
        qdrant_client: Any,
        item_key: str | None = None,
        search_request_kwargs: dict[str, Any] | None = None,
        distance_cutoff: float | None = None,
    ) -> None:
        self.k = k
        self.collection_name = collection_name
        self.qdrant_client = qdrant_client
        self.item_key = item_key
        self.search_request_kwargs = search_request_kwargs or {}
        self.distance_cutoff = float("inf") if distance_cutoff is None else distance_cutoff

    def lookup(self, points: npt.NDArray[np.float64]) -> Found:
        """Hits of the points `(q, d)`, with their payload."""
        models = _load_models()
        wanted = {"limit": self.k, "with_payload": True, "with_vector": True, **self.search_request_kwargs}
        requests = [models.QueryRequest(query=point.tolist(), **wanted) for point in points]
        answers = self.qdrant_client.query_batch_points(collection_name=self.collection_name, requests=requests)
        kept = [[p for p in answer.points if p.score < self.distance_cutoff] for answer in answers]
        flat = [p for points in kept for p in points]
        offsets = np.concatenate([[0], np.cumsum([len(points) for points in kept])]).astype(np.int64)
        return Found([p.score for p in flat], offsets, payload=[self._describe(p) for p in flat])

    def _describe(self, point: Any) -> Payload:
        data = dict(point.payload or {})
        item = None if self.item_key is None else data.pop(self.item_key)
        return Payload(point.id, item, data, point.vector)

    def read(self, rows: list[int]) -> list[Payload]:
        """Never asked: every hit brings its payload."""
        raise NotImplementedError

    def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
        """What each query finds, with `query_distance` in its data."""
        return responses(self, inputs)


def _load_models() -> Any:
    try:
        from qdrant_client import models
    except ImportError as error:
        raise MissingDependencyError(
            "QdrantDataPlugin needs qdrant-client", hint="pip install 'emb_opt_widgets[qdrant]'"
        ) from error
    return models
