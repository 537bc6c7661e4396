"""Shown and closed two hundred times, a dashboard leaves nothing in the kernel, and nothing of its own in the page.

Running a cell again in JupyterLab costs memory, nodes and listeners by itself, and JupyterLab keeps every closed model.
So a dashboard is measured against plain widgets of as many models, shown and closed in the same way.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.e2e.dashboard import SLOW

CYCLES = int(os.environ.get("EOW_E2E_CYCLES", "200"))
WARM = 20
NOISE = np.array([0.02, 10, 10])
PLAIN = """
from emb_opt_widgets.widgets.parts import parts
mark = ipywidgets.HTML("<i class=eow-dashboard><b class=eow-pill>plain</b></i>")
plain = ipywidgets.VBox([mark, *(ipywidgets.HTML("plain") for _ in range((many - 2) // 3 - 1))]); display(plain)
"""
CYCLE = """async ([show, close, n]) => {
    const panel = window.jupyterapp.shell.currentWidget;
    const run = async index => {
        panel.content.activeCellIndex = index;
        await window.jupyterapp.commands.execute("notebook:run-cell");
    };
    const until = async there => {
        for (let i = 0; i < 600; i++) {
            const box = document.querySelector(".eow-dashboard");
            const whole = !!box?.querySelector(".eow-pill")?.textContent &&
                (box.tagName === "I" || box.querySelectorAll(".bqplot .axis, [role=tab]").length > 7);
            if (there ? whole : !box) return;
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
    return np.array([found["JSHeapUsedSize"] / 1e6, found["Nodes"], found["JSEventListeners"]])


@pytest.mark.timeout(900)
def test_nothing_is_left_of_closed_dashboards(notebook, context):
    opened = notebook(
        SLOW(pause=0.0, budget=300)
        + "search.run(progress=False)\nimport ipywidgets\nkeeper = eow.widgets.ControlPanel(search)",
        "dashboard = eow.widgets.Dashboard(search); display(dashboard); many = len(models) - others",
        "dashboard.close(); del dashboard",
        PLAIN,
        "for part in parts(plain, without=keeper): part.close()\ndel plain",
    )
    opened.run(0)
    client = context.new_cdp_session(opened.page)
    client.send("Performance.enable")
    opened.execute(
        "import gc, psutil\nfrom ipywidgets.widgets.widget import _instances as models\nothers = len(models)"
    )
    memory = "psutil.Process().memory_info().rss / 1e6"

    def grown(show: int, close: int, n: int) -> np.ndarray:
        """What one cycle adds to the page, on average."""
        opened.page.evaluate(CYCLE, [show, close, WARM])
        before = weight(client)
        opened.page.evaluate(CYCLE, [show, close, n])
        return (weight(client) - before) / n

    opened.page.evaluate(CYCLE, [1, 2, WARM])
    many = opened.value("many")
    plain = grown(3, 4, CYCLES // 4)
    opened.page.evaluate(CYCLE, [1, 2, WARM])
    opened.execute("gc.collect()")
    models, resident = opened.value("len(models)"), opened.value(memory)
    mine = grown(1, 2, CYCLES)
    opened.execute("gc.collect()")
    after = opened.value(memory)
    print(
        f"a cycle of {many} models adds MB, nodes, listeners: {mine} (plain widgets: {plain});"
        f" kernel {resident:.0f} to {after:.0f} MB"
    )
    assert opened.value("len(models)") == models
    assert opened.value("sum(type(one).__name__ == 'Dashboard' for one in gc.get_objects())") == 0
    assert after - resident < 0.1 * CYCLES + 5
    assert (mine < plain + NOISE).all()
