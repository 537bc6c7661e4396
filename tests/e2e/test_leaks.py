"""Shown and closed two hundred times, a dashboard leaves nothing behind, in the kernel or in the page."""

from __future__ import annotations

import os

import pytest

from tests.e2e.dashboard import SLOW

CYCLES = int(os.environ.get("EOW_E2E_CYCLES", "200"))
WARM = 20
CYCLE = """async ([show, close, n]) => {
    const panel = window.jupyterapp.shell.currentWidget;
    const run = async index => {
        panel.content.activeCellIndex = index;
        await window.jupyterapp.commands.execute("notebook:run-cell");
    };
    const until = async there => {
        for (let i = 0; i < 600; i++) {
            if (!!document.querySelector(".eow-dashboard .eow-pill")?.textContent === there) return;
            await new Promise(done => setTimeout(done, 25));
        }
        throw new Error(there ? "not shown" : "not gone");
    };
    for (let i = 0; i < n; i++) {
        await run(show);
        await until(true);
        await run(close);
        await until(false);
    }
}"""


def weight(client):
    """Megabytes of the page's JavaScript heap, its DOM nodes and its listeners, after a collection."""
    for _ in range(3):
        client.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
    return found["JSHeapUsedSize"] / 1e6, found["Nodes"], found["JSEventListeners"]


@pytest.mark.timeout(900)
def test_nothing_is_left_of_closed_dashboards(notebook, context):
    opened = notebook(
        SLOW(pause=0.0, budget=300) + "search.run(progress=False)\nkeeper = eow.widgets.ControlPanel(search)",
        "dashboard = eow.widgets.Dashboard(search); dashboard",
        "dashboard.close(); del dashboard; _ = __ = ___ = None; Out.clear()",
    )
    opened.run(0)
    client = context.new_cdp_session(opened.page)
    client.send("Performance.enable")
    opened.page.evaluate(CYCLE, [1, 2, WARM])
    opened.execute("import gc, psutil; from ipywidgets.widgets.widget import _instances as models; gc.collect()")
    models, before = opened.value("len(models)"), weight(client)
    memory = "psutil.Process().memory_info().rss / 1e6"
    resident = opened.value(memory)
    opened.page.evaluate(CYCLE, [1, 2, CYCLES])
    opened.execute("gc.collect()")
    after = weight(client)
    print(f"page: {before} -> {after}; kernel: {resident:.0f} -> {opened.value(memory):.0f} MB; cycles: {CYCLES}")
    assert opened.value("len(models)") == models
    assert opened.value("sum(type(one).__name__ == 'Dashboard' for one in gc.get_objects())") == 0
    assert after[0] - before[0] < 0.02 * CYCLES + 2
    assert after[1] - before[1] < 5 * CYCLES
    assert opened.value(memory) - resident < 0.1 * CYCLES + 5
