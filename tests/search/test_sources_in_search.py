"""Every kind of source under a live search: one library, one search; what cannot be read again is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

from ..conftest import Counted, smooth


def run(source: Any, queries: Any, **more: Any) -> eow.Search:
    search = eow.Search(
        source, smooth, update=eow.RLUpdate([0.5]), prune=eow.TopKPrune(2), k=5, queries=queries, **more
    )
    search.run(rounds=4, progress=False)
    return search


def test_array_tensor_memmap_faiss_datasets_and_qdrant_agree(library: np.ndarray, tmp_path: Path) -> None:
    import torch

    faiss = pytest.importorskip("faiss")
    datasets = pytest.importorskip("datasets")
    qdrant = pytest.importorskip("qdrant_client")

    index = faiss.IndexFlatL2(8)
    index.add(library)
    table = datasets.Dataset.from_dict({"embedding": library.tolist(), "name": [f"n{i}" for i in range(len(library))]})
    table.add_faiss_index("embedding")
    np.save(tmp_path / "library.npy", library)
    client = qdrant.QdrantClient(":memory:")
    from qdrant_client import models

    client.create_collection("c", vectors_config=models.VectorParams(size=8, distance=models.Distance.EUCLID))
    client.upsert("c", [models.PointStruct(id=i, vector=v.tolist()) for i, v in enumerate(library)])
    starts = library[:4] + 0.1
    wanted = run(library, starts)
    for source in (
        torch.tensor(library), np.load(tmp_path / "library.npy", mmap_mode="r"), index, table,
        eow.sources.QdrantSource(client, "c"),
    ):  # fmt: skip
        search = run(source, starts)
        np.testing.assert_array_equal(search.results().ids, wanted.results().ids)
        np.testing.assert_allclose(search.tree.embedding, wanted.tree.embedding, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(search.tree.status, wanted.tree.status)


def test_payload_reaches_functions_and_results(library: np.ndarray) -> None:
    weights = np.arange(400) / 400
    source = eow.sources.ArraySource(
        library, ids=[f"m{i}" for i in range(400)], items=[f"C{i}" for i in range(400)], data={"weight": weights}
    )
    seen: list[Any] = []

    def score(items: Any) -> list[float]:
        seen.extend((i.id, i.item, i.data["weight"]) for i in items)
        return [i.data["weight"] for i in items]

    search = eow.Search(source, score, filter=lambda b: b.data["weight"] > 0.5, update=eow.RLUpdate([0.5]), k=8)
    results = search.run(rounds=3, progress=False)
    assert all(i == f"m{n}" and x == f"C{n}" and w == n / 400 for i, x, w in seen for n in [int(i[1:])])
    assert results.ids[0] == "m" + results.items[0][1:] and min(results.data["weight"]) > 0.5
    assert search.best is not None and search.best.item == results.items[0]
    assert search.branch(item="m3") and search.tree.reason[-1] == "at item m3"


def decode(points: np.ndarray) -> list[str | None]:
    """A latent space of words: the signs of the first coordinates, nothing where the first is small."""
    return [
        None if abs(p[0]) < 0.02 else "".join("ab"[int(v > 0.3)] + str(int(abs(v) * 4)) for v in p[:3]) for p in points
    ]


def word_score(items: Any) -> list[float]:
    return [float(i.item.count("b")) + float(i.embedding.sum()) / 100 for i in items]


def test_a_generative_source_finds_scores_each_item_once_and_resumes(tmp_path: Path) -> None:
    def make(path: Any = None) -> eow.Search:
        source = eow.sources.GenerativeSource(decode, dim=4, scale=0.4)
        counted = Counted(word_score)
        search = eow.Search(source, counted, update=eow.RLUpdate([0.5]), k=8, queries=3, path=path)
        search.run(rounds=2, progress=False)
        assert set(counted.calls.values()) == {1}
        return search

    whole = make()
    whole.run(rounds=3, progress=False)
    assert whole.best is not None and whole.best.item == whole.best.id and len(whole.results()) > 10
    make(tmp_path / "g.eow").close()
    fresh = eow.sources.GenerativeSource(decode, dim=4, scale=0.4)
    with eow.load(tmp_path / "g.eow", fresh, Counted(word_score)) as again:
        again.run(rounds=3, progress=False)
        assert again.results().items == whole.results().items
        np.testing.assert_array_equal(again.tree.embedding, whole.tree.embedding)
    replayed = eow.replay(tmp_path / "g.eow", eow.sources.GenerativeSource(decode, dim=4, scale=0.4))
    assert replayed.results().items == whole.results().items


def test_a_generative_source_without_dim_needs_queries() -> None:
    source = eow.sources.GenerativeSource(decode)
    with pytest.raises(eow.InputError, match="dim"):
        eow.Search(source, word_score).run(rounds=1, progress=False)
    search = eow.Search(source, word_score, update=eow.RLUpdate([0.5]), queries=np.ones((2, 4)))
    search.run(rounds=2, progress=False)
    assert search.n_scored > 0
