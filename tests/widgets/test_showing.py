"""What a notebook is given: a live widget where somebody can see it, a picture everywhere."""

from __future__ import annotations

import json
import subprocess
import sys

import nbclient
import nbformat
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets import widgets
from emb_opt_widgets.live import display
from emb_opt_widgets.widgets import front, showing
from emb_opt_widgets.widgets.feed import Feed
from emb_opt_widgets.widgets.showing import OURS, WIDGET

SEARCH = """
import os, numpy as np, emb_opt_widgets as eow
library = np.random.default_rng(0).standard_normal((300, 4)).astype("f4")
search = eow.Search(library, lambda items: items.embeddings[:, 0], budget=40, name="<b>sums</b>")
"""


@pytest.fixture
def watched(monkeypatch):
    """As in a notebook with a person before it."""
    monkeypatch.setattr(showing, "headless", lambda: False)


def test_outside_a_notebook_a_search_is_text_and_a_picture(search):
    search.run(rounds=2, progress=False)
    shown = search._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert shown["text/plain"] == repr(search)
    assert "<svg" in shown["text/html"] and "<script" not in shown["text/html"]


def test_outside_a_notebook_no_widget_is_made_and_nothing_imported():
    code = SEARCH + (
        "search.run(progress=False)\nassert len(search._repr_mimebundle_()) == 2\n"
        "import sys\nprint([name for name in ('ipywidgets', 'anywidget', 'bqplot', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_in_a_notebook_it_is_its_dashboard_always_the_same(search, built, watched):
    one, two = search._repr_mimebundle_(), search._repr_mimebundle_()
    assert set(one) == {"text/plain", "text/html", OURS, WIDGET}
    assert one[WIDGET] == two[WIDGET] and one[WIDGET]["version_major"] == 2
    dashboard = showing.dashboard_of(search)
    assert isinstance(dashboard, widgets.Dashboard) and dashboard.model_id == one[WIDGET]["model_id"]
    dashboard.close()
    assert search._repr_mimebundle_()[WIDGET] != one[WIDGET]
    showing.dashboard_of(search).close()


@pytest.mark.parametrize("name", [name for name in widgets.__all__ if name != "TrainingDashboard"])
def test_a_widget_has_its_picture_with_it(name, search, built, watched):
    widget = getattr(widgets, name)(search)
    shown = widget._repr_mimebundle_()
    assert shown[WIDGET]["model_id"] == widget.model_id
    assert "eow-report" in shown["text/html"] and shown["text/plain"] == repr(widget)
    widget.close()


def test_without_a_front_end_the_picture_stands_alone(search, watched, tmp_path, monkeypatch):
    front.code.cache_clear()
    front.loader.cache_clear()
    monkeypatch.setattr(front, "_BUILT", tmp_path)
    assert set(search._repr_mimebundle_()) == {"text/plain", "text/html"}
    Feed.of(search).close()


@pytest.mark.parametrize("missing", ["anywidget", "ipywidgets", "bqplot"])
def test_without_the_widget_packages_the_picture_stands_alone(missing):
    code = SEARCH + (
        f"import sys\nsys.modules[{missing!r}] = None\nimport emb_opt_widgets.live.display\n"
        "import importlib.util as u\n"
        "try:\n    from emb_opt_widgets.widgets import showing\n    showing.headless = lambda: False\n"
        "except ImportError:\n    pass\n"
        "print(sorted(search._repr_mimebundle_()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['text/html', 'text/plain']"


def test_a_program_that_leaves_widgets_open_ends(built):
    code = SEARCH + (
        "from pathlib import Path\nimport emb_opt_widgets.widgets.front as front\n"
        f"front._BUILT = Path({str(built)!r})\n"
        "search.run(progress=False)\ndashboard = eow.widgets.Dashboard(search)\nprint('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "done"


def test_who_shows_searches_can_be_chosen(search, monkeypatch):
    monkeypatch.setattr(display, "_front", None)
    assert set(search._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert not display.show(search)
    display.show_with(lambda given: {"text/plain": given.name}, lambda given: False)
    assert search._repr_mimebundle_() == {"text/plain": "search"}
    with pytest.raises(NotImplementedError):
        search._ipython_display_()


# -- executed by a program -----------------------------------------------------------------------------------


def execute(*cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    return notebook


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_executed_by_a_program_it_costs_nothing_and_leaves_the_last_picture():
    notebook = execute(
        SEARCH + "import time\nslow = search.controller\n",
        "search.start()\nsearch",
        "search.wait(); time.sleep(1)",
        "import sys\nprint([name for name in ('ipywidgets', 'bqplot') if name in sys.modules])",
    )
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert "finished" in output.data["text/plain"] and "40 of 40 scored" in output.data["text/plain"]
    assert "<b>40</b> of 40 calls" in output.data["text/html"]
    assert "&lt;b&gt;sums" in output.data["text/html"] and "<b>sums" not in output.data["text/html"]
    assert "widgets" not in notebook.metadata
    assert notebook.cells[3].outputs[0].text.strip() == "[]"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_voila_shows_the_widget_all_the_same(built):
    notebook = execute(
        SEARCH + f"os.environ['SERVER_SOFTWARE'] = 'voila/0.5'\nfrom pathlib import Path\n"
        f"import emb_opt_widgets.widgets.front as front\nfront._BUILT = Path({str(built)!r})",
        "search",
    )
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {"text/plain", "text/html", OURS, WIDGET}
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert output.data[WIDGET]["model_id"] in state
    assert json.dumps(output.data[OURS]) == "{}"


def test_a_picture_does_not_keep_a_search_alive(library):
    import gc
    import weakref

    from emb_opt_widgets.widgets.picture import Picture

    search = eow.Search(library, lambda items: items.embeddings[:, 0], budget=20)
    picture, gone = Picture(search.controller), weakref.ref(search.controller)
    search.run(progress=False)
    del search
    gc.collect()
    assert gone() is None
    picture.redraw()
