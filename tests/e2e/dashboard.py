"""A dashboard on a page, as a person finds it: by the names of its buttons, tabs and regions."""

from __future__ import annotations

from typing import Any

from tests.e2e.browser import Notebook, eventually

__all__ = ["SEARCH", "SLOW", "Dashboard"]

SEARCH = """
import time, numpy as np, emb_opt_widgets as eow
library = np.random.default_rng(0).standard_normal((3000, 8)).astype("f4")
called = []
def score(items):
    time.sleep(PAUSE)
    called.append((time.time(), len(items)))
    return 10 - np.linalg.norm(items.embeddings - 0.7, axis=1)
search = eow.Search(library, score, budget=BUDGET, batch_size=4, seed=0, path=PATH, name="live")
"""
"""A search to watch; to be filled in by `SLOW`."""


def SLOW(pause: float = 0.05, budget: int = 4000, path: str | None = None) -> str:
    """The cell that makes a search which takes its time."""
    filled = SEARCH.replace("PAUSE", repr(pause)).replace("BUDGET", repr(budget))
    return filled.replace("PATH", repr(path))


class Dashboard:
    """The dashboard in a cell's output."""

    def __init__(self, notebook: Notebook, cell: int) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.box = notebook.output(cell).locator(".eow-dashboard")

    def shown(self) -> Dashboard:
        """Wait until there is something to see of the search."""
        self.box.locator(".eow-pill").wait_for()
        eventually(lambda: not self.status().startswith(("waiting", "…")) and self.status(), what="the status")
        return self

    def button(self, name: str) -> Any:
        """A button of its exact accessible name."""
        return self.box.get_by_role("button", name=name, exact=True).first

    def press(self, name: str) -> None:
        """Click a button."""
        self.button(name).click()

    def status(self) -> str:
        """What the pill says."""
        return str(self.box.locator(".eow-pill").inner_text()).strip().lower()

    def until_status(self, word: str, timeout: float = 30.0) -> None:
        """Wait until the pill says so."""
        eventually(lambda: self.status() == word, timeout, f"status {word}, not {self.status()}")

    @property
    def tree(self) -> Any:
        """The tree."""
        return self.box.get_by_role("tree", name="Query tree")

    def n_queries(self) -> int:
        """How many queries the tree's caption counts."""
        text = self.box.locator(".eow-tree .eow-cap b, .eow-plane .eow-cap b").first.inner_text()
        return int(text.replace(",", ""))

    def click_a_node(self, column: float = 0.0) -> list[int]:
        """Look for a node with the mouse, from the left, as a person does, and click it; the kernel's selection.

        Args:
            column: Where to begin, as a part of the tree's width.
        """
        self.tree.scroll_into_view_if_needed()
        bounds = self.tree.bounding_box()
        for x in range(30 + int(column * bounds["width"]), int(bounds["width"]), 8):
            for y in range(36, int(bounds["height"]) - 60, 6):
                if self._hovers(bounds["x"] + x, bounds["y"] + y):
                    self.page.mouse.click(bounds["x"] + x, bounds["y"] + y)
                    return eventually(self.selection, 5, "a selection")  # type: ignore[no-any-return]
        raise AssertionError("no node under the mouse anywhere")

    def _hovers(self, x: float, y: float) -> bool:
        self.page.mouse.move(x, y)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return bool(self.box.locator(".eow-tree .eow-card:not([hidden])").count())

    def selection(self) -> list[int]:
        """The selected nodes, as the kernel knows them."""
        found: list[int] = self.notebook.value("eow.widgets.showing.dashboard_of(search).selection")
        return found
