"""Every backend through the public suite, and all of them against one another."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from emb_opt_widgets.sources import ArraySource, FaissSource, HuggingFaceSource, QdrantSource
from emb_opt_widgets.sources import rows as rows_module
from emb_opt_widgets.sources.torch_rows import TorchRows
from emb_opt_widgets.testing import SOURCE_CHECKS, SourceCase, check_source

faiss = pytest.importorskip("faiss")
datasets = pytest.importorskip("datasets")
qdrant = pytest.importorskip("qdrant_client")
torch = pytest.importorskip("torch")


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def text_id(row):
    return f"item {row:04d}"


def spread_id(row):
    return (row * 7919 + 13) % 100_003


def uuid_id(row):
    return str(UUID(int=row + 1))


def many(function, n):
    return [function(i) for i in range(n)]


def flat(x, metric=None):
    index = faiss.IndexFlatL2(x.shape[1]) if metric is None else faiss.IndexFlat(x.shape[1], metric)
    index.add(x)
    return index


def hnsw(x):
    index = faiss.IndexHNSWFlat(x.shape[1], 32)
    index.hnsw.efSearch = 512
    index.add(x)
    return index


def ivf(x, ids=None):
    index = faiss.index_factory(x.shape[1], "IVF4,Flat")
    index.train(x)
    if ids is None:
        index.add(x)
    else:
        index.add_with_ids(x, np.array(ids))
    index.nprobe = 4
    return index


def id_map(x, kind):
    index = kind(faiss.IndexFlatL2(x.shape[1]))
    index.add_with_ids(x, np.array(many(spread_id, len(x))))
    return index


def hugging(x, dtype="float32", **kwargs):
    features = datasets.Features({"v": datasets.Sequence(datasets.Value(dtype)), "name": datasets.Value("string")})
    table = {"v": x.tolist(), "name": many(text_id, len(x))}
    data = datasets.Dataset.from_dict(table, features=features)
    data.add_faiss_index("v")
    return HuggingFaceSource(data, "v", **kwargs)


def collection(x, distance, id_of=int):
    client = qdrant.QdrantClient(":memory:")
    named = qdrant.models.VectorParams(size=x.shape[1], distance=distance)
    client.create_collection("things", vectors_config=named)
    points = [
        qdrant.models.PointStruct(id=id_of(i), vector=row.tolist(), payload={"name": text_id(i)})
        for i, row in enumerate(x)
    ]
    client.upsert("things", points)
    return QdrantSource(client, "things", item_key="name")


def on_tensor(x, metric="l2"):
    source = ArraySource(x, metric=metric)
    source._rows = TorchRows(torch.from_numpy(x), metric)
    return source


exact = {"ties_by_row": True, "tolerance": 1e-6}
CASES = {
    "array": SourceCase(ArraySource, **exact),
    "array ip": SourceCase(lambda x: ArraySource(x, metric="ip"), "ip", **exact),
    "array cosine": SourceCase(lambda x: ArraySource(x, metric="cosine"), "cosine", **exact),
    "array float64": SourceCase(lambda x: ArraySource(x.astype(np.float64)), **exact),
    "array float16": SourceCase(
        lambda x: ArraySource(x.astype(np.float16)), stored=lambda x: x.astype(np.float16), **exact
    ),
    "array fortran": SourceCase(lambda x: ArraySource(np.asfortranarray(x)), **exact),
    "array text ids": SourceCase(lambda x: ArraySource(x, ids=many(text_id, len(x))), id_of=text_id, **exact),
    "array own ids": SourceCase(lambda x: ArraySource(x, ids=many(spread_id, len(x))), id_of=spread_id, **exact),
    "tensor": SourceCase(lambda x: ArraySource(torch.from_numpy(x)), **exact),
    "tensor bfloat16": SourceCase(
        lambda x: ArraySource(torch.from_numpy(x).bfloat16()),
        stored=lambda x: torch.from_numpy(x).bfloat16().float().numpy(),
        **exact,
    ),
    "tensor path": SourceCase(on_tensor, **exact),
    "tensor path ip": SourceCase(lambda x: on_tensor(x, "ip"), "ip", **exact),
    "tensor path cosine": SourceCase(lambda x: on_tensor(x, "cosine"), "cosine", **exact),
    "faiss flat": SourceCase(lambda x: FaissSource(flat(x))),
    "faiss ip": SourceCase(lambda x: FaissSource(flat(x, faiss.METRIC_INNER_PRODUCT)), "ip"),
    "faiss text ids": SourceCase(lambda x: FaissSource(flat(x), ids=many(text_id, len(x))), id_of=text_id),
    "faiss ivf": SourceCase(lambda x: FaissSource(ivf(x))),
    "faiss ivf own ids": SourceCase(lambda x: FaissSource(ivf(x, many(spread_id, len(x)))), id_of=spread_id),
    "faiss hnsw": SourceCase(lambda x: FaissSource(hnsw(x))),
    "faiss id map": SourceCase(lambda x: FaissSource(id_map(x, faiss.IndexIDMap)), id_of=spread_id),
    "faiss id map 2": SourceCase(lambda x: FaissSource(id_map(x, faiss.IndexIDMap2)), id_of=spread_id),
    "hugging face": SourceCase(hugging),
    "hugging face float64": SourceCase(lambda x: hugging(x, "float64")),
    "hugging face ids": SourceCase(lambda x: hugging(x, id_column="name"), id_of=text_id),
    "qdrant euclid": SourceCase(lambda x: collection(x, qdrant.models.Distance.EUCLID)),
    "qdrant cosine": SourceCase(lambda x: collection(x, qdrant.models.Distance.COSINE), "cosine", stored=unit),
    "qdrant dot": SourceCase(lambda x: collection(x, qdrant.models.Distance.DOT), "ip"),
    "qdrant uuid": SourceCase(lambda x: collection(x, qdrant.models.Distance.EUCLID, uuid_id), id_of=uuid_id),
}


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
def test_conforms(name, check):
    check(CASES[name])


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_conforms_on_disk(tmp_path, metric):
    made = 0

    def make(x):
        nonlocal made
        made += 1
        path = tmp_path / f"{made}.npy"
        np.save(path, x)
        return ArraySource(np.load(path, mmap_mode="r"), metric=metric)

    check_source(SourceCase(make, metric, **exact))


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_conforms_without_faiss_and_in_small_blocks(monkeypatch, metric):
    monkeypatch.setattr(rows_module, "_faiss", lambda: None)
    monkeypatch.setattr(rows_module, "_CHECK_ELEMENTS", 100)
    check_source(SourceCase(lambda x: ArraySource(x, metric=metric), metric, **exact))


def test_backends_agree():
    """The same data and queries, the same ids from every backend, in the same order."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((300, 6)).astype(np.float32)
    queries = rng.standard_normal((30, 6)).astype(np.float32)
    names = ["array", "array float64", "tensor", "tensor path", "faiss flat", "faiss ivf", "faiss hnsw", "hugging face"]
    names += ["qdrant euclid"]
    answers = {name: CASES[name].make(x).search(queries, 12).ids.tolist() for name in names}
    for name, answer in answers.items():
        assert answer == answers["array"], name


class _Wrong:
    """A source with one promise broken at a time."""

    def __init__(self, x, how):
        self._source, self._how = ArraySource(x), how
        self.dim = x.shape[1]

    def __len__(self):
        return len(self._source) - (self._how == "len")

    def search(self, queries, k):
        hits = self._source.search(queries, k)
        if self._how == "order":
            return type(hits)(hits.ids[::-1].copy(), hits.distances[::-1].copy(), hits.offsets)
        if self._how == "far":
            return type(hits)((hits.ids + 1) % len(self._source), hits.distances, hits.offsets)
        return hits

    def fetch(self, ids):
        return self._source.fetch(np.sort(ids) if self._how == "fetch" else ids)

    def scan(self, batch):
        for i, items in enumerate(self._source.scan(batch)):
            if self._how != "scan" or i != 1:
                yield items


@pytest.mark.parametrize("how", ["len", "order", "far", "fetch", "scan"])
def test_the_suite_notices(how):
    with pytest.raises(AssertionError):
        check_source(SourceCase(lambda x: _Wrong(x, how)))


def test_the_suite_accepts_the_unbroken():
    check_source(SourceCase(lambda x: _Wrong(x, "nothing")))
