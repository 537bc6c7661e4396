"""Plugins and modules by hand, of a user's own, and in `emb_opt_widgets.Search`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.compat.data_source import DataSourceModule, DataSourcePlugin, NumpyDataPlugin
from emb_opt_widgets.compat.filter import CompositeFilterPlugin, FilterModule, FilterPlugin
from emb_opt_widgets.compat.prune import PruneModule, TopKPrune
from emb_opt_widgets.compat.runner import Runner
from emb_opt_widgets.compat.schemas import (
    DataSourceResponse,
    FilterResponse,
    Item,
    Query,
    ScoreResponse,
    UpdateResponse,
)
from emb_opt_widgets.compat.score import CompositeScorePlugin, ScoreModule, ScorePlugin
from emb_opt_widgets.compat.source import PluginSource
from emb_opt_widgets.compat.update import (
    RLUpdate,
    TopKContinuousUpdate,
    TopKDiscreteUpdate,
    UpdateModule,
    UpdatePluginGradientWrapper,
)
from emb_opt_widgets.compat.utils import build_batch_from_embeddings, build_batch_from_items

VECTORS = np.random.default_rng(2).standard_normal((120, 3))
ROWS = [{"id": i, "name": f"thing {i}", "luck": (i * 37 % 100) / 100} for i in range(len(VECTORS))]


class Lucky(FilterPlugin):
    def __call__(self, inputs: list[Item]) -> list[FilterResponse]:
        return [FilterResponse(valid=item.embedding[0] > -1, data={"lucky": True}) for item in inputs]


class Total(ScorePlugin):
    def __call__(self, inputs: list[Item]) -> list[ScoreResponse]:
        return [ScoreResponse(valid=True, score=float(sum(item.embedding)), data=None) for item in inputs]


class Steps(RLUpdate):
    """A user's own update, derived from ours."""

    def __call__(self, queries: Any) -> list[UpdateResponse]:
        made = super().__call__(queries)
        for response in made:
            response.query.data["mine"] = True
        return made


def numpy_plugin(k: int = 5) -> NumpyDataPlugin:
    return NumpyDataPlugin(k, VECTORS, ROWS, "id", "name")


def test_modules_by_hand() -> None:
    batch = build_batch_from_embeddings(VECTORS[:3])
    steps = [
        DataSourceModule(numpy_plugin()),
        FilterModule(Lucky()),
        ScoreModule(Total()),
        PruneModule(TopKPrune(2, "max", None)),
    ]
    for module in steps:
        assert module(batch) is batch
    assert sum(1 for _ in batch.valid_queries()) == 2
    assert all("max_score" in query.data and len(query.data["query_distance"]) == 5 for query in batch.valid_queries())
    following = UpdateModule(TopKDiscreteUpdate(2))(batch)
    assert len(following) == 4
    parents = {query.internal.parent_id for query in following}
    assert parents == {query.id for query in batch.valid_queries()}
    again = build_batch_from_items(batch.queries[0].query_results[:2], remap_collections=True)
    assert [query.internal.collection_id for query in again] == [0, 1]


def test_a_module_without_a_function_does_nothing() -> None:
    batch = build_batch_from_embeddings(VECTORS[:1])
    assert FilterModule(None)(batch) is batch


def test_composites_take_dictionaries() -> None:
    items = [Item.from_minimal(i, embedding=VECTORS[i]) for i in range(4)]

    def not_two(inputs: list[Item]) -> list[Any]:
        return [{"valid": item.id != 2, "data": None} for item in inputs]

    def one(inputs: list[Item]) -> list[Any]:
        return [{"valid": True, "score": 1, "data": None} for _ in inputs]

    def none(inputs: list[Item]) -> list[Any]:
        return [{"valid": False, "score": None, "data": None} for _ in inputs]

    verdicts = CompositeFilterPlugin([Lucky(), not_two])(items)
    assert [len(v.data["filter_results"]) for v in verdicts] == [2] * 4 and not verdicts[2].valid
    scores = CompositeScorePlugin([Total(), one])(items)
    assert [s.score for s in scores] == pytest.approx((VECTORS[:4].sum(1) + 1).tolist())
    missing = CompositeScorePlugin([Total(), none])(items)
    assert [(s.valid, s.score) for s in missing] == [(False, None)] * 4


