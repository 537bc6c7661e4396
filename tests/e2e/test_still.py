"""A notebook without its kernel, or of a stranger: a still picture instead of a widget that never comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.browser import Notebook, Tab, eventually
from tests.e2e.dashboard import SLOW, Dashboard


@pytest.fixture
def saved(notebook):
    """A notebook saved after its search was done, its kernel ended."""
    opened = notebook(SLOW(pause=0.0, budget=60), "search", "search.run(progress=False); time.sleep(1.5)")
    opened.run(0)
    opened.run(1)
    Dashboard(opened, 1).shown()
    opened.run(2)
    Dashboard(opened, 1).until_status("finished")
    content: dict[str, Any] = {}

    def last() -> bool:
        content.update(opened.save())
        return "finished" in text_of(content)

    eventually(last, what="the last picture in the notebook")
    opened.shut_down()
    return opened, content


def text_of(content):
    """The text beside the picture."""
    (output,) = content["cells"][1]["outputs"]
    return "".join(output["data"]["text/plain"])


def still(tab: Tab) -> str:
    """The text of the still picture: the frame it stands in, or the cell's output."""
    inside = [frame for frame in tab.page.frames if frame != tab.page.main_frame]
    texts = [frame.locator("body").inner_text() for frame in inside]
    texts += tab.page.locator(".jp-OutputArea-output").all_inner_texts()
    return " ".join(" ".join(texts).split())


def test_the_saved_picture_is_of_the_end(saved):
    _, content = saved
    (output,) = content["cells"][1]["outputs"]
    assert "".join(output["data"]["text/plain"]).startswith("Search 'live': finished")
    assert "<b>60</b> of 60 calls" in "".join(output["data"]["text/html"])


def test_without_its_kernel_a_picture_is_shown(saved):
    opened, _ = saved
    opened.page.reload()
    opened.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0")
    eventually(lambda: "60 of 60 calls" in still(opened.tab))
    assert "Loading widget" not in opened.page.locator(".jp-Notebook").inner_text()


def test_of_a_stranger_a_picture_is_shown(saved, lab, tab):
    opened, content = saved
    content["cells"][0]["source"] = "1"
    stranger = lab.root / f"stranger-{opened.path}"
    stranger.write_text(json.dumps(content), encoding="utf-8")
    other = Notebook(tab, lab, stranger.name).open()
    assert not tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.cells.get(1).trusted")
    eventually(lambda: "60 of 60 calls" in still(tab))
    assert "Loading widget" not in tab.page.locator(".jp-Notebook").inner_text()
    other.shut_down()
