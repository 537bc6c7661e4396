"""Files that version 0.1 wrote open and go on, and its seeded reference strategies still log the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets import training
from tests.data.v0_1 import searches

FILES = Path(__file__).parent / "data" / "v0_1"
EXPECTED = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))
OWN = {
    "reference.eow": {"score": searches.score, "filter": searches.keep},
    "portfolio.eow": {"score": searches.score},
    "told.eow": {},
}


@pytest.fixture
def files(tmp_path):
    for path in FILES.glob("*.eow*"):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path


def seen(search):
    results, tree = search.results(include_removed=True), search.tree
    columns = {name: np.asarray(getattr(tree, name)).tolist() for name in ("id", "parent", "root", "round", "n_hits")}
    return {
        "n_scored": search.n_scored, "n_rounds": search.n_rounds, "ids": results.ids.tolist(),
        "scores": [float(score) if np.isfinite(score) else None for score in results.scores],
        "tree": columns | {"n_new": tree.n_new.tolist(), "status": [str(status) for status in tree.status]},
        "kinds": [event.kind for event in search.events], "status": str(search.status),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_search_is_loaded_as_it_was(files, name):
    with eow.load(files / name, source=searches.library(), **OWN[name]) as search:
        assert seen(search) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_search_is_replayed_as_it_was(files, name):
    before = (files / name).read_bytes()
    assert seen(eow.replay(files / name, source=searches.library())) == EXPECTED[name]
    assert (files / name).read_bytes() == before


def test_a_loaded_search_goes_on(files):
    for name in ("reference.eow", "portfolio.eow"):
        with eow.load(files / name, source=searches.library(), **OWN[name]) as search:
            before = search.n_scored
            search.set(budget=before + 30)
            found = search.run(progress=False)
            assert search.n_scored == before + 30
            assert len(set(found.ids.tolist())) == len(found)
        again = eow.replay(files / name, source=searches.library())
        assert again.n_scored == before + 30


def test_a_file_is_upgraded_once_and_a_copy_kept(files):
    path, copy = files / "portfolio.eow", files / "portfolio.format1.eow"
    whole = path.read_bytes()
    with eow.load(path, source=searches.library(), score=searches.score) as search:
        assert any(copy.name in notice.text for notice in search.notices)
    assert not copy.exists(), "nothing happened, nothing is upgraded"
    for budget in (80, 90):
        with eow.load(path, source=searches.library(), score=searches.score) as search:
            search.set(budget=budget)
    assert seen(eow.replay(copy, source=searches.library())) == EXPECTED["portfolio.eow"]
    for file, version in ((path, 2), (copy, 1)):
        db = sqlite3.connect(file)
        assert db.execute("PRAGMA user_version").fetchone() == (version,)
        db.close()
    assert path.read_bytes() != whole
    with eow.load(path, source=searches.library(), score=searches.score) as search:
        assert not len(search.notices)


def test_what_was_handed_out_is_told_after_loading(files):
    with eow.load(files / "told.eow", source=searches.library()) as search:
        before = search.n_scored
        items = search.ask(4)
        assert len(items)
        search.tell(items, searches.score(items))
        assert search.n_scored == before + len(items)


def test_a_training_goes_on(files):
    course = training.load(
        files / "course.eow", *searches.towers(), searches.pairs(),
        loss=training.RetrievalLoss(temperature=0.5), validation=searches.pairs(),
    )  # fmt: skip
    expected = EXPECTED["course.eow"]
    assert [event.kind for event in course.events] == expected["kinds"]
    assert str(course.status) == expected["status"]
    course.close()


def test_the_reference_strategies_log_what_they_logged(files):
    made = eow.Search(
        searches.library(), searches.score, filter=searches.keep, update=eow.RLUpdate([0.25, 1.0]),
        prune=eow.TopKPrune(2), k=6, queries=3, seed=3, budget=80, name="reference",
    )  # fmt: skip
    made.run(progress=False)
    before = eow.replay(files / "reference.eow", source=searches.library()).events
    first, *now = (event.to_dict() for event in made.events)
    created, *logged = (event.to_dict() for event in before)
    assert (first["seed"], first["source"]) == (created["seed"], created["source"])
    assert now == logged
