"""A Qdrant client in local mode, and what emb_opt 1.0.2 calls of clients of its time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class OldClient:
    """A client with `search_batch`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def search_batch(self, collection_name: str, requests: list[Any]) -> list[list[Any]]:
        from qdrant_client import models

        now = [
            models.QueryRequest(query=r.vector, limit=r.limit, with_payload=True, with_vector=True) for r in requests
        ]
        return [answer.points for answer in self._client.query_batch_points(collection_name, requests=now)]


def revive(plugins: Any) -> None:
    """Give emb_opt's module the request model that clients no longer have."""
    plugins.models = SimpleNamespace(SearchRequest=SimpleNamespace)


def old_client(vectors: np.ndarray, payload: list[dict[str, Any]], distance: str) -> OldClient:
    """The vectors in a collection named "things"."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    config = models.VectorParams(size=vectors.shape[1], distance=models.Distance[distance.upper()])
    client.create_collection("things", vectors_config=config)
    points = [models.PointStruct(id=i, vector=v.tolist(), payload=p) for i, (v, p) in enumerate(zip(vectors, payload))]
    client.upsert("things", points)
    return OldClient(client)
