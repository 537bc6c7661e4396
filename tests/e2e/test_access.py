"""The dashboard for people who use the keyboard, a screen reader, or a theme of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.browser import eventually
from tests.e2e.dashboard import SLOW, Dashboard

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")


def findings(page, scope=".eow-dashboard"):
    """What axe finds serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(
        """async scope => (await axe.run(scope, {resultTypes: ["violations"]})).violations
            .filter(one => ["serious", "critical"].includes(one.impact))
            .map(one => [one.id, one.help, one.nodes.slice(0, 3).map(node => [node.html.slice(0, 160),
                node.failureSummary])])
        """,
        scope,
    )


@pytest.fixture
def paused(notebook):
    opened = notebook(SLOW(pause=0.02, budget=300), "search")
    opened.run(0)
    opened.run(1)
    dashboard = Dashboard(opened, 1).shown()
    dashboard.press("Start")
    opened.until("search.n_rounds >= 3")
    dashboard.press("Pause")
    dashboard.until_status("paused")
    return opened, dashboard


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_serious(paused, theme):
    assert AXE.is_file(), "npm ci installs axe-core"
    opened, dashboard = paused
    opened.theme(theme)
    dashboard.box.evaluate("box => box.append(Object.assign(document.createElement('button'), {id: 'nameless'}))")
    assert [found[0] for found in findings(opened.page)] == ["button-name"]
    dashboard.box.locator("#nameless").evaluate("button => button.remove()")
    assert findings(opened.page) == []
    opened.execute("eow.widgets.showing.dashboard_of(search).selection = [0, 1]")
    for tab in ("Items", "Map", "Operators", "Events"):
        dashboard.box.get_by_role("tab", name=tab).click()
        assert (tab, findings(opened.page)) == (tab, [])
    dashboard.press("Settings")
    opened.page.get_by_role("dialog", name="Settings").wait_for()
    assert findings(opened.page) == []
    opened.theme("JupyterLab Light")


def test_the_keyboard_alone_steers(paused):
    opened, dashboard = paused
    keys = opened.page.keyboard
    dashboard.tree.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        keys.press(key)
    selected = eventually(dashboard.selection)
    before = opened.value("len(search.tree)")
    keys.press("b")
    opened.until(f"len(search.tree) > {before}")
    eventually(lambda: dashboard.button("Undo").is_enabled())
    opened.execute(f"eow.widgets.showing.dashboard_of(search).selection = {selected}")
    keys.press("p")
    opened.until(f"search.tree.status[{selected[0]}] == 'pruned'")
    keys.press("u")
    opened.until(f"search.tree.status[{selected[0]}] == 'active'")
    keys.press(" ")
    dashboard.until_status("running")
    keys.press(" ")
    dashboard.until_status("paused")


def test_every_button_can_be_reached_and_is_seen_to_have_the_focus(paused):
    opened, dashboard = paused
    dashboard.button("Resume").focus()
    reached = set()
    for _ in range(30):
        opened.page.keyboard.press("Tab")
        name, outline = opened.page.evaluate(
            "() => [document.activeElement.getAttribute('aria-label') || document.activeElement.textContent,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.add(name.strip() if name.strip() == "Query tree" else name.strip().split(" ")[0])
        if name.strip() in ("Stop", "Settings"):
            assert outline != "none", name
    assert {"Step", "Stop", "Settings", "Query tree"} <= reached


def test_the_dashboard_folds_into_one_column_where_it_is_narrow(paused):
    opened, dashboard = paused
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    wide = dashboard.box.locator(".eow-side").bounding_box()
    tree = dashboard.tree.bounding_box()
    assert wide["x"] >= tree["x"] + tree["width"] - 2
    opened.page.set_viewport_size({"width": 700, "height": 900})
    opened.command("application:toggle-left-area")
    eventually(lambda: dashboard.box.locator(".eow-side").bounding_box()["x"] < tree["x"] + 100)
    assert dashboard.box.evaluate("box => box.scrollWidth <= box.clientWidth + 1")
