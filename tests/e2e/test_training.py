"""A person watches a training in JupyterLab, and steers it."""

from __future__ import annotations

import os
import time

import pytest

from emb_opt_widgets.live.store import SQLiteStore
from emb_opt_widgets.training.shelf import TRAINING_FILE
from tests.e2e.browser import eventually
from tests.e2e.dashboard import Dashboard
from tests.e2e.test_access import findings

TRAINING = """
import time, torch, emb_opt_widgets as eow
from emb_opt_widgets import training as tr
torch.set_num_threads(1)
rng = torch.Generator().manual_seed(0)
cause = torch.randn(600, 6, generator=rng)
views = torch.randn(2, 6, 12, generator=rng)
queries, documents = (cause @ view + 0.3 * torch.randn(600, 12, generator=rng) for view in views)
class Slow(torch.nn.Linear):
    def forward(self, rows):
        time.sleep(PAUSE)
        return super().forward(rows)
done = []
training = tr.Training(
    Slow(12, 8), torch.nn.Linear(12, 8), (queries[:500], documents[:500]), caches=CACHES, epochs=EPOCHS, batch_size=20,
    validation=(queries[500:], documents[500:]), evaluate_every=10, path=PATH, name="two towers", device="cpu",
    optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    scheduler=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200),
)
"""


def cell(pause: float = 0.03, epochs: int | None = None, path: str | None = None, caches: int | None = 200) -> str:
    """The cell that makes a training which takes its time."""
    filled = TRAINING.replace("PAUSE", repr(pause)).replace("EPOCHS", repr(epochs)).replace("PATH", repr(path))
    return filled.replace("CACHES", repr(caches))


@pytest.fixture
def shown(notebook):
    """A notebook with a training and its dashboard."""

    def make(**given):
        opened = notebook(cell(**given), "training")
        opened.run(0)
        opened.run(1)
        dashboard = Dashboard(opened, 1)
        dashboard.box = opened.output(1).locator(".eow-training")
        return opened, dashboard.shown()

    return make


def drawn(dashboard) -> int:
    """How many points the smoothed line of the loss has."""
    line = dashboard.box.get_by_role("img", name="Loss:").locator(".eow-line[data-tone=main]")
    return line.get_attribute("d").count("L") + 1 if line.count() else 0


def test_start_watch_pause_while_blocked_resume_step_and_stop(shown, lab):
    opened, dashboard = shown(path="training.eow")
    assert dashboard.status() == "ready"
    dashboard.press("Start")
    dashboard.until_status("running")
    first = eventually(lambda: drawn(dashboard))
    eventually(lambda: drawn(dashboard) > first + 3)
    eventually(lambda: "recall@10" in dashboard.box.locator(".eow-best").inner_text())
    eventually(lambda: dashboard.box.locator(".eow-bars").count() == 1)

    opened.page.evaluate(
        "code => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}) }",
        "blocked_from = time.time(); time.sleep(6); blocked_to = time.time()",
    )
    opened.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    time.sleep(0.5)
    clicked = time.time()
    dashboard.press("Pause")
    dashboard.until_status("paused", 4)
    assert time.time() - clicked < 4
    blocked = opened.value("[blocked_from, blocked_to]")
    assert blocked[0] < clicked < blocked[1] - 3
    paused = [e["time"] for e in opened.value("[{'time': e.time} for e in training.events if e.kind == 'paused']")]
    assert clicked < paused[-1] < clicked + 1
    steps = opened.value("training.n_steps")
    eventually(lambda: drawn(dashboard) == steps)

    dashboard.press("Resume")
    dashboard.until_status("running")
    opened.until(f"training.n_steps > {steps + 2}")
    dashboard.press("Pause")
    dashboard.until_status("paused")
    for _ in range(2):
        before = opened.value("training.n_steps")
        eventually(lambda: dashboard.button("Step").is_enabled())
        dashboard.press("Step")
        opened.until(f"training.n_steps == {before + 1} and str(training.status) == 'paused'")
        dashboard.until_status("paused")
    eventually(lambda: dashboard.button("Use best").is_enabled())
    dashboard.press("Use best")
    opened.until("any(e.kind == 'command' and e.body.name == 'use_best' for e in training.events)")
    eventually(lambda: dashboard.button("Stop").is_enabled())
    dashboard.press("Stop")
    dashboard.until_status("stopped")
    rows = dashboard.box.get_by_role("table", name="Events, latest first").get_by_role("row")
    eventually(lambda: "Stop asked for." in " ".join(rows.all_inner_texts()))

    opened.execute("training.close()")
    commands = commands_in(lab.root / "training.eow")
    names = ["start", "pause", "resume", "pause", "step", "step", "use_best", "stop"]
    assert [(name, who) for name, who, _ in commands] == [(name, "browser") for name in names]
    assert len({id for _, _, id in commands}) == len(names)


