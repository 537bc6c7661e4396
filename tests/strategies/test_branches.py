"""A branch means from here on: a protected share around its place, then what it earns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.strategies.portfolio.operators.branched import PROTECTED, protected

RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((200, 32)).astype(np.float32) * 2
OF = np.repeat(np.arange(200), 100)
X = CENTRES[OF] + RNG.standard_normal((20_000, 32)).astype(np.float32)
TREND = X @ (RNG.standard_normal(32) / np.sqrt(32)).astype(np.float32)
GOOD = int(np.argmin([TREND[c == OF].mean() for c in range(200)]))
Y = TREND + np.where(OF == GOOD, 15.0 + 0.1 * RNG.standard_normal(len(X)), 0.0)
MEMBER = int(np.flatnonzero(OF == GOOD)[0])


def score(items: Any) -> Any:
    return Y[items.ids]


def begun(rounds: int = 6, budget: int = 240, **more: Any) -> eow.Search:
    search = eow.Search(X, score, budget=budget, seed=0, **more)
    search.run(rounds=rounds, progress=False)
    return search


def found(search: eow.Search) -> int:
    return int((OF[search.results().ids] == GOOD).sum())


def branched_in(search: eow.Search, first: int, last: int) -> tuple[int, int]:
    """Calls that were proposed around branches in these rounds, of all but those that a branch's own query found."""
    chosen = [e.body for e in search.events if e.kind == "chosen" and first <= e.body.round < last]
    names = [name for body in chosen for name in (body.operator or []) if name]
    return names.count("branch"), len(names)


@pytest.mark.parametrize("how", ["item", "embedding"])
def test_one_branch_at_a_member_finds_a_hidden_cluster(how: str) -> None:
    search = begun()
    assert found(search) == 0
    search.branch(item=MEMBER) if how == "item" else search.branch(embedding=X[MEMBER])
    search.run(progress=False)
    assert found(search) == 100


def test_a_branch_has_a_fifth_of_three_rounds_and_then_what_it_earns() -> None:
    dull = int(np.flatnonzero(OF == (GOOD + 1) % 200)[0])
    search = begun(budget=600)
    search.branch(item=dull)
    search.run(rounds=3, progress=False)
    mine, total = branched_in(search, 6, 9)
    assert 0.08 <= mine / total <= 0.36
    near = [i for i, op in zip(search.results().ids.tolist(), search.results().operator) if op == "branch"]
    assert np.mean(OF[near] == OF[dull]) > 0.5
    search.run(progress=False)
    late, calls = branched_in(search, 12, 100)
    assert late / calls < mine / total


def test_several_branches_share() -> None:
    one, other = (int(np.flatnonzero(c == OF)[0]) for c in ((GOOD + 1) % 200, (GOOD + 2) % 200))
    search = begun(budget=600)
    search.branch(item=one)
    search.branch(item=other)
    search.run(rounds=3, progress=False)
    mine, total = branched_in(search, 6, 9)
    assert mine / total <= 0.36
    near = OF[[i for i, op in zip(search.results().ids.tolist(), search.results().operator) if op == "branch"]]
    assert (near == OF[one]).any() and (near == OF[other]).any()


def test_a_branch_before_a_model_can_be_asked_has_its_share_too() -> None:
    search = begun(rounds=1)
    search.branch(item=MEMBER)
    search.run(rounds=1, progress=False)
    mine, total = branched_in(search, 1, 2)
    assert mine == int(np.ceil(PROTECTED * total)) and found(search) > mine


def test_an_undone_branch_has_no_share() -> None:
    search, plain = begun(), begun()
    search.branch(item=MEMBER)
    search.undo()
    search.run(rounds=4, progress=False)
    plain.run(rounds=4, progress=False)
    np.testing.assert_array_equal(search.results().ids, plain.results().ids)


def test_shares_add_up_and_an_earned_share_is_not_cut() -> None:
    told = protected({"blend": 0.9, "branch": 0.1}, np.array([5, 2]))
    assert told == pytest.approx({"blend": 0.8, "branch": 0.2})
    for share, ages in (
        ({"blend": 0.5, "branch": 0.5}, [0]),
        ({"blend": 0.9, "branch": 0.1}, [3]),
        ({"blend": 1.0}, []),
    ):
        assert protected(share, np.array(ages, np.int64)) == share
