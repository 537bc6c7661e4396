"""Exports: what goes into a Parquet file, a CSV file or a DataFrame comes out again as what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.tables import to_frame, write_csv, write_parquet

from .conftest import smooth


def written(column: Any, folder: Path) -> pa.ChunkedArray:
    write_parquet({"x": column}, folder / "x.parquet")
    return pq.read_table(folder / "x.parquet")["x"]


DAYS = np.array(["2026-11-30T12:00", "NaT"], "datetime64[ns]")


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("form", [lambda c: c, list, lambda c: pd.Series(c).to_numpy()])
def test_dates_are_dates_and_gaps_are_gaps(unit: str, form: Any, tmp_path: Path) -> None:
    found = written(form(DAYS.astype(f"datetime64[{unit}]")), tmp_path)
    assert pa.types.is_temporal(found.type) and found.null_count == 1
    assert pd.Timestamp(found[0].as_py()) == pd.Timestamp(DAYS.astype(f"datetime64[{unit}]")[0])


def test_durations_and_stamps_of_a_zone(tmp_path: Path) -> None:
    assert pa.types.is_duration(written(np.array([1, 2], "timedelta64[h]"), tmp_path).type)
    found = written([pd.NaT, pd.Timestamp("2026-11-30", tz="UTC")], tmp_path)
    assert found.null_count == 1 and found[1].as_py() == pd.Timestamp("2026-11-30", tz="UTC")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([2**64 - 1, 0, None], pa.uint64()),
        ([2**63 - 1, -1], pa.int64()),
        (np.array([2**64 - 1], np.uint64), pa.uint64()),
        ([2**64 - 1, -1], pa.string()),
        ([2**64], pa.string()),
        ([1, "a", None], pa.string()),
        ([2**63, 0.5], pa.string()),
        ([1, pd.NA], pa.int64()),
        ([True, None], pa.bool_()),
        ([0.5, 1], pa.float64()),
        ([None, None], pa.null()),
    ],
)
def test_numbers_keep_their_digits(column: Any, kind: Any, tmp_path: Path) -> None:
    found = written(column, tmp_path)
    wanted = [None if v is None or v is pd.NA else str(v) if kind == pa.string() else v for v in column]
    assert found.type == kind and found.to_pylist() == wanted


@pytest.mark.parametrize(
    "column", [["a\ud800"], [["\udfff"]], [{"\ud800": "\ud801"}], [("\ud800", 1)], [{"a": {1, 2}}]]
)
def test_text_that_no_file_can_hold_is_escaped(column: list[Any], tmp_path: Path) -> None:
    assert len(written(column, tmp_path)) == 1
    write_csv({"\ud800": column}, tmp_path / "x.csv")
    assert "\\ud800" in (tmp_path / "x.csv").read_text("utf-8")
    assert len(to_frame({"\ud800": column})) == 1


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "nowhere/x"])
def test_a_path_that_cannot_be_is_one_clear_error(name: str, tmp_path: Path) -> None:
    library = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    search = eow.Search(library, smooth, k=4, queries=1, update=eow.RLUpdate((0.1,)))
    search.run(rounds=1, progress=False)
    for write in (search.results().to_parquet, search.results().to_csv, search.to_html):
        with pytest.raises(eow.FileError) as error:
            write(tmp_path / name)
        assert (len(str(error.value)) < 700 and "path" in str(error.value)) or "cannot be written" in str(error.value)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=4),
    st.binary(max_size=3),
    st.datetimes(),
    st.timedeltas(),
    st.decimals(),
    st.lists(st.integers() | st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=2) | st.integers(), st.floats(), max_size=2),
    st.sampled_from(
        [pd.NA, pd.NaT, np.datetime64("NaT"), np.datetime64("2026", "Y"), np.float32(1), np.ma.masked, object()]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=st.lists(CELLS, min_size=1, max_size=5))
def test_any_column_is_exported(column: list[Any], tmp_path: Path) -> None:
    assert len(written(column, tmp_path)) == len(column)
    write_csv({"x": column, "n": range(len(column))}, tmp_path / "x.csv")
    assert len(to_frame({"x": column})) == len(column)
