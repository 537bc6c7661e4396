"""What a score function may return, whatever it is: read as it is meant, or named; never anything else."""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.alignment import aligned
from emb_opt_widgets.engine.answers import read_filter, read_scores
from emb_opt_widgets.engine.items import Items

N = 4
IDS = np.array([7, 3, 9, 1])
LIBRARY = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
VALUES = [0.5, 2.0, -1.0, 3.0]
MASK = [False, True, False, True]


def read(value: Any) -> list[float]:
    return read_scores(aligned(value, IDS), N).values.tolist()


@pytest.mark.parametrize(
    "value",
    [
        np.ma.masked_array(VALUES, MASK),
        np.ma.masked_array(VALUES, MASK)[:, None],
        np.ma.masked_array(VALUES, MASK).astype(object),
        [0.5, np.ma.masked, -1.0, np.ma.masked],
        pd.array([0.5, None, -1.0, None], dtype="Float64"),
        [0.5, pd.NA, -1.0, None],
        [0.5, pd.NaT, -1.0, float("nan")],
        pd.Series([0.5, None, -1.0, None], dtype="Float64"),
        {7: 0.5, 3: None, 1: None, 9: -1.0},
        {"score": [0.5, None, -1.0, None]},
        iter([0.5, None, -1.0, None]),
        (v for v in [0.5, None, -1.0, None]),
        dict(zip("abcd", [0.5, None, -1.0, None])).values(),
        map(lambda v: v, [0.5, None, -1.0, None]),
        pd.DataFrame({"score": [None, None, -1.0, 0.5], "more": "x"}, index=[3, 1, 9, 7]),
    ],
)
def test_what_is_missing_is_a_null_score_and_ranks_nowhere(value: Any) -> None:
    answer = read_scores(aligned(value, IDS), N)
    assert answer.values[[0, 2]].tolist() == [0.5, -1.0] and np.isnan(answer.values[[1, 3]]).all()
    assert set(answer.reasons) == {"1", "3"}


def test_a_mask_that_hides_nothing_changes_nothing_and_verdicts_are_not_masked() -> None:
    assert read(np.ma.masked_array(VALUES, False)) == VALUES
    with pytest.raises(eow.FunctionError, match="a NoneType"):
        read_filter(np.ma.masked_array([True] * 4, MASK), 4)


def test_columns_beside_the_score_are_data() -> None:
    answer = read_scores(aligned({"score": np.array(VALUES), "pose": list("abcd"), "cost": [1, 2, 3, 4]}, IDS), N)
    assert answer.values.tolist() == VALUES
    assert answer.data is not None and answer.data[1] == {"pose": "b", "cost": 2}


def test_numbers_no_float_can_hold_are_not_finite() -> None:
    answer = read_scores([10**400, -(10**400), fractions.Fraction(1, 2), decimal.Decimal("1.5")], N)
    assert answer.values[2:].tolist() == [0.5, 1.5]
    assert answer.reasons == {"0": "non-finite score (inf)", "1": "non-finite score (-inf)"}


def test_whole_numbers_with_gaps_keep_their_digits() -> None:
    column = pd.array([2**60 + 1, None, 3, 4], dtype="Int64")
    frame = pd.DataFrame({"count": column})
    for data in (frame, {"count": pd.Series(column)}, {"count": column}):
        items = eow.sources.ArraySource(LIBRARY[:4], data=data).fetch(np.arange(4))
        assert list(items.data["count"]) == [2**60 + 1, None, 3, 4]


def test_a_refusal_is_one_message() -> None:
    search = eow.Search(LIBRARY, None)
    ids = search.ask(4).ids
    for wrong in (
        [1.0],
        "abcd",
        {"a": 1},
        [[1]] * 4,
        pd.DataFrame({"a": [1] * 4, "b": 2}),
        pd.Series([1.0], index=[99]),
    ):
        with pytest.raises(eow.InputError) as error:
            search.tell(ids, wrong)
        text = str(error.value)
        assert text.count("Expected") == 1 and "returned" not in text and text.count("; got ") == 1, text
    with pytest.raises(eow.InputError) as error:
        search.tell(ids, [1.0] * 4, noise=pd.Series([1.0], index=[99]))
    assert str(error.value).count("Expected") == 1 and search.n_scored == 0


