"""What a person is told about score calls while they run."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

from ..conftest import smooth


class Deaf(Executor):
    """Takes calls, and never answers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


def poisonous(items: eow.Items) -> np.ndarray:
    if items.ids[0] == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return smooth(items)


def said(search: eow.Search) -> list[str]:
    return [notice.text for notice in search.notices if notice.source == "calls"]


def test_an_executor_that_never_answers_is_told_once_and_paused(
    library: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emb_opt_widgets.engine.caller._QUIET", 0.1)
    search = eow.Search(library, smooth, budget=20, executor=Deaf())
    search.start()
    for _ in range(200):
        if said(search):
            break
        search.wait(0.05)
    search.wait(0.3)
    assert len(said(search)) == 1 and "Are its workers there?" in said(search)[0]
    search.pause()
    assert search.wait(5) and search.status == "paused" and search.n_scored == 0
    search.set(executor=ThreadPoolExecutor(2))
    search.run(progress=False)
    assert search.n_scored == 20


@pytest.mark.parametrize("workers", [None, 2])
def test_a_service_that_asks_to_wait_is_told(library: np.ndarray, workers: int | None) -> None:
    asked = []

    def score(items: eow.Items) -> np.ndarray:
        if not asked:
            asked.append(1)
            raise eow.RetryLater(1.3)
        return smooth(items)

    search = eow.Search(library, score, budget=4, calls=eow.Calls(workers=workers))
    search.run(progress=False)
    assert search.n_scored == 4 and len(said(search)) == 1 and "tried again" in said(search)[0]


def test_a_worker_that_died_is_told(library: np.ndarray) -> None:
    search = eow.Search(library[:12], poisonous, budget=12, executor=ProcessPoolExecutor(2))
    search.run(progress=False)
    assert len(search.results()) == 11 and any("died" in text and "asked for again" in text for text in said(search))
