"""Objects are made when somebody looks, and not before."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from emb_opt_widgets.compat import rounds
from emb_opt_widgets.compat.data_source import NumpyDataPlugin
from emb_opt_widgets.compat.log import Log
from emb_opt_widgets.compat.prune import TopKPrune
from emb_opt_widgets.compat.runner import Runner
from emb_opt_widgets.compat.schemas import Batch, Item, Query
from emb_opt_widgets.compat.update import RLUpdate, TopKDiscreteUpdate
from emb_opt_widgets.compat.utils import build_batch_from_embeddings
from emb_opt_widgets.engine.state import State

VECTORS = np.random.default_rng(1).standard_normal((200, 4))
ROWS = [{"id": i, "name": f"thing {i}", "colour": i % 3} for i in range(len(VECTORS))]


class Score:
    def __init__(self) -> None:
        self.items: list[Item] = []

    def __call__(self, items: list[Item]) -> list[dict[str, Any]]:
        assert type(items) is list and all(type(item) is Item for item in items)
        self.items += items
        return [{"valid": True, "score": sum(item.embedding), "data": {"size": len(item.embedding)}} for item in items]


def runner(score: Any = None, update: Any = None, prune: Any = None, k: int = 6) -> Runner:
    data = NumpyDataPlugin(k, VECTORS, ROWS, "id", "name")
    return Runner(data, None, score or Score(), prune, update or RLUpdate([0.2, 0.7], 0.0))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that were made of columns."""
    out: list[str] = []
    for name in ("copied", "bare_query"):
        make = getattr(rounds, name)
        monkeypatch.setattr(rounds, name, lambda *a, name=name, make=make: out.append(name) or make(*a))
    return out


def test_nothing_is_made_that_nobody_looks_at(made: list[str]) -> None:
    score = Score()
    batch = build_batch_from_embeddings(VECTORS[:3])
    following, log = runner(score, prune=TopKPrune(1)).search(batch, 4, verbose=False)
    assert made == []
    ids = [item.id for item in score.items]
    assert len(ids) == len(set(ids))
    results = log.compile_results()
    assert made == [] and results[0]["data"] == {"colour": results[0]["id"] % 3, "size": 4}
    assert following is not None and "queries" not in following.__dict__
    query = log.batch_log[2].queries[0]
    assert made == ["bare_query"] * len(log.batch_log[2]) and "query_results" not in query.__dict__
    assert len(query) == 6 and made.count("copied") == 6


def test_the_users_own_queries_are_filled() -> None:
    batch = build_batch_from_embeddings(VECTORS[:3])
    query, data = batch.queries[0], batch.queries[0].data
    _, log = runner().search(batch, 2, verbose=False)
    assert log.batch_log[0] is batch and batch.queries[0] is query
    assert len(query.query_results) == 6 and query.data is data and len(data["query_distance"]) == 6
    assert query[0] is query.query_results[0] is log.get_item(0, 0, 0)
    assert query[0].internal.parent_id == query.id and query.internal.iteration == 0


@pytest.mark.parametrize("look", [pickle.dumps, copy.deepcopy, repr, Batch.model_dump, Batch.model_dump_json])
def test_whatever_looks_sees_everything(look: Any) -> None:
    _, log = runner().search(build_batch_from_embeddings(VECTORS[:2]), 2, verbose=False)
    batch = log.batch_log[1]
    out = look(batch)
    if look is pickle.dumps:
        assert pickle.loads(out) == batch
    elif look is copy.deepcopy:
        assert out == batch
    assert all("query_results" in query.__dict__ for query in batch.__dict__["queries"])


def test_a_log_can_be_pickled() -> None:
    _, log = runner().search(build_batch_from_embeddings(VECTORS[:2]), 3, verbose=False)
    back = pickle.loads(pickle.dumps(log))
    assert back.compile_results() == log.compile_results()
    assert [node.id for node in back.query_tree.nodes] == [node.id for node in log.query_tree.nodes]
    assert back.dump_batch_log() == log.dump_batch_log()


