"""Eight hours and a million events, as fast as a browser can draw them: what they leave on a page.

The page runs the bundles that are shipped, over the real channel; only its model and its time are made up. It is
weighed after collections: JavaScript heap with the memory of arrays, DOM nodes, listeners.

*Flat* means two things. While events go on and a search gets no new rows (a million changes of its queries), a page
weighs the same, to the node and the listener. And a search that grows is kept as columns: a page gets heavier by a
fixed number of bytes for each of its rows, and holds no more nodes and listeners for them. The charts are bqplot's,
and are drawn anew in a real notebook. `EOW_E2E_BURSTS=3200` sends some twenty thousand messages, and takes six minutes.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.e2e.dashboard import SLOW, Dashboard
from tests.e2e.solo import Solo, weigh
from tests.widgets.long import big_search, burst, grow

EVENTS = 1_000_000
BURSTS = int(os.environ.get("EOW_E2E_BURSTS", "208"))
SAMPLES = 16
WARM = 200
TABS = ("Map", "Operators", "Events", "Items")


@pytest.fixture
def solo(context):
    """A search of 5,000 queries on a page, all its tabs seen."""
    search = big_search(room=40_000)
    made = Solo(context, search)
    made.run(10)
    for tab in TABS:
        made.page.get_by_role("tab", name=tab).click()
        made.run(5)
    assert made.page.get_by_text("5,000 queries").is_visible()
    yield made
    assert made.errors == []


def live(solo, chance, events, seconds):
    """Let a while pass, as when a person watches: events, and a selection that is made and dropped again."""
    burst(solo.search.controller, chance, events)
    solo.select(chance.integers(0, 5_000, 3).tolist())
    solo.run(seconds)
    solo.select([])


@pytest.mark.timeout(3600)
def test_eight_hours_and_a_million_events_leave_a_page_as_it_was(solo):
    chance, weights = np.random.default_rng(0), []
    for _ in range(WARM):
        live(solo, chance, 100, 3)
    begun, warm = solo.now, solo.messages
    for number in range(BURSTS):
        live(solo, chance, EVENTS // BURSTS, 8 * 3_600 / BURSTS)
        if (number + 1) % (BURSTS // SAMPLES) == 0:
            solo.run(3)
            weights.append(solo.weigh())
    found = np.array(weights)
    print(f"{solo.messages - warm:,} messages; nodes, listeners {found[-1, 1:]}; MB {found[:, 0].round(2)}")
    assert solo.now - begun >= 8 * 3_600 and solo.messages - warm >= BURSTS
    pruned = int((solo.search.controller.state.nodes["status"] == 1).sum())
    assert solo.page.get_by_text(f"{pruned:,} pruned").is_visible()
    assert np.ptp(found[:, 1]) == np.ptp(found[:, 2]) == 0
    assert np.polyfit(np.arange(SAMPLES), found[:, 0], 1)[0] * SAMPLES < 0.25


@pytest.mark.timeout(600)
def test_a_search_that_grows_weighs_a_fixed_number_of_bytes_a_row(solo):
    weights, rows = [], []
    vectors = np.random.default_rng(0).standard_normal((45_000, 8)).astype(np.float32)
    for _ in range(8):
        grow(solo.search, vectors, 5_000)
        solo.run(120)
        rows.append(solo.search.controller.state.n_nodes)
        weights.append(solo.weigh())
    found = np.array(weights)
    print(f"rows {rows}: MB, nodes, listeners {found.round(2).tolist()}")
    assert solo.page.get_by_text("45,000 queries").is_visible()
    a_row = (found[-1, 0] - found[0, 0]) * 1e6 / (rows[-1] - rows[0])
    assert a_row < 300
    assert np.ptp(found[1:, 1]) <= 5 and np.ptp(found[1:, 2]) == 0


REDRAW = """
def redraw(n):
    histogram, trace = dashboard._charts
    for i in range(n):
        histogram.selection, histogram.scale = [i % 7], ("linear", "log")[i % 2]
        trace._best.y = trace._best.y + np.float32(0.001)
        trace._redraw()
        time.sleep(0.02)
"""


def test_charts_that_are_drawn_again_and_again_leave_nothing(notebook, context):
    opened = notebook(SLOW(pause=0.0, budget=300), "dashboard = eow.widgets.Dashboard(search); dashboard", REDRAW)
    opened.run(0)
    opened.execute("search.run(progress=False)")
    opened.run(1)
    Dashboard(opened, 1).shown()
    opened.run(2)
    client = context.new_cdp_session(opened.page)
    client.send("Performance.enable")
    found = []
    for _ in range(3):
        opened.execute("redraw(80)")
        opened.page.wait_for_timeout(500)
        elements = opened.page.locator(".bqplot *").count()
        found.append([*weigh(client), elements])
    print(f"MB, nodes, listeners, elements of charts: {found}")
    assert found[1][3] == found[2][3]
    assert found[2][1] - found[1][1] < 50 and found[2][2] - found[1][2] < 20
    assert found[2][0] - found[1][0] < 0.5
