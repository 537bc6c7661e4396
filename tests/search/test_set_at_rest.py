"""The score function and where it runs, changed on a search at rest."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import emb_opt_widgets as eow

from ..conftest import smooth


def typo(items: eow.Items) -> np.ndarray:
    raise NameError("smoth")


def deadly(items: eow.Items) -> np.ndarray:
    os.kill(os.getpid(), signal.SIGKILL)
    return smooth(items)


def test_a_typo_in_the_score_costs_nothing_and_is_mended_in_place(library: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "typo.eow"
    with eow.Search(library, typo, budget=30, path=path, batch_size=1) as search:
        search.run(progress=False)
        assert search.status == "paused" and search.n_scored == 0 and "set(score=" in search.reason
        search.set(score=smooth, note="a typo")
        search.run(progress=False)
        assert search.n_scored == 30
        assert len(search.results()) == 30
        assert [e.note for e in search.events if e.kind == "command"] == ["a typo"]
    with eow.load(path, library, smooth) as search:
        assert search.settings["score"]["function"].endswith("smooth")
    with pytest.raises(eow.InputError, match="score function that was not passed"):
        eow.load(path, library)


def test_what_was_scored_stays_and_undo_brings_the_function_back(library: np.ndarray) -> None:
    search = eow.Search(library, lambda items: np.zeros(len(items)), budget=60)
    search.run(rounds=1, progress=False)
    n = search.n_scored
    search.set(score=lambda items: np.ones(len(items)))
    search.run(rounds=1, progress=False)
    assert set(search.results().scores[:-n]) == {1.0} and set(search.results().scores[-n:]) == {0.0}
    search.undo()
    before = search.n_scored
    search.run(rounds=1, progress=False)
    assert (search.results().scores == 0).sum() == n + search.n_scored - before
    search.redo()
    search.run(progress=False)
    assert search.n_scored == 60 and (search.results().scores == 1).sum() > n


def test_failed_items_are_asked_again_of_the_new_function(library: np.ndarray) -> None:
    def half(items: eow.Items) -> np.ndarray:
        return np.where(items.ids % 2, np.nan, smooth(items))

    search = eow.Search(library, half, budget=40)
    search.run(progress=False)
    failed = 40 - len(search.results())
    search.set(score=smooth, budget=40 + failed)
    search.retry()
    search.run(progress=False)
    assert failed and len(search.results()) == 40


def test_a_search_without_a_score_gets_one_and_gives_it_up(library: np.ndarray) -> None:
    search = eow.Search(library, budget=20)
    search.tell(search.ask(4), [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(eow.StateError, match="no score function"):
        search.run(progress=False)
    search.set(score=smooth)
    search.run(progress=False)
    assert search.n_scored == 20
    search.set(score=None, budget=22)
    assert len(search.ask(2)) == 2


def test_another_executor_after_one_broke(library: np.ndarray) -> None:
    search = eow.Search(library, deadly, budget=20)
    with ProcessPoolExecutor(2) as pool:
        search.set(executor=pool)
        search.run(progress=False)
    assert search.status == "paused" and search.n_scored == 0
    with ThreadPoolExecutor(3) as pool:
        search.set(executor=pool, score=smooth)
        search.run(progress=False)
        assert len(search.results()) == 20
    search.set(executor=None, budget=25)
    search.run(progress=False)
    assert len(search.results()) == 25


def test_neither_is_set_while_it_runs_and_wrong_ones_change_nothing(library: np.ndarray) -> None:
    gate = threading.Event()

    def slow(items: eow.Items) -> np.ndarray:
        gate.wait(30)
        return smooth(items)

    search = eow.Search(library, slow, budget=20)
    for wrong in ({"executor": 4}, {"score": 4}, {"executor": None, "score": [smooth]}):
        with pytest.raises(eow.InputError, match="is not usable"):
            search.set(**wrong)
    search.start()
    for setting in ({"score": smooth}, {"executor": None}):
        with pytest.raises(eow.StateError, match=rf"set\({next(iter(setting))}=…\) needs the search at rest"):
            search.set(**setting)
    gate.set()
    search.wait()
    assert search.n_scored == 20 and not [e for e in search.events if e.kind == "command"]
