"""Pictures of the dashboard for the documentation: `python -m tests.e2e.screenshots`.

A real search on real data, in a real JupyterLab, in both themes; into `docs/dashboard-light.png` and `-dark.png`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.browser import Lab, Notebook, Tab, launch, missing, serve
from tests.e2e.dashboard import Dashboard

DOCS = Path(__file__).parents[2] / "docs"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
WIDTH = 920
SEARCH = """
import time, emb_opt_widgets as eow
from emb_opt_widgets.cli.digits import Digits
digits = Digits(pair=(4, 9))
def score(items):
    time.sleep(PAUSE)
    return digits.score(items)
source = eow.sources.ArraySource(digits.embeddings, items=digits.names)
search = eow.Search(source, score, budget=1200, batch_size=5, seed=0, name="4 or 9?")
PAUSE = 0.0
search.run(rounds=14, progress=False)
search.branch(item=search.best.id, note="look around the best")
search.run(rounds=5, progress=False)
tree = search.tree
wanted = tree.id[(tree.round == 9) & (tree.max_score > 0)]
node = int(wanted[0]) if len(wanted) else 0
search.prune_node(int(tree.id[tree.round == 12][0]), note="leads nowhere")
PAUSE = 0.4
search.start()
"""


def take(lab: Lab, browser: object) -> None:
    """One picture for each theme."""
    context = browser.new_context(  # type: ignore[attr-defined]
        viewport={"width": WIDTH + 260, "height": 1100}, device_scale_factor=2, reduced_motion="reduce"
    )
    notebook = Notebook(Tab.of(context), lab, lab.write("search.ipynb", [SEARCH, "search"])).open()
    notebook.command("application:toggle-left-area")
    notebook.run(0)
    notebook.run(1)
    dashboard = Dashboard(notebook, 1).shown()
    dashboard.until_status("running")
    notebook.page.evaluate(f"() => {{ document.querySelector('.eow-dashboard').style.width = '{WIDTH}px'; }}")
    notebook.execute("eow.widgets.showing.dashboard_of(search).selection = [node]")
    notebook.page.wait_for_timeout(4000)
    for name, theme in THEMES.items():
        notebook.theme(theme)
        notebook.page.wait_for_timeout(1500)
        dashboard.box.screenshot(path=DOCS / f"dashboard-{name}.png", animations="disabled")
    notebook.shut_down()
    context.close()


def main() -> int:
    """Take them; an exit status."""
    if reason := missing():
        sys.stderr.write(f"No screenshots: {reason}\n")
        return 1
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as lab, sync_playwright() as playwright:
        browser = launch(playwright)
        take(lab, browser)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
