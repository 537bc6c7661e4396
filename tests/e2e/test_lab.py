"""The JupyterLab extension in a real JupyterLab, under a base URL as a JupyterHub gives one."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.lab.installed import labextension
from tests.e2e.browser import Lab, Notebook, Tab, eventually, serve

pytestmark = pytest.mark.skipif(labextension("emb_opt_widgets") is None, reason="the extension is not installed")

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
ODDITIES = (
    HOSTILE,
    "<a href='javascript:alert(1)'>x</a><a href='https://elsewhere.example/'>x</a>",
    "<svg onload=alert(1)><use href='#x'/><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><foreignObject><iframe src='https://elsewhere.example'></iframe></foreignObject></svg>",
    "<iframe src='https://elsewhere.example'></iframe><iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action='https://elsewhere.example'><input name=a><button formaction='javascript:alert(1)'>x</button></form>",
    "<meta http-equiv=refresh content='0;url=https://elsewhere.example'><base href='https://elsewhere.example/'>",
    "<link rel=stylesheet href='https://elsewhere.example/x.css'><style>@import 'https://elsewhere.example/y.css';</style>",
    "<div onclick=alert(1) style='background:url(https://elsewhere.example/z.png)'>x</div>",
    "<object data=x></object><embed src=x><video src=x></video><audio src=x></audio>",
)
THEIRS = (
    "Canceled future for",  # of messages to a kernel that restarts
    "Could not restore the debugger state",
    "reading 'schema'",  # Notebook 7
)
SLOW = """
import time, numpy as np, emb_opt_widgets as eow
def score(items):
    time.sleep(0.05)
    return items.embeddings.sum(1)
x = np.random.default_rng(0).standard_normal((3000, 8)).astype("float32")
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serve(tmp_path_factory.mktemp("hub"), "/user/x/") as server:
        yield server


def start(name: str, budget: int = 5000) -> str:
    return f"s = eow.Search(x, score, budget={budget}, batch_size=2, name={name!r})\ns.start()"


def open_panel(tab: Tab) -> Any:
    tab.page.evaluate("() => window.jupyterapp.commands.execute('emb-opt-widgets:show-searches')")
    return tab.page.get_by_role("region", name="Embedding searches")


def open_path(tab: Tab, path: str) -> None:
    tab.page.evaluate("path => { void window.jupyterapp.commands.execute('docmanager:open', {path}); }", path)


def show(tab: Tab, path: str) -> None:
    """Open a file, and wait until it is the current one."""
    open_path(tab, path)
    tab.page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path)


def open_lab(tab: Tab, lab: Lab) -> None:
    tab.page.goto(f"{lab.url}lab?token={lab.token}&reset")
    tab.page.wait_for_function("() => window.jupyterapp?.shell")
    tab.page.evaluate("() => window.jupyterapp.restored.then(() => null)")


def hide_panel(tab: Tab) -> None:
    tab.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")


def row(panel: Any, name: str) -> Any:
    return panel.get_by_role("listitem").filter(has_text=name)


def press(row: Any, verb: str) -> None:
    row.get_by_role("button", name=f"{verb}:").click()


def be(row: Any, status: str) -> None:
    row.page.wait_for_function("([e, status]) => e.dataset.status === status", arg=[row.element_handle(), status])


def shut_down_all(tab: Tab) -> None:
    """Nothing may have gone wrong until here; JupyterLab itself complains of kernels that end, with and without us."""
    assert [error for error in tab.errors if not any(other in error for other in THEIRS)] == []
    tab.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    tab.page.wait_for_timeout(300)
    tab.errors.clear()


@pytest.fixture
def two(lab: Lab, tab: Tab) -> Iterator[list[Notebook]]:
    """Two notebooks on two kernels, a search running in each."""
    books = []
    for name in ("first", "second"):
        path = lab.write(f"{name}.ipynb", [SLOW, start(name), "time.sleep(12)"])
        book = Notebook(tab, lab, path)
        if not books:
            book.open()
        else:
            open_path(tab, path)
            tab.page.wait_for_function(
                "path => { const w = window.jupyterapp.shell.currentWidget;"
                " return w?.context?.path === path && w.sessionContext?.session?.kernel?.status === 'idle'; }",
                arg=path,
            )
        book.run(0)
        book.run(1)
        books.append(book)
    yield books
    shut_down_all(tab)


