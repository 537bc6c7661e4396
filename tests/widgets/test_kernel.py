"""The feed in a real kernel: what goes over its wires, and a pause while a cell blocks it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Empty
from typing import Any

import ipykernel
import pytest

from .mirror import Page

jupyter_client = pytest.importorskip("jupyter_client.manager")

SETUP = """
import time, numpy as np, emb_opt_widgets as eow
from emb_opt_widgets.widgets.feed import Feed
library = np.random.default_rng(0).standard_normal((2000, 8)).astype("f4")
def score(items):
    time.sleep(0.02)
    return -np.linalg.norm(items.embeddings - 0.5, axis=1)
search = eow.Search(library, score, update=eow.RLUpdate([0.3]), k=6, queries=3, batch_size=2, budget=1500)
feed = Feed.of(search)
"""


class Kernel:
    """A kernel, and a page that talks to its feed over comm messages."""

    def __init__(self) -> None:
        self.manager, self.client = jupyter_client.start_new_kernel(kernel_name="python3")
        self.comm = ""
        self.subshell: str | None = None
        self.page = Page("browser", self._say)
        self.buffers = 0
        self.idle: set[str] = set()

    def _say(self, content: dict[str, Any]) -> None:
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def listen(self, seconds: float) -> None:
        """Hand on what comes, for so long at most."""
        try:
            message = self.client.get_iopub_msg(timeout=seconds)
        except Empty:
            return
        content, kind = message["content"], message["msg_type"]
        if kind == "error" and content["ename"] != "KeyboardInterrupt":
            raise AssertionError(content["ename"], content["evalue"])
        if kind == "comm_open" and "kind" in content["data"].get("state", {}):
            self.comm = content["comm_id"]
        if kind == "status" and content["execution_state"] == "idle":
            self.idle.add(message["parent_header"].get("msg_id", ""))
        if kind == "comm_msg" and content["comm_id"] == self.comm and content["data"].get("method") == "custom":
            buffers = [bytes(buffer) for buffer in message["buffers"]]
            self.buffers += len(buffers)
            self.page.hear(content["data"]["content"], buffers)

    def until(self, what: Any, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "it did not come to pass"
            self.listen(0.2)

    def run(self, code: str) -> None:
        asked = self.client.execute(code)
        self.until(lambda: asked in self.idle)

    def open_subshell(self) -> None:
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        self.subshell = self.client.get_control_msg(timeout=10)["content"]["subshell_id"]

    def status(self) -> str:
        facts = self.page.mirror.facts
        return "" if facts is None else facts["status"]

    def replied(self, id: str) -> bool:
        return any(reply["id"] == id and reply["ok"] for reply in self.page.replies)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    made.client.stop_channels()
    made.manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_page_steers_a_search_in_a_kernel_also_while_a_cell_blocks_it(kernel: Kernel) -> None:
    kernel.run(SETUP)
    assert kernel.comm
    kernel.page.hello()
    kernel.until(lambda: kernel.status() == "ready")
    start = kernel.page.command("start")
    kernel.until(lambda: kernel.replied(start) and len(kernel.page.mirror.tables.get("items", ())) > 20)
    assert kernel.buffers > 10
    if ipykernel.version_info >= (7,):
        kernel.open_subshell()
        blocked = kernel.client.execute("time.sleep(8)")
        kernel.until(lambda: kernel.page.mirror.facts["rate"] > 0)  # type: ignore[index]
        time.sleep(0.5)
        began = time.monotonic()
        pause = kernel.page.command("pause")
        kernel.until(lambda: kernel.replied(pause), 6)
        kernel.until(lambda: kernel.status() == "paused", 6)
        assert blocked not in kernel.idle and time.monotonic() - began < 3
        kernel.until(lambda: blocked in kernel.idle)
    else:
        kernel.page.command("pause")
        kernel.until(lambda: kernel.status() == "paused")
    kernel.run("assert [e.body.name for e in search.events if e.kind == 'command'] == ['start', 'pause']")
    kernel.page.bye()
    check = "import threading; assert not any(t.name == 'eow-publisher' for t in threading.enumerate())"
    kernel.run(f"time.sleep(1); {check}; feed.close()")


@pytest.mark.slow
def test_an_interrupt_pauses_a_watched_search_where_the_kernel_hears_no_button(kernel: Kernel) -> None:
    kernel.run(SETUP + "panel = eow.widgets.ControlPanel(search)\nsearch.start()")
    asked = kernel.client.execute("time.sleep(30)")
    time.sleep(1)
    kernel.manager.interrupt_kernel()
    kernel.until(lambda: asked in kernel.idle, 10)
    if ipykernel.version_info >= (7,):
        kernel.run("time.sleep(1); assert search.controller.running and not search.controller.halting")
    else:
        kernel.run("assert search.wait(5); assert str(search.status) == 'paused', search.status")
        kernel.run("assert search.reason.startswith('Paused by an interrupt.'), search.reason")
        kernel.run(
            "assert [(e.body.name, e.who) for e in search.events if e.kind == 'command'] == [('pause', 'keyboard')]"
        )
        kernel.run("search.resume(); assert search.controller.running")
    kernel.run("search.stop(); search.wait(10)")
