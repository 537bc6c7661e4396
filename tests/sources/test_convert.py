from __future__ import annotations

import sys

import numpy as np
import pytest

from emb_opt_widgets import sources
from emb_opt_widgets.engine.protocols import ReadableSource, Source, VolatileSource
from emb_opt_widgets.errors import InputError, MissingDependencyError
from emb_opt_widgets.sources import (
    ArraySource,
    FaissSource,
    GenerativeSource,
    HuggingFaceSource,
    QdrantSource,
    as_source,
)

X = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)


def test_exports():
    assert sources.__all__ == [
        "ArraySource",
        "FaissSource",
        "GenerativeSource",
        "HuggingFaceSource",
        "QdrantSource",
        "as_source",
        "differentiable",
    ]
    assert set(sources.__all__) <= set(dir(sources))
    with pytest.raises(AttributeError):
        sources.Nothing  # noqa: B018


def test_protocols():
    assert isinstance(ArraySource(X), ReadableSource)
    assert not isinstance(GenerativeSource(list), ReadableSource)
    assert isinstance(GenerativeSource(list), VolatileSource)


def test_a_source_passes_through():
    source = GenerativeSource(list)
    assert as_source(source) is source

    class Mine:
        dim = 3

        def __len__(self):
            return 0

        def search(self, queries, k): ...

        def fetch(self, ids): ...

    mine = Mine()
    assert isinstance(mine, Source) and as_source(mine) is mine


def test_arrays(tmp_path):
    torch = pytest.importorskip("torch")
    np.save(tmp_path / "x.npy", X)
    for array in (
        X,
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        torch.from_numpy(X),
        torch.nn.Parameter(torch.ones(2, 3)),
    ):
        assert isinstance(as_source(array), ArraySource)


def test_indexes():
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatL2(3)
    index.add(X)
    assert isinstance(as_source(index), FaissSource)


def test_datasets():
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("faiss")
    made = datasets.Dataset.from_dict({"v": X.tolist(), "w": X.tolist()})
    with pytest.raises(InputError, match="add_faiss_index"):
        as_source(made)
    with pytest.raises(InputError, match="one split"):
        as_source(datasets.DatasetDict({"train": made}))
    made.add_faiss_index("v")
    assert isinstance(as_source(made), HuggingFaceSource)
    made.add_faiss_index("w")
    with pytest.raises(InputError, match="Say which"):
        as_source(made)


@pytest.mark.parametrize("x", [None, [[1.0]], "x", len, {"a": 1}])
def test_what_is_no_source(x):
    with pytest.raises(InputError, match="cannot be searched"):
        as_source(x)


def test_a_class_is_no_source():
    with pytest.raises(InputError, match=r"source=ArraySource\(…\)"):
        as_source(ArraySource)


def test_hints():
    pd = pytest.importorskip("pandas")
    with pytest.raises(InputError, match="data=frame"):
        as_source(pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match="GenerativeSource"):
        as_source(lambda x: x)
    qdrant = pytest.importorskip("qdrant_client")
    with pytest.raises(InputError, match="QdrantSource"):
        as_source(qdrant.QdrantClient(":memory:"))


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("faiss", lambda: FaissSource(None), "faiss"),
        ("datasets", lambda: HuggingFaceSource(None, "v"), "huggingface"),
        ("qdrant_client", lambda: QdrantSource(None, "c"), "qdrant"),
        ("torch", lambda: ArraySource(X, device="cuda"), "torch"),
    ],
)
def test_missing_libraries_are_named(monkeypatch, module, make, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install '?emb_opt_widgets\[{extra}\]"):
        make()