def test_two_searches_in_two_kernels(two: list[Notebook], tab: Tab) -> None:
    panel = open_panel(tab)
    for name in ("first", "second"):
        be(row(panel, f"{name}.ipynb"), "running")
    assert "5,000 calls" in row(panel, "first.ipynb").inner_text()
    eventually(lambda: "best" in row(panel, "second.ipynb").inner_text())
    eventually(lambda: "calls/s" in row(panel, "first.ipynb").inner_text())
    press(row(panel, "first.ipynb"), "Pause")
    be(row(panel, "first.ipynb"), "paused")
    be(row(panel, "second.ipynb"), "running")
    press(row(panel, "first.ipynb"), "Resume")
    be(row(panel, "first.ipynb"), "running")
    press(row(panel, "second.ipynb"), "Stop")
    be(row(panel, "second.ipynb"), "stopped")
    press(row(panel, "second.ipynb"), "Dismiss")
    eventually(lambda: row(panel, "second.ipynb").count() == 0)


def test_pausing_while_the_kernel_runs_a_blocking_cell(two: list[Notebook], tab: Tab) -> None:
    panel = open_panel(tab)
    book = two[1]
    book.run(2, wait=False)
    tab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    press(row(panel, "second.ipynb"), "Pause")
    be(row(panel, "second.ipynb"), "paused")
    status = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
    assert tab.page.evaluate(status) == "busy"
    assert book.page.locator(".jp-Notebook:visible .jp-InputPrompt", has_text="[*]").count() == 1
    log = book.value("[(e.body.name, e.body.who) for e in s.events if e.kind == 'command']")
    assert log == [["pause", "panel"]]


def test_step_runs_one_round(two: list[Notebook], tab: Tab) -> None:
    panel = open_panel(tab)
    press(row(panel, "second.ipynb"), "Pause")
    be(row(panel, "second.ipynb"), "paused")
    before = two[1].until("s.wait(5) and s.n_rounds")
    row(panel, "second.ipynb").get_by_role("button", name="Step:", disabled=False).click()
    two[1].until(f"s.n_rounds == {before + 1} and str(s.status) == 'paused'")


def test_a_click_leads_to_the_cell(two: list[Notebook], tab: Tab) -> None:
    panel = open_panel(tab)
    row(panel, "first.ipynb").get_by_role("button", name="first", exact=True).click()
    tab.page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'first.ipynb'")
    tab.page.wait_for_function("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 1")


def test_after_a_reload_the_panel_shows_the_same(two: list[Notebook], tab: Tab) -> None:
    panel = open_panel(tab)
    be(row(panel, "first.ipynb"), "running")
    tab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save-all').then(() => null)")
    tab.page.wait_for_timeout(2000)
    tab.page.goto(re.sub(r"&reset|\?.*", "", tab.page.url))
    panel = tab.page.get_by_role("region", name="Embedding searches")
    panel.wait_for()
    be(row(panel, "first.ipynb"), "running")
    press(row(panel, "second.ipynb"), "Pause")
    be(row(panel, "second.ipynb"), "paused")


def test_a_kernel_restart_is_said(two: list[Notebook], tab: Tab) -> None:
    panel = open_panel(tab)
    be(row(panel, "second.ipynb"), "running")
    tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel().then(() => null)")
    be(row(panel, "second.ipynb"), "gone")
    assert "restarted" in row(panel, "second.ipynb").inner_text()
    two[1].run(0)
    two[1].run(1)
    eventually(lambda: row(panel, "second.ipynb").count() == 2)
    press(row(panel, "second.ipynb").filter(has_text="gone"), "Dismiss")
    eventually(lambda: row(panel, "second.ipynb").count() == 1)


