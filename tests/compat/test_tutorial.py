"""emb_opt's tutorial with our names: 10,000 Gaussians in 64 dimensions, and the numbers it is known to give."""

from __future__ import annotations

from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emb_opt_widgets.compat.data_source import DataPluginGradWrapper
from emb_opt_widgets.compat.prune import TopKPrune
from emb_opt_widgets.compat.runner import Runner
from emb_opt_widgets.compat.schemas import FilterResponse, Item, ScoreResponse
from emb_opt_widgets.compat.update import RLUpdate, TopKContinuousUpdate, UpdatePluginGradientWrapper
from emb_opt_widgets.compat.utils import build_batch_from_embeddings

datasets = pytest.importorskip("datasets")
pytest.importorskip("faiss")

SIZE, DIM = 10_000, 64


@pytest.fixture(scope="module")
def tutorial() -> SimpleNamespace:
    from emb_opt_widgets.compat.plugins.huggingface import HugggingfaceDataPlugin

    datasets.disable_progress_bars()
    np.random.seed(42)
    vectors = np.random.randn(SIZE, DIM)
    rows = []
    for i in range(SIZE):
        item = "".join(np.random.choice(list(ascii_lowercase), size=10))
        rows.append({"index": i, "item": item, "embedding": vectors[i], "rand": np.random.rand()})
    dataset = datasets.Dataset.from_list(rows)
    dataset.add_faiss_index("embedding")
    np.random.seed(40)
    queries = np.random.randn(5, DIM)
    plugin = HugggingfaceDataPlugin(k=10, dataset=dataset, index_name="embedding", item_key="item", id_key="index")
    scores = gaussian(vectors)
    best = sorted((i for i in range(SIZE) if rows[i]["rand"] < 0.9), key=lambda i: -scores[i])
    return SimpleNamespace(plugin=plugin, queries=queries, best=best)


def gaussian(vectors: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * (np.linalg.norm(vectors - 0.75, axis=1) / np.sqrt(DIM) / 5) ** 2)


def lucky(items: list[Item]) -> list[FilterResponse]:
    return [FilterResponse(valid=item.data["rand"] < 0.9, data=None) for item in items]


class Score:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, items: list[Item]) -> list[ScoreResponse]:
        self.seen += [item.id for item in items]
        values = gaussian(np.array([item.embedding for item in items]))
        return [ScoreResponse(valid=True, score=float(value), data=None) for value in values]


def recall(log: Any, best: list[int]) -> list[float]:
    found = {result["id"] for result in log.compile_results(skip_removed=False)}
    return [len(found & set(best[:k])) / k for k in (1, 5, 10, 50)]


def test_basic_run(tutorial: SimpleNamespace) -> None:
    score = Score()
    runner = Runner(tutorial.plugin, lucky, score, None, RLUpdate([0.25], 0.0))
    batch, log = runner.search(build_batch_from_embeddings(tutorial.queries), 15, verbose=False)
    assert len(log.compile_results(skip_removed=False)) == 186
    assert recall(log, tutorial.best) == [1, 0.4, 0.4, 0.2]
    assert len(batch) == 5
    assert len(score.seen) == len(set(score.seen)) == len(log.compile_results())


def test_branching_with_pruning(tutorial: SimpleNamespace) -> None:
    pruner = TopKPrune(k=1, score_agg="mean", group_by="collection_id")
    runner = Runner(tutorial.plugin, lucky, Score(), pruner, RLUpdate([0.25, 1.0, 5.0], 0.0))
    _, log = runner.search(build_batch_from_embeddings(tutorial.queries[:3]), 3, verbose=False)
    assert len(log.compile_results(skip_removed=False)) == 112
    assert recall(log, tutorial.best) == [1, 0.4, 0.3, 0.12]


def test_gradient_queries(tutorial: SimpleNamespace) -> None:
    update = UpdatePluginGradientWrapper(TopKContinuousUpdate(3), 0.0, None)
    plugin = DataPluginGradWrapper(tutorial.plugin, [0.1, 0.5, 1, 5])
    runner = Runner(plugin, lucky, Score(), None, update)
    _, log = runner.search(build_batch_from_embeddings(tutorial.queries), 5, verbose=False)
    assert len(log.compile_results(skip_removed=False)) == 326
    assert recall(log, tutorial.best) == [1, 0.2, 0.4, 0.34]
