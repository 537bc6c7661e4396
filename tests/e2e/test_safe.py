"""Whatever items, names, notes and errors hold: it reaches the page as text, and runs nothing."""

from __future__ import annotations

import csv

from tests.e2e.browser import eventually
from tests.e2e.dashboard import Dashboard

HOSTILE = r"""
import numpy as np, emb_opt_widgets as eow
texts = [
    "<script>window.pwned = 1</script>", "<img src=x onerror='window.pwned = 2'>",
    "<svg onload='window.pwned = 3'></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><script>window.pwned = 4</script>"
    "<image href='http://stranger.test/a.png'/></svg>",
    "javascript:window.pwned=5", "<a href='javascript:window.pwned=6'>x</a>", "http://stranger.test/track.png",
    "<button data-commandlinker-command='filebrowser:delete' data-commandlinker-args='{}'>x</button>",
    "\u202egnp.exe \u2066hidden\u2069", "nul\0nul", "lone \ud800 surrogate", "A" * 10_000_000,
    "=HYPERLINK(\"http://stranger.test\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "'><script>window.pwned = 7</script>",
    "<iframe srcdoc='<script>parent.pwned = 8</script>'>", "<style>*{display:none}</style>",
    "data:image/svg+xml,<svg onload='window.pwned=9'/>", "<link rel=stylesheet href=http://stranger.test/a.css>",
    "${7*7} {{7*7}} <%= 7*7 %>", "<math><mtext><img src=x onerror=window.pwned=10></mtext></math>",
] * 4
texts = [text if len(text) > 1e6 else f"{text}" for text in texts]
ids = [f"{i} {text[:200].encode('utf-8', 'replace').decode()}" for i, text in enumerate(texts)]
vectors = np.random.default_rng(0).standard_normal((len(texts), 3)).astype("f4")
source = eow.sources.ArraySource(vectors, ids=ids, items=texts, data={"<b>column</b>": texts})
def score(items):
    return [None if i.endswith("3") else float(x[0]) for i, x in zip(items.ids, items.embeddings)]
search = eow.Search(source, score, budget=80, name="<img src=x onerror='window.pwned = 11'>" + "\u202e")
search.run(rounds=3, progress=False)
search.branch(0, note="<script>window.pwned = 12</script>")
def broken(items):
    raise ValueError("<img src=x onerror='window.pwned = 13'>")
"""
STRANGE = (
    ".eow-dashboard :is(script, iframe, object, embed, link, base, form[action], [onerror], [onload], [onclick],"
    " [data-commandlinker-command], [href^='javascript'], img[src]:not([src^='data:'], [src^='blob:']), image)"
)


def is_number(cell):
    try:
        return bool(float(cell)) or True
    except ValueError:
        return False


def strange(page):
    """Elements that no text may become."""
    return page.locator(STRANGE).evaluate_all("all => all.map(one => one.outerHTML.slice(0, 200))")


def test_a_hostile_corpus_runs_nothing(notebook):
    opened = notebook(HOSTILE, "search")
    opened.run(0)
    opened.run(1)
    dashboard = Dashboard(opened, 1).shown()
    page = opened.page
    for tab in ("Items", "Map", "Operators", "Events"):
        dashboard.box.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(400)
        assert strange(page) == [], tab
    dashboard.click_a_node()
    page.wait_for_timeout(400)
    dashboard.press("Settings")
    page.keyboard.press("Escape")
    assert strange(page) == []
    assert page.evaluate("() => window.pwned") is None
    assert "<img" in dashboard.box.locator(".eow-name").first.inner_text()


def test_an_error_is_text(notebook):
    opened = notebook(
        HOSTILE + "search = eow.Search(source, broken, budget=20, on_error='raise')", "search",
    )  # fmt: skip
    opened.run(0)
    opened.run(1)
    dashboard = Dashboard(opened, 1).shown()
    dashboard.press("Start")
    dashboard.until_status("failed")
    assert "<img src=x" in dashboard.box.inner_text()
    assert strange(opened.page) == []
    assert opened.page.evaluate("() => window.pwned") is None


def test_a_still_picture_of_it_runs_nothing(notebook):
    opened = notebook(HOSTILE, "search")
    opened.run(0)
    opened.run(1)
    Dashboard(opened, 1).shown()
    saved = opened.save()
    assert any("text/html" in output["data"] for output in saved["cells"][1]["outputs"])
    opened.shut_down()
    opened.page.reload()
    output = opened.output(1)
    eventually(lambda: output.count() and output.first.inner_html())
    opened.page.wait_for_timeout(1000)
    assert opened.page.evaluate("() => window.pwned") is None
    frames = [frame.evaluate("() => window.pwned") for frame in opened.page.frames if frame != opened.page.main_frame]
    assert set(frames) <= {None}


def test_an_exported_table_holds_no_formulas(notebook):
    opened = notebook(HOSTILE, "search")
    opened.run(0)
    opened.run(1)
    dashboard = Dashboard(opened, 1).shown()
    dashboard.press("Export")
    with opened.page.expect_download() as download:
        opened.page.get_by_role("menuitem", name="Items as CSV").click()
    csv.field_size_limit(2**31 - 1)
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert len(cells) >= 60
    formulas = [cell[:40] for cell in cells if cell.startswith(("=", "@", "+", "-", "\t", "\r"))]
    assert [cell for cell in formulas if not is_number(cell)] == []
