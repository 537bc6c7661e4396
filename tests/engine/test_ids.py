"""Ids and rows against a plain list."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emb_opt_widgets.engine.arrays import first_places
from emb_opt_widgets.engine.ids import IdTable
from emb_opt_widgets.engine.items import as_ids

SMALL = st.integers(0, 60)
ANY = SMALL | st.integers(-5, 2**40) | st.text(max_size=3)


@given(batches=st.lists(st.lists(SMALL, max_size=12), max_size=5) | st.lists(st.lists(ANY, max_size=12), max_size=5))
def test_rows_are_places_of_first_appearance(batches: list[list[int | str]]) -> None:
    table, plain = IdTable(), list[int | str]()
    for batch in batches:
        ids = as_ids(batch)
        before = len(plain)
        plain += [i for i in dict.fromkeys(batch) if i not in plain]
        rows, new = table.number(ids)
        assert rows.tolist() == [plain.index(i) for i in batch]
        assert new.tolist() == plain[before:] and len(table) == before
        table.add(new)
        assert table.take(np.arange(len(table))).tolist() == plain
        assert table.rows(ids).tolist() == [plain.index(i) for i in batch]
    for item_id in (*plain, 61, -7, "zz9", 2**41):
        assert table.row(item_id) == (plain.index(item_id) if item_id in plain else None)
    strangers = [i for i in (61, -7, 2**41) if i not in plain]
    assert table.rows(as_ids(strangers)).tolist() == [-1] * len(strangers)


@given(values=st.lists(st.integers(0, 20), max_size=40))
def test_first_places_are_where_a_list_finds_them(values: list[int]) -> None:
    places = first_places(np.array(values, np.int64), 21)
    assert all(places[v] == values.index(v) for v in values)