def test_a_search_whose_notebook_is_closed_is_still_there(two: list[Notebook], tab: Tab) -> None:
    tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    panel = open_panel(tab)
    be(row(panel, "second.ipynb"), "running")
    press(row(panel, "second.ipynb"), "Pause")
    be(row(panel, "second.ipynb"), "paused")


def test_a_hostile_name_is_text(lab: Lab, tab: Tab, notebook: Any) -> None:
    book = notebook(SLOW, start(HOSTILE, budget=8))
    panel = open_panel(tab)
    book.run(0)
    book.run(1)
    shown = row(panel, "onerror")
    be(shown, "finished")
    assert shown.locator(".eow-search-name").inner_text() == HOSTILE
    assert shown.locator("img, script").count() == 0
    toast = tab.page.locator(".Toastify__toast")
    toast.wait_for()
    assert toast.locator("img, script").count() == 0
    assert "onerror" in toast.inner_text()


def test_nothing_is_asked_while_the_panel_is_hidden(two: list[Notebook], tab: Tab) -> None:
    sent = """
        () => {
            window.asked = [];
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            kernel.anyMessage.connect((_, {msg, direction}) => {
                if (direction === "send") window.asked.push([msg.header.msg_type, Date.now()]);
            });
        }
    """
    panel = open_panel(tab)
    be(row(panel, "second.ipynb"), "running")
    tab.page.evaluate(sent)
    tab.page.wait_for_timeout(4500)
    asked = tab.page.evaluate("() => window.asked.splice(0)")
    assert {kind for kind, _ in asked} == {"debug_request"}
    assert 3 <= len(asked) <= 5
    assert min(b - a for (_, a), (_, b) in pairwise(asked)) > 900
    hide_panel(tab)
    tab.page.wait_for_timeout(1500)
    tab.page.evaluate("() => window.asked.splice(0)")
    tab.page.wait_for_timeout(3000)
    assert tab.page.evaluate("() => window.asked") == []


def test_two_notebooks_on_one_kernel(two: list[Notebook], tab: Tab, lab: Lab) -> None:
    """Its searches are listed once, whichever notebook made them, and act alike."""
    panel = open_panel(tab)
    be(row(panel, "second.ipynb"), "running")
    kernel = tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    code = "other = eow.Search(x, score, budget=5000, name='shared')\nother.start()"
    cell = {
        "cell_type": "code",
        "id": "its-own",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": code,
    }
    path = lab.write("sharing.ipynb", [cell])
    show(tab, path)
    former = tab.page.evaluate(
        """async id => {
            const context = window.jupyterapp.shell.currentWidget.sessionContext;
            await context.ready;
            const former = context.session.kernel.id;
            await context.changeKernel({id});
            return former;
        }""",
        kernel,
    )
    sharing = Notebook(tab, lab, path)
    sharing.run(0)
    be(row(panel, "shared"), "running")
    assert row(panel, "shared").count() == 1
    assert panel.locator(".eow-search-name", has_text=re.compile("^second$")).count() == 1
    assert "sharing.ipynb" in row(panel, "shared").inner_text()
    assert row(panel, "second.ipynb").count() == 1
    row(panel, "second.ipynb").locator(".eow-search-name").click()
    tab.page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'second.ipynb'")
    row(panel, "shared").locator(".eow-search-name").click()
    tab.page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path)
    press(row(panel, "shared"), "Pause")
    be(row(panel, "shared"), "paused")
    assert sharing.value("[str(one.status) for one in (s, other)]") == ["running", "paused"]
    tab.errors[:] = [error for error in tab.errors if former not in error]  # a connection to a kernel that has ended