def commands_in(path) -> list[tuple[str, str, str]]:
    """The commands that a training's file holds."""
    store = SQLiteStore(path, form=TRAINING_FILE)
    try:
        return [(e.body.name, e.body.who, e.body.id) for e in store.read() if e.kind == "command"]
    finally:
        store.close()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_axe_finds_nothing_serious_and_the_keyboard_reads_and_steers(shown, theme):
    opened, dashboard = shown(pause=0.005)
    opened.theme(theme)
    dashboard.press("Start")
    opened.until("training.n_steps > 60")
    dashboard.press("Pause")
    dashboard.until_status("paused")
    assert findings(opened.page, ".eow-training") == []
    loss = dashboard.box.get_by_role("img", name="Loss:")
    loss.focus()
    opened.page.keyboard.press("Home")
    assert "Step 1" in dashboard.box.locator(".eow-read:not([hidden])").inner_text()
    opened.page.keyboard.press("ArrowRight")
    assert "Step 2" in dashboard.box.locator(".eow-read:not([hidden])").inner_text()
    assert findings(opened.page, ".eow-training") == []
    opened.page.keyboard.press("Escape")
    assert dashboard.box.locator(".eow-read:not([hidden])").count() == 0
    before = opened.value("training.n_steps")
    opened.page.keyboard.press("n")
    opened.until(f"training.n_steps == {before + 1}")
    dashboard.until_status("paused")
    dashboard.button("log").click()
    folder = os.environ.get("EOW_E2E_PICTURES")
    opened.page.set_viewport_size({"width": 1500, "height": 1300})
    for width in (900, 600) if folder else ():
        dashboard.box.evaluate("(box, width) => { box.style.width = `${width}px` }", width)
        opened.page.wait_for_timeout(300)
        loss.hover(position={"x": width / 4, "y": 60})
        dashboard.box.screenshot(path=f"{folder}/training-{theme.split(' ', 1)[1]}-{width}.png")


def test_it_folds_into_one_column_where_it_is_narrow(shown):
    opened, dashboard = shown(caches=None, epochs=1, pause=0.0)
    dashboard.press("Start")
    dashboard.until_status("finished")
    charts = dashboard.box.locator(".eow-chart")
    wide = [charts.nth(i).bounding_box() for i in range(4)]
    assert wide[0]["y"] == wide[1]["y"] < wide[2]["y"] and wide[0]["x"] < wide[1]["x"]
    dashboard.box.evaluate("box => { box.style.width = '560px' }")
    eventually(lambda: charts.nth(1).bounding_box()["x"] == charts.nth(0).bounding_box()["x"])
    assert dashboard.box.evaluate("box => box.scrollWidth <= box.clientWidth + 1")
    assert "No caches" in charts.nth(3).inner_text()
    saved = opened.save()
    output = saved["cells"][1]["outputs"][0]["data"]
    assert "eow-report" in "".join(output["text/html"]) and "Training 'two towers'" in "".join(output["text/plain"])
