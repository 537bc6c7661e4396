"""Scores from elsewhere: handed out, given back, told in parts, late, again, and put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.alignment import aligned
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView

N = 240
RL = eow.RLUpdate((0.1,))


@pytest.fixture(scope="module")
def library() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(N, 6)).astype(np.float32)


def truth(items: Items) -> np.ndarray:
    return np.asarray(items.embeddings[:, 0] - 0.1 * (items.embeddings**2).sum(axis=1), np.float64)


def lab(library: np.ndarray, **more: Any) -> eow.Search:
    return eow.Search(eow.sources.ArraySource(library, ids=[f"w{i}" for i in range(len(library))]), None, **more)


def same_after_replay(search: eow.Search, path: Path, source: Any) -> None:
    search.close()
    again = eow.replay(path, source)
    np.testing.assert_array_equal(again.results().ids, search.results().ids)
    np.testing.assert_array_equal(again.results().scores, search.results().scores)
    for name in ("mean_score", "max_score", "n_hits", "status"):
        np.testing.assert_array_equal(again.tree[name], search.tree[name])
    assert again.pending.ids.tolist() == search.pending.ids.tolist()
    assert again.n_scored == search.n_scored and again.best == search.best


# -- ask ---------------------------------------------------------------------------------------------------------------


def test_eight_asks_of_one_give_eight_items(library: np.ndarray) -> None:
    search = lab(library, budget=60)
    assert [len(search.ask(1)) for _ in range(8)] == [1] * 8
    assert len(set(search.pending.ids.tolist())) == 8


@pytest.mark.parametrize("n", [1, 5, 7, 96])
def test_as_many_as_are_asked_for_come_whatever_is_pending_up_to_the_budget(library: np.ndarray, n: int) -> None:
    search = lab(library, budget=100)
    got: list[str] = []
    while len(items := search.ask(n)):
        assert len(items) == min(n, 100 - len(got))
        got += items.ids.tolist()
    assert len(set(got)) == 100 == len(search.pending) and search.n_scored == 0
    assert "tell" in search.reason and "100" in search.reason
    search.tell(search.pending, np.zeros(100))
    assert not len(search.ask()) and search.status is eow.SearchStatus.FINISHED and search.n_scored == 100


def test_the_whole_library_can_be_pending(library: np.ndarray) -> None:
    search = lab(library[:30])
    assert [len(search.ask(12)) for _ in range(25)] == [12, 12, 6, *[0] * 22]
    search.tell(search.pending, truth(search.pending))
    assert len(search.results()) == 30 and not len(search.ask())


def test_a_strategy_that_waits_for_its_round_gives_no_more_until_it_is_told(library: np.ndarray) -> None:
    for update in (RL, eow.strategies.Portfolio(asynchronous=False)):
        search = lab(library, update=update, budget=60)
        handed: list[str] = []
        while len(items := search.ask(9)):
            handed += items.ids.tolist()
        assert 0 < len(handed) < 60 and "tell" in search.reason
        search.give_back(handed[:1])
        search.tell(search.pending, truth(search.pending))
        assert len(search.ask(1)) == 1


def test_items_say_why_they_were_handed_out(library: np.ndarray, tmp_path: Path) -> None:
    search = lab(library, budget=60)
    items = search.ask(6)
    assert len(items.operator) == 6 and all(items.operator) and all(items.reason)
    assert items.predicted.shape == items.deviation.shape == (6,)
    items.to_csv(tmp_path / "plate.csv")
    table = pd.read_csv(tmp_path / "plate.csv")
    assert table["id"].tolist() == items.ids.tolist() == items.to_pandas()["id"].tolist()
    assert {"predicted", "deviation", "operator", "reason"} <= set(table.columns)
    table["score"], table["remark"] = truth(items), [f"r{i}" for i in range(6)]
    search.tell(table.sample(frac=1, random_state=0))
    best = search.results()
    assert best.ids[0] == items.ids[int(np.argmax(truth(items)))] and len(best) == 6
    assert set(best.data) == {"remark"}, "what ask wrote is not kept as data"


class Knowing:
    """Proposes one query, and expects of each item its first coordinate, less."""

    asynchronous = True

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        return Proposals(np.ones((1, view.dim)) * (1 + view.round), np.array([-1]))

    def predict(self, rows: np.ndarray, view: SearchView) -> tuple[np.ndarray, np.ndarray]:
        gains = view.items()["embedding"][rows, 0].astype(np.float64)
        return gains, np.full(len(rows), 0.5)


def test_what_a_model_expects_comes_in_units_of_the_score(library: np.ndarray, tmp_path: Path) -> None:
    source = eow.sources.ArraySource(library)
    search = eow.Search(source, None, update=Knowing(), direction="minimize", path=tmp_path / "s.eow")
    items = search.ask(3)
    np.testing.assert_allclose(items.predicted, -items.embeddings[:, 0])
    assert items.deviation.tolist() == [0.5] * 3
    search.close()
    again = eow.load(tmp_path / "s.eow", source, update=Knowing())
    np.testing.assert_allclose(again.pending.predicted, items.predicted)
    again.close()


def test_pending_survives_a_restart_and_is_not_handed_out_again(library: np.ndarray, tmp_path: Path) -> None:
    source = eow.sources.ArraySource(library)
    search = eow.Search(source, None, budget=40, path=tmp_path / "s.eow")
    first = search.ask(10)
    search.tell(first[:4], truth(first[:4]))
    search.close()
    again = eow.load(tmp_path / "s.eow", source)
    assert again.pending.ids.tolist() == first.ids[4:].tolist()
    more = again.ask(10)
    assert not set(more.ids.tolist()) & set(first.ids.tolist())
    assert again.controller.state.calls_left == 40 - 20
    same_after_replay(again, tmp_path / "s.eow", source)


def test_what_is_given_back_is_free_again_and_costs_nothing(library: np.ndarray) -> None:
    search = lab(library[:20], budget=20)
    items = search.ask(20)
    assert not len(search.ask(1))
    search.give_back(items[3])
    search.give_back(items.ids[:2])
    assert search.n_scored == 0 and len(search.pending) == 17
    again = search.ask(5)
    assert sorted(again.ids.tolist()) == sorted(items.ids[[0, 1, 3]].tolist())


# -- tell --------------------------------------------------------------------------------------------------------------


def test_late_answers_count_for_the_nodes_of_rounds_that_are_closed(library: np.ndarray, tmp_path: Path) -> None:
    source = eow.sources.ArraySource(library)
    search = eow.Search(source, None, budget=60, path=tmp_path / "s.eow")
    early = search.ask(12)
    search.ask(12)
    late = search.ask(12)
    assert search.n_rounds > 0
    search.tell(late, truth(late))
    search.tell(early[::-1], truth(early[::-1]))
    tree, state = search.tree, search.controller.state
    for node in np.flatnonzero((tree.round >= 0) & (tree.round < state.round)):
        rows = state.hits[int(node)]
        scores = state.items["score"][rows]
        if np.isfinite(scores).any():
            np.testing.assert_allclose(tree.mean_score[node], np.nanmean(scores))
            assert tree.max_score[node] == np.nanmax(scores)
    same_after_replay(search, tmp_path / "s.eow", source)


def shuffled(items: Items) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(1).permutation(len(items))
    return items.ids[order], truth(items)[order]


@pytest.mark.parametrize("form", ["series", "ids and series", "frame by index", "frame", "ids and frame", "arrow"])
def test_scores_are_aligned_by_id(library: np.ndarray, form: str) -> None:
    search = lab(library, budget=40)
    items = search.ask(10)
    ids, scores = shuffled(items)
    series = pd.Series(scores, index=ids)
    frame = pd.DataFrame({"id": ids, "score": scores, "well": [f"A{i}" for i in range(10)]})
    match form:
        case "series":
            search.tell(series)
        case "ids and series":
            search.tell(items, series)
        case "frame by index":
            search.tell(frame.set_index("id"))
        case "frame":
            search.tell(frame)
        case "ids and frame":
            search.tell(items.ids.tolist(), frame[["id", "score"]])
        case "arrow":
            search.tell(pa.table({"id": ids.tolist(), "score": scores}))
    results = search.results()
    want = dict(zip(items.ids.tolist(), truth(items).tolist()))
    assert {str(i): float(s) for i, s in zip(results.ids, results.scores)} == want
    if form in ("frame", "frame by index"):
        assert dict(zip(results.ids, results.data["well"])) == dict(zip(ids, frame["well"]))


def test_a_column_of_the_sources_own_name_holds_the_ids(library: np.ndarray) -> None:
    source = eow.sources.ArraySource(library, ids=[f"w{i}" for i in range(N)])
    source.id_name = "well"  # type: ignore[attr-defined]
    search = eow.Search(source, None)
    search.tell(pd.DataFrame({"id": [1, 2], "well": ["w5", "w6"], "score": [1.0, 2.0]}))
    assert search.best is not None and search.best.id == "w6"


def test_whole_numbers_that_a_gap_made_floats_are_ids_still() -> None:
    search = eow.Search(np.eye(12, dtype=np.float32), None, budget=20)
    search.tell(pd.DataFrame({"id": [3.0, 7.0], "score": [1.0, np.nan]}))
    search.tell(pd.Series([2.0], index=[5.0]))
    assert search.results(include_removed=True).ids.tolist() == [5, 3, 7]


def test_a_score_functions_series_is_aligned_or_refused() -> None:
    ids = np.array([7, 3, 5])
    assert aligned(pd.Series([1.0, 2.0, 3.0], index=[3, 5, 7]), ids) == [3.0, 1.0, 2.0]
    assert list(aligned(pd.Series([1.0, 2.0, 3.0]), ids)) == [1.0, 2.0, 3.0]
    assert aligned(pd.DataFrame({"id": [3, 5, 7], "score": [1.0, 2.0, 3.0]}), ids) == [3.0, 1.0, 2.0]
    assert list(aligned(pd.Series([1.0, 2.0]), np.array([0, 1]))) == [1.0, 2.0]
    array = np.ones(3)
    assert aligned(array, ids) is array
    for value, asked, why in [
        (pd.Series([1.0, 2.0, 3.0], index=[3, 5, 8]), ids, "none for"),
        (pd.Series([1.0, 2.0, 3.0], index=[3, 3, 7]), ids[[0, 1, 1]], "distinct"),
        (pd.Series([1.0, 2.0, 3.0]), np.array([2, 0, 1]), "both ways"),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}, index=[7]), ids[:1], "no column 'score'"),
    ]:
        with pytest.raises(eow.FunctionError, match=why):
            aligned(value, asked)


def test_told_again_is_measured_again_and_costs_again(library: np.ndarray, tmp_path: Path) -> None:
    source = eow.sources.ArraySource(library)
    search = eow.Search(source, None, budget=12, path=tmp_path / "s.eow")
    search.tell([5, 6], [1.0, 2.0])
    search.tell([5, 6], [4.0, 1.0])
    assert search.results().ids.tolist() == [5, 6] and search.results().scores.tolist() == [2.5, 1.5]
    assert search.n_scored == 2 and search.controller.state.calls_left == 8
    search.tell(5, 10.0, noise=0.1)
    assert search.best is not None and search.best.score == 5.0, "a noise that is unknown once says nothing"
    search.tell([7, 7 + 1], [3.0, 3.0], noise=[0.5, 2.0])
    search.tell(pd.DataFrame({"id": [8, 7], "score": [6.0, 6.0], "noise": [0.5, 2.0]}))
    scores = dict(zip(search.results().ids.tolist(), search.results().scores.tolist()))
    np.testing.assert_allclose([scores[7], scores[8]], [(4 * 3 + 6 / 4) / 4.25, (3 / 4 + 4 * 6) / 4.25])
    same_after_replay(search, tmp_path / "s.eow", source)


def test_a_failed_measurement_is_mended_by_another(library: np.ndarray) -> None:
    search = lab(library, budget=12)
    search.tell(["w1"], [None])
    assert not len(search.results()) and len(search.results(include_removed=True)) == 1
    search.tell("w1", 2.0)
    assert search.best is not None and search.best.score == 2.0
    assert "removed" in search.results(include_removed=True).data
    assert search.results(include_removed=True).data["removed"] == [""]


def test_a_correction_replaces_costs_nothing_and_can_be_undone(library: np.ndarray, tmp_path: Path) -> None:
    source = eow.sources.ArraySource(library)
    search = eow.Search(source, None, budget=40, path=tmp_path / "s.eow")
    items = search.ask(8)
    wrong = truth(items)
    wrong[2] = 500.0
    search.tell(pd.DataFrame({"id": items.ids, "score": wrong, "by": "ann"}))
    left = search.controller.state.calls_left
    assert search.best is not None and search.best.score == 500.0
    typed, right = int(items.ids[2]), float(truth(items)[2])
    search.tell(pd.DataFrame({"id": [typed], "score": [right], "by": "bob"}), replace=True, note="typed wrong")
    results = search.results()
    assert results.scores.max() == truth(items).max() and search.controller.state.calls_left == left
    assert dict(zip(results.ids.tolist(), results.data["by"]))[typed] == "bob"
    assert [e.note for e in search.events if e.kind == "command"] == ["typed wrong"]
    search.undo()
    assert search.best.score == 500.0 and search.results().data["by"][0] == "ann"
    table = search.measurements
    assert table["source"].tolist()[-1] == "correction" and table["replaced"].tolist()[-1]
    search.redo()
    assert search.best.score == truth(items).max()
    same_after_replay(search, tmp_path / "s.eow", source)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda s: s.tell(["w1", "w1"], [1.0, 2.0]), "twice"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1", "w1"], "score": [1.0, 2.0]})), "twice.*w1"),
        (lambda s: s.tell(pd.Series([1.0, 2.0], index=["w1", "w1"])), "twice.*w1"),
        (lambda s: s.tell(["w1", "w2"], [1.0]), "2 scores"),
        (lambda s: s.tell(["w1", "zz"], [1.0, 2.0]), "zz"),
        (lambda s: s.tell(pd.Series([1.0], index=["zz"])), "zz"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1", "zz"], "score": [1.0, 2.0]})), "zz"),
        (lambda s: s.tell(["w1"], pd.Series([1.0], index=["w2"])), "none for"),
        (lambda s: s.tell(pd.DataFrame({"score": [1.0, 2.0]})), "does not name"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1"], "value": [2.0]})), "no scores"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1"], "score": ["high"]})), "high"),
        (lambda s: s.tell(pd.DataFrame([["w1", "w1", 1.0]], columns=["id", "id", "score"])), "one name"),
        (lambda s: s.tell(["w1"]), "missing"),
        (lambda s: s.tell(["w1", "w2"], [1.0, np.inf]), "not finite.*inf for item 'w2'"),
        (lambda s: s.tell(pd.Series([-np.inf], index=["w1"])), "not finite.*-inf"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1", None], "score": [1.0, 2.0]})), "Row 1.*got nothing"),
        (lambda s: s.tell(pd.DataFrame({"id": [1.5], "score": [1.0]})), "Row 0.*1.5"),
        (lambda s: s.tell(["w1"], [1.0], noise=-0.1), "noise"),
        (lambda s: s.tell(["w1"], [1.0], noise=[np.inf]), "noise"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1"], "score": [1.0], "noise": [-0.1]})), "noise.*w1"),
        (lambda s: s.tell(pd.DataFrame({"id": ["w1"], "score": [1.0], "cost": [-1.0]})), "cost.*w1"),
        (lambda s: s.tell(["w1"], [1.0], noise=[0.1, 0.2]), "noise"),
        (lambda s: s.tell(["w1"], [1.0], replace=True), "nothing to replace"),
        (lambda s: s.tell(["w3"], [1.0], replace=True), "nothing to replace"),
        (lambda s: s.tell([f"w{i}" for i in range(50, 80)], np.ones(30)), "budget"),
        (lambda s: s.give_back(["w1"]), "pending"),
        (lambda s: s.give_back(["w9"]), "pending"),
    ],
)
def test_what_cannot_be_used_is_refused_and_changes_nothing(library: np.ndarray, call: Any, why: str) -> None:
    search = lab(library, budget=20, update=RL)
    handed = search.ask(3)
    search.tell("w9", 1.0)
    before = search.events.digest()
    with pytest.raises(eow.InputError, match=f"(?s){why}"):
        call(search)
    assert search.events.digest() == before and len(search.pending) == 3 == len(handed)


# -- a campaign --------------------------------------------------------------------------------------------------------


def test_plates_with_gaps_typing_errors_and_repeats_end_as_if_all_had_been_right_at_once(
    library: np.ndarray, tmp_path: Path
) -> None:
    """Six plates of 96: of each, 15 wells are missing (5 come later, 10 are given back), 5 are typed wrong and put
    right when the next plate is out, and 10 are measured twice."""
    big = np.random.default_rng(5).normal(size=(900, 6)).astype(np.float32)
    source = eow.sources.ArraySource(big, ids=[f"m{i}" for i in range(900)])
    search = eow.Search(source, None, budget=6 * 96 + 60, path=tmp_path / "campaign.eow")
    rng, late, mistyped = np.random.default_rng(0), list[Items](), list[Items]()
    told: dict[str, float] = {}
    for _ in range(6):
        plate = search.ask(96)
        assert len(plate) == 96
        order = rng.permutation(96)
        missing, there = plate.take(order[:15]), plate.take(order[15:])
        scores = truth(there)
        scores[:5] *= 100
        search.tell(pd.DataFrame({"id": there.ids, "score": scores, "plate": 1}).sample(frac=1, random_state=1))
        search.tell(pd.Series(truth(there)[70:80], index=there.ids[70:80]))
        search.give_back(missing[5:])
        told |= dict(zip(there.ids.tolist(), truth(there).tolist()))
        for before in late:
            search.tell(before, truth(before))
            told |= dict(zip(before.ids.tolist(), truth(before).tolist()))
        for before in mistyped:
            search.tell(before.ids, truth(before), replace=True)
        late, mistyped = [missing[:5]], [there[:5]]
    search.tell(late[0], truth(late[0]))
    told |= dict(zip(late[0].ids.tolist(), truth(late[0]).tolist()))
    search.tell(mistyped[0].ids, truth(mistyped[0]), replace=True)
    results = search.results()
    assert dict(zip(results.ids.tolist(), results.scores.tolist())) == told
    assert search.n_scored == len(told) == 6 * 86 and not len(search.pending)
    assert search.controller.state.spent == 6 * 86 + 60
    assert search.best is not None and search.best.score == max(told.values())
    at_once = eow.Search(source, None)
    at_once.tell(list(told), list(told.values()))
    np.testing.assert_array_equal(at_once.results().scores, results.scores)
    top = np.sort(truth(source.fetch(np.array([f"m{i}" for i in range(900)]))))[-20:]
    assert np.isin(top, results.scores).mean() > 0.9, "it learned from what came late"
    same_after_replay(search, tmp_path / "campaign.eow", source)


def test_what_was_handed_out_is_in_the_file_at_once(library: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.eow"
    search = eow.Search(library, budget=40, path=path)
    asked = search.ask(5)
    assert eow.replay(path, library).pending.ids.tolist() == asked.ids.tolist()
    search.give_back(asked.ids[:2])
    assert eow.replay(path, library).pending.ids.tolist() == asked.ids[2:].tolist()
    search.close()
