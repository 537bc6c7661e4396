"""Ids as large as any library has them, and of any kind: the same through source, search, file, results and exports."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.widgets.search_asks import answer

N = 24
LIBRARY = np.random.default_rng(5).normal(size=(N, 3)).astype(np.float32)
LARGE = [2**64 - 1 - 7 * i for i in range(N)]
UUIDS = [uuid5(UUID(int=3), str(i)) for i in range(N)]
KINDS = {
    "large": LARGE,
    "uint64": np.array(LARGE, np.uint64),
    "series": pd.Series(LARGE, dtype="uint64"),
    "negative and large": [-(2**63), -1, *LARGE[2:]],
    "small and large": [*range(N // 2), *LARGE[N // 2 :]],
    "uuids": UUIDS,
    "text beside numbers": [*LARGE[: N // 2], *map(str, LARGE[N // 2 :])],
}


def far(items: Items) -> np.ndarray:
    return -np.abs(items.embeddings).sum(axis=1)


def plain(ids: Any) -> list[int | str]:
    return [i if isinstance(i, str) else str(i) if isinstance(i, UUID) else int(i) for i in ids]


def through_everything(source: Any, ids: list[int | str], folder: Path) -> None:
    """A search of the whole source: every id comes out of it, wherever it is looked for, as it went in."""
    path = folder / "search.eow"
    search = eow.Search(source, far, update=eow.RLUpdate((0.1,)), k=N, queries=list(ids[:2]), path=path)
    search.run(rounds=1, progress=False)
    found = search.results()
    assert set(found.ids.tolist()) == set(ids) and search.best is not None and search.best.id == found.ids[0]
    search.branch(item=ids[-1])
    found.to_csv(folder / "found.csv")
    found.to_parquet(folder / "found.parquet")
    rows = list(csv.reader((folder / "found.csv").read_text("utf-8").splitlines()))
    kept = pq.read_table(folder / "found.parquet")["id"].to_pylist()
    frame = found.to_pandas()["id"].tolist()
    written = list(map(str, found.ids.tolist()))
    assert [row[0].lstrip("'") for row in rows[1:]] == list(map(str, kept)) == list(map(str, frame)) == written
    search.to_html(folder / "search.html")
    assert written[0] in (folder / "search.html").read_text() and written[0] in found._repr_html_()
    sent = answer(search, "items", {"rows": [0]}).data["id"]
    assert sent == [str(search.measurements.id[0])] and answer(search, "places", {"by": "id"}).data["n"] == N
    search.tell([ids[3]], [1e6])
    search.close()
    again = eow.load(path, source=source, score=far)
    assert again.results().ids.tolist() == search.results().ids.tolist() and again.best.id == ids[3]
    again.close()
    assert eow.replay(path, source).results().ids.tolist() == search.results().ids.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_array(kind: str, tmp_path: Path) -> None:
    through_everything(eow.sources.ArraySource(LIBRARY, ids=KINDS[kind]), plain(KINDS[kind]), tmp_path)


@pytest.mark.parametrize("kind", ["uint64", "uuids", "text beside numbers"])
def test_faiss(kind: str, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatL2(3)
    index.add(LIBRARY)
    through_everything(eow.sources.FaissSource(index, ids=KINDS[kind]), plain(KINDS[kind]), tmp_path)


@pytest.mark.parametrize("ids", [LARGE, UUIDS, [*LARGE[:9], *UUIDS[9:]]], ids=["large", "uuids", "both"])
def test_qdrant(ids: list[Any], tmp_path: Path) -> None:
    qdrant = pytest.importorskip("qdrant_client")
    client = qdrant.QdrantClient(":memory:")
    models = qdrant.models
    client.create_collection("x", vectors_config=models.VectorParams(size=3, distance=models.Distance.EUCLID))
    points = [models.PointStruct(id=i, vector=v.tolist()) for i, v in zip(plain(ids), LIBRARY)]
    client.upsert("x", points=points)
    through_everything(eow.sources.QdrantSource(client, "x"), plain(ids), tmp_path)


@pytest.mark.parametrize("kind", ["uint64", "uuids"])
def test_huggingface(kind: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("faiss")
    column = KINDS[kind] if kind == "uint64" else list(map(str, KINDS[kind]))
    dataset = datasets.Dataset.from_dict({"id": column, "vector": LIBRARY.tolist()})
    dataset.add_faiss_index("vector")
    source = eow.sources.HuggingFaceSource(dataset, "vector", id_column="id")
    through_everything(source, plain(column), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (None, "got None"),
        (2**64, "too large"),
        (-(2**63) - 1, "too large"),
        (True, "bool"),
        (1.0, "float"),
        (b"a", "bytes"),
        (float("nan"), "float"),
        ("a\ud800", "lone surrogates"),
        (10**400, "too large"),
        (pd.NA, "NAType"),
    ],
)
def test_what_no_file_can_hold_is_refused_at_the_start(wrong: Any, why: str) -> None:
    for ids in ([wrong, *range(N - 1)], [*map(str, range(N - 1)), wrong]):
        with pytest.raises(eow.InputError, match=why) as error:
            eow.sources.ArraySource(LIBRARY, ids=ids)
        assert "Expected" in str(error.value) and "; got " in str(error.value)


def test_an_index_that_uses_the_id_of_nothing_is_refused() -> None:
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexIDMap2(faiss.IndexFlatL2(3))
    index.add_with_ids(LIBRARY, np.arange(-1, N - 1))
    with pytest.raises(eow.InputError, match=r"under the id -1.*Expected other ids.*add_with_ids"):
        eow.sources.FaissSource(index)


@pytest.mark.parametrize("asked", [2**63 + 1, "0", -1, 2**64 - 1])
@pytest.mark.parametrize("ids", [None, list(range(100, 100 + N)), [*LARGE[1:], 5]], ids=["rows", "small", "large"])
def test_an_id_that_is_not_there_is_named(ids: Any, asked: int | str) -> None:
    source = eow.sources.ArraySource(LIBRARY, ids=ids)
    with pytest.raises(eow.InputError, match=f"no item with the id {asked!r}"):
        source.fetch(np.array([asked], object))


WHOLE = st.integers(-(2**63), 2**64 - 1) | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1])
IDS = WHOLE | st.uuids() | st.text(st.characters(exclude_categories=("Cs",)), max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(IDS, min_size=4, max_size=10, unique_by=lambda i: str(i) if isinstance(i, UUID) else i))
def test_any_ids_come_out_as_they_went_in(ids: list[Any], tmp_path: Path) -> None:
    wanted = plain(ids)
    table = as_ids(ids)
    assert table.tolist() == wanted and table.dtype in (np.int64, object)
    path = tmp_path / f"{abs(hash(tuple(wanted)))}.eow"
    source = eow.sources.ArraySource(LIBRARY[: len(ids)], ids=ids)
    assert source.fetch(table).ids.tolist() == wanted
    search = eow.Search(source, far, update=eow.RLUpdate((0.1,)), k=len(ids), queries=1, path=path)
    search.run(rounds=1, progress=False)
    search.results().to_parquet(tmp_path / "found.parquet")
    search.close()
    again = eow.replay(path, source)
    path.unlink()
    assert sorted(again.results().ids.tolist(), key=repr) == sorted(wanted, key=repr)
