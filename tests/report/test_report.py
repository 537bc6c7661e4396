"""A report is whole, inert and offline, whatever stands in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.report import search_summary, write_report
from emb_opt_widgets.report.html import results_table
from emb_opt_widgets.report.text import number, plain, safe

HOSTILE = [
    "<script>alert(1)</script>",
    "a\x00b",
    "\u202egnp.exe",
    "x" * 10_000_000,
    '"><img src=x onerror=alert(1)>',
    "\ud800 lone",
    "</style></svg><iframe src=//example.com>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    "'; DROP TABLE",
]
INERT = {
    "html", "head", "meta", "title", "style", "body", "main", "div", "span", "b", "i", "h1", "h2", "section", "table",
    "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "p", "svg", "path", "circle", "text",
}  # fmt: skip


class Page(HTMLParser):
    """What a page holds: tags, attributes, text, and whether tags close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta",):
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.words.append(data)


def assert_inert(page: str) -> Page:
    parsed = Page(page)
    assert set(parsed.tags) - INERT - {"title"} == set()
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on")
        assert name not in ("href", "src", "srcset", "action", "data", "xlink:href", "formaction", "ping", "background")
        assert "url(" not in value and "@import" not in value, (tag, name)
    style = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert all("url(" not in one and "@import" not in one and "http" not in one for one in style)
    assert re.search(r"https?://(?!www\.w3\.org/2000/svg)", page) is None
    assert re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e\u2066-\u2069]", page) is None
    page.encode("utf-8")
    return parsed


def hostile_search(n=200, **more):
    x = np.random.default_rng(0).standard_normal((n, 4)).astype(np.float32)
    items = [HOSTILE[i % len(HOSTILE)] for i in range(n)]
    ids = [f"{i} {HOSTILE[i % 3]}" for i in range(n)]
    source = eow.sources.ArraySource(x, ids=ids, items=items, data={"<b>": items})
    return eow.Search(source, lambda b: b.embeddings.sum(1), update=eow.RLUpdate([0.1, 0.3]), name=HOSTILE[0], **more)


@pytest.fixture
def steered(library, score):
    search = eow.Search(
        library, score, k=8, budget=300, update=eow.RLUpdate([0.1, 0.4]), prune=eow.TopKPrune(2), name="steered"
    )
    search.run(3, progress=False)
    made = search.branch(0, note="<script>because</script>")
    search.run(2, progress=False)
    search.prune_node(made[0], note="enough")
    search.undo()
    search.set(budget=310)
    search.run(2, progress=False)
    return search


def test_a_report_is_whole(steered, tmp_path):
    path = write_report(steered, tmp_path / "a.html")
    page = path.read_text(encoding="utf-8")
    words = " ".join(assert_inert(page).words)
    assert path == tmp_path / "a.html"
    assert page.startswith("<!doctype html>")
    assert "Content-Security-Policy" in page and "default-src 'none'" in page
    assert "prefers-color-scheme:dark" in page
    assert page.count("<svg") == 3
    for text in ("steered", f"{steered.n_scored:,}", str(steered.best.id), "<script>because</script>", "budget = 310"):
        assert text in words, text
    for what in ("branch", "prune", "undo", "set"):
        assert f"<td>{what}</td>" in page
    assert 'class="mark"' in page and 'class="route"' in page


def test_top_table_is_best_first_and_says_who_found_it(steered, tmp_path):
    page = write_report(steered, tmp_path / "a.html").read_text(encoding="utf-8")
    body = re.search(r"<h2>Items.*?<tbody>(.*?)</tbody>", page, re.S).group(1)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)]
    results = steered.results(n=50)
    assert [row[2] for row in rows] == [str(i) for i in results.ids]
    assert [float(row[1]) for row in rows] == pytest.approx(results.scores, rel=1e-5)
    calls = [int(row[4].replace(",", "")) for row in rows]
    assert len(set(calls)) == len(calls) and min(calls) >= 1 and max(calls) <= steered.n_scored
    for row in rows:
        node = int(row[3].rsplit(" ", 1)[1])
        assert row[3].startswith(steered.tree.operator[node])


def test_hostile_text_stays_text(tmp_path):
    search = hostile_search(budget=150)
    search.run(4, progress=False)
    search.branch(item=search.best.id, note="".join(HOSTILE[i] for i in (0, 1, 2, 4, 5, 6)))
    page = write_report(search, tmp_path / "a.html").read_text(encoding="utf-8")
    assert_inert(page)
    assert len(page) < 400_000
    assert_inert(search_summary(search))
    table = results_table(search.results(n=10).columns(), total=20)
    assert_inert(table)
    assert len(table) < 60_000


def test_every_state_has_a_report(library, score, tmp_path):
    fresh = eow.Search(library, score)
    none = eow.Search(library, lambda b: [None] * len(b))
    none.run(2, progress=False)
    flat = eow.Search(library, lambda b: np.ones(len(b)), direction="minimize", budget=1)
    flat.run(progress=False)
    huge = eow.Search(library, lambda b: np.where(b.ids % 2, 1e150, -1e150))
    huge.run(2, progress=False)
    for search in (fresh, none, flat, huge):
        page = write_report(search, tmp_path / "a.html").read_text(encoding="utf-8")
        assert_inert(page)
        assert re.search(r"[\s\"](nan|inf)[\s\"<]", page, re.I) is None
        assert_inert(search_summary(search))
        assert_inert(results_table(search.results().head().columns(), total=20))


def test_a_large_tree_stays_small(library, score, tmp_path):
    search = eow.Search(library, score, queries=40, k=4, update=eow.RLUpdate([0.1, 0.4]), prune=eow.TopKPrune(3))
    search.run(40, progress=False)
    assert len(search.tree) > 5_000
    page = write_report(search, tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<circle") <= 2_600
    assert len(page) < 700_000


def test_a_folder_that_is_not_there(library, score, tmp_path):
    with pytest.raises(eow.FileError, match="folder"):
        eow.Search(library, score).to_html(tmp_path / "no" / "a.html")


def test_results_table_counts_what_it_leaves_out():
    columns = {"id": np.arange(10), "score": np.linspace(1, 0, 10), **{f"c{i}": ["v"] * 10 for i in range(9)}}
    table = results_table(columns, total=30)
    assert "30 items" in table and "20 more rows" in table and "3 more columns" in table
    assert table.count("<tr>") == 11


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1, "1"), (1234567, "1,234,567"), (0.123456789, "0.123457"), (float("nan"), "—"), (None, "—"),
     (float("inf"), "∞"), (-float("inf"), "-∞"), (2.0, "2"), (1e300, "1e+300")],
)  # fmt: skip
def test_number(value, shown):
    assert number(value) == shown


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_text_is_one_short_line_without_what_hides():
    assert plain("a\n b\tc") == "a b c"
    assert plain("x" * 10**7, 5) == "xxxxx…"
    assert plain("\u202ea\x00\ud800") == "\ufffda\ufffd\ufffd"
    assert plain(Broken()) == "<Broken>"
    assert safe("<a href='x'>") == "&lt;a href=&#x27;x&#x27;&gt;"
