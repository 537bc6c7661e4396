"""Those who watch a search from a script: what they do wrong harms neither the search nor its log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.protocols import Candidates
from emb_opt_widgets.strategies import Portfolio

from ..conftest import smooth


def commands(search: eow.Search) -> list[str]:
    return [event.body.name for event in search.events if event.kind == "command"]


def test_one_who_pauses_at_every_event_is_heard_once(library: np.ndarray) -> None:
    search = eow.Search(library, smooth, budget=100)

    def watch(events: Any) -> None:
        if search.n_scored >= 20 and search.status == "running":
            search.pause("enough")

    search.subscribe(watch)
    search.run(progress=False)
    assert search.status == "paused" and commands(search) == ["pause"]


def test_a_setting_that_changes_nothing_is_no_event(library: np.ndarray) -> None:
    search = eow.Search(library, smooth, budget=40, k=7)
    end = search.subscribe(lambda events: search.set(k=5))
    search.run(progress=False)
    end()
    assert search.n_scored == 40 and commands(search) == ["set"]
    search.undo()
    assert search.settings["k"] == 7


def test_one_who_ends_the_program_does_not_end_the_search(library: np.ndarray) -> None:
    def leave(events: Any) -> None:
        raise SystemExit(3)

    search = eow.Search(library, smooth, budget=20)
    search.subscribe(leave)
    search.run(progress=False)
    assert search.n_scored == 20 and search.notices[0].source == "subscriber"


async def later(events: Any) -> None: ...


def generated(events: Any) -> Any:
    yield events


@pytest.mark.parametrize("wrong", [later, generated, lambda: 0, 3, later.__class__])
def test_who_cannot_be_told_is_refused(library: np.ndarray, wrong: Any) -> None:
    with pytest.raises(eow.InputError, match="subscriber"):
        eow.Search(library, smooth).subscribe(wrong)


def test_settings_in_a_loop_do_not_keep_a_search_from_going_on() -> None:
    library = np.random.default_rng(0).standard_normal((30_000, 32)).astype("f4")
    search = eow.Search(library, lambda items: -np.abs(items.embeddings).sum(1), budget=2000, batch_size=10)
    search.start()
    end = time.monotonic() + 60
    more = 0
    while search.n_scored < 150 and time.monotonic() < end:
        more += 1
        search.set(budget=2000 + more)
        time.sleep(0.05)
    search.stop()
    assert search.wait(30) and search.n_scored >= 150


@dataclass(frozen=True)
class Scribbler:
    name: str = "scribbler"
    prior: tuple[float, float] = (1.0, 1.0)
    learning: bool = False
    said: str = "scribbles"

    def propose(self, board: Any, n: int) -> Candidates:
        board.blocked[:] = True
        return Candidates(np.arange(0))


@dataclass(frozen=True)
class Listing(Scribbler):
    name: str = "listing"

    def propose(self, board: Any, n: int) -> Candidates:
        return Candidates(np.flatnonzero(~board.blocked)[:n].tolist())


def test_an_operator_that_writes_to_its_board_is_left_out_and_told(library: np.ndarray) -> None:
    search = eow.Search(library, smooth, budget=60, update=Portfolio(operators=(Scribbler(), "blend", "coverage")))
    search.run(progress=False)
    assert search.n_scored == 60 and "scribbler" in search.notices[0].text


def test_rows_may_be_a_list(library: np.ndarray) -> None:
    search = eow.Search(library, smooth, budget=60, update=Portfolio(operators=(Listing(), "blend")))
    search.run(progress=False)
    assert search.n_scored == 60 and not len(search.notices)
    assert "listing" in set(search.results().operator)


def broken(**changes: Any) -> Any:
    return type("Broken", (Scribbler,), changes)()


@pytest.mark.parametrize(
    "operator",
    [
        broken(propose=generated),
        broken(propose=lambda self, board: None),
        Scribbler(said=3),
        Scribbler(learning=None),
    ],
)
def test_what_cannot_propose_is_refused_before_anything_is_paid(operator: Any) -> None:
    with pytest.raises(eow.InputError, match="operator scribbler"):
        Portfolio(operators=(operator,))


def test_every_strategy_of_the_family_tells_where_it_cannot_read(library: np.ndarray) -> None:
    class AskedOnly:
        dim = 8

        def __len__(self) -> int:
            return len(library)

        def search(self, queries: np.ndarray, k: int) -> Any:
            raise AssertionError

        def fetch(self, ids: np.ndarray) -> eow.Items:
            return eow.Items(ids, library[ids])

    for update in (None, Portfolio(), eow.strategies.SurrogateUpdate(), Portfolio(operators=(Listing(),))):
        (notice,) = eow.Search(AskedOnly(), smooth, update=update).notices
        assert "cannot be read through" in notice.text
    assert "take no part: listing" in notice.text
    assert not len(eow.Search(AskedOnly(), smooth, update=eow.RLUpdate([0.1])).notices)
