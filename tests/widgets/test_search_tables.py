"""A search's tables against slow loops over the search itself: attached early or late, whatever a person does."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.widgets.search_feed import SearchLive, SearchWatch

from ..conftest import smooth
from .test_feed import until


def watched(search: eow.Search) -> SearchWatch:
    watch = SearchLive(search).watch(lambda: None)
    assert isinstance(watch, SearchWatch)
    return watch


def equal(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def column(watch: SearchWatch, table: str, name: str) -> list[Any]:
    values = watch.tables[table][name]
    return values if isinstance(values, list) else values.tolist()


def expected_items(search: eow.Search) -> list[dict[str, Any]]:
    state, out = search.controller.state, []
    for row in range(len(state.items)):
        if state.items["call"][row] >= 0:
            out.append(
                {"call": int(state.items["call"][row]), "score": float(state.items["score"][row]),
                 "node": int(state.items["node"][row]), "round": int(state.items["round"][row])}
            )  # fmt: skip
    return sorted(out, key=lambda item: item["call"])


def expected_nodes(search: eow.Search) -> list[dict[str, Any]]:
    tree, state = search.tree, search.controller.state
    items = expected_items(search)
    words = [str(status) for status in NodeStatus]
    by_person = {int(n) for c in state.commands.values() if c.name == "branch" for n in c.nodes}
    return [
        {
            "parent": int(tree.parent[i]), "round": int(tree.round[i]), "made": int(state.nodes["made"][i]),
            "status": words.index(tree.status[i]), "operator": tree.operator[i], "by": int(i in by_person),
            "n_hits": int(tree.n_hits[i]), "n_new": int(tree.n_new[i]),
            "calls": sum(item["node"] == i for item in items),
            "mean": float(tree.mean_score[i]), "max": float(tree.max_score[i]),
        }
        for i in range(len(tree))
    ]  # fmt: skip


def expected_rounds(search: eow.Search) -> list[dict[str, Any]]:
    items, tree, sign = expected_items(search), search.tree, search.controller.state.sign
    out = []
    for number in range(search.n_rounds):
        upto = [i for i in items if i["round"] <= number]
        here = [i["score"] for i in items if i["round"] == number and not math.isnan(i["score"])]
        scores = [i["score"] for i in upto if not math.isnan(i["score"])]
        out.append(
            {
                "round": number, "n_scored": len(upto),
                "best": math.nan if not scores else max(scores) if sign > 0 else min(scores),
                "mean": float(np.mean(here)) if here else math.nan,
                "n_new": sum(int(tree.n_new[i]) for i in range(len(tree)) if tree.round[i] == number),
            }
        )  # fmt: skip
    return out


def check(search: eow.Search, watch: SearchWatch) -> None:
    facts = watch.fold()
    nodes, items, rounds = expected_nodes(search), expected_items(search), expected_rounds(search)
    for table, rows in (("nodes", nodes), ("items", items), ("rounds", rounds)):
        assert len(watch.tables[table]) == len(rows), table
        for name in rows[0] if rows else ():
            mine = column(watch, table, name)
            if name == "operator":
                mine = [facts["operators"][code] for code in mine]
            wrong = [
                (i, mine[i], row[name]) for i, row in enumerate(rows)
                if not (equal(mine[i], row[name]) or (name == "mean" and math.isclose(mine[i], row[name])))
            ]  # fmt: skip
            assert not wrong, (table, name, wrong[:3])
    found = search.results()
    assert len(watch.tables["top"]) == min(100, len(found))
    scores = [items[row]["score"] for row in column(watch, "top", "row")]
    assert scores == found.scores[:100].tolist()
    assert facts["n_scored"] == search.n_scored and facts["n_active"] == int((search.tree.status == "active").sum())
    best = search.best
    assert (facts["best"] is None) == (best is None)
    if best is not None:
        assert facts["best"]["score"] == best.score
        valid = [item["score"] for item in items if not math.isnan(item["score"])]
        assert facts["score_range"] == [min(valid), max(valid)]


def picky(items: Any) -> Any:
    scores = smooth(items)
    scores[items.ids % 7 == 0] = np.nan
    return scores


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["run", "branch", "point", "items", "prune", "restore", "undo", "redo", "set", "fold", "tell", "correct"]
        ),
        st.integers(0, 40),
    ),
    max_size=12,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS, direction=st.sampled_from(["maximize", "minimize"]))
def test_tables_are_the_search_whatever_a_person_does(actions: list[tuple[str, int]], direction: str) -> None:
    library = np.random.default_rng(0).standard_normal((150, 4)).astype(np.float32)
    search = eow.Search(
        library, picky, update=eow.RLUpdate([0.5]), prune=eow.TopKPrune(1), k=4, queries=2, direction=direction,
        filter=lambda items: items.ids % 5 > 0, batch_size=3,
    )  # fmt: skip
    early = watched(search)
    for name, number in actions:
        nodes = len(search.tree)
        node = number % nodes if nodes else 0
        try:
            match name:
                case "run":
                    search.run(rounds=1 + number % 3, progress=False)
                case "branch":
                    search.branch(node)
                case "point":
                    search.branch(embedding=np.full(4, number / 40))
                case "items":
                    search.steering.branch_all(items=[number, number + 1]).result()
                case "prune":
                    search.prune_node(node, subtree=bool(number % 2))
                case "restore":
                    search.restore(node)
                case "set":
                    search.set(k=1 + number % 5)
                case "fold":
                    early.fold()
                case "tell":
                    search.tell([number], [float(number)])
                case "correct":
                    search.tell([number], [-float(number)], replace=True)
                case _:
                    getattr(search, name)()
        except (eow.StateError, eow.InputError):
            pass
    check(search, early)
    late = watched(search)
    check(search, late)
    early.close()
    late.close()
    assert search.controller._listeners == []


def test_tables_are_the_search_with_the_default_strategy(library: np.ndarray) -> None:
    search = eow.Search(library, picky, budget=120, queries=3)
    early = watched(search)
    search.start()
    while search.controller.running:
        early.fold()
        time.sleep(0.05)
    check(search, early)
    check(search, watched(search))


def test_items_are_projected_and_nodes_with_them(library: np.ndarray) -> None:
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=8, queries=4)
    watch = watched(search)
    for _ in range(12):
        search.run(rounds=1, progress=False)
        watch.fold()
    state, made = search.controller.state, watch._tables
    place = made._projection.place
    assert made._projection.version >= 2
    for table, vectors in (("items", state.items["embedding"][made.order]), ("nodes", state.nodes["embedding"])):
        mine = np.stack([watch.tables[table]["x"], watch.tables[table]["y"]], axis=1)
        np.testing.assert_allclose(mine, place(vectors), rtol=1e-5, atol=1e-6)
        assert mine.std(axis=0).min() > 0.1


def test_the_best_items_get_their_names_later(library: np.ndarray) -> None:
    texts = [f"item <{i}>\x00" for i in range(len(library))]
    source = eow.sources.ArraySource(library, ids=[f"id{i}" for i in range(len(library))], items=texts)
    search = eow.Search(source, smooth, update=eow.RLUpdate([0.5]), k=8, queries=4)
    search.run(rounds=3, progress=False)
    watch = watched(search)
    assert set(watch.tables["top"]["id"]) <= {""}
    until(lambda: watch.fold()["best"]["id"])
    best = search.best
    assert best is not None and watch.fold()["best"]["id"] == best.id
    until(lambda: watch.fold() and "" not in watch.tables["top"]["id"])
    shown = list(zip(watch.tables["top"]["id"], watch.tables["top"]["text"]))
    assert shown[0] == (best.id, f"item <{str(best.id)[2:]}>\ufffd")


def test_a_source_that_fails_leaves_names_empty(library: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=8, queries=4)
    search.run(rounds=1, progress=False)

    def broken(rows: Any) -> Any:
        raise OSError("the database is gone")

    monkeypatch.setattr(search.controller.engine.gather, "payload", broken)
    watch = watched(search)
    watch.fold()
    until(lambda: not watch._texts._asked)
    facts = watch.fold()
    assert facts["best"]["id"] == "" and facts["n_scored"] == search.n_scored


def test_failed_scores_have_none(library: np.ndarray) -> None:
    search = eow.Search(library, picky, update=eow.RLUpdate([0.5]), k=8, queries=4)
    search.run(rounds=3, progress=False)
    watch = watched(search)
    facts = watch.fold()
    status = search.controller.state.items["status"]
    assert facts["n_failed"] == int((status == ItemStatus.FAILED).sum()) > 0
    assert int(np.isnan(watch.tables["items"]["score"]).sum()) == facts["n_failed"]