def test_what_becomes_of_a_search_is_heard_when_its_notebook_is_closed_and_the_panel_hidden(
    lab: Lab, tab: Tab, notebook: Any
) -> None:
    book = notebook(SLOW, start("heard of", budget=260))
    panel = open_panel(tab)
    book.run(0)
    book.run(1)
    be(row(panel, "heard of"), "running")
    hide_panel(tab)
    book.save()
    tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    tab.page.locator(".Toastify__toast", has_text="heard of").wait_for()
    eventually(lambda: tab.page.get_by_role("button", name=re.compile("search(es)? running")).count() == 0)
    open_path(tab, book.path)
    tab.page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel")


def test_dashboards_in_tabs_behind_are_drawn_when_they_are_seen(lab: Lab, tab: Tab, notebook: Any) -> None:
    book = notebook(SLOW, start("behind", budget=60))
    panel = open_panel(tab)
    book.run(0)
    book.run(1)
    be(row(panel, "behind"), "finished")
    press(row(panel, "behind"), "Dashboard")
    tab.page.locator(".eow-dashboard-tab").get_by_role("button", name="Undo").first.wait_for()
    show(tab, book.path)
    book.save()
    tab.page.wait_for_timeout(2000)
    tab.page.goto(re.sub(r"&reset|\?.*", "", tab.page.url))
    tab.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0")
    tab.page.wait_for_timeout(3000)
    assert tab.errors == []
    tab.page.locator(".lm-TabBar-tab", has_text="behind").click()
    shown = tab.page.locator(".eow-dashboard-tab")
    shown.get_by_role("button", name="Undo").first.wait_for()
    show(tab, book.path)
    book.shut_down()
    tab.page.locator(".lm-TabBar-tab", has_text="behind").click()
    shown.get_by_text("was shut down").wait_for()
    show(tab, book.path)


OLD_KERNEL = """
import ipykernel.debugger
ipykernel.debugger._is_debugpy_available = False
from ipykernel.ipkernel import IPythonKernel
known = IPythonKernel.kernel_info.fget
IPythonKernel.kernel_info = property(lambda self: {**known(self), "supported_features": []})
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


@pytest.fixture(scope="module")
def old_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server whose kernel has no debugger and no subshells, as an old one."""
    folder = tmp_path_factory.mktemp("old")
    spec = folder / "data" / "kernels" / "old"
    spec.mkdir(parents=True)
    (spec / "kernel.py").write_text(OLD_KERNEL, encoding="utf-8")
    argv = [sys.executable, str(spec / "kernel.py"), "-f", "{connection_file}"]
    about = {"argv": argv, "display_name": "Old", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(about), encoding="utf-8")
    with serve(folder) as server:
        yield server


def test_where_a_kernel_is_too_old_an_interrupt_is_offered_and_the_pause_follows(old_lab: Lab, context: Any) -> None:
    tab = Tab.of(context)
    spec = {"name": "old", "display_name": "Old", "language": "python"}
    path = old_lab.write("old.ipynb", [SLOW, start("on an old kernel"), "time.sleep(600)"], kernelspec=spec)
    book = Notebook(tab, old_lab, path).open()
    panel = open_panel(tab)
    book.run(0)
    book.run(1)
    line = row(panel, "on an old kernel")
    be(line, "running")
    press(line, "Pause")  # idle: it hears
    be(line, "paused")
    press(line, "Resume")
    be(line, "running")
    book.run(2, wait=False)
    panel.get_by_text("too old to be asked meanwhile").wait_for()
    press(line, "Pause")
    dialog = tab.page.get_by_role("dialog").filter(has_text="does not answer")
    dialog.get_by_role("button", name="Cancel").click()
    assert "does not hear" in line.get_by_role("alert").inner_text()
    assert line.get_attribute("data-status") == "running"
    press(line, "Pause")
    dialog.get_by_role("button", name="Interrupt").click()
    be(line, "paused")
    assert line.get_by_role("alert").inner_text() == ""
    assert "KeyboardInterrupt" in book.output(2).inner_text()
    log = book.value("[(e.body.name, e.body.who) for e in s.events if e.kind == 'command']")
    assert log == [["pause", "panel"], ["resume", "panel"], ["pause", "panel"]]
    assert tab.dialogs == []
    shut_down_all(tab)


