"""The feed of a search: handlers that only enqueue, commands and questions answered, nothing left behind."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import comm
import ipykernel.comm
import numpy as np
import pytest
import traitlets
from hypothesis import HealthCheck, given, settings
from ipywidgets.widgets.widget import _instances as models

import emb_opt_widgets as eow
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.widgets.feed import Feed, unpin
from emb_opt_widgets.widgets.publisher import publisher

from ..conftest import smooth
from .mirror import Page, same
from .test_requests import JSON, SHAPED


def until(what: Callable[[], Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


class Link:
    """A feed with pages: what is sent to them arrives at once, in the thread that sends."""

    def __init__(self, search: eow.Search, pages: int = 1) -> None:
        self.feed = Feed.of(search)
        self.feed.send = self._send  # type: ignore[method-assign]
        self.pages = [Page(f"p{i}", self.say) for i in range(pages)]
        self.sent: list[tuple[float, dict[str, Any], int]] = []

    def _send(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.sent.append((time.monotonic(), content, sum(len(b) for b in buffers or [])))
        for page in self.pages:
            page.hear(content, buffers or [])

    def say(self, content: Any) -> None:
        """As ipywidgets hands on a custom message."""
        self.feed._handle_custom_msg(content, [])

    def reply(self, page: int, id: str) -> dict[str, Any]:
        until(lambda: any(r["id"] == id for r in self.pages[page].replies))
        return next(r for r in self.pages[page].replies if r["id"] == id)

    def answer(self, page: int, id: str) -> tuple[dict[str, Any], list[bytes]]:
        until(lambda: any(a["id"] == id for a, _ in self.pages[page].answers))
        return next((a, b) for a, b in self.pages[page].answers if a["id"] == id)

    def status(self, page: int = 0) -> str:
        facts = self.pages[page].mirror.facts
        return "" if facts is None else facts["status"]


@pytest.fixture
def link(library: np.ndarray) -> Iterator[Link]:
    def score(items: Any) -> Any:
        time.sleep(0.01)
        return smooth(items)

    search = eow.Search(library, score, update=eow.RLUpdate([0.3]), k=6, queries=3, batch_size=3, budget=300)
    made = Link(search, pages=2)
    made.search = search  # type: ignore[attr-defined]
    yield made
    made.feed.close()
    if search.controller.running:
        search.stop()
        search.wait(10)


def test_one_feed_a_search(search: eow.Search) -> None:
    feed = Feed.of(search)
    assert Feed.of(search) is feed and feed.kind == "search" and feed.version == eow.__version__
    assert feed.comm is not None and feed.model_id in models
    feed.close()
    again = Feed.of(search)
    assert again is not feed and again.comm is not None
    again.close()

    class Mine(eow.Search):
        pass

    mine = Mine(np.zeros((3, 2)), smooth)
    assert Feed.of(mine).kind == "search"
    Feed.of(mine).close()
    with pytest.raises(InputError, match="There is nothing to show"):
        Feed.of(object())


def test_traits_hold_what_a_page_may_set(search: eow.Search) -> None:
    feed = Feed.of(search)
    feed.set_state({"selection": [2, 1, 2], "color_by": "round"})
    assert (feed.selection, feed.color_by) == ([1, 2], "round")
    feed.set_state({"kind": "training", "version": "0", "_esm": "alert(1)", "refused": 3})
    for state in ({"selection": [-1]}, {"selection": 3}, {"selection": ["1"]}, {"color_by": "<b>"}):
        with pytest.raises(traitlets.TraitError):
            feed.set_state(state)
    assert (feed.selection, feed.color_by, feed.kind) == ([1, 2], "round", "search")
    assert feed.version == eow.__version__ and feed._esm == "export default {};" and feed.refused == 0
    feed.close()


def test_notices_and_the_activity_reach_the_page(link: Link) -> None:
    search = link.search  # type: ignore[attr-defined]
    link.pages[0].hello()
    until(lambda: link.status() == "ready")
    search.controller.notify("subscriber", "It\u202e failed")
    until(lambda: bool(link.pages[0].mirror.facts["notices"]))
    facts = link.pages[0].mirror.facts
    told = {"number": 1, "source": "subscriber", "text": "It\ufffd failed", "count": 1}
    assert facts["notices"] == [told] and facts["activity"] == "resting"
    link.feed.on_beat(lambda: 1 / 0)
    until(lambda: len(link.pages[0].mirror.facts["notices"]) == 2)
    assert "ZeroDivisionError" in search.notices[-1].text and search.notices[-1].source == "display"
    for i in range(9):
        search.controller.notify("source", str(i))
    until(lambda: [n["text"] for n in link.pages[0].mirror.facts["notices"]][-1] == "8")
    assert len(link.pages[0].mirror.facts["notices"]) == 5


def test_a_page_watches_and_steers_from_start_to_stop(link: Link) -> None:
    for page in link.pages:
        page.hello()
    until(lambda: link.status() == "ready")
    assert link.reply(0, link.pages[0].command("start"))["ok"]
    until(lambda: link.status(1) == "running" and len(link.pages[1].mirror.tables.get("nodes", ())) > 3)
    assert link.reply(1, link.pages[1].command("pause", note="lunch"))["ok"]
    until(lambda: link.status() == link.status(1) == "paused")
    done = link.reply(0, link.pages[0].command("branch", {"nodes": [0]}))
    assert done["ok"] and len(done["nodes"]) == 1
    assert link.reply(0, link.pages[0].command("prune", {"nodes": [1, 2]}))["ok"]
    assert link.reply(1, link.pages[1].command("undo"))["ok"]
    update = {"name": "TopKDiscreteUpdate", "parameters": {"k": 2}}
    assert link.reply(0, link.pages[0].command("set", {"settings": {"k": 4, "update": update}}))["ok"]
    assert link.reply(0, link.pages[0].command("step", {"n": 1}))["ok"]
    until(lambda: link.status() == "paused")
    assert link.reply(0, link.pages[0].command("stop"))["ok"]
    until(lambda: link.status(1) == "stopped")
    logged = [(e.body.name, e.who) for e in link.search.events if e.kind == "command"]  # type: ignore[attr-defined]
    names = ["start", "pause", "branch", "prune_node", "undo", "set", "step", "stop"]
    assert logged == [(name, "browser") for name in names]
    until(lambda: all(same(page.mirror, n, t) for page in link.pages for n, t in link.feed.tables.items()))


def test_what_does_not_fit_comes_back_to_the_page_that_asked(link: Link) -> None:
    for name, arguments, title in [
        ("pause", {}, "There is nothing to pause: the search is ready."),
        ("prune", {"nodes": [7]}, "There is no such node."),
        ("set", {"settings": {"update": {"name": "Nothing", "parameters": {}}}}, "There is no such update."),
        ("set", {"settings": {"update": {"name": "RLUpdate", "parameters": {"lrs": []}}}}, "lrs is not usable."),
        ("set", {"settings": {"update": {"name": "RLUpdate", "parameters": {"lr": 1}}}}, "Gradient steps takes no lr."),
        ("branch", {"rows": [3]}, "There is no such item."),
        ("explode", {}, "name is not usable."),
    ]:
        reply = link.reply(1, link.pages[1].command(name, arguments))
        assert not reply["ok"] and reply["error"]["title"] == title and reply["error"]["hint"]
    assert link.pages[0].replies == []


def test_an_id_takes_effect_once_also_from_two_pages_at_once(link: Link) -> None:
    link.search.run(rounds=1, progress=False)  # type: ignore[attr-defined]
    barrier = threading.Barrier(6)

    def ask(page: int) -> None:
        barrier.wait()
        link.pages[page].command("branch", {"nodes": [0]}, id="same")

    threads = [threading.Thread(target=ask, args=(i % 2,)) for i in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: sum(len(page.replies) for page in link.pages) == 6)
    assert len({tuple(r["nodes"]) for page in link.pages for r in page.replies}) == 1
    assert [e.body.id for e in link.search.events if e.kind == "command"] == ["same"]  # type: ignore[attr-defined]


def test_a_handler_only_enqueues(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the search's lock is to get, a page's message is taken at once."""
    asked: list[str] = []

    def page() -> None:
        link.pages[0].hello()
        asked.append(link.pages[0].command("start"))
        link.pages[0].ask("node", {"node": 0})

    with link.search.controller.lock:  # type: ignore[attr-defined]
        handler = threading.Thread(target=page)
        handler.start()
        handler.join(30)
        assert not handler.is_alive()
        time.sleep(0.2)
        assert link.pages[0].replies == []
    assert link.reply(0, asked[0])["ok"]