def test_what_is_derived_from_ours_is_called() -> None:
    class Mine(NumpyDataPlugin):
        def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
            answers = super().__call__(inputs)
            for answer in answers:
                answer.data["mine"] = True
            return answers

    runner = Runner(Mine(4, VECTORS, ROWS, "id", "name"), Lucky(), Total(), None, Steps([0.3], 0))
    _, log = runner.search(build_batch_from_embeddings(VECTORS[:2]), 2, verbose=False)
    assert all(query.data["mine"] for query in log.batch_log[0])
    assert all(query.data["mine"] is True and "rl_update_details" in query.data for query in log.batch_log[1])


def test_the_nearest_rows_are_those_of_argsort() -> None:
    from emb_opt_widgets.compat.data_source import nearest_columns

    rng = np.random.default_rng(0)
    for _ in range(200):
        far = rng.integers(0, rng.integers(2, 400), (3, 50)).astype(float)
        far[rng.random(far.shape) < 0.02] = np.nan
        k = int(rng.integers(1, 60))
        assert np.array_equal(nearest_columns(far, k), far.argsort(-1)[:, :k])


def total(items: Any) -> list[ScoreResponse]:
    return [ScoreResponse(valid=True, score=float(sum(item.embedding)), data=None) for item in items]


UPDATES = [
    RLUpdate([0.3, 1.0], 0.0),
    TopKDiscreteUpdate(2),
    TopKContinuousUpdate(2),
    UpdatePluginGradientWrapper(RLUpdate([0.3], 0.0)),
    Steps([0.5], 0.0),
]


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: type(update).__name__)
def test_plugins_in_search(update: Any) -> None:
    """The same search with the plugins of emb_opt's names as with this project's strategies."""
    search = eow.Search(
        VECTORS, total, filter=Lucky(), prune=TopKPrune(2, "mean", None), update=update, k=5, queries=VECTORS[:3]
    )
    results = search.run(3, progress=False)
    assert search.n_rounds == 3 and len(results) > 5
    assert (np.diff(results.scores) <= 0).all() and (results.embeddings[:, 0] > -1).all()
    ours = {RLUpdate: eow.RLUpdate([0.3, 1.0]), TopKDiscreteUpdate: eow.TopKDiscreteUpdate(2)}.get(type(update))
    if ours is not None:
        prune = eow.TopKPrune(2, "mean", None)
        other = eow.Search(VECTORS, total, filter=Lucky(), prune=prune, update=ours, k=5, queries=VECTORS[:3])
        other.run(3, progress=False)
        assert np.allclose(other.tree.embedding, search.tree.embedding)
        assert other.tree.parent.tolist() == search.tree.parent.tolist()


def test_dictionaries_in_search() -> None:
    search = eow.Search(
        VECTORS,
        lambda items: [{"valid": True, "score": item.embedding[0], "data": {"seen": 1}} for item in items],
        filter=lambda items: [{"valid": item.embedding[1] > 0, "data": None} for item in items],
        prune=lambda queries: [{"valid": i == 0, "data": None} for i, _ in enumerate(queries)],
        update=lambda queries: [
            {"query": {"embedding": np.array(q.embedding) + 0.1, "data": {}}, "parent_id": q.id} for q in queries
        ],
        k=5,
        queries=3,
    )
    results = search.run(3, progress=False)
    assert set(results.data["seen"]) == {1} and (results.embeddings[:, 1] > 0).all()
    assert search.tree.status.tolist().count("pruned") == 2


class Near(DataSourcePlugin):
    def __call__(self, inputs: list[Query]) -> list[Any]:
        out = []
        for query in inputs:
            best = ((VECTORS - np.array(query.embedding)) ** 2).sum(1).argsort()[:8]
            found = [
                {"id": f"v{i}", "item": i, "embedding": VECTORS[i].tolist(), "score": None, "data": ROWS[i]}
                for i in best
            ]
            out.append({"valid": True, "data": None, "query_results": found})
        return out


def test_a_data_plugin_as_the_source_of_a_search(tmp_path: Any) -> None:
    path = tmp_path / "search.eow"
    arguments: dict[str, Any] = {"k": 5, "queries": VECTORS[:2], "update": eow.RLUpdate([0.3])}
    search = eow.Search(PluginSource(Near(), dim=3), total, path=path, **arguments)
    search.run(2, progress=False)
    direct = eow.Search(VECTORS, total, **arguments)
    direct.run(2, progress=False)
    assert [f"v{i}" for i in direct.results().ids] == search.results().ids.tolist()
    assert search.results()[0].data["name"].startswith("thing")
    search.close()
    again = eow.load(path, source=PluginSource(Near(), dim=3), score=total)
    assert again.run(1, progress=False).ids[0] == search.best.id or again.n_rounds == 3
    again.close()
    with pytest.raises(eow.InputError, match="has not found"):
        PluginSource(Near()).fetch(np.array([1]))