def test_the_status_bar_knows_what_runs_and_opens_the_panel(two: list[Notebook], tab: Tab) -> None:
    item = tab.page.get_by_role("button", name=re.compile("2 searches running"))
    item.wait_for()
    item.click()
    be(row(tab.page.get_by_role("region", name="Embedding searches"), "first.ipynb"), "running")


@pytest.mark.timeout(300)
def test_a_new_search_begins_with_a_notebook_that_runs(lab: Lab, tab: Tab) -> None:
    open_lab(tab, lab)
    tab.page.evaluate("() => { void window.jupyterapp.commands.execute('launcher:create'); }")
    tab.page.locator(".jp-LauncherCard", has_text="New embedding search").click()
    tab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    book = Notebook(tab, lab, "")
    panel = open_panel(tab)
    book.run(1)
    row(panel, "my first search").wait_for()
    book.run(3)
    be(row(panel, "my first search"), "finished")
    assert book.value("len(search.results())") == 300
    shut_down_all(tab)


MADE = """
import numpy as np
x = np.random.default_rng(0).standard_normal((500, 8)).astype("float32")
def named(items):
    return items.embeddings.sum(1)
"""


@pytest.fixture(scope="module")
def kept(lab: Lab) -> str:
    """A search's file in a folder of the server's root."""
    folder = lab.root / "results of may"
    folder.mkdir(exist_ok=True)
    x = np.random.default_rng(0).standard_normal((500, 8)).astype("float32")
    source = eow.sources.ArraySource(x, items=[f"item {i} {HOSTILE}" for i in range(500)])
    with eow.Search(source, named, budget=80, path=folder / "kept & näme.eow", name=HOSTILE) as search:
        search.run(progress=False)
    return "results of may/kept & näme.eow"


def named(items: Any) -> Any:
    return items.embeddings.sum(1)


def open_file(tab: Tab, lab: Lab, path: str) -> Any:
    open_lab(tab, lab)
    open_path(tab, path)
    viewer = tab.page.locator(".eow-viewer")
    viewer.wait_for()
    return viewer


def test_a_file_is_shown_without_a_kernel(lab: Lab, tab: Tab, kept: str) -> None:
    viewer = open_file(tab, lab, kept)
    page = viewer.frame_locator("iframe")
    page.locator("h1").wait_for()
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("svg.tree circle").count() > 3
    assert page.locator("svg.trace path.curve").count() == 1
    assert page.locator("img, script").count() == 0
    assert page.get_by_text("created").count() >= 1
    assert "onerror" in page.locator("td.item").first.inner_text()
    sessions = "() => [...window.jupyterapp.serviceManager.sessions.running()].map(one => one.path)"
    assert kept not in tab.page.evaluate(sessions)
    assert not list(lab.root.rglob("*checkpoint*.eow"))
    assert [one.name for one in (lab.root / kept).parent.iterdir() if one.is_file()] == [Path(kept).name]


def test_resume_in_a_notebook(lab: Lab, tab: Tab, kept: str) -> None:
    viewer = open_file(tab, lab, kept)
    viewer.get_by_role("button", name="Resume in a notebook", disabled=False).click()
    tab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    book = Notebook(tab, lab, "")
    code = tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.source")
    assert 'eow.load("kept & n\\u00e4me.eow", source=source, score=score)' in code
    made = code.replace("source = ...", "source = x").replace("score = ...", "score = named")
    book.execute(f"{MADE}\n{made}")
    assert book.value("search.n_scored") == 80
    shut_down_all(tab)


def test_what_is_not_a_search_is_said(lab: Lab, tab: Tab) -> None:
    (lab.root / "other.eow").write_bytes(b"something else")
    viewer = open_file(tab, lab, "other.eow")
    viewer.get_by_text("is not a search's file").wait_for()
    assert viewer.get_by_role("button", name="Resume in a notebook").is_disabled()
    assert [error for error in tab.errors if "422" not in error] == []
    tab.errors.clear()