def test_a_command_that_must_wait_for_the_call_under_way_is_said_to_be_heard(library: np.ndarray) -> None:
    held, go = threading.Event(), threading.Event()

    def score(items: Any) -> Any:
        held.set()
        go.wait(20)
        return smooth(items)

    search = eow.Search(library, score, update=eow.RLUpdate([0.3]), k=6, queries=3)
    link = Link(search)
    page = link.pages[0]
    page.hello()
    link.reply(0, page.command("start"))
    held.wait(10)
    id = page.command("pause")
    until(lambda: {"type": "taken", "id": id, "client": "p0"} in [content for _, content, _ in link.sent])
    until(lambda: page.mirror.facts["reason"].startswith("Coming to rest"))  # type: ignore[index]
    assert page.replies[1:] == [] and link.status() == "running"
    go.set()
    assert link.reply(0, id)["ok"]
    until(lambda: link.status() == "paused")
    assert page.mirror.facts["reason"].startswith("Paused")  # type: ignore[index]
    link.feed.close()


def test_a_question_that_takes_long_holds_up_no_command(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(type(link.search), "to_html", lambda self, path: (go.wait(10), path.write_text("x")))  # type: ignore[attr-defined]
    id = link.pages[0].ask("export", {"format": "html"})
    assert link.reply(0, link.pages[0].command("start"))["ok"]
    assert link.reply(0, link.pages[0].command("pause"))["ok"]
    assert link.pages[0].answers == []
    go.set()
    assert link.answer(0, id)[1] == [b"x"]


HOSTILE = [
    None, 3, "hello", [], {}, {"type": "hello"}, {"type": ["hello"]}, {"type": "bye", "client": "x" * 1000},
    {"type": "ack", "client": "p0", "epoch": "e", "n": math.nan, "have": {}},
    {"type": "hello", "client": "p0", "epoch": None, "have": {"nodes": "many"}},
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE)
def test_what_is_no_message_is_counted_and_dropped(search: eow.Search, content: Any) -> None:
    link = Link(search)
    link.say(content)
    assert link.feed.refused == 1 and link.sent == []
    link.feed.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=JSON | SHAPED)
