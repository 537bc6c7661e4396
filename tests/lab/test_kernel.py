"""The kernel's side, in real kernels: it answers while a cell runs, and a search takes effect of what it is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.lab import kernel as side
from emb_opt_widgets.live import registry

jupyter_client = pytest.importorskip("jupyter_client")
pytest.importorskip("ipykernel")

BEGIN = """
import time
import numpy as np, emb_opt_widgets as eow
def score(items):
    time.sleep(0.03)
    return items.embeddings.sum(1)
x = np.random.default_rng(0).standard_normal((3000, 8)).astype("float32")
s = eow.Search(x, score, budget=2000, batch_size=2, name="in a kernel")
"""


class Kernel:
    """A kernel, asked as the panel asks."""

    def __init__(self, manager: Any) -> None:
        self.told: list[dict[str, Any]] = []
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def ask(self, **request: Any) -> dict[str, Any]:
        content = {"seq": 1, "type": "request", "command": side.COMMAND, "arguments": request}
        self.client.control_channel.send(self.client.session.msg("debug_request", content))
        answer: dict[str, Any] = self.client.get_control_msg(timeout=10)["content"]
        return answer

    def status(self) -> str:
        return str(self.ask(ask="overview")["body"]["searches"][0]["status"])

    def run(self, code: str) -> None:
        reply = self.client.execute_interactive(code, timeout=60, output_hook=self._hear)
        assert reply["content"]["status"] == "ok", reply["content"]

    def news(self) -> list[dict[str, Any]]:
        """What was told unasked so far."""
        while self.client.iopub_channel.msg_ready():
            self._hear(self.client.get_iopub_msg(timeout=1))
        return self.told

    def _hear(self, message: dict[str, Any]) -> None:
        if message["msg_type"] == "update_display_data":
            assert message["content"]["transient"] == {"display_id": "emb_opt_widgets"}
            self.told.append(message["content"]["data"][side.NEWS])

    def close(self) -> None:
        self.client.stop_channels()


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    made = jupyter_client.KernelManager(kernel_name="python3")
    made.start_kernel()
    yield made
    made.shutdown_kernel(now=True)


@pytest.fixture
def kernel(manager: Any) -> Iterator[Kernel]:
    made = Kernel(manager)
    yield made
    made.close()


def until(kernel: Kernel, status: str) -> None:
    end = time.monotonic() + 10
    while kernel.status() != status:
        assert time.monotonic() < end, kernel.status()
        time.sleep(0.05)


def test_a_kernel_without_searches_answers_nothing(kernel: Kernel) -> None:
    assert kernel.ask(ask="overview") == {}


def test_it_answers_and_acts_while_a_cell_runs(kernel: Kernel) -> None:
    kernel.run(BEGIN + "s.start()")
    kernel.client.execute("time.sleep(8)")
    start = time.monotonic()
    (line,) = kernel.ask(ask="overview")["body"]["searches"]
    assert line["name"] == "in a kernel" and line["budget"] == 2000 and line["can"] == ["pause", "stop"]
    pause = {"ask": "act", "search_id": line["id"], "verb": "pause", "command_id": "p1"}
    assert kernel.ask(**pause)["body"] == {"done": "p1"}
    until(kernel, "paused")
    assert time.monotonic() - start < 3
    assert kernel.ask(**{**pause, "verb": "resume", "command_id": "p2"})["body"] == {"done": "p2"}
    until(kernel, "running")
    assert kernel.ask(**pause)["body"] == {"done": "p1"}, "an id takes effect once"
    assert kernel.status() == "running"
    assert kernel.ask(**{**pause, "verb": "stop", "command_id": "p3"})["body"] == {"done": "p3"}
    until(kernel, "stopped")
    assert "error" in kernel.ask(**{**pause, "command_id": "p4"})["body"]
    assert "error" in kernel.ask(**{**pause, "search_id": "none"})["body"]
    assert "error" in kernel.ask(**{**pause, "verb": "eval"})["body"]
    assert time.monotonic() - start < 7
    kinds = [news["kind"] for news in kernel.news()]
    assert kinds[0] == "created" and "paused" in kinds and "resumed" in kinds and kinds[-1] == "finished"


def test_commands_of_the_panel_are_logged_as_such(kernel: Kernel) -> None:
    log = {}

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            log["text"] = log.get("text", "") + message["content"]["text"]

    commands = "[[e.body.name, e.body.who, e.body.id] for e in s.events if e.kind == 'command']"
    kernel.client.execute_interactive(f"import json; print(json.dumps({commands}))", timeout=30, output_hook=hear)
    assert json.loads(log["text"]) == [["pause", "panel", "p1"], ["resume", "panel", "p2"], ["stop", "panel", "p3"]]


def test_what_is_evaluated_where_there_is_no_debugger(kernel: Kernel) -> None:
    expression = '__import__("importlib").import_module("emb_opt_widgets.lab.kernel").answer({"ask": "overview"})'
    kernel.client.execute("", silent=True, user_expressions={"answer": expression})
    answer = kernel.client.get_shell_msg(timeout=10)["content"]["user_expressions"]["answer"]
    assert answer["data"]["application/json"]["searches"][0]["name"] == "in a kernel"


def search(name: str = "here") -> eow.Search:
    x = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    return eow.Search(x, lambda items: items.embeddings.sum(1), budget=20, name=name)


def listed(name: str) -> list[dict[str, Any]]:
    return [line for line in side.overview()["searches"] if line["name"] == name]


def test_the_overview_is_json_and_small() -> None:
    made = search("x" * 10_000)
    made.run(progress=False)
    (line,) = listed("x" * 200 + "…")
    assert line["n_scored"] == 20 and line["status"] == "finished" and line["best"] == made.best.score
    assert len(json.dumps(line, allow_nan=False)) < 1500


def test_a_search_that_nobody_holds_is_forgotten() -> None:
    import gc

    made = search("short-lived")
    assert len(listed("short-lived")) == 1
    del made
    gc.collect()
    assert listed("short-lived") == []


def test_a_search_has_one_entry_whoever_drives_it() -> None:
    made = search("one")
    eow.Search.driven_by(made.controller)
    (line,) = listed("one")
    assert registry.find(line["id"]) is made.controller


def test_unknown_questions_are_answered_with_an_error() -> None:
    assert "error" in side.answer({"ask": "eval"})
    assert "error" in side.answer({})
    assert "error" in side.answer({"ask": "overview", "more": 1})
    assert "gone" in side.answer({"ask": "act", "search_id": "x", "verb": "pause", "command_id": "1"})["error"]
