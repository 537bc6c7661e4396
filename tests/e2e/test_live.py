"""A person watches a running search in JupyterLab, and steers it."""

from __future__ import annotations

import time

import ipykernel
import numpy as np
import pytest

import emb_opt_widgets as eow
from tests.e2e.browser import Notebook, Tab, eventually
from tests.e2e.dashboard import SLOW, Dashboard

OLD = ipykernel.version_info < (7,)
EDGE = 0.5
"""Seconds from a click to the last score call begun, beside the call in flight."""


def running(notebook, **given):
    """A notebook with a running search and its dashboard."""
    opened = notebook(SLOW(**given), "search", "search.start()", "pass")
    opened.run(0)
    opened.run(1)
    dashboard = Dashboard(opened, 1).shown()
    opened.run(2)
    dashboard.until_status("running")
    return opened, dashboard


def test_start_and_watch_nodes_arrive(notebook):
    opened = notebook(SLOW(budget=200), "search")
    opened.run(0)
    opened.run(1)
    dashboard = Dashboard(opened, 1).shown()
    assert dashboard.status() == "ready"
    dashboard.press("Start")
    dashboard.until_status("running")
    first = eventually(dashboard.n_queries)
    more = eventually(lambda: (n := dashboard.n_queries()) > first + 3 and n)
    assert more <= opened.value("len(search.tree)")
    dashboard.until_status("finished")
    eventually(lambda: dashboard.n_queries() == opened.value("len(search.tree)"))
    best = opened.value("search.best.score")
    assert f"{best:.2f}" in dashboard.box.locator(".eow-best").inner_text()
    assert opened.value("search.n_scored") == 200
    assert opened.value("[e.body.name for e in search.events if e.kind == 'command']") in ([], ["start"])


def test_the_charts_follow(notebook):
    _, dashboard = running(notebook, budget=160)
    dashboard.until_status("finished")
    charts = dashboard.box.locator(".bqplot")
    assert charts.count() == 2
    bars = dashboard.box.locator(".eow-histogram path.area").first
    eventually(lambda: bars.evaluate("bars => bars.getBBox().width * bars.getBBox().height > 1000"))
    calls = dashboard.box.locator(".eow-trace .axis").first
    eventually(lambda: [t for t in calls.locator("text").all_text_contents() if t] == ["0", "50", "100", "150"])


def block(opened, seconds):
    """Have the kernel sleep, and wait until it does."""
    opened.execute("import time")
    opened.page.evaluate(
        "code => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}) }",
        f"blocked_from = time.time(); time.sleep({seconds}); blocked_to = time.time()",
    )
    opened.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    time.sleep(0.5)


@pytest.mark.skipif(OLD, reason="this ipykernel hears no button while a cell runs")
def test_pause_while_another_cell_blocks_the_kernel(notebook):
    opened, dashboard = running(notebook)
    block(opened, 6)
    clicked = time.time()
    dashboard.press("Pause")
    dashboard.until_status("paused", 4)
    assert time.time() - clicked < 4
    blocked = opened.value("[blocked_from, blocked_to]")
    last = opened.value("called[-1][0]")
    assert blocked[0] < clicked < blocked[1] - 3
    assert last - 0.05 - clicked < EDGE
    assert opened.value("str(search.status)") == "paused"


@pytest.mark.skipif(not OLD, reason="this ipykernel hears buttons while a cell runs")
def test_an_interrupt_pauses_where_no_button_is_heard(notebook):
    opened, dashboard = running(notebook)
    block(opened, 60)
    opened.command("notebook:interrupt-kernel")
    dashboard.until_status("paused", 10)
    assert "Paused by an interrupt." in dashboard.box.locator(".eow-facts").inner_text()
    dashboard.press("Resume")
    dashboard.until_status("running")
    block(opened, 60)
    dashboard.press("Pause")
    opened.command("notebook:interrupt-kernel")
    opened.until("str(search.status) == 'paused'", 10)
    time.sleep(1)
    assert dashboard.status() == "paused"
    assert not dashboard.box.locator(".eow-problems").is_visible()


def test_a_click_is_answered_at_once(notebook):
    opened, dashboard = running(notebook)
    took = opened.page.evaluate(
        """async () => {
            const buttons = [...document.querySelectorAll(".eow-dashboard button")];
            const button = buttons.find(one => one.textContent.startsWith("Pause"));
            const before = button.outerHTML + document.querySelector(".eow-pill").textContent;
            const start = performance.now();
            button.click();
            while (button.outerHTML + document.querySelector(".eow-pill").textContent === before) {
                await new Promise(requestAnimationFrame);
                if (performance.now() - start > 3000) break;
            }
            return performance.now() - start;
        }"""
    )
    assert took < 100
    dashboard.until_status("paused")


def test_step_makes_one_round(notebook):
    opened, dashboard = running(notebook)
    dashboard.press("Pause")
    dashboard.until_status("paused")
    for _ in range(2):
        before = opened.value("search.n_rounds")
        eventually(lambda: dashboard.button("Step").is_enabled())
        dashboard.press("Step")
        opened.until(f"search.n_rounds == {before + 1} and str(search.status) == 'paused'")
        dashboard.until_status("paused")
    assert opened.value("[e.body.name for e in search.events if e.kind == 'command']").count("step") == 2