def test_no_message_of_a_page_raises(search: eow.Search, content: Any) -> None:
    link = Link(search)
    link.say(content)
    link.feed.close()


def test_a_flood_is_refused(search: eow.Search) -> None:
    link = Link(search)
    with search.controller.lock:
        ids = [link.pages[0].command("prune", {"nodes": [0]}) for _ in range(1_500)]
    until(lambda: len(link.pages[0].replies) + link.feed.refused >= len(ids))
    assert all(not reply["ok"] for reply in link.pages[0].replies)
    link.feed.close()


def test_who_follows_the_display_is_called_and_may_fail(link: Link) -> None:
    calls: list[int] = []

    def follow() -> None:
        calls.append(len(link.feed.tables["items"]))
        raise ValueError("mine")

    assert not link.feed.live
    end = link.feed.on_beat(follow)
    link.pages[0].hello()
    until(lambda: len(calls) == 1)
    assert link.feed.live
    link.pages[0].command("start")
    until(lambda: len(calls) >= 3)
    assert calls[-1] > 0 and link.feed.facts["status"] == "running"
    end()
    end()


def test_who_begins_to_follow_a_display_at_rest_is_called_once(link: Link) -> None:
    first: list[int] = []
    late: list[int] = []
    link.feed.on_beat(lambda: first.append(1))
    link.pages[0].hello()
    until(lambda: len(first) == 1)
    link.feed.on_beat(lambda: late.append(1))
    until(lambda: len(late) == 1)


def eow_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("eow-")]


def displayed(library: np.ndarray, seen: bool) -> list[weakref.ref[Any]]:
    """A display and its end; weak references to all that it made."""
    search = eow.Search(library[:50], smooth, k=3, queries=2)
    link, owner = Link(search), object()
    link.feed.hold(owner)
    link.pages[0].hello()
    if seen:
        until(lambda: link.status() == "ready" and len(search.controller._listeners) == 1)
    link.feed.release(owner)
    assert link.feed.comm is None
    if seen:
        until(lambda: search.controller._listeners == [])
    return [weakref.ref(link.feed), weakref.ref(search), weakref.ref(search.controller)]


def test_200_displays_leave_nothing(library: np.ndarray) -> None:
    known = len(models)
    gone = [ref for i in range(200) for ref in displayed(library, seen=i % 20 == 0)]
    until(lambda: not publisher().busy and "eow-publisher" not in eow_threads())
    until(lambda: gc.collect() is not None and not [ref for ref in gone if ref() is not None])
    assert len(models) == known
    assert len(eow_threads()) <= 2


def test_a_comm_is_unbound_from_the_shell_that_used_it_last() -> None:
    class Bound:
        def _reply_subshell_for(self, data: Any, default: Any) -> str:
            return "bound"

    bound, other = Bound(), object()
    unpin(bound)
    unpin(other)
    assert bound._reply_subshell_for({}, "default") == "default"


def test_the_feeds_own_comm_is_unbound(search: eow.Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", lambda **given: ipykernel.comm.Comm(**given))
    feed = Feed.of(search)
    assert isinstance(feed.comm, ipykernel.comm.Comm)
    if hasattr(ipykernel.comm.Comm, "_reply_subshell_for"):
        assert feed.comm._reply_subshell_for({}, "default") == "default"
        assert "_reply_subshell_for" in vars(feed.comm)
    feed.close()
