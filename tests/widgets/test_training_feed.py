"""The feed of a training: tables that equal its metrics, commands with who and id, nothing left behind."""

from __future__ import annotations

import gc
import json
import math
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances as models

from emb_opt_widgets import training as tr
from emb_opt_widgets import widgets
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live import display
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.widgets import front, showing
from emb_opt_widgets.widgets.feed import Feed
from emb_opt_widgets.widgets.publisher import publisher
from emb_opt_widgets.widgets.showing import OURS, WIDGET
from emb_opt_widgets.widgets.training_feed import TrainingLive, TrainingWatch, live_of
from tests.training.towers_for_tests import pairs, tower

from .mirror import same
from .test_feed import Link, eow_threads, until

Column = list[Any]


def make(**options: Any) -> tr.Training:
    given = {"batch_size": 30, "epochs": 3, "device": "cpu", "name": "two towers"} | options
    return tr.Training(tower(1), tower(2), pairs(), **given)


class Slow(torch.nn.Linear):
    """A tower that takes its time, or waits for `go`."""

    go: threading.Event | None = None

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        time.sleep(0.01)
        if self.go is not None:
            self.go.wait(20)
        return super().forward(rows)


@pytest.fixture
def slow() -> Iterator[Any]:
    made = tr.Training(
        Slow(12, 6), torch.nn.Linear(12, 6), pairs(), batch_size=30, epochs=None, validation=pairs(40), evaluate_every=3
    )
    yield made
    if made.controller.running:
        made.stop()
        made.wait(10)


@pytest.fixture
def link(slow: tr.Training) -> Iterator[Link]:
    made = Link(slow, pages=2)  # type: ignore[arg-type]
    yield made
    made.feed.close()


def watched(training: tr.Training) -> TrainingWatch:
    watch = TrainingLive(training).watch(lambda: None)
    assert isinstance(watch, TrainingWatch)
    return watch


def column(watch: TrainingWatch, table: str, name: str) -> Column:
    values = watch.tables[table][name]
    return values if isinstance(values, list) else values.tolist()


def agrees(watch: TrainingWatch, training: tr.Training) -> None:
    """The tables hold what the training says of itself, where nothing is thinned yet."""
    metrics = training.metrics
    for name in ("step", "epoch", "loss", "interpretable_loss", "staleness", "lr", "skipped"):
        np.testing.assert_array_equal(column(watch, "steps", name), metrics[name], name)
    assert column(watch, "steps", "many") == [1] * training.n_steps
    told = np.where(np.isnan(metrics["interpretable_loss"]), metrics["loss"], metrics["interpretable_loss"])
    np.testing.assert_array_equal(column(watch, "steps", "low"), told)
    np.testing.assert_array_equal(column(watch, "steps", "high"), told)
    at = np.flatnonzero(~np.isnan(metrics["accuracy@1"]))
    assert column(watch, "evaluations", "step") == (at + 1).tolist()
    for k in (1, 10, 100):
        assert column(watch, "evaluations", f"accuracy@{k}") == metrics[f"accuracy@{k}"][at].tolist()
    bins = list(zip(*(column(watch, "cache_ages", name) for name in ("cache", "low", "high", "count"))))
    wanted = [
        (number, low, high, count)
        for number, aged in enumerate(training.cache_ages.values())
        for low, high, count in zip(aged.edges, aged.edges[1:], aged.counts)
    ]
    assert sorted(row for row in bins if row[2] > row[1]) == sorted(wanted)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("options", [{}, {"caches": 100, "validation": pairs(40), "evaluate_every": 4}])
def test_the_tables_are_the_metrics_whenever_one_begins_to_look(early: bool, options: dict[str, Any]) -> None:
    training = make(**options)
    watch = watched(training) if early else None
    for steps in (1, 12, 40):
        training.run(steps=steps, progress=False)
        if watch is not None:
            watch.fold()
            agrees(watch, training)
    late = watched(training)
    late.fold()
    agrees(late, training)


