"""The table of items is sorted by what only the kernel knows of all of them: ids and texts."""

from __future__ import annotations

import numpy as np
import pytest

import emb_opt_widgets as eow
from tests.conftest import smooth
from tests.e2e.solo import Solo


@pytest.fixture
def solo(context):
    library = np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32)
    names = [f"item {(i * 37) % 400:03d}" for i in range(400)]
    source = eow.sources.ArraySource(library, items=names)
    search = eow.Search(source, smooth, update=eow.RLUpdate([0.3]), k=12, queries=5)
    search.run(rounds=4, progress=False)
    made = Solo(context, search)
    made.run(10)
    yield made
    assert made.errors == []


def words_of(search, name):
    """Ids or texts of the scored items, in order."""
    ids = search.controller.state.ids.take(np.flatnonzero(search.controller.state.items["call"] >= 0)).tolist()
    return sorted(ids) if name == "id" else sorted(f"item {(i * 37) % 400:03d}" for i in ids)


def settle(solo):
    """Let questions be asked and answered."""
    for _ in range(8):
        solo.run(1)


def column(solo, name):
    """What stands in a column, from the top."""
    heads = solo.page.locator("[role=columnheader]").all_inner_texts()
    place = next(i for i, head in enumerate(heads) if head.strip().startswith(name))
    rows = solo.page.locator(".eow-grid .eow-space [role=row]:visible")
    seen = rows.evaluate_all(
        "(rows, place) => rows.map(row => [+row.dataset.at, row.children[place].innerText.trim()])", place
    )
    return [text for _, text in sorted(seen)]


@pytest.mark.parametrize("name", ["id", "item"])
def test_items_are_sorted_by_id_and_by_text(solo, name):
    search = solo.search
    words = words_of(search, name)
    assert len(words) > 60
    head = solo.page.get_by_role("columnheader", name=name, exact=True).get_by_role("button")
    for wanted, order in ((words, "ascending"), (words[::-1], "descending")):
        head.click()
        settle(solo)
        shown = column(solo, name)
        assert shown == [str(word) for word in wanted[: len(shown)]] and len(shown) > 5
        assert solo.page.locator(f"[aria-sort={order}]").inner_text().startswith(name)
    before = len(words)
    search.run(rounds=1, progress=False)
    settle(solo)
    words = words_of(search, name)
    assert len(words) > before
    shown = column(solo, name)
    assert shown == [str(word) for word in words[::-1][: len(shown)]]
