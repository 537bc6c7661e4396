"""The widgets' shipped bundles on a page without Jupyter, in a time of their own: as fast as the browser can draw."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import EmbOptError
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.widgets import front
from emb_opt_widgets.widgets.search_asks import answer
from emb_opt_widgets.widgets.search_feed import SearchLive
from emb_opt_widgets.widgets.wire import refusal
from tests.widgets.world import World

__all__ = ["Solo", "Weight", "weigh"]

_ORIGIN = "http://solo.test/"
_VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("control-panel", {}), ("query-tree", {}), ("details", {}),
    ("chart-head", {"chart": "histogram", "scale": "linear"}), ("chart-head", {"chart": "trace"}),
)  # fmt: skip
_PAGE = "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>Solo</title><body class=eow-dashboard>"

Weight = npt.NDArray[np.float64]


def weigh(client: Any) -> Weight:
    """Of a page, after collections.

    Returns:
        `(3,)` megabytes of its JavaScript heap with the memory of its arrays, DOM nodes, listeners.
    """
    for _ in range(3):
        client.send("HeapProfiler.collectGarbage")
    held = client.send("Runtime.getHeapUsage")
    found = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
    bytes = held["usedSize"] + held["embedderHeapUsedSize"] + held["backingStorageSize"]
    return np.array([bytes / 1e6, found["Nodes"], found["JSEventListeners"]])


class Solo(World):
    """One page with every view of a search, over the real channel; what it asks is answered.

    Args:
        context: Playwright's browser context.
        search: What it shows.

    Attributes:
        search: The same. messages: How many the page was sent. errors: What went wrong on it.
    """

    def __init__(self, context: Any, search: Search) -> None:
        super().__init__(0, watch=SearchLive(search).watch)
        self.search, self._told = search, -1.0
        self.errors: list[str] = []
        self.messages = 0
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: line.type == "error" and self.errors.append(line.text))
        self.page.route(f"{_ORIGIN}**", self._serve)
        self.page.goto(_ORIGIN)
        self.page.add_script_tag(url="solo.js")
        for name, traits in _VIEWS:
            self.page.add_style_tag(content=front.styles(name))
            self.page.evaluate("([name, traits]) => solo.show(name, traits)", [name, traits])
        self.client = context.new_cdp_session(self.page)
        self.client.send("Performance.enable")

    def _serve(self, route: Any) -> None:
        name = route.request.url.removeprefix(_ORIGIN)
        if not name:
            route.fulfill(body=_PAGE, content_type="text/html")
        elif name == "solo.js":
            route.fulfill(path=Path(__file__).with_name(name), content_type="text/javascript")
        else:
            route.fulfill(body=front.code(name.removesuffix(".js")), content_type="text/javascript")

    def carry(self) -> None:
        """Bring every message where it goes, at the time it is."""
        while self.down or self.up or self.now >= self._told + 1.0:
            for message in self._taken(self.up):
                self._hear(message)
            down, self._told = self._taken(self.down), self.now
            self.sent.clear()
            self.messages += len(down)
            self.up = self._bring((content, buffers) for content, buffers in down)

    def _bring(self, down: Iterable[tuple[dict[str, Any], list[bytes]]]) -> list[dict[str, Any]]:
        wired = [
            (json.dumps(content), [base64.b64encode(one).decode() for one in buffers]) for content, buffers in down
        ]
        said = self.page.evaluate("([seconds, messages]) => solo.carry(seconds, messages)", [self.now, wired])
        return [json.loads(message) for message in said]

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "ask":
            head = {"type": "answer", "id": message["id"], "client": message["client"], "ok": True}
            try:
                found = answer(self.search, message["what"], message["arguments"])
                self.down.append(({**head, "data": dict(found.data)}, found.buffers))
            except EmbOptError as error:
                self.down.append((refusal("answer", message["client"], message["id"], error), []))
        elif message["type"] == "command":
            self.down.append(({"type": "reply", "id": message["id"], "client": message["client"], "ok": True}, []))
        else:
            self.hear(message)

    def select(self, nodes: list[int]) -> None:
        """The selection, as Python sets it."""
        self.page.evaluate("nodes => solo.feed.set('selection', nodes)", sorted(set(nodes)))

    def weigh(self) -> Weight:
        """Of the page; see `weigh`."""
        self.page.evaluate("() => solo.painted()")
        return weigh(self.client)
