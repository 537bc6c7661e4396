from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.sources import rows as rows_module

torch = pytest.importorskip("torch")


def brute(x, queries, k, metric="l2"):
    """Rows and distances by the slow loop: distance, then row."""
    x, queries = np.asarray(x, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    rows, distances = [], []
    for q in queries:
        if metric == "l2":
            far = np.array([((v - q) ** 2).sum() for v in x])
        elif metric == "ip":
            far = np.array([-(v * q).sum() for v in x])
        else:
            lengths = [np.sqrt((v**2).sum()) * np.sqrt((q**2).sum()) for v in x]
            far = np.array([1 - (v * q).sum() / n if n else 1.0 for v, n in zip(x, lengths)])
        order = np.lexsort((np.arange(len(x)), far))[:k]
        rows.append(order)
        distances.append(far[order])
    return np.array(rows), np.array(distances)


def answer(source, queries, k):
    hits = source.search(queries, k)
    return hits.ids.reshape(len(queries), -1), hits.distances.reshape(len(queries), -1)


@pytest.fixture(params=["faiss", "numpy"])
def engine(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(rows_module, "_faiss", lambda: None)
    else:
        pytest.importorskip("faiss")
    return request.param


@st.composite
def grids(draw):
    d = draw(st.integers(1, 4))
    n = draw(st.integers(1, 60))
    q = draw(st.integers(1, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (n, d)).astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))
    queries = rng.integers(-2, 3, (q, d)).astype(np.float32)
    return x, queries, draw(st.integers(1, n + 2)), draw(st.integers(1, 200))


@settings(max_examples=300, deadline=None)
@given(grids(), st.sampled_from(["l2", "ip"]), st.booleans())
def test_equals_brute_force_with_many_ties(case, metric, with_faiss):
    x, queries, k, block = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "_CHECK_ELEMENTS", block)
        patch.setattr(rows_module, "_PRODUCT_ELEMENTS", block)
        if not with_faiss:
            patch.setattr(rows_module, "_faiss", lambda: None)
        ids, distances = answer(ArraySource(x, metric=metric), queries, k)
    rows, far = brute(x, queries, k, metric)
    np.testing.assert_array_equal(ids, rows)
    np.testing.assert_array_equal(distances, far)


@settings(max_examples=100, deadline=None)
@given(grids())
def test_cosine_distances_equal_brute_force(case):
    x, queries, k, _ = case
    ids, distances = answer(ArraySource(x, metric="cosine"), queries, k)
    _, far = brute(x, queries, k, "cosine")
    np.testing.assert_allclose(distances, far, atol=1e-12)
    assert all(len(set(row)) == len(row) for row in ids.tolist())


def test_equal_vectors_at_the_last_place_come_by_row(engine):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 33)).astype(np.float32)
    x[1000:2000] = x[7]
    for q in (1, 5, 40):
        queries = np.repeat(x[7:8], q, axis=0)
        ids, distances = answer(ArraySource(x), queries, 20)
        assert ids.tolist() == [[7, *range(1000, 1019)]] * q
        assert (distances == 0).all()


def test_only_one_vector(engine):
    ids, distances = answer(ArraySource(np.ones((500, 3), np.float32)), np.zeros((30, 3), np.float32), 4)
    assert ids.tolist() == [[0, 1, 2, 3]] * 30
    assert (distances == 3).all()


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("q", [1, 7, 8, 50])
def test_exact_where_float32_products_are_not(engine, metric, q):
    """Far from the origin a float32 product cannot tell the neighbours apart."""
    rng = np.random.default_rng(1)
    x = (1000 + rng.standard_normal((4000, 16))).astype(np.float32)
    queries = (1000 + rng.standard_normal((q, 16))).astype(np.float32)
    ids, distances = answer(ArraySource(x, metric=metric), queries, 10)
    rows, far = brute(x, queries, 10, metric)
    np.testing.assert_allclose(distances, far, rtol=1e-9, atol=1e-13)
    if metric != "cosine":
        np.testing.assert_array_equal(ids, rows)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e12, 1e18, 1e25, 1e100])
@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_extreme_lengths(metric, scale):
    rng = np.random.default_rng(2)
    x, queries = rng.standard_normal((400, 5)) * scale, rng.standard_normal((9, 5)) * scale
    ids, distances = answer(ArraySource(x, metric=metric), queries, 6)
    rows, far = brute(x, queries, 6, metric)
    np.testing.assert_array_equal(ids, rows)
    np.testing.assert_allclose(distances, far, rtol=1e-9, atol=0 if metric != "cosine" else 1e-12)


