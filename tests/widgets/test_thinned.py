"""A long series as a short table, against slow loops over the series."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.widgets import thinned
from emb_opt_widgets.widgets.thinned import MOST, Reduced, Thinned

HOW = {
    "last": Reduced("at", "last", "i4"), "mean": Reduced("value", "mean"), "least": Reduced("value", "least"),
    "most": Reduced("value", "most"), "total": Reduced("flag", "total", "i4"),
}  # fmt: skip


class Series:
    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.at, self.flag = np.arange(1, n + 1), rng.random(n) < 0.3
        self.value = np.where(rng.random(n) < 0.2, np.nan, rng.standard_normal(n))
        self.longest = 0

    def read(self, start: int, stop: int) -> dict[str, np.ndarray]:
        self.longest = max(self.longest, stop - start)
        return {name: getattr(self, name)[start:stop] for name in ("at", "value", "flag")}


def rows_of(made: Thinned) -> list[tuple[float, ...]]:
    names = ("many", "last", "mean", "least", "most", "total")
    columns = [np.asarray(made.table[name]).tolist() for name in names]
    return [row for row in zip(*columns) if row[0]]


def expected(series: Series, count: int, width: int) -> list[tuple[float, ...]]:
    out = []
    for start in range(0, count, width):
        stop = min(start + width, count)
        known = [v for v in series.value[start:stop].tolist() if not math.isnan(v)]
        mean = sum(known) / len(known) if known else math.nan
        ends = (min(known), max(known)) if known else (math.nan, math.nan)
        out.append((stop - start, stop, mean, *ends, int(series.flag[start:stop].sum())))
    return out


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=12))
def test_it_is_what_a_loop_says_however_it_grew(parts: list[int]) -> None:
    series, made, count = Series(sum(parts)), Thinned(HOW), 0
    for part in parts:
        count += part
        made.grow(count, series.read)
        assert made.width == 1 or -(-count // (made.width // 2)) > MOST
        np.testing.assert_allclose(
            rows_of(made), expected(series, count, made.width) or np.empty((0,)), rtol=1e-12, atol=1e-12
        )
    assert len(made.table) <= MOST


def test_a_million_values_stay_few_and_are_read_in_pieces() -> None:
    series, made = Series(1_000_000), Thinned(HOW)
    made.grow(1_000_000, series.read)
    assert made.width == 1024 and len(rows_of(made)) == 977 and series.longest <= 1 << 16
    np.testing.assert_allclose(rows_of(made), expected(series, 1_000_000, 1024), rtol=1e-9)
    before, series.longest = made.table.clock, 0
    made.grow(1_000_000, series.read)
    assert made.table.clock == before and series.longest == 0


def test_what_is_left_over_becomes_empty_after_all_was_written_anew() -> None:
    series, made = Series(MOST + 1), Thinned(HOW)
    made.grow(MOST, series.read)
    before = made.table.clock
    made.grow(MOST + 1, series.read)
    part = made.table.part(before, 1 << 30)
    assert part.rows.tolist() == list(range(MOST))
    many = np.asarray(made.table["many"]).tolist()
    assert many == [2] * (MOST // 2) + [1] + [0] * (MOST // 2 - 1)
    assert thinned.MOST == 1_024
