"""What every widget of a search shares."""

from __future__ import annotations

import gc
import threading
import weakref

import comm
import ipykernel.comm
import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances as models

import emb_opt_widgets as eow
from emb_opt_widgets import widgets
from emb_opt_widgets.errors import InputError, StateError, UnknownNodeError
from emb_opt_widgets.widgets import front
from emb_opt_widgets.widgets.feed import Feed, live_of
from emb_opt_widgets.widgets.parts import parts
from emb_opt_widgets.widgets.publisher import Publisher

KINDS = [getattr(widgets, name) for name in widgets.__all__ if name != "TrainingDashboard"]
BUNDLE = {
    "ControlPanel": "control-panel", "QueryTreeView": "query-tree", "EmbeddingMap": "embedding-map",
    "ResultsTable": "results-table", "EventLog": "event-log",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("built")


@pytest.fixture
def ran(search):
    search.run(rounds=4, progress=False)
    yield search
    Feed.of(search).close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [None, 3, np.zeros((4, 2))])
def test_what_is_no_search_is_refused(kind, given):
    with pytest.raises(
        InputError, match=rf"{kind.__name__} shows a search\. Expected a Search; got \w+\. .*eow\.Search"
    ):
        kind(given)


@pytest.mark.parametrize("kind", KINDS)
def test_it_shows_a_search_before_and_after_it_ran(kind, search):
    before = kind(search)
    search.run(rounds=2, progress=False)
    after = kind(search)
    assert before.search is after.search is search
    assert repr(after).startswith(f"{kind.__name__} of Search 'search': finished")
    before.close()
    after.close()


def code_of(view):
    return ipywidgets.Widget.widgets[view.bundle.removeprefix("IPY_MODEL_")].code


@pytest.mark.parametrize(("name", "bundle"), BUNDLE.items())
def test_it_is_made_of_its_bundle(name, bundle, ran):
    widget = getattr(widgets, name)(ran)
    (inner,) = widget.children
    assert bundle in code_of(inner) and f'"{bundle} ' in inner._esm
    assert inner.get_state()["feed"] == f"IPY_MODEL_{Feed.of(ran).model_id}"
    widget.close()


def test_the_dashboard_is_made_of_all(ran):
    dashboard = widgets.Dashboard(ran)
    code = " ".join(code_of(part) for part in parts(dashboard, Feed.of(ran)) if part.has_trait("bundle"))
    for name in ("control-panel", "query-tree", "details", "chart-head"):
        assert f"'{name}'" in code
    assert [type(part).__name__ for part in parts(dashboard, Feed.of(ran))].count("Figure") == 2
    dashboard.close()


def test_a_bundle_is_one_module_a_page_however_many_widgets_show_it(ran):
    one, other = widgets.ControlPanel(ran), widgets.ControlPanel(ran)
    assert one.children[0]._esm == other.children[0]._esm
    assert len(one.children[0]._esm) < 1_000
    front.loader.cache_clear()
    front.code.cache_clear()
    (front._BUILT / "control-panel.js").write_text("export default { render() { /* newer */ } };")
    newer = widgets.ControlPanel(ran)
    assert one.children[0].bundle == other.children[0].bundle != newer.children[0].bundle
    assert newer.children[0]._esm != one.children[0]._esm
    for widget in (one, other, newer):
        widget.close()


def test_front_end_that_is_not_built_is_said(search, tmp_path, monkeypatch):
    front.code.cache_clear()
    front.loader.cache_clear()
    monkeypatch.setattr(front, "_BUILT", tmp_path)
    with pytest.raises(StateError, match="not built: control-panel.js is missing.*npm run build"):
        widgets.ControlPanel(search)


# -- selection -----------------------------------------------------------------------------------------------


def test_all_widgets_of_a_search_share_selection_and_colour(ran):
    one, other = widgets.Dashboard(ran), widgets.QueryTreeView(ran)
    heard = []
    other.observe(lambda change: heard.append(change["new"]), "selection")
    one.selection = (2, 1, 2)
    one.color_by = "operator"
    assert one.selection == other.selection == Feed.of(ran).selection == [1, 2]
    assert other.color_by == Feed.of(ran).color_by == "operator"
    assert heard == [[1, 2]]
    late = widgets.ScoreTrace(ran)
    assert late.selection == [1, 2] and late.color_by == "operator"
    for widget in (one, other, late):
        widget.close()