def test_a_few_huge_rows_among_small_ones(engine):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((900, 8)).astype(np.float32)
    x[::100] *= 1e19
    queries = rng.standard_normal((12, 8)).astype(np.float32)
    for metric in ("l2", "ip", "cosine"):
        ids, _ = answer(ArraySource(x, metric=metric), queries, 15)
        np.testing.assert_array_equal(ids, brute(x, queries, 15, metric)[0])


def test_same_answer_with_and_without_faiss(monkeypatch):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.standard_normal((5000, 48)), np.zeros((30, 48))]).astype(np.float32)
    queries = rng.standard_normal((6, 48)).astype(np.float32)
    with_faiss = ArraySource(x).search(queries, 50)
    monkeypatch.setattr(rows_module, "_faiss", lambda: None)
    without = ArraySource(x).search(queries, 50)
    np.testing.assert_array_equal(with_faiss.ids, without.ids)
    np.testing.assert_array_equal(with_faiss.distances, without.distances)


def test_zero_vectors_have_cosine_distance_one():
    x = np.array([[1, 0], [0, 0], [-1, 0]], dtype=np.float32)
    ids, distances = answer(ArraySource(x, metric="cosine"), np.array([[2, 0], [0, 0]], np.float32), 3)
    assert ids.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert distances.tolist() == [[0, 1, 2], [1, 1, 1]]


@pytest.mark.parametrize(
    ("given_dtype", "kept"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int8", "float32"), (">f4", "float32")],
)
def test_dtype(given_dtype, kept):
    x = np.arange(12).reshape(4, 3).astype(given_dtype)
    source = ArraySource(x)
    assert source.dtype == kept
    assert source.fetch([2]).embeddings.dtype == kept
    assert next(source.scan(2)).embeddings.dtype == kept
    assert source.search(x[1:2].astype(np.float32), 1).ids.tolist() == [1]


def test_float64_is_kept_to_the_last_bit():
    x = np.array([[1.0, 1e-12], [1.0, 0.0], [1.0, 2e-12]])
    source = ArraySource(x)
    assert source.search(np.array([[1.0, 1.9e-12]]), 3).ids.tolist() == [2, 0, 1]
    np.testing.assert_array_equal(source.fetch([0]).embeddings, x[:1])


def test_scan_gives_views_that_cannot_be_written():
    x = np.zeros((10, 2), np.float32)
    part = next(ArraySource(x).scan(4)).embeddings
    assert np.shares_memory(part, x)
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 1
    x[0] = 1


def test_fetch_gives_copies():
    x = np.zeros((10, 2), np.float32)
    ArraySource(x).fetch([3]).embeddings[:] = 9
    assert (x == 0).all()


def test_payload_of_every_kind():
    pd = pytest.importorskip("pandas")
    x = np.eye(3, dtype=np.float32)
    frame = pd.DataFrame({"price": [1.5, 2.5, 3.5], "name": ["a", "b", "c"]}, index=[10, 20, 30])
    for data in (frame, {"price": frame["price"], "name": ("a", "b", "c")}, {"price": [1.5, 2.5, 3.5], "name": "abc"}):
        if isinstance(data, dict) and data["name"] == "abc":
            data["name"] = list(data["name"])
        items = ArraySource(x, ids=["x", "y", "z"], items=["X", "Y", "Z"], data=data).fetch(["z", "x"])
        assert items.ids.tolist() == ["z", "x"]
        assert list(items.items) == ["Z", "X"]
        assert list(items.data["price"]) == [3.5, 1.5]
        assert list(items.data["name"]) == ["c", "a"]


def test_ids_may_mix_numbers_and_texts():
    source = ArraySource(np.eye(3, dtype=np.float32), ids=[1, "1", 2])
    assert source.fetch(np.array(["1", 1], dtype=object)).ids.tolist() == ["1", 1]
    with pytest.raises(InputError, match="no item with the id '2'"):
        source.fetch(["2"])


def test_unordered_integer_ids():
    source = ArraySource(np.eye(4, dtype=np.float32), ids=np.array([30, -5, 2**62, 0]))
    items = source.fetch([0, 2**62, -5])
    np.testing.assert_array_equal(items.embeddings.argmax(axis=1), [3, 2, 1])
    with pytest.raises(InputError, match="31"):
        source.fetch([30, 31])


EYE = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embeddings": EYE[0]}, "Expected \\(n, d\\)"),
        ({"embeddings": EYE[:0]}, "at least one row"),
        ({"embeddings": EYE[:, :0]}, "at least one row"),
        ({"embeddings": [[1.0, 2.0]]}, "np.asarray"),
        ({"embeddings": EYE.astype(str)}, "floats"),
        ({"embeddings": EYE.astype(complex)}, "floats"),
        ({"embeddings": np.where(EYE > 0, np.nan, EYE)}, "row 0"),
        ({"embeddings": np.concatenate([EYE, np.full((1, 3), np.inf, np.float32)])}, "row 3"),
        ({"embeddings": torch.full((4, 2), torch.nan)}, "row 0"),
        ({"embeddings": torch.full((4, 2), torch.nan, dtype=torch.bfloat16)}, "row 0"),
        ({"embeddings": torch.ones((4, 2), dtype=torch.complex64)}, "floats"),
        ({"embeddings": EYE, "ids": [1, 2]}, "3, one for each vector; got 2"),
        ({"embeddings": EYE, "ids": [1, 2, 1]}, "1 in rows 0 and 2"),
        ({"embeddings": EYE, "ids": ["a", "b", "b"]}, "'b' in rows 1 and 2"),
        ({"embeddings": EYE, "ids": [0.5, 1.5, 2.5]}, "int or str"),
        ({"embeddings": EYE, "items": ["a"]}, "3 values"),
        ({"embeddings": EYE, "data": {"p": [1]}}, "'p'"),
        ({"embeddings": EYE, "data": {"p": "abc"}}, "'p'"),
        ({"embeddings": EYE, "data": [1, 2, 3]}, "mapping"),
        ({"embeddings": EYE, "metric": "manhattan"}, "'cosine'"),
        ({"embeddings": EYE, "device": "nowhere"}, "device"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        ArraySource(**arguments)


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "3"])
def test_bad_k(k):
    with pytest.raises(InputError, match="integer of at least 1"):
        ArraySource(EYE).search(EYE, k)


