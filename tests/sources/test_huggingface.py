from __future__ import annotations

import numpy as np
import pytest

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources import ArraySource, HuggingFaceSource

datasets = pytest.importorskip("datasets")
pytest.importorskip("faiss")

X = np.random.default_rng(0).standard_normal((60, 5))
QUERIES = np.random.default_rng(1).standard_normal((7, 5)).astype(np.float32)


def dataset(dtype="float32", kind="list", select=None):
    inner = datasets.Value(dtype)
    vector = datasets.Sequence(inner, length=5) if kind == "fixed" else datasets.Sequence(inner)
    features = datasets.Features({"v": vector, "name": datasets.Value("string"), "price": datasets.Value("float64")})
    table = {"v": X.tolist(), "name": [f"n{i}" for i in range(60)], "price": [i / 2 for i in range(60)]}
    made = datasets.Dataset.from_dict(table, features=features)
    if select is not None:
        made = made.select(select)
    made.add_faiss_index("v")
    return made


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["list", "fixed"])
def test_vectors_and_their_type(dtype, kind):
    source = HuggingFaceSource(dataset(dtype, kind), "v", item_column="name")
    kept = X.astype(dtype).astype("float64" if dtype == "float64" else "float32")
    assert source.dtype == kept.dtype
    items = source.fetch([4, 1, 4])
    assert items.embeddings.dtype == kept.dtype
    np.testing.assert_array_equal(items.embeddings, kept[[4, 1, 4]])
    assert items.items == ["n4", "n1", "n4"]
    assert items.data == {"price": [2.0, 0.5, 2.0]}
    np.testing.assert_array_equal(source.search(QUERIES, 6).ids, ArraySource(kept).search(QUERIES, 6).ids)


def test_rows_of_a_selection():
    rows = [50, 3, 3, 20, 7]
    source = HuggingFaceSource(dataset(select=rows), "v", item_column="name")
    assert len(source) == 5
    assert source.fetch([0, 3]).items == ["n50", "n20"]
    np.testing.assert_allclose(source.fetch([4]).embeddings, X[[7]], rtol=1e-6)


def test_the_users_format_does_not_matter_and_stays():
    made = dataset()
    made.set_format("numpy", columns=["v"])
    source = HuggingFaceSource(made, "v")
    assert source.fetch([2]).data == {"name": ["n2"], "price": [1.0]}
    assert made.format["type"] == "numpy" and made.list_indexes() == ["v"]


def test_index_by_another_name_and_ids():
    made = dataset()
    made.drop_index("v")
    made.add_faiss_index("v", index_name="fast")
    source = HuggingFaceSource(made, "fast", id_column="name", embedding_column="v", distance_cutoff=3.0)
    hits = source.search(QUERIES, 20)
    assert (hits.distances <= 3.0).all() and all(isinstance(i, str) for i in hits.ids)
    assert source.fetch(["n3"]).ids.tolist() == ["n3"]
    assert set(source.fetch(["n3"]).data) == {"price"}
    with pytest.raises(InputError, match="embedding_column"):
        HuggingFaceSource(made, "fast")


def test_a_dataset_of_vectors_alone():
    made = datasets.Dataset.from_dict({"v": X.tolist()})
    made.add_faiss_index("v")
    items = HuggingFaceSource(made, "v").fetch([1])
    assert items.items is None and dict(items.data) == {}


def test_bad_arguments():
    made = dataset()
    for arguments, message in [
        ({"index_name": "w"}, "no index 'w'"),
        ({"index_name": "v", "id_column": "none"}, "no column 'none'"),
        ({"index_name": "v", "item_column": "none"}, "no column 'none'"),
        ({"index_name": "v", "embedding_column": "name"}, "holds no vectors"),
    ]:
        with pytest.raises(InputError, match=message):
            HuggingFaceSource(made, **arguments)
    with pytest.raises(InputError, match="DatasetDict"):
        HuggingFaceSource(datasets.DatasetDict({"train": made}), "v")
    repeated = datasets.Dataset.from_dict({"v": X[:2].tolist(), "id": ["a", "a"]})
    repeated.add_faiss_index("v")
    with pytest.raises(InputError, match="comes twice"):
        HuggingFaceSource(repeated, "v", id_column="id")
