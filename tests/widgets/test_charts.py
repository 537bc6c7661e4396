"""Histogram and curve: what they draw, when, and what a brush selects."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets import widgets
from emb_opt_widgets.widgets.feed import Feed

from ..report.test_scale import EXTREME

pytestmark = pytest.mark.usefixtures("built")


class Page:
    """A page that looks: without one the charts draw nothing."""

    def __init__(self, search, monkeypatch):
        self.feed = Feed.of(search)
        monkeypatch.setattr(Feed, "live", property(lambda feed: True))

    def beat(self):
        self.feed._beat()


@pytest.fixture
def page(search, monkeypatch):
    yield Page(search, monkeypatch)
    Feed.of(search).close()


def scored(search):
    items = search.controller.state.items
    return items["score"][np.isfinite(items["score"])], items["node"][np.isfinite(items["score"])]


def bars(mark):
    """Heights of the bars."""
    return mark.y[1::4]


def test_the_histogram_counts_all_scores_and_the_selected(search, page):
    search.run(rounds=4, progress=False)
    chart = widgets.ScoreHistogram(search)
    page.beat()
    scores, nodes = scored(search)
    assert bars(chart._all).sum() == len(scores) == search.n_scored
    assert bars(chart._chosen).sum() == 0
    chart.selection = [1, 2]
    assert bars(chart._chosen).sum() == np.isin(nodes, [1, 2]).sum() > 0
    assert (bars(chart._chosen) <= bars(chart._all)).all()
    low, width = chart._x.min, (chart._x.max - chart._x.min) / len(bars(chart._all))
    assert [axis.visible for axis in chart._axes] == [True, True]
    edges = low + width * np.arange(len(bars(chart._all)))
    slow = [((scores >= edge) & (scores < edge + width)).sum() for edge in edges]
    assert abs(bars(chart._all) - slow).sum() <= 2
    chart.close()


def test_nothing_is_drawn_while_no_page_looks(search):
    chart = widgets.ScoreHistogram(search)
    search.run(rounds=3, progress=False)
    Feed.of(search)._beat()
    chart.selection = [0]
    assert chart._all.y.tolist() == [0]
    assert [axis.visible for axis in chart._axes] == [False, False]
    chart.close()


def test_counts_may_be_drawn_logarithmically(search, page):
    search.run(rounds=4, progress=False)
    chart = widgets.ScoreHistogram(search)
    page.beat()
    counts = chart._all.y.copy()
    chart._head.scale = "log"
    assert chart.scale == "log"
    np.testing.assert_allclose(chart._all.y, np.log10(1 + counts), rtol=1e-6)
    labels = chart._axes[1].tick_labels
    assert set(labels.values()) <= {"1", "10", "100", "1,000"} and "1" in labels.values()
    assert chart._y.max >= chart._all.y.max()
    chart.scale = "linear"
    assert chart._head.scale == "linear"
    np.testing.assert_array_equal(chart._all.y, counts)
    chart.close()


def test_a_brush_selects_the_nodes_that_found_what_is_in_it(search, page):
    search.run(rounds=4, progress=False)
    chart, other = widgets.ScoreHistogram(search), widgets.QueryTreeView(search)
    page.beat()
    scores, nodes = scored(search)
    low, high = np.sort(scores)[[-8, -2]]
    chart._brush.brushing = True
    chart._brush.selected = np.array([high, low])
    assert chart.selection == []
    chart._brush.brushing = False
    wanted = sorted(set(nodes[(scores >= low) & (scores <= high)].tolist()) - {-1})
    assert chart.selection == other.selection == wanted != []
    assert chart._brush.selected is not None
    other.selection = [0]
    assert chart._brush.selected is None
    chart.close()
    other.close()


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_curve_ends_at_the_best(library, direction, monkeypatch):
    search = eow.Search(library, lambda items: items.embeddings[:, 0], direction=direction, budget=60)
    page = Page(search, monkeypatch)
    chart = widgets.ScoreTrace(search)
    page.beat()
    search.run(progress=False)
    page.beat()
    assert (chart._best.x[-1], chart._best.y[-1]) == (60, np.float32(search.best.score))
    steps = np.diff(chart._best.y)
    assert (steps >= 0).all() if direction == "maximize" else (steps <= 0).all()
    assert len(chart._means.x) == search.n_rounds
    assert chart._y.min < min(chart._best.y.min(), chart._means.y.min())
    chart.close()


def test_scores_that_failed_are_left_out(library, monkeypatch):
    def score(items):
        return np.where(items.ids % 3 == 0, np.nan, items.embeddings[:, 0])

    search = eow.Search(library, score, budget=90)
    page = Page(search, monkeypatch)
    both = widgets.ScoreHistogram(search), widgets.ScoreTrace(search)
    search.run(progress=False)
    page.beat()
    fine = len(search.results())
    assert bars(both[0]._all).sum() == fine < search.n_scored == 90
    assert np.isfinite(both[1]._best.y).all() and both[1]._best.x[-1] == 90
    for chart in both:
        chart.close()


@pytest.mark.parametrize("kind", EXTREME)
def test_scores_of_any_size_are_drawn(kind, library, monkeypatch):
    values = EXTREME[kind]
    search = eow.Search(library[:60], lambda items: values[items.ids], k=8, queries=4, update=eow.RLUpdate((0.1,)))
    page = Page(search, monkeypatch)
    search.run(rounds=3, progress=False)
    histogram, trace = widgets.ScoreHistogram(search), widgets.ScoreTrace(search)
    page.beat()
    assert bars(histogram._all).sum() == len(scored(search)[0])
    for chart, lines in ((histogram, [histogram._all]), (trace, [trace._best, trace._means])):
        for scale in (chart._x, chart._y):
            assert np.isfinite([scale.min, scale.max, scale.max - scale.min]).all() and scale.min < scale.max
        assert all(np.isfinite(line.x).all() and np.isfinite(line.y).all() for line in lines)
        assert all(np.isfinite(axis.tick_values).all() and len(axis.tick_values) for axis in chart._axes)
    assert (np.diff(histogram._all.x.reshape(-1, 4)[:, [0, 3]], axis=1) > 0).all()
    assert trace._y.min <= trace._best.y.min() <= trace._best.y.max() <= trace._y.max
    Feed.of(search).close()


def test_commands_are_marked_where_they_were_given(search, page, monkeypatch):
    search.run(rounds=3, progress=False)
    at = search.n_scored
    search.branch(0)
    search.prune_node(1)
    chart = widgets.ScoreTrace(search)
    watch = page.feed._live.watch(lambda: None)
    watch.fold()
    monkeypatch.setattr(Feed, "tables", property(lambda feed: watch.tables))
    page.beat()
    assert chart._marks.x.tolist() == [[at, at], [at, at]]
    assert chart._marks.y.tolist() == [[np.float32(chart._y.min), np.float32(chart._y.max)]] * 2
    watch.close()
    chart.close()


def test_words_that_would_overlap_are_left_out():
    from emb_opt_widgets.widgets.score_trace import _readable

    marks = [(10, "branch"), (12, "undo"), (40, "prune"), (99, "set")]
    assert _readable(marks, 100.0) == [(10, "branch"), (40, "prune")]


def test_an_update_is_one_message_a_widget_and_only_what_is_new(search, page, monkeypatch):
    search.run(rounds=3, progress=False)
    chart = widgets.ScoreHistogram(search)
    page.beat()
    sent = []
    monkeypatch.setattr(ipywidgets.Widget, "_send", lambda widget, message, buffers=None: sent.append(id(widget)))
    page.beat()
    assert sent == []
    search.run(rounds=1, progress=False)
    page.beat()
    assert id(chart._all) in sent
    assert len(sent) == len(set(sent))
    chart.close()


def test_arrays_are_small_and_of_32_bits(search, page):
    search.run(rounds=4, progress=False)
    charts = widgets.ScoreHistogram(search), widgets.ScoreTrace(search)
    page.beat()
    for mark in (charts[0]._all, charts[0]._chosen, charts[1]._best, charts[1]._means):
        assert mark.x.dtype == mark.y.dtype == np.float32
        assert mark.x.nbytes <= 8 * 1001
    for chart in charts:
        chart.close()


def test_a_view_that_comes_later_shows_the_same(search, page):
    early = widgets.ScoreHistogram(search)
    for _ in range(4):
        search.run(rounds=1, progress=False)
        page.beat()
    late = widgets.ScoreHistogram(search)
    page.beat()
    for name in ("_all", "_chosen"):
        np.testing.assert_array_equal(getattr(early, name).x, getattr(late, name).x)
        np.testing.assert_array_equal(getattr(early, name).y, getattr(late, name).y)
    assert (early._x.min, early._x.max) == (late._x.min, late._x.max)
    early.close()
    late.close()


def test_no_scores_draw_nothing(search, page):
    charts = widgets.ScoreHistogram(search), widgets.ScoreTrace(search)
    page.beat()
    assert charts[0]._all.y.tolist() == charts[1]._best.y.tolist() == [0]
    for chart in charts:
        chart.close()