class Silent(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Hostile:
    """Raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __len__(self) -> int:
        raise RuntimeError("hostile")

    def __iter__(self) -> Any:
        raise RuntimeError("hostile")

    def __float__(self) -> float:
        raise RuntimeError("hostile")

    def __bool__(self) -> bool:
        raise RuntimeError("hostile")

    def __repr__(self) -> str:
        raise RuntimeError("hostile")


FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, -1.7e308, 1.7e308, 1e15, 2.0**53, math.inf, math.nan])
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.builds(Silent),
    st.builds(Hostile),
    st.booleans(),
    st.integers(),
    st.integers(10**300, 10**310),
    FLOATS,
    st.text(max_size=4),
    st.binary(max_size=3),
    st.complex_numbers(),
    st.decimals(),
    st.fractions(),
    st.datetimes(),
    st.uuids(),
    st.floats(width=32).map(np.float32),
    FLOATS.map(np.array),
    st.builds(dict, score=FLOATS),
    st.builds(dict, valid=st.booleans(), score=FLOATS | st.none(), data=st.just({"a": 1})),
    st.sampled_from(
        [
            np.ma.masked,
            pd.NA,
            pd.NaT,
            object,
            object(),
            np.datetime64("NaT"),
            ValueError("x"),
            datetime.timedelta(1),
            np.timedelta64(1, "s"),
            range(3),
            set(),
            GeneratorExit(),
        ]
    ),
)
SIZES = st.just(N) | st.integers(0, N + 2)
LISTS = SIZES.flatmap(lambda n: st.lists(ODD, min_size=n, max_size=n) | st.lists(FLOATS, min_size=n, max_size=n))


def _objects(values: list[Any]) -> Any:
    out = np.empty(len(values), object)
    for at, value in enumerate(values):
        out[at] = value
    return out


def _arrays(values: list[float], dtype: str, how: str) -> Any:
    with np.errstate(all="ignore"):  # as users do
        array = np.nan_to_num(np.array(values, np.float64), posinf=1e3, neginf=-1e3).astype(dtype)
    wrap = {
        "plain": array,
        "column": array[:, None],
        "twice": np.stack([array, array], axis=1),
        "masked": np.ma.masked_array(array, np.arange(len(array)) % 2 == 0),
        "series": pd.Series(array),
        "frame": pd.DataFrame({"a": array}),
        "strange": pd.Series(array, index=[f"x{i}" for i in range(len(array))]),
        "two": pd.DataFrame({"a": array, "b": array}),
        "list": [array],
        "scalar": array[:1].reshape(()) if len(array) == 1 else array,
        "read-only": np.broadcast_to(array, array.shape),
    }
    return wrap[how]


ARRAYS = st.builds(
    _arrays,
    SIZES.flatmap(lambda n: st.lists(FLOATS, min_size=n, max_size=n)),
    st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?", "c16", "M8[ns]", "m8[s]", "U4", "S3", "O"]),
    st.sampled_from(
        ["plain", "column", "twice", "masked", "series", "frame", "strange", "two", "list", "scalar", "read-only"]
    ),
)
KEYS = st.sampled_from([*IDS.tolist(), "score", "valid", "a", None])
ANYTHING = st.one_of(
    ODD,
    LISTS,
    ARRAYS,
    LISTS.map(tuple),
    LISTS.map(iter),
    LISTS.map(lambda v: (one for one in v)),
    LISTS.map(lambda v: dict(enumerate(v))),
    LISTS.map(lambda v: dict(zip(IDS.tolist(), v))),
    LISTS.map(lambda v: {"score": v}),
    LISTS.map(lambda v: {"score": v, "x": v}),
    st.dictionaries(KEYS, ODD, max_size=5),
    LISTS.map(_objects),
    st.builds(Hostile),
)


def check_reading(value: Any) -> None:
    try:
        answer = read_scores(aligned(value, IDS), N)
    except eow.EmbOptError as error:
        text = str(error)
        assert text.count("Expected") == 1 and "; got " in text
        return
    except RuntimeError as error:
        assert "hostile" in str(error)
        return
    assert answer.values.shape == (N,) and answer.values.dtype == np.float64
    for at in range(N):
        told = str(at) in answer.reasons or at in answer.errors
        assert told != bool(np.isfinite(answer.values[at])), (value, answer)


@settings(max_examples=150, deadline=None)
@given(value=ANYTHING)
def test_anything_is_read_or_named(value: Any) -> None:
    check_reading(value)


def check_search(value: Any) -> None:
    """A search whose score answers anything: it ends or pauses, ranks only finite scores, and its text can be shown."""
    calls = 0

    def score(items: Items) -> Any:
        nonlocal calls
        calls += 1
        return np.arange(float(len(items))) if calls == 1 else value

    search = eow.Search(LIBRARY, score, update=eow.RLUpdate((0.1,)), queries=2, k=N, batch_size=N, budget=3 * N)
    try:
        search.run(rounds=3, progress=False)
    except eow.EmbOptError as error:
        assert str(error)
    assert search.status in (eow.SearchStatus.FINISHED, eow.SearchStatus.PAUSED), search.reason
    assert np.isfinite(search.results().scores).all() and N <= search.n_scored <= 3 * N
    assert search.reason and repr(search) and search._repr_html_ is not None
    assert "<svg" in eow.live.display.summary(search)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=ANYTHING)
def test_no_answer_breaks_a_search(value: Any) -> None:
    check_search(value)