def test_memory_map_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "_CHECK_ELEMENTS", 64)
    x = np.random.default_rng(0).standard_normal((100, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    source = ArraySource(mapped)
    assert source._rows._array is mapped
    ids, _ = answer(source, x[:20], 5)
    np.testing.assert_array_equal(ids, brute(x, x[:20], 5)[0])


@pytest.mark.parametrize("use", ["search", "fetch", "scan"])
def test_memory_map_is_checked_at_first_use(tmp_path, use):
    x = np.zeros((50, 4), np.float32)
    x[33, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    source = ArraySource(np.load(tmp_path / "x.npy", mmap_mode="r"))
    with pytest.raises(InputError, match="row 33"):
        if use == "search":
            source.search(x[:1], 1)
        elif use == "fetch":
            source.fetch([1, 33])
        else:
            list(source.scan(7))


def test_tensors_on_the_processor_are_not_copied():
    x = torch.randn(20, 4, requires_grad=True)
    source = ArraySource(x)
    assert np.shares_memory(source._rows._array, x.detach().numpy())
    assert source.search(x.detach().numpy()[3:4], 1).ids.tolist() == [3]


def test_device_moves_the_array():
    x = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    assert ArraySource(x, device="cpu").search(x[3:4], 1).ids.tolist() == [3]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_tensor_stays_on_its_device():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5000, 32)).astype(np.float32)
    x[100:200] = x[0]
    queries = np.concatenate([x[:1], rng.standard_normal((50, 32)).astype(np.float32)])
    on_gpu, here = ArraySource(torch.from_numpy(x).cuda()), ArraySource(x)
    assert on_gpu._rows._tensor.is_cuda
    for a, b in zip(answer(on_gpu, queries, 30), answer(here, queries, 30)):
        np.testing.assert_array_equal(a, b)


def test_more_queries_than_fit_at_once(monkeypatch):
    from emb_opt_widgets.sources import nearest as nearest_module

    monkeypatch.setattr(nearest_module, "_QUERIES", 7)
    monkeypatch.setattr(nearest_module, "_REFINE_ELEMENTS", 64)
    x = np.random.default_rng(0).integers(0, 3, (200, 5)).astype(np.float32)
    ids, _ = answer(ArraySource(x), x[:30], 9)
    np.testing.assert_array_equal(ids, brute(x, x[:30], 9)[0])


def test_importing_loads_nothing_heavy():
    import subprocess

    code = (
        "import sys, numpy as np; from emb_opt_widgets.sources import ArraySource, as_source;"
        "as_source(np.eye(3)); ArraySource(np.eye(3)).search(np.eye(3), 2);"
        "print([m for m in ('torch', 'datasets', 'qdrant_client', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