def test_what_a_person_changes_counts() -> None:
    search = runner(update=TopKDiscreteUpdate(2))
    batch, log = search.search(build_batch_from_embeddings(VECTORS[:2]), 1, verbose=False)
    assert batch is not None
    batch.queries[0].embedding = VECTORS[50].tolist()
    batch.queries[1].update_internal(removed=True, removal_reason="by hand")
    search.search(batch, 1, log, verbose=False)
    assert log.batch_log[1].queries[0].query_results[0].id == 50
    assert log.batch_log[1].queries[1].internal.removal_reason == "by hand"
    assert log.query_tree.nodes[3].removed and not log.batch_log[1].queries[1].query_results


def test_step_by_step_is_the_same_search(capsys: pytest.CaptureFixture[str]) -> None:
    whole = runner().search(build_batch_from_embeddings(VECTORS[:2]), 3)[1]
    printed = capsys.readouterr().out
    score, log = Score(), Log()
    batch: Batch | None = build_batch_from_embeddings(VECTORS[:2])
    stepped = runner(score)
    for i in range(3):
        assert batch is not None
        batch = stepped.step(batch, log, i)
    assert capsys.readouterr().out == printed and printed.startswith("0 ")
    assert log.compile_results() == whole.compile_results()
    assert len({item.id for item in score.items}) == len(score.items)


def test_the_engine_does_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[str] = []
    apply = State.apply
    monkeypatch.setattr(State, "apply", lambda self, body: kinds.append(body.kind) or apply(self, body))
    runner(prune=TopKPrune(1)).search(build_batch_from_embeddings(VECTORS[:2]), 2, verbose=False)
    assert kinds.count("queries") == kinds.count("round_ended") == 2 and "scored" in kinds and "pruned" in kinds


def test_a_failing_function_raises_its_own_error_and_leaves_the_log() -> None:
    broken, log = [True], Log()

    def score(items: list[Item]) -> Any:
        if log.batch_log and broken:
            raise KeyError("no such thing")
        return [{"valid": True, "score": item.embedding[0], "data": None} for item in items]

    search = runner(score)
    batch, _ = search.search(build_batch_from_embeddings(VECTORS[:2]), 1, log, verbose=False)
    assert batch is not None
    with pytest.raises(KeyError, match="no such thing"):
        search.search(batch, 1, log, verbose=False)
    assert len(log.batch_log) == 1
    broken.clear()
    search.search(batch, 1, log, verbose=False)
    assert len(log.batch_log) == 2 and len(log.query_tree.nodes) == 6


def test_scores_that_are_not_finite_are_removed() -> None:
    values = {0: float("nan"), 1: float("inf"), 2: None}

    def score(items: list[Item]) -> Any:
        return [{"valid": True, "score": values.get(item.id, 1.0), "data": None} for item in items]

    _, log = runner(score, k=200).search(build_batch_from_embeddings(VECTORS[:1]), 1, verbose=False)
    reasons = {item.id: item.internal.removal_reason for item in log.batch_log[0].queries[0]}
    assert [reasons[i] for i in range(4)] == ["non-finite score (nan)", "non-finite score (inf)", "null score", None]


def test_functions_may_leave_their_findings_in_the_items() -> None:
    def filter(items: list[Item]) -> Any:
        for item in items:
            item.data["total"] = sum(item.embedding)
        return [{"valid": True, "data": None} for _ in items]

    def score(items: list[Item]) -> Any:
        return [{"valid": True, "score": item.data["total"], "data": None} for item in items]

    search = runner(score)
    search.filter_module.function = filter
    _, log = search.search(build_batch_from_embeddings(VECTORS[:2]), 2, verbose=False)
    assert all(item.data["total"] == item.score for query in log.batch_log[1] for item in query)
    assert isinstance(log.batch_log[1].queries[0], Query)