def test_branch_from_a_clicked_node_prune_a_subtree_and_undo_both(notebook):
    opened, dashboard = running(notebook)
    opened.until("search.n_rounds >= 3")
    dashboard.press("Pause")
    dashboard.until_status("paused")
    (node,) = dashboard.click_a_node(0.08)
    before = opened.value("len(search.tree)")
    dashboard.press("Branch")
    opened.until(f"len(search.tree) > {before}")
    made = opened.value(f"[int(i) for i in search.tree.id[{before}:]]")
    assert opened.value(f"set(search.tree.parent[{before}:].tolist()) == {{{node}}}")
    eventually(lambda: dashboard.n_queries() == before + len(made))
    assert opened.value("eow.widgets.showing.dashboard_of(search).selection")

    opened.execute(f"eow.widgets.showing.dashboard_of(search).selection = [{node}]")
    below = opened.value(f"[int(i) for i in search.tree.id if {node} in search.tree.path(int(i))]")
    active = f"[i for i in {below} if search.tree.status[i] == 'active']"
    were_active = opened.value(active)
    assert set(made) <= set(were_active)
    eventually(lambda: dashboard.button("Prune").is_enabled())
    dashboard.press("Prune")
    opened.until(f"not {active}")

    dashboard.press("Undo")
    opened.until(f"{active} == {were_active}")
    dashboard.press("Undo")
    opened.until(f"all(search.tree.status[i] == 'undone' for i in {made})")
    commands = opened.value("[(e.body.name, e.who) for e in search.events if e.kind == 'command']")
    steered = [tuple(command) for command in commands if command[0] in ("branch", "prune_node", "undo")]
    assert steered == [(name, "browser") for name in ("branch", "prune_node", "undo", "undo")]


def test_reload_in_mid_run(notebook):
    opened, dashboard = running(notebook)
    opened.until("search.n_rounds >= 3")
    dashboard.click_a_node()
    selected = dashboard.selection()
    opened.save()
    opened.page.reload()
    opened.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0")
    dashboard = Dashboard(opened, 1).shown()
    dashboard.until_status("running")
    first = eventually(dashboard.n_queries)
    eventually(lambda: dashboard.n_queries() > first)
    assert dashboard.selection() == selected
    eventually(lambda: f"{len(selected)} " in dashboard.box.get_by_role("group", name="Selection").inner_text())
    dashboard.press("Pause")
    dashboard.until_status("paused")
    eventually(lambda: dashboard.n_queries() == opened.value("len(search.tree)"))


def test_two_views_in_step(notebook, context, lab):
    opened, one = running(notebook)
    opened.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3 }")
    opened.execute("same = search._repr_mimebundle_() == search._repr_mimebundle_()")
    assert opened.value("same") in (True, False)
    opened.save()
    second = Tab.of(context)
    other_page = Notebook(second, lab, opened.path).open()
    two = Dashboard(other_page, 1).shown()
    two.press("Pause")
    one.until_status("paused")
    two.until_status("paused")
    eventually(lambda: one.n_queries() == two.n_queries() > 0)
    selected = one.click_a_node()
    eventually(lambda: f"{len(selected)} " in two.box.get_by_role("group", name="Selection").inner_text())
    one.press("Resume")
    two.until_status("running")
    two.press("Stop")
    one.until_status("stopped")
    assert second.errors == []
    second.close()


def test_the_file_holds_every_command(notebook, lab):
    opened, dashboard = running(notebook, path="commands.eow")
    opened.until("search.n_rounds >= 2")
    dashboard.press("Pause")
    dashboard.until_status("paused")
    dashboard.click_a_node(0.08)
    dashboard.press("Branch")
    opened.until("any(e.kind == 'command' and e.body.name == 'branch' for e in search.events)")
    eventually(lambda: dashboard.button("Undo").is_enabled())
    dashboard.press("Undo")
    opened.until("any(e.kind == 'command' and e.body.name == 'undo' for e in search.events)")
    eventually(lambda: dashboard.button("Redo").is_enabled())
    dashboard.press("Redo")
    opened.until("any(e.kind == 'command' and e.body.name == 'redo' for e in search.events)")
    dashboard.press("Resume")
    dashboard.until_status("running")
    dashboard.press("Stop")
    dashboard.until_status("stopped")
    opened.execute("search.close()")
    library = np.random.default_rng(0).standard_normal((3000, 8)).astype("f4")
    with eow.load(lab.root / "commands.eow", source=library, score=lambda items: items.ids) as kept:
        names = [event.body.name for event in kept.events if event.kind == "command"]
        people = {event.who for event in kept.events if event.kind == "command" and event.body.name != "start"}
    assert [name for name in names if name != "start"] == ["pause", "branch", "undo", "redo", "resume", "stop"]
    assert people == {"browser"}
