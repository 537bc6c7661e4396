"""Tables: whoever asks for what changed gets present values, oldest change first, and all of it in the end."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.widgets import tables
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.wire import delta

from .mirror import Mirror, same

COLUMNS = {"a": "i4", "b": "f8", "c": "f4", "d": "u1", "e": "json"}


def filled(n: int) -> Table:
    table = Table({"a": "i4", "b": "f8", "x": "f4"})
    table.append(n, a=np.arange(n), b=np.arange(n) / 2, x=0)
    return table


def send(mirror: Mirror, table: Table, base: int, max_bytes: int) -> int:
    part = table.part(base, max_bytes)
    mirror.apply(*delta(1, "e", None, None, {"t": part}))
    return part.to


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 30)),
        st.tuples(st.just("change"), st.lists(st.integers(0, 10**6), min_size=1, max_size=40)),
        st.tuples(st.just("part"), st.integers(1, 3000)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, least=st.sampled_from([2, 1024]))
def test_parts_bring_a_copy_up_to_date_whatever_happens_between_them(steps: list[tuple[str, Any]], least: int) -> None:
    with patch.object(tables, "_LEAST_LOG", least):
        follow(steps)


def follow(steps: list[tuple[str, Any]]) -> None:
    table, mirror, slow, at = Table(COLUMNS), Mirror(), [], 0
    for number, (what, how) in enumerate(steps):
        if what == "append":
            values = [{"a": number, "b": i / 3, "c": float(i), "d": i % 7, "e": f"{number}-{i}"} for i in range(how)]
            table.append(how, **{name: [row[name] for row in values] for name in COLUMNS})
            slow += values
        elif what == "change" and slow:
            rows = [row % len(slow) for row in how]
            table.change(rows, a=[number + row for row in range(len(rows))], e=[str(row) for row in rows])
            for place, row in enumerate(rows):
                slow[row].update(a=number + place, e=str(row))
        elif what == "part" and table.behind(at):
            before = at
            at = send(mirror, table, at, how)
            assert before < at <= table.clock
    while table.behind(at):
        at = send(mirror, table, at, 500)
    assert len(table) == len(slow)
    assert same(mirror, "t", table)
    for row, values in enumerate(slow):
        assert mirror.tables["t"][row] == {**values, "c": float(np.float32(values["c"]))}


def test_a_part_keeps_to_its_size_and_carries_at_least_one_row() -> None:
    table = Table({"a": "f8", "text": "json"})
    table.append(100, a=0.0, text=["x" * 1_000] * 100)
    part = table.part(0, 10_000)
    assert 5 <= len(part.rows) <= 10 and part.nbytes <= 10_000
    assert len(table.part(0, 1).rows) == 1
    assert part.to == len(part.rows) and (part.clock, part.length) == (100, 100)


def test_rows_come_oldest_change_first_and_each_once() -> None:
    table = filled(5)
    table.change([1, 3], a=[10, 30])
    table.change([1], a=[11])
    part = table.part(0, 10**6)
    assert part.rows.tolist() == [0, 2, 4, 3, 1] and part.to == 8
    assert np.asarray(part.columns["a"][1]).tolist() == [0, 2, 4, 30, 11]
    assert table.part(7, 10**6).rows.tolist() == [1]
    assert table.part(5, 10**6).rows.tolist() == [3, 1]


def test_a_row_that_changes_again_and_again_costs_no_memory() -> None:
    table = filled(1_000)
    before = table.nbytes
    for i in range(20_000):
        table.change([i % 1_000], a=[i])
    assert table.nbytes <= 3 * before
    mirror = Mirror()
    at = 0
    while table.behind(at):
        at = send(mirror, table, at, 4_000)
    assert same(mirror, "t", table)


def best_of(n: int, work: Any) -> float:
    out = []
    for _ in range(n):
        began = time.thread_time()
        work()
        out.append(time.thread_time() - began)
    return min(out)


def test_a_hundred_thousand_rows_are_appended_in_20_ms() -> None:
    values = np.arange(100_000)
    columns = {"parent": "i4", "round": "i4", "status": "u1", "mean": "f8", "max": "f8", "x": "f4", "y": "f4"}
    assert best_of(5, lambda: Table(columns).append(100_000, **dict.fromkeys(columns, values % 100))) < 0.02


def test_a_part_of_a_million_rows_with_few_changes_takes_3_ms() -> None:
    table = filled(1_000_000)
    base = table.clock
    table.change(np.arange(0, 1_000_000, 100_000), a=1)
    assert len(table.part(base, 256_000).rows) == 10
    assert best_of(5, lambda: table.part(base, 256_000)) < 0.003
    assert best_of(5, lambda: table.part(table.clock - 1, 256_000)) < 0.003
