from __future__ import annotations

import numpy as np
import pytest

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources import ArraySource, FaissSource

faiss = pytest.importorskip("faiss")

X = np.random.default_rng(0).standard_normal((500, 16)).astype(np.float32)
QUERIES = np.random.default_rng(1).standard_normal((8, 16)).astype(np.float32)


def filled(description, x=X, metric=None):
    index = faiss.index_factory(16, description, faiss.METRIC_L2 if metric is None else metric)
    index.train(x)
    index.add(x)
    return index


@pytest.mark.parametrize("description", ["Flat", "HNSW16", "SQ8", "PQ4x4", "IVF8,PQ4x4", "OPQ4,IVF8,PQ4x4"])
def test_every_kind_gives_its_vectors_back(description):
    source = FaissSource(filled(description))
    scanned = list(source.scan(77))
    assert sum(len(items) for items in scanned) == 500
    whole = np.concatenate([items.embeddings for items in scanned])
    np.testing.assert_array_equal(source.fetch([3, 499, 3]).embeddings, whole[[3, 499, 3]])
    assert np.abs(whole - X).mean() < 0.8
    assert len(source.search(QUERIES, 5)) == 8


def test_hits_that_are_none_are_dropped():
    index = filled("IVF64,Flat")
    index.nprobe = 1
    hits = FaissSource(index).search(QUERIES, 100)
    counts = np.diff(hits.offsets)
    assert (counts < 100).all() and (counts > 0).any()
    assert (hits.ids >= 0).all() and len(hits.ids) == hits.offsets[-1]


def test_search_params():
    source = FaissSource(filled("IVF64,Flat"), search_params=faiss.SearchParametersIVF(nprobe=64))
    np.testing.assert_array_equal(source.search(QUERIES, 10).ids, ArraySource(X).search(QUERIES, 10).ids)


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_cutoff_and_sign(metric):
    index = filled("Flat", metric=faiss.METRIC_INNER_PRODUCT if metric == "ip" else None)
    exact = ArraySource(X, metric=metric).search(QUERIES, 10)
    cutoff = float(np.median(exact.distances))
    hits = FaissSource(index, distance_cutoff=cutoff).search(QUERIES, 10)
    kept = exact.distances <= cutoff
    np.testing.assert_array_equal(hits.ids, exact.ids[kept])
    np.testing.assert_allclose(hits.distances, exact.distances[kept], rtol=1e-4, atol=1e-4)
    assert len(hits) == 8
    assert len(FaissSource(index, distance_cutoff=-1e9).search(QUERIES, 3).ids) == 0


def test_id_map_with_large_and_negative_labels():
    labels = np.arange(500) * -(2**40) - 7
    for kind in (faiss.IndexIDMap, faiss.IndexIDMap2):
        index = kind(faiss.IndexFlatL2(16))
        index.add_with_ids(X, labels)
        source = FaissSource(index)
        assert source.search(X[5:6], 1).ids.tolist() == [labels[5]]
        np.testing.assert_array_equal(source.fetch(labels[[9, 2]]).embeddings, X[[9, 2]])


def test_id_map_with_ids_of_the_users():
    index = faiss.IndexIDMap(faiss.IndexFlatL2(16))
    index.add_with_ids(X, np.arange(500) + 10_000)
    source = FaissSource(index, ids=[f"n{i}" for i in range(500)], items=list(range(500)), data={"i": np.arange(500)})
    assert source.search(X[5:6], 1).ids.tolist() == ["n5"]
    items = source.fetch(["n7", "n0"])
    assert items.items == [7, 0] and items.data["i"].tolist() == [7, 0]
    np.testing.assert_array_equal(items.embeddings, X[[7, 0]])


def test_ivf_with_ids_of_its_own():
    index = faiss.index_factory(16, "IVF8,Flat")
    index.train(X)
    labels = np.random.default_rng(0).permutation(500) * 3 + 1
    index.add_with_ids(X, labels)
    source = FaissSource(index)
    assert source.search(X[5:6], 1).ids.tolist() == [labels[5]]
    np.testing.assert_array_equal(source.fetch(labels[[9, 2]]).embeddings, X[[9, 2]])
    with pytest.raises(InputError, match="no item with the id 0"):
        source.fetch([0])


def test_equal_distances_come_by_label():
    x = np.zeros((50, 16), np.float32)
    index = faiss.IndexFlatL2(16)
    index.add(x)
    assert FaissSource(index).search(x[:1], 50).ids.tolist() == list(range(50))


@pytest.mark.parametrize("bad", [np.eye(3), faiss.IndexBinaryFlat(16), faiss.IndexFlatL2(4), None])
def test_bad_index(bad):
    with pytest.raises(InputError):
        FaissSource(bad)


def test_an_index_without_vectors_says_so():
    index = faiss.IndexShards(16, False, False)
    index.add_shard(filled("Flat"))
    with pytest.raises(InputError, match="ArraySource"):
        FaissSource(index)


@pytest.mark.parametrize("arguments", [{"ids": [1, 2]}, {"items": [1]}, {"data": {"a": [1]}}, {"ids": [1] * 500}])
def test_bad_columns(arguments):
    with pytest.raises(InputError):
        FaissSource(filled("Flat"), **arguments)