def test_the_dashboard_in_a_tab_is_in_step_with_the_notebook(lab: Lab, tab: Tab, notebook: Any) -> None:
    book = notebook(SLOW, start("seen twice"), "s")
    for i in range(3):
        book.run(i)
    panel = open_panel(tab)
    press(row(panel, "seen twice"), "Dashboard")
    shown = tab.page.locator(".eow-dashboard-tab")
    shown.get_by_role("button", name=re.compile("Pause")).first.wait_for()
    shown.get_by_role("button", name=re.compile("Pause")).first.click()
    be(row(panel, "seen twice"), "paused")
    open_path(tab, book.path)
    book.output(2).get_by_role("button", name=re.compile("Resume")).first.wait_for()


def saved_output(html: str) -> dict[str, Any]:
    """What a notebook keeps of a search that was shown."""
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {
            "application/vnd.emb-opt-widgets.view+json": {},
            "application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": "gone"},
            "text/html": html,
            "text/plain": "Search",
        },
    }


def test_a_saved_search_is_a_picture_where_there_is_no_kernel(lab: Lab, tab: Tab) -> None:
    picture = (
        f"<div class='eow-report'>{''.join(ODDITIES)}<b title='t'>the picture</b><svg viewBox='0 0 9 9'></svg></div>"
    )
    output = saved_output(picture)
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "s", "outputs": [output]}
    book = Notebook(tab, lab, lab.write("saved.ipynb", [cell])).open()
    still = book.output(0).frame_locator("iframe.eow-still")
    still.get_by_text("the picture").wait_for()
    assert still.locator("b[title='t']").count() == still.locator("svg[viewBox]").count() == 1
    odd = "script, img, use, iframe, form, input, base, link, object, embed, video, audio, body meta, [href], [src]"
    assert still.locator(odd).count() == 0
    names = "all => all.flatMap(one => [...one.attributes].map(a => a.name)).filter(name => /^on|:|action/.test(name))"
    assert still.locator("body, body *").evaluate_all(names) == []
    assert book.output(0).get_by_text("Loading widget").count() == 0
    assert json.loads((lab.root / "saved.ipynb").read_text())["cells"][0]["outputs"][0] == output
    shut_down_all(tab)


def test_startup_costs_little(lab: Lab, tab: Tab) -> None:
    open_lab(tab, lab)
    found = tab.page.evaluate("() => performance.getEntriesByName('emb_opt_widgets:searches').map(one => one.duration)")
    assert len(found) == 1 and found[0] < 50
    assert [url for url in tab.requests if "emb-opt-widgets/api" in url] == []


def test_in_notebook_7_too(chrome: Any, context: Any, tmp_path: Path) -> None:
    output = saved_output("<div class='eow-report'><b>the picture</b></div>")
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "s", "outputs": [output]}
    with serve(tmp_path, "/user/x/", app="notebook") as notebook7:
        tab = Tab.of(context)
        book = Notebook(tab, notebook7, notebook7.write("saved.ipynb", [cell])).open()
        book.output(0).frame_locator("iframe.eow-still").get_by_text("the picture").wait_for()
        assert [error for error in tab.errors if not any(other in error for other in THEIRS)] == []
        assert tab.dialogs == []
        tab.close()


def test_a_dashboard_is_there_again_after_a_reload(lab: Lab, tab: Tab, notebook: Any) -> None:
    book = notebook(SLOW, start("again"))
    book.run(0)
    book.run(1)
    panel = open_panel(tab)
    press(row(panel, "again"), "Dashboard")
    pause = tab.page.locator(".eow-dashboard-tab").get_by_role("button", name=re.compile("Pause"))
    pause.first.wait_for()
    tab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save-all').then(() => null)")
    tab.page.wait_for_timeout(2000)
    tab.page.goto(re.sub(r"\?.*", "", tab.page.url))
    pause.first.wait_for()
    pause.first.click()
    be(row(open_panel(tab), "again"), "paused")
    open_path(tab, book.path)
    tab.page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=book.path)
    shut_down_all(tab)
