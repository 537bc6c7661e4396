"""Branch, prune, restore, undo, redo, set: their effects, their errors, and that the log tells the whole story."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow

from ..conftest import Counted, smooth


def ran(search: eow.Search, rounds: int = 3) -> eow.Search:
    search.run(rounds=rounds, progress=False)
    return search


def test_branch_from_an_old_node_makes_active_children_that_look_next(search: eow.Search) -> None:
    ran(search)
    before = len(search.tree)
    new = search.branch(0, note="again")
    assert new == [before, before + 1]
    tree = search.tree
    assert all(tree.parent[new] == 0) and all(tree.status[new] == "active") and all(tree.round[new] == -1)
    ran(search, 1)
    assert all(search.tree.round[new] == 3) and all(search.tree.n_hits[new] == 6)
    event = [e for e in search.events if e.kind == "command"][-1]
    assert (event.note, event.who, event.body.name) == ("again", "python", "branch")


def test_branch_from_a_pruned_node_an_item_and_a_point(search: eow.Search, library: np.ndarray) -> None:
    ran(search)
    pruned = int(np.flatnonzero(search.tree.status == "pruned")[0])
    new = search.branch(pruned, update=eow.TopKDiscreteUpdate(2))
    assert len(new) == 2 and set(search.tree.parent[new]) == {pruned}
    best = search.best
    assert best is not None
    (at_item,) = search.branch(item=best.id)
    np.testing.assert_array_equal(search.tree.embedding[at_item], library[best.id].astype(float))
    assert search.tree.parent[at_item] >= 0
    unseen = next(i for i in range(len(library)) if search.controller.state.ids.row(i) is None)
    (at_unseen,) = search.branch(item=unseen)
    assert search.tree.parent[at_unseen] == -1
    (root,) = search.branch(embedding=np.full(8, 0.75))
    assert search.tree.parent[root] == -1 and search.tree.root[root] == root


def test_undo_of_a_branch_makes_it_and_all_below_inactive_but_keeps_its_scores(search: eow.Search) -> None:
    ran(search, 2)
    new = search.branch(embedding=np.full(8, 0.75))
    ran(search, 2)
    below = [i for i in range(len(search.tree)) if new[0] in search.tree.path(i)]
    scored = search.n_scored
    active = {i for i in below if search.tree.status[i] == "active"}
    search.undo()
    assert {i for i in below if search.tree.status[i] == "undone"} == active and len(active) > 1
    assert search.n_scored == scored
    search.redo()
    assert {i for i in below if search.tree.status[i] == "active"} == active


def test_prune_subtree_undo_and_restore(search: eow.Search) -> None:
    ran(search)
    before = search.tree.status.copy()
    search.prune_node(0)
    below = [i for i in range(len(search.tree)) if 0 in search.tree.path(i)]
    assert "active" not in set(search.tree.status[below])
    assert "prune by python" in search.tree.reason[0]
    search.undo()
    np.testing.assert_array_equal(search.tree.status, before)
    search.prune_node(0, subtree=False)
    assert search.tree.status[0] == "pruned"
    search.restore(0)
    np.testing.assert_array_equal(search.tree.status, before)
    search.prune_node(0)
    search.restore(0)
    np.testing.assert_array_equal(search.tree.status, before)


def test_a_node_the_pruner_dropped_can_be_restored_and_goes_on(search: eow.Search) -> None:
    ran(search)
    pruned = [i for i in range(len(search.tree)) if search.tree.status[i] == "pruned" and search.tree.round[i] == 2]
    search.restore(pruned[0])
    ran(search, 1)
    assert search.tree.status[pruned[0]] == "active" and len(search.tree.children(pruned[0])) == 2


def test_pruning_in_mid_round_spends_nothing_more_on_it(library: np.ndarray) -> None:
    counted = Counted()
    search = eow.Search(library, lambda i: meddle(i), update=eow.RLUpdate([0.5]), k=6, queries=2, batch_size=2)

    def meddle(items: Any) -> Any:
        if len(counted.calls) == 2:
            search.prune_node(1)
        return counted(items)

    ran(search, 1)
    only = {i.id for i in search.results()}
    first = np.argsort(((library - search.tree.embedding[0]) ** 2).sum(1))[:6]
    assert only <= set(first.tolist())


def test_set_takes_effect_in_the_next_round_and_is_undone(search: eow.Search) -> None:
    ran(search, 1)
    search.set(k=3, update=eow.RLUpdate([0.1]), prune=None)
    ran(search, 1)
    tree = search.tree
    assert set(tree.n_hits[tree.round == 1]) == {3} and (tree.round == 1).sum() == 3
    search.undo()
    assert search.settings["k"] == 6 and search.settings["update"]["lrs"] == [0.25, 1.0]
    search.redo()
    assert search.settings["k"] == 3


def test_commands_on_what_cannot_take_them(search: eow.Search) -> None:
    for call, error, why in [
        (lambda: search.branch(0), eow.UnknownNodeError, "empty"),
        (lambda: search.undo(), eow.StateError, "nothing to undo"),
        (lambda: search.redo(), eow.StateError, "nothing to redo"),
        (lambda: search.pause(), eow.StateError, "nothing to pause"),
        (lambda: search.resume(), eow.StateError, "not paused"),
    ]:
        with pytest.raises(error, match=why):
            call()
    ran(search)
    n = len(search.events)
    for call, error, why in [
        (lambda: search.branch(99), eow.UnknownNodeError, "from 0 to"),
        (lambda: search.branch("0"), eow.UnknownNodeError, "'0'"),
        (lambda: search.branch(), eow.InputError, "one place"),
        (lambda: search.branch(embedding=[1.0, 2.0]), eow.InputError, "8 finite"),
        (lambda: search.branch(embedding=np.full(8, np.nan)), eow.InputError, "NaN"),
        (lambda: search.branch(item="nobody"), eow.InputError, "nobody"),
        (lambda: search.prune_node(-1), eow.UnknownNodeError, "-1"),
        (lambda: search.restore(0), eow.StateError, "active"),
        (lambda: search.set(k=0), eow.InputError, "at least 1"),
        (lambda: search.set(budget=3), eow.InputError, "below what is spent"),
        (lambda: search.set(colour="red"), eow.InputError, "no such setting"),
        (lambda: search.set(), eow.InputError, "needs a setting"),
        (lambda: search.pause(), eow.StateError, "nothing to pause"),
        (lambda: search.stop(), eow.StateError, "nothing to stop"),
        (lambda: search.step(0), eow.InputError, "at least 1"),
    ]:
        with pytest.raises(error, match=why):
            call()
    assert len(search.events) == n, "a refused command changes nothing"


def test_a_branch_whose_update_raises_is_the_askers_error_and_the_search_runs_on(library: np.ndarray) -> None:
    def slow(items: Any) -> Any:
        time.sleep(0.01)
        return smooth(items)

    search = eow.Search(library, slow, update=eow.RLUpdate([0.1]), k=6, queries=3, batch_size=2)
    ran(search, 1)
    for running in (False, True):
        if running:
            search.start(rounds=20)
        with pytest.raises(eow.FunctionError, match=r"branch command failed: ZeroDivisionError"):
            search.branch(0, update=lambda q: 1 / 0)
    assert search.status is eow.SearchStatus.RUNNING
    search.stop()
    assert search.wait(10)


def test_commands_from_many_threads_have_one_effect_each_and_replay(library: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "many.eow"
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=4, queries=3, batch_size=1, path=path)
    ran(search, 1)
    search.start(rounds=30)
    problems: list[BaseException] = []

    def meddle(seed: int) -> None:
        chance = np.random.default_rng(seed)
        for name in chance.choice(["undo", "redo", "prune_node", "branch", "restore"], 30):
            try:
                getattr(search, name)(*([] if name in ("undo", "redo") else [int(chance.integers(3))]))
            except eow.StateError:
                pass
            except BaseException as error:
                problems.append(error)

    threads = [threading.Thread(target=meddle, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems and not any(t.is_alive() for t in threads)
    search.close()
    again = eow.replay(path, library)
    ids = [e.body.id for e in again.events if e.kind == "command"]
    assert len(set(ids)) == len(ids) > 5
    np.testing.assert_array_equal(again.tree.status, search.tree.status)


def test_each_command_id_takes_effect_once(search: eow.Search) -> None:
    ran(search)
    for _ in range(2):
        search.controller.submit("prune_node", {"node": 0, "subtree": True}, command_id="browser-1", who="browser")
    assert sum(e.kind == "command" for e in search.events) == 1


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["branch", "point", "prune", "restore", "undo", "redo", "set", "step"]),
        st.integers(0, 40),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_any_commands_replay_to_the_same_search_and_undo_back(
    actions: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    library = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    path: Path = tmp_path_factory.mktemp("replay") / "search.eow"
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), prune=eow.TopKPrune(1), k=4, queries=2, path=path)
    ran(search, 1)
    for name, number in actions:
        node = number % len(search.tree)
        status, n = search.tree.status.copy(), search.n_scored
        try:
            if name == "branch":
                search.branch(node)
            elif name == "point":
                search.branch(embedding=np.full(4, number / 40))
            elif name == "prune":
                search.prune_node(node, subtree=bool(number % 2))
            elif name == "restore":
                search.restore(node)
            elif name == "set":
                search.set(k=1 + number % 5)
            elif name == "step":
                search.step()
                search.wait()
            else:
                getattr(search, name)()
        except eow.StateError:
            np.testing.assert_array_equal(search.tree.status, status)
        else:
            assert search.n_scored >= n
            if name in ("branch", "point", "prune", "restore", "set"):
                after = search.tree.status.copy()
                search.undo()
                np.testing.assert_array_equal(search.tree.status[: len(status)], status)
                search.redo()
                np.testing.assert_array_equal(search.tree.status, after)
    search.close()
    again = eow.replay(path, library)
    for column in search.tree.columns:
        np.testing.assert_array_equal(again.tree[column], search.tree[column])
    np.testing.assert_array_equal(again.results().ids, search.results().ids)
    loaded = eow.load(path, library, smooth)
    assert loaded.events.digest() == again.events.digest()
    loaded.run(rounds=1, progress=False)
    loaded.close()
