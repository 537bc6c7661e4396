"""Questions of pages: items, nodes, finding, exports."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.errors import InputError, UnknownNodeError
from emb_opt_widgets.widgets import search_asks
from emb_opt_widgets.widgets.search_feed import SearchLive

from ..conftest import smooth

EVIL = ["<script>alert(1)</script>", "=HYPERLINK(1)", "a\x00\u202eb", "<svg onload=alert(1)></svg>", "x" * 10**6]


class Formula:
    def __str__(self) -> str:
        return "=1+1"


@pytest.fixture
def ran(library: np.ndarray) -> eow.Search:
    texts = [EVIL[i] if i < len(EVIL) else f"molecule {i}" for i in range(len(library))]
    source = eow.sources.ArraySource(
        library, ids=[f"id-{i}" for i in range(len(library))], items=texts, data={"weight": list(range(len(library)))}
    )
    search = eow.Search(source, smooth, update=eow.RLUpdate([0.5]), k=8, queries=[f"id-{i}" for i in range(8)])
    search.run(rounds=4, progress=False)
    return search


def ask(search: eow.Search, what: str, **given: Any) -> dict[str, Any]:
    answer = SearchLive(search).ask(what, given)
    return dict(json.loads(json.dumps(answer.data, allow_nan=False)))


def calls_of(search: eow.Search, ids: list[str]) -> list[int]:
    state = search.controller.state
    return [int(state.items["call"][state.ids.row(i)]) for i in ids]


def test_items_come_with_text_and_data_and_in_the_order_asked_for(ran: eow.Search) -> None:
    ids = ["id-4", "id-0", "id-3", "id-2"]
    made = ask(ran, "items", rows=calls_of(ran, ids))
    assert made["id"] == ids and made["rows"] == calls_of(ran, ids)
    assert made["kind"] == ["text", "text", "svg", "text"]
    assert made["text"][1] == EVIL[0] and made["text"][3] == "a\ufffd\ufffdb" and len(made["text"][0]) == 4_001
    assert [one is None for one in made["image"]] == [True, True, False, True]
    assert [one["weight"] for one in made["data"]] == [4, 0, 3, 2]


def test_items_that_are_not_there_are_an_error(ran: eow.Search) -> None:
    for rows in ([ran.n_scored], [10**9]):
        with pytest.raises(InputError, match=f"rows from 0 to {ran.n_scored - 1}"):
            ask(ran, "items", rows=rows)


def test_pictures_are_left_out_where_they_would_be_too_much(ran: eow.Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_asks, "_MOST_BYTES", 10)
    made = ask(ran, "items", rows=calls_of(ran, ["id-3"]))
    assert made["image"] == [None] and made["kind"] == ["text"]


def test_a_node_is_told_with_its_best_items_and_its_path(ran: eow.Search) -> None:
    tree, state = ran.tree, ran.controller.state
    deep = int(np.argmax([len(tree.path(i)) for i in range(len(tree))]))
    ran.prune_node(deep, note="why not")
    made = ask(ran, "node", node=deep)
    assert made["path"] == tree.path(deep) and made["operator"] == tree.operator[deep]
    assert (made["status"], made["status_reason"]) == ("pruned", "prune by python: why not")
    scores = sorted((float(state.items["score"][row]) for row in state.hits[deep]), reverse=True)
    assert [one["score"] for one in made["best"]] == scores[:10]
    first = made["best"][0]
    assert calls_of(ran, [first["id"]]) == [first["row"]] and first["text"].startswith(("molecule", "<", "=", "a", "x"))
    with pytest.raises(UnknownNodeError):
        ask(ran, "node", node=len(tree))


def test_find_looks_into_ids_and_texts_best_first(ran: eow.Search) -> None:
    everything = ask(ran, "find", text="", limit=1_000)
    scores = [float(ran.controller.state.items["score"][ran.controller.state.ids.row(i)]) for i in ran.results().ids]
    assert everything == {"rows": calls_of(ran, ran.results().ids.tolist()), "more": False}
    assert scores == sorted(scores, reverse=True)
    assert ask(ran, "find", text="SCRIPT")["rows"] == calls_of(ran, ["id-0"])
    assert set(ask(ran, "find", text="ID-1")["rows"]) == set(
        calls_of(ran, [i for i in ran.results().ids.tolist() if "id-1" in i])
    )
    assert ask(ran, "find", text="", limit=2)["more"] and ask(ran, "find", text="nowhere") == {
        "rows": [],
        "more": False,
    }


def test_find_ends_when_patience_does(ran: eow.Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_asks, "_PATIENCE", -1.0)
    monkeypatch.setattr(search_asks, "_BLOCK", 3)
    assert ask(ran, "find", text="nowhere") == {"rows": [], "more": True}


def places(search: eow.Search, by: str) -> tuple[list[int], bool]:
    answer = SearchLive(search).ask("places", {"by": by})
    found = np.frombuffer(answer.buffers[0], "<i4").tolist()
    assert answer.data["n"] == len(found) == search.n_scored
    return found, answer.data["more"]


def test_places_are_those_of_ids_and_texts_in_order(ran: eow.Search) -> None:
    shown = ask(ran, "items", rows=list(range(ran.n_scored)))
    for by, name in (("id", "id"), ("item", "text")):
        found, more = places(ran, by)
        words = [text[:200].casefold() for text in shown[name]]
        alphabet = sorted(set(words))
        assert not more and len(alphabet) > 3
        if by == "id":
            assert found == [alphabet.index(word) for word in words]
        else:
            pairs = sorted(zip(found, words))
            assert [word for _, word in pairs][:20] == sorted(words)[:20]


def test_places_of_numbers_are_those_of_numbers(search: eow.Search) -> None:
    search.run(rounds=3, progress=False)
    found, _ = places(search, "id")
    ids = [int(one) for one in ask(search, "items", rows=list(range(search.n_scored)))["id"]]
    assert [ids[i] for i in np.argsort(found)] == sorted(ids) and max(ids) >= 100
    assert set(places(search, "item")[0]) == {0}


def test_places_end_when_patience_does(ran: eow.Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_asks, "_PATIENCE", -1.0)
    monkeypatch.setattr(search_asks, "_BLOCK", 3)
    found, more = places(ran, "id")
    assert more and min(found[:3]) >= 0 and set(found[3:]) == {-1}


def test_exports_are_files_and_harmless(ran: eow.Search) -> None:
    for kind, mime in [("csv", "text/csv"), ("html", "text/html"), ("parquet", "application/vnd.apache.parquet")]:
        answer = SearchLive(ran).ask("export", {"format": kind})
        (data,) = answer.buffers
        assert answer.data == {"name": f"search.{kind}", "mime": mime} and type(data) is bytes
        if kind == "csv":
            before = csv.field_size_limit(10**7)
            rows = list(csv.reader(io.StringIO(data.decode())))
            csv.field_size_limit(before)
            assert len(rows) == len(ran.results()) + 1
            assert not any(cell.startswith(("=", "@")) for row in rows for cell in row)
        elif kind == "html":
            assert b"<script>" not in data and b"Content-Security-Policy" in data
        else:
            assert data.startswith(b"PAR1")


def test_an_object_that_calls_itself_a_formula_is_none_in_a_csv(library: np.ndarray) -> None:
    source = eow.sources.ArraySource(library, items=[Formula()] * len(library))
    search = eow.Search(source, smooth, update=eow.RLUpdate([0.5]))
    search.run(rounds=1, progress=False)
    data = SearchLive(search).ask("export", {"format": "csv"}).buffers[0].decode()
    assert "'=1+1" in data and ",=1+1" not in data


def test_the_name_of_an_export_is_a_files(library: np.ndarray) -> None:
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), name="../../etc/<x>\x00 run")
    search.run(rounds=1, progress=False)
    assert SearchLive(search).ask("export", {"format": "csv"}).data["name"] == "_.._etc__x__ run.csv"


def test_an_export_that_is_too_large_says_what_to_do(ran: eow.Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_asks, "_LARGEST", 10)
    with pytest.raises(InputError, match=r"search\.results\(\)\.to_csv\(path\)"):
        SearchLive(ran).ask("export", {"format": "csv"})


def test_a_search_that_has_not_begun_has_answers_too(search: eow.Search) -> None:
    assert ask(search, "find", text="x") == {"rows": [], "more": False}
    with pytest.raises(InputError):
        ask(search, "items", rows=[0])
    with pytest.raises(UnknownNodeError):
        ask(search, "node", node=0)
    assert SearchLive(search).ask("export", {"format": "csv"}).buffers[0].startswith(b"id,score")
