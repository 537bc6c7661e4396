from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources import QdrantSource

qdrant = pytest.importorskip("qdrant_client")
models = qdrant.models

X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
QUERIES = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)


@pytest.fixture
def client():
    client = qdrant.QdrantClient(":memory:")
    plain = models.VectorParams(size=4, distance=models.Distance.EUCLID)
    client.create_collection("plain", vectors_config=plain)
    client.create_collection("two", vectors_config={"a": plain, "b": plain})
    client.create_collection("empty", vectors_config=plain)
    points = []
    for i, row in enumerate(X.tolist()):
        payload = {"name": f"n{i}", "even": i % 2 == 0} | ({"rare": i} if i % 10 == 0 else {})
        points.append(models.PointStruct(id=i if i < 20 else str(UUID(int=i)), vector=row, payload=payload))
    client.upsert("plain", points)
    client.upsert("two", [models.PointStruct(id=1, vector={"a": [1, 0, 0, 0], "b": [0, 1, 0, 0]})])
    return client


def test_payload_and_mixed_ids(client):
    source = QdrantSource(client, "plain", item_key="name")
    ids = [str(UUID(int=30)), 7, 7]
    items = source.fetch(np.array(ids, dtype=object))
    assert items.ids.tolist() == ids
    assert items.items == ["n30", "n7", "n7"]
    assert items.data == {"even": [True, False, False], "rare": [30, None, None]}
    np.testing.assert_allclose(items.embeddings, X[[30, 7, 7]], rtol=1e-6)
    assert source.fetch([str(UUID(int=30)).upper()]).items == ["n30"]


def test_filter_makes_a_smaller_source(client):
    condition = models.FieldCondition(key="even", match=models.MatchValue(value=True))
    source = QdrantSource(client, "plain", query_filter=models.Filter(must=[condition]))
    assert len(source) == 20
    assert sum(len(items) for items in source.scan(7)) == 20
    hits = source.search(QUERIES, 100)
    assert np.diff(hits.offsets).tolist() == [20] * 5
    assert all(source.fetch(hits.ids).data["even"])


def test_cutoff_is_a_distance(client):
    far = np.linalg.norm(X[None] - QUERIES[:, None], axis=2)
    hits = QdrantSource(client, "plain", distance_cutoff=1.5).search(QUERIES, 40)
    assert np.diff(hits.offsets).tolist() == (far <= 1.5).sum(axis=1).tolist()
    assert (hits.distances <= 1.5).all()


def test_many_queries_are_asked_in_parts(client):
    source = QdrantSource(client, "plain")
    hits = source.search(np.repeat(QUERIES, 40, axis=0), 3)
    assert len(hits) == 200 and len(hits.ids) == 600


def test_named_vectors(client):
    source = QdrantSource(client, "two", vector_name="b")
    assert source.fetch([1]).embeddings.tolist() == [[0, 1, 0, 0]]
    assert source.search(np.array([[0, 1, 0, 0]], np.float32), 2).distances.tolist() == [0]
    with pytest.raises(InputError, match=r"\['a', 'b'\]"):
        QdrantSource(client, "two")


@pytest.mark.parametrize("wrong", [-1, "nope", str(UUID(int=999)), 999])
def test_unknown_ids(client, wrong):
    with pytest.raises(InputError, match="no item"):
        QdrantSource(client, "plain").fetch(np.array([1, wrong], dtype=object))


def test_bad_arguments(client):
    with pytest.raises(InputError, match="'plain'"):
        QdrantSource(client, "none")
    with pytest.raises(InputError, match="empty"):
        QdrantSource(client, "empty")
    with pytest.raises(InputError, match="client"):
        QdrantSource("localhost", "plain")
    with pytest.raises(InputError, match="clear"):
        QdrantSource(client, "plain", vector_name="b")