def test_several_caches_have_their_own_ages() -> None:
    caches = {
        name: tr.NegativeCache(size, {"embedding": (8,), "document": (12,)}) for name, size in (("b", 60), ("a", 90))
    }
    queries, documents = pairs()
    half = [
        {"query": queries[i : i + 30], "document": documents[i : i + 30], "cache": "ab"[i % 60 // 30]}
        for i in range(0, 300, 30)
    ]
    training = tr.Training(
        tower(1), tower(2), lambda epoch: iter(half), caches=caches, epochs=2, evaluate_every=3, device="cpu"
    )
    watch = watched(training)
    assert [cache["rows"] for cache in watch.fold()["caches"]] == [None, None]
    training.run(progress=False)
    facts = watch.fold()
    agrees(watch, training)
    assert [(cache["name"], cache["capacity"]) for cache in facts["caches"]] == [("a", 90), ("b", 60)]
    counted = np.bincount(column(watch, "cache_ages", "cache"), column(watch, "cache_ages", "count")).tolist()
    assert (
        counted == [cache["rows"] for cache in facts["caches"]] == [training.cache_ages[name].n_valid for name in "ab"]
    )


def test_the_facts_say_where_it_stands() -> None:
    training = make(caches=100, validation=pairs(40), precision="bf16", accumulate=2)
    watch = watched(training)
    facts = watch.fold()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert (facts["status"], facts["step"], facts["steps"], facts["loss"], facts["best"]) == (
        "ready",
        0,
        None,
        None,
        None,
    )
    assert facts["can"] == {
        "start": True, "pause": False, "resume": False, "step": True, "stop": True, "use_best": False,
    }  # fmt: skip
    known = {"batch_size": 30, "accumulate": 2, "precision": "bf16", "device": "cpu", "lr": 0.001, "pairs": 300}
    assert known.items() <= facts["settings"].items() and facts["settings"]["held_out"] == 40
    training.run(progress=False)
    facts = watch.fold()
    metrics = training.metrics
    assert (facts["status"], facts["epoch"], facts["epochs"]) == ("finished", 3, 3)
    assert facts["step"] == facts["steps"] == training.n_steps == 15
    assert facts["loss"] == metrics["interpretable_loss"][-1] and facts["reason"] == training.reason
    assert training.best is not None
    assert facts["best"] == {"step": training.best[0], "accuracy": training.best[1], "k": 10}
    assert not facts["can"]["start"] and facts["can"]["step"] and facts["can"]["use_best"]


def test_the_end_is_known_from_whatever_tells_it() -> None:
    training = make(epochs=7, steps=1000)
    watch = watched(training)
    assert watch.fold()["steps"] == 1000
    training.run(steps=12, progress=False)
    assert watch.fold()["steps"] == 12
    training.step()
    assert training.wait(10) and watch.fold()["steps"] == 13
    forever = watched(make(epochs=None))
    assert forever.fold()["steps"] is None


def test_a_page_watches_and_steers_from_start_to_stop(link: Link, slow: tr.Training) -> None:
    one, two = link.pages
    one.hello()
    two.hello()
    until(lambda: link.status() == "ready")
    assert link.reply(0, one.command("start"))["ok"]
    until(lambda: link.status(1) == "running" and len(two.mirror.tables.get("steps", ())) > 3)
    assert link.reply(1, two.command("pause", note="lunch"))["ok"]
    until(lambda: link.status() == link.status(1) == "paused")
    assert link.reply(0, one.command("resume"))["ok"]
    until(lambda: link.status(1) == "running" and slow.best is not None)
    assert link.reply(0, one.command("pause"))["ok"]
    until(lambda: link.status() == "paused")
    before = slow.n_steps
    assert link.reply(0, one.command("step", {"n": 2}))["ok"]
    until(lambda: slow.n_steps == before + 2 and link.status() == "paused")
    assert link.reply(1, two.command("use_best"))["ok"]
    assert link.reply(0, one.command("start", {"steps": 1}))["ok"]
    until(lambda: link.status() == "finished")
    refused = link.reply(0, one.command("stop"))
    assert not refused["ok"] and refused["error"]["title"] == "There is nothing to stop: the training is finished."
    assert link.reply(0, one.command("start"))["ok"]
    until(lambda: link.status() == "running")
    assert link.reply(0, one.command("stop"))["ok"]
    until(lambda: link.status(1) == "stopped")
    names = ["start", "pause", "resume", "pause", "step", "use_best", "start", "start", "stop"]
    logged = [event.body for event in slow.events if event.kind == "command"]
    assert [(body.name, body.who) for body in logged] == [(name, "browser") for name in names]
    assert logged[1].note == "lunch" and len({body.id for body in logged}) == len(names)
    until(lambda: all(same(page.mirror, n, t) for page in link.pages for n, t in link.feed.tables.items()))
    table = link.feed.tables["events"]
    people = [(kind, who) for kind, who in zip(table["kind"], table["who"]) if who]
    assert people == [(name, "browser") for name in names]


@pytest.mark.parametrize("name", ["start", "step", "resume", "pause", "stop", "use_best"])
def test_an_id_takes_effect_once(name: str, slow: tr.Training) -> None:
    live = live_of(slow)
    slow.run(steps=3, progress=False)
    if name in ("resume", "pause", "stop"):
        slow.start()
    if name == "resume":
        slow.pause()
        slow.wait(10)
    for _ in range(3):
        assert live.command(name, {}, Asked("browser", "once")).result(10) == {}
        if name in ("start", "step", "resume"):
            until(lambda: slow.n_steps > 3)
    if name in ("start", "resume"):
        slow.pause()
    assert slow.wait(10)
    assert [event.body.name for event in slow.events if event.kind == "command" and event.body.id == "once"] == [name]


def test_what_does_not_fit_is_refused_and_changes_nothing(link: Link, slow: tr.Training) -> None:
    page = link.pages[0]
    for name, arguments in (
        ("pause", {}),
        ("resume", {}),
        ("use_best", {}),
        ("step", {"n": 0}),
        ("start", {"steps": "3"}),
    ):
        reply = link.reply(0, page.command(name, arguments))
        assert not reply["ok"] and reply["error"]["title"], name
    for name in ("undo", "prune", "run", "__class__"):
        assert not link.reply(0, page.command(name))["ok"]
    assert [event.kind for event in slow.events] == ["created"] and slow.n_steps == 0
    answer, _ = link.answer(0, page.ask("items", {"rows": [1]}))
    assert not answer["ok"]
    with pytest.raises(InputError):
        live_of(slow).ask("items", {})


def test_a_handler_only_enqueues_and_a_step_under_way_is_waited_for(slow: tr.Training) -> None:
    go = threading.Event()
    slow.controller.engine.learner.parts.query_net.go = go  # type: ignore[assignment]
    link = Link(slow)  # type: ignore[arg-type]
    page = link.pages[0]
    page.hello()
    link.reply(0, page.command("start"))
    with slow.controller.lock:
        began = time.perf_counter()
        id = page.command("pause")
        assert time.perf_counter() - began < 0.1
        time.sleep(0.2)
        assert [reply["id"] for reply in page.replies] != [id]
    until(lambda: {"type": "taken", "id": id, "client": "p0"} in [content for _, content, _ in link.sent])
    until(lambda: page.mirror.facts["reason"].startswith("Coming to rest"))  # type: ignore[index]
    assert link.status() == "running"
    go.set()
    assert link.reply(0, id)["ok"]
    until(lambda: link.status() == "paused")
    link.feed.close()


def test_the_display_goes_on_while_the_training_keeps_its_lock(slow: tr.Training) -> None:
    woken = threading.Event()
    watch = TrainingLive(slow).watch(woken.set)
    facts = watch.fold()
    done: list[Any] = []
    with slow.controller.lock:
        thread = threading.Thread(target=lambda: done.append(watch.fold()))
        thread.start()
        thread.join(5)
        assert done == [facts] and woken.is_set()
    watch.close()


def test_lines_of_before_and_of_now_are_the_same() -> None:
    training = make(validation=pairs(40), evaluate_every=5)
    early = watched(training)
    early.fold()
    training.run(steps=7, progress=False)
    early.fold()
    early.close()
    training.run(steps=9, progress=False)
    live = TrainingLive(training)
    for again in (live.watch(lambda: None), TrainingLive(training).watch(lambda: None)):
        again.fold()
        kinds = column(again, "events", "kind")  # type: ignore[arg-type]
        assert [kind for kind in kinds if kind != "best"] == ["created", "started", "finished", "started", "finished"]
        assert column(again, "events", "step")[-1] == 16  # type: ignore[arg-type]
        assert column(again, "events", "seq") == sorted(set(column(again, "events", "seq")))  # type: ignore[arg-type]
        texts = [text for text, kind in zip(column(again, "events", "text"), kinds) if kind == "best"]  # type: ignore[arg-type]
        assert texts and all(text.startswith("Recall@10 is 0.") for text in texts)
        again.close()


def test_a_watch_that_ends_and_begins_again_misses_nothing() -> None:
    training, heard = make(), []
    live = TrainingLive(training)
    for steps in (2, 3, 4):
        watch = live.watch(lambda: heard.append(1))
        training.run(steps=steps, progress=False)
        watch.fold()
        watch.close()
        training.run(steps=1, progress=False)
    watch = live.watch(lambda: None)
    watch.fold()
    assert column(watch, "events", "kind") == ["created", *["started", "finished"] * 6]  # type: ignore[arg-type]
    count = len(heard)
    training.run(steps=1, progress=False)
    assert len(heard) == count
    watch.close()
    assert training.controller._listeners == []


def test_a_loss_that_tells_nothing_else_is_shown_itself() -> None:
    def plain(queries: torch.Tensor, documents: torch.Tensor, **_: Any) -> torch.Tensor:
        return ((queries - documents) ** 2).mean()

    training = make(loss=plain, epochs=1)
    watch = watched(training)
    training.run(progress=False)
    facts = watch.fold()
    agrees(watch, training)
    assert facts["loss"] == training.metrics["loss"][-1] == column(watch, "steps", "low")[-1]
    assert all(math.isnan(value) for value in column(watch, "steps", "interpretable_loss"))


# -- what is shown -------------------------------------------------------------------------------------------


def test_displaying_it_shows_its_dashboard_always_the_same(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "headless", lambda: False)
    training = make()
    one, two = training._repr_mimebundle_(), training._repr_mimebundle_()
    assert set(one) == {"text/plain", "text/html", OURS, WIDGET} and one[WIDGET] == two[WIDGET]
    dashboard = showing.dashboard_of(training)
    assert isinstance(dashboard, widgets.TrainingDashboard) and dashboard.training is training
    assert dashboard.model_id == one[WIDGET]["model_id"] and Feed.of(training).kind == "training"
    (inner,) = dashboard.children
    assert "training" in inner._esm and inner.get_state()["feed"] == f"IPY_MODEL_{Feed.of(training).model_id}"
    assert repr(dashboard).startswith("TrainingDashboard of Training 'two towers': ready")
    dashboard.close()
    assert training._repr_mimebundle_()[WIDGET] != one[WIDGET]
    showing.dashboard_of(training).close()


def test_what_is_no_training_is_refused(built: Path, search: Any) -> None:
    with pytest.raises(InputError, match=r"TrainingDashboard shows a training. Expected a Training; got Search"):
        widgets.TrainingDashboard(search)
    with pytest.raises(InputError, match=r"Dashboard shows a search. Expected a Search; got Training"):
        widgets.Dashboard(make())  # type: ignore[arg-type]


def test_the_picture_is_inert_and_stands_alone_without_a_front_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make(validation=pairs(40), name="<b>towers</b>")
    assert "No steps yet" in training._repr_html_() and "No evaluations yet" in training._repr_html_()
    training.run(progress=False)
    shown = training._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"} and shown["text/plain"] == repr(training)
    page = shown["text/html"]
    assert page == display.still(training)["text/html"] and page.count("<svg") == 2
    assert "&lt;b&gt;towers" in page and "<b>towers" not in page
    bare = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not any(word in bare for word in ("<script", "http:", "https:", "onload", "url("))
    assert f"step <b>{training.n_steps:,}</b>" in page and f"<b>{training.best[1]:.4f}</b>" in page  # type: ignore[index]
    monkeypatch.setattr(showing, "headless", lambda: False)
    front.code.cache_clear()
    monkeypatch.setattr(front, "_BUILT", tmp_path)
    assert set(training._repr_mimebundle_()) == {"text/plain", "text/html"}
    Feed.of(training).close()


def test_headless_it_costs_nothing() -> None:
    code = (
        "from emb_opt_widgets import training as tr\nfrom tests.training.towers_for_tests import pairs, tower\n"
        "t = tr.Training(tower(1), tower(2), pairs(), epochs=1)\nt.run(progress=False)\n"
        "assert len(t._repr_mimebundle_()) == 2\nimport sys\n"
        "print([name for name in ('ipywidgets', 'anywidget', 'bqplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def displayed(seen: bool) -> list[weakref.ref[Any]]:
    """A display and its end; weak references to all that it made."""
    training = make()
    link, owner = Link(training), object()  # type: ignore[arg-type]
    link.feed.hold(owner)
    link.pages[0].hello()
    if seen:
        until(lambda: link.status() == "ready" and len(training.controller._listeners) == 1)
    link.feed.release(owner)
    if seen:
        until(lambda: training.controller._listeners == [])
    return [weakref.ref(link.feed), weakref.ref(training), weakref.ref(training.controller)]


def test_closing_leaves_nothing() -> None:
    known = len(models)
    gone = [ref for i in range(20) for ref in displayed(seen=i % 5 == 0)]
    until(lambda: not publisher().busy and "eow-publisher" not in eow_threads())
    until(lambda: gc.collect() is not None and not [ref for ref in gone if ref() is not None])
    assert len(models) == known