@pytest.mark.parametrize("given", [[0], (0,), {0}, np.array([0, 0]), range(1), iter([0])])
def test_any_iterable_of_ids_may_be_assigned(ran, given):
    widget = widgets.ControlPanel(ran)
    widget.selection = given
    assert widget.selection == [0] and type(widget.selection[0]) is int
    widget.close()


def test_a_feed_that_is_collected_by_a_thread_that_starts_waits_for_nobody(ran, monkeypatch):
    """A thread may collect garbage before whoever starts it goes on; what is collected then must find no lock held."""
    by = Publisher()
    feed, garbage = (Feed(live_of(ran), by=by) for _ in range(2))
    feed.hold(by)
    start, stuck = threading.Thread.start, []

    def collecting(thread: threading.Thread) -> None:
        if thread.name == "eow-publisher" and not stuck:
            collector = threading.Thread(target=garbage.close)
            start(collector)
            collector.join(5)
            stuck.append(collector.is_alive())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", collecting)
    feed.release(by)
    assert stuck == [False]


@pytest.mark.parametrize("given", [5, None, "12", b"1"])
def test_what_is_no_list_is_refused(ran, given):
    widget = widgets.ControlPanel(ran)
    widget.selection = [1]
    with pytest.raises(InputError, match="list of node ids"):
        widget.selection = given
    assert widget.selection == Feed.of(ran).selection == [1]
    widget.close()


@pytest.mark.parametrize("given", [[-1], [10**6], [0.5], [True], ["0"], [np.nan]])
def test_nodes_that_are_not_there_are_refused(ran, given):
    widget = widgets.ControlPanel(ran)
    with pytest.raises(UnknownNodeError, match="no such node"):
        widget.selection = given
    assert widget.selection == []
    widget.close()


def test_nodes_that_a_page_invented_are_left_out(ran):
    one, other = widgets.ControlPanel(ran), widgets.EventLog(ran)
    Feed.of(ran).set_state({"selection": [1, 10**6]})
    assert one.selection == other.selection == Feed.of(ran).selection == [1]
    one.close()
    other.close()


# -- ending --------------------------------------------------------------------------------------------------


def test_closing_one_leaves_the_others_alone(ran):
    one, other = widgets.Dashboard(ran), widgets.ScoreHistogram(ran)
    mine = parts(one, Feed.of(ran))
    one.close()
    one.close()
    assert all(part.comm is None for part in mine)
    assert all(part.comm is not None for part in parts(other, Feed.of(ran)))
    other.selection = [1]
    assert Feed.of(ran).selection == [1] and one.selection == []
    assert Feed.of(ran).comm is not None
    other.close()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_of_what_is_closed(kind, ran):
    keeper = widgets.ControlPanel(ran)
    kind(ran).close()
    before, gone = set(models), []
    for _ in range(200 if kind is widgets.Dashboard else 20):
        widget = kind(ran)
        widget._repr_mimebundle_()
        gone += [weakref.ref(part) for part in parts(widget, Feed.of(ran))]
        widget.close()
        del widget
    gc.collect()
    assert set(models) == before
    assert [ref() for ref in gone if ref() is not None] == []
    keeper.close()


def test_every_comm_is_unpinned(ran, monkeypatch):
    monkeypatch.setattr(comm, "create_comm", ipykernel.comm.Comm)
    widget = widgets.Dashboard(ran)
    comms = [part.comm for part in parts(widget, Feed.of(ran))]
    assert len(comms) > 30
    for one in comms:
        one._reply_subshell_id = "pinned"
        assert one._reply_subshell_for({}, "free") == "free"
    widget.close()


def test_parts_leave_out_what_others_share():
    shared, own = ipywidgets.HTML(), ipywidgets.IntSlider()
    box = ipywidgets.VBox([shared, own])
    found = parts(box, without=shared)
    assert found[0] is box and own in found and shared not in found
    assert own.layout in found and shared.layout not in found


def test_they_are_reachable_from_the_top():
    assert eow.widgets.Dashboard is widgets.Dashboard
    assert sorted(widgets.__all__) == dir(widgets)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = widgets.Nothing
