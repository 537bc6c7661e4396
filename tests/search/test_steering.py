"""Steering without waiting: one effect for each id, whoever asks and however often; Python's log is as it was."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.live.steering import Asked

from ..conftest import smooth


@pytest.fixture
def slow(library: np.ndarray) -> eow.Search:
    def score(items: Any) -> Any:
        time.sleep(0.02)
        return smooth(items)

    return eow.Search(library, score, update=eow.RLUpdate([0.3]), k=6, queries=3, batch_size=2)


def names(search: eow.Search) -> list[str]:
    return [e.body.name for e in search.events if e.kind == "command"]


def test_python_does_not_log_a_start_and_a_page_does(search: eow.Search) -> None:
    search.start(rounds=1)
    search.wait()
    assert names(search) == []
    search.steering.start(1, Asked("browser", "b1", "go")).result()
    search.wait()
    assert names(search) == ["start"] and search.n_rounds == 2
    event = next(e for e in search.events if e.kind == "command")
    assert (event.who, event.note, event.body.id, event.body.arguments) == ("browser", "go", "b1", {"rounds": 1})


def test_each_id_takes_effect_once_for_every_command(slow: eow.Search) -> None:
    steer, search = slow.steering, slow
    for _ in range(2):
        steer.step(1, Asked("browser", "step")).result(10)
    search.wait()
    assert search.n_rounds == 1
    new = [steer.branch(0, asked=Asked("browser", "branch")).result(10) for _ in range(3)]
    assert new[0] == new[1] == new[2] and len(new[0]) == 1
    for _ in range(2):
        steer.prune_node([1, 2], asked=Asked("browser", "prune")).result(10)
        steer.undo(Asked("browser", "undo")).result(10)
        steer.set({"k": 4}, Asked("browser", "set")).result(10)
        steer.start(None, Asked("browser", "start")).result(10)
    for _ in range(2):
        steer.pause(Asked("browser", "pause")).result(10)
    search.wait()
    for _ in range(2):
        steer.pause(Asked("browser", "pause")).result(10)
        steer.resume(Asked("browser", "resume")).result(10)
    for _ in range(2):
        steer.stop(Asked("browser", "stop")).result(10)
    search.wait()
    steer.stop(Asked("browser", "stop")).result(10)
    assert names(search) == ["step", "branch", "prune_node", "undo", "set", "start", "pause", "resume", "stop"]
    assert search.status is eow.SearchStatus.STOPPED


def test_the_same_id_from_many_threads_at_once(slow: eow.Search) -> None:
    slow.step()
    slow.wait()
    slow.start()
    barrier, out, problems = threading.Barrier(8), list[Future[list[int]]](), list[BaseException]()

    def ask(name: str) -> None:
        barrier.wait()
        try:
            if name == "branch":
                out.append(slow.steering.branch(0, asked=Asked("browser", "same-branch")))
            else:
                slow.steering.pause(Asked("browser", "same-pause"))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("branch", "pause") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    slow.wait()
    assert not problems
    assert names(slow) in (["step", "branch", "pause"], ["step", "pause", "branch"])
    assert len({tuple(done.result(10)) for done in out}) == 1 and len(out[0].result()) == 1


def test_an_id_counts_after_a_resume_too(library: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "once.eow"
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.3]), k=6, queries=3, path=path)
    search.run(rounds=1, progress=False)
    new = search.steering.branch(0, asked=Asked("browser", "b")).result()
    search.close()
    again = eow.load(path, library, smooth)
    assert again.steering.branch(0, asked=Asked("browser", "b")).result() == new
    assert again.steering.start(1, Asked("browser", "b")).result() == new and not again.controller.running
    assert names(again) == ["branch"]
    again.close()


def test_what_does_not_fit_raises_and_changes_nothing(search: eow.Search) -> None:
    steer, n = search.steering, len(search.events)
    for call, error in [
        (lambda: steer.pause(Asked(id="1")), eow.StateError),
        (lambda: steer.resume(Asked(id="2")), eow.StateError),
        (lambda: steer.undo(Asked(id="3")), eow.StateError),
        (lambda: steer.prune_node([0], asked=Asked(id="4")), eow.UnknownNodeError),
        (lambda: steer.branch_all(asked=Asked(id="5")), eow.InputError),
        (lambda: steer.branch_all(nodes=[0], items=[1]), eow.InputError),
        (lambda: steer.start(0, Asked(id="6")), eow.InputError),
        (lambda: steer.step(0, Asked(id="7")), eow.InputError),
        (lambda: steer.set({}, Asked(id="8")), eow.InputError),
        (lambda: steer.set({"colour": 1}, Asked(id="9")), eow.InputError),
    ]:
        with pytest.raises(error):
            call()
    assert len(search.events) == n


def test_several_nodes_are_one_command_and_one_undo(search: eow.Search) -> None:
    search.run(rounds=3, progress=False)
    before = search.tree.status.copy()
    active = np.flatnonzero(before == "active")[:2].tolist()
    search.steering.prune_node(active, asked=Asked("browser", "p")).result()
    assert set(search.tree.status[active]) == {"pruned"}
    search.steering.restore(active).result()
    np.testing.assert_array_equal(search.tree.status, before)
    search.undo()
    assert set(search.tree.status[active]) == {"pruned"}
    search.undo()
    np.testing.assert_array_equal(search.tree.status, before)
    with pytest.raises(eow.StateError, match="Each of the 2 nodes is not pruned but active"):
        search.steering.restore(active).result()
    new = search.steering.branch_all(nodes=active).result()
    assert len(new) == 4 and set(search.tree.parent[new]) == set(active)
    search.undo()
    assert set(search.tree.status[new]) == {"undone"}


def test_a_restore_of_many_is_the_restores_of_each(library: np.ndarray) -> None:
    chance = np.random.default_rng(0)
    one, all_at_once = (eow.Search(library, smooth, update=eow.RLUpdate([0.2, 0.5]), k=4, queries=3) for _ in range(2))
    for search in (one, all_at_once):
        search.run(rounds=4, progress=False)
    for node in chance.integers(0, len(one.tree), 6).tolist():
        for search in (one, all_at_once):
            with contextlib.suppress(eow.StateError):
                search.prune_node(node, subtree=bool(node % 2))
    pruned = np.flatnonzero(one.tree.status == "pruned")
    wanted = pruned[chance.random(len(pruned)) < 0.5].tolist()
    assert len(pruned) > 10 and len(wanted) > 3
    all_at_once.steering.restore(wanted).result()
    for node in wanted:
        if one.tree.status[node] == "pruned":
            one.restore(node)
    np.testing.assert_array_equal(one.tree.status, all_at_once.tree.status)


def test_one_who_listens_and_fails_harms_nobody(search: eow.Search, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("mine")

    end = search.controller.listen(broken)
    assert len(search.run(rounds=2, progress=False)) > 0 and "one who listens" in caplog.text
    end()


def test_several_items_become_one_query_each(search: eow.Search, library: np.ndarray) -> None:
    search.run(rounds=1, progress=False)
    ids = search.results().ids[:3].tolist()
    new = search.steering.branch_all(items=ids, asked=Asked("browser", "b")).result()
    np.testing.assert_array_equal(search.tree.embedding[new], library[ids].astype(float))
    assert (search.tree.parent[new] >= 0).all()
    assert [r for r in search.tree.reason[new]] == [f"at item {i}" for i in ids]


def test_what_can_be_done_is_what_is_accepted(slow: eow.Search) -> None:
    verbs = ("start", "pause", "resume", "step", "stop", "undo", "redo")

    def check() -> None:
        can = slow.steering.can()
        assert set(can) == set(verbs)
        for verb in [verb for verb in verbs if not can[verb]]:
            with pytest.raises(eow.EmbOptError):
                getattr(slow.steering, verb)().result()

    check()
    slow.start()
    check()
    slow.pause()
    slow.wait()
    check()
    assert slow.steering.can()["resume"]
    slow.prune_node(0)
    check()
    slow.stop()
    check()
    assert slow.steering.can()["start"] and not slow.steering.can()["resume"]


def test_a_front_end_never_waits_for_a_call_in_flight(library: np.ndarray) -> None:
    held, go = threading.Event(), threading.Event()

    def score(items: Any) -> Any:
        held.set()
        go.wait(20)
        return smooth(items)

    search = eow.Search(library, score, update=eow.RLUpdate([0.3]), k=6, queries=3)
    search.start()
    held.wait(10)
    began = time.perf_counter()
    waiting = [
        search.steering.set({"k": 3}, Asked("browser", "s")),
        search.steering.pause(Asked("browser", "p")),
        search.steering.undo(Asked("browser", "u")),
    ]
    assert time.perf_counter() - began < 0.2 and not any(done.done() for done in waiting)
    go.set()
    assert [done.result(10) for done in waiting] == [[], [], []]
    search.wait(10)
    assert search.status is eow.SearchStatus.PAUSED and search.settings["k"] == 6


def test_those_who_listen_hear_all_in_order_and_that_the_engine_rests(slow: eow.Search) -> None:
    heard: list[str] = []
    end = slow.controller.listen(lambda bodies: heard.extend([b.kind for b in bodies] or ["rest"]))
    slow.start(rounds=2)
    slow.wait()
    end()
    assert heard[-1] == "rest" and heard[:-1] == [e.kind for e in slow.events][1:]
    slow.set(k=4)
    assert heard[-1] == "rest"
