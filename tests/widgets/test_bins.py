"""Bins stay where they are."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emb_opt_widgets.widgets.bins import Bins, bins_of

VANISHING = 1e-288
"""A range up to this has bins as if all values were equal."""

finite = st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False)


def lefts(bins: Bins) -> np.ndarray:
    return (bins.first + np.arange(bins.count)) * bins.width


def brute(bins: Bins, values: np.ndarray) -> list[int]:
    return [int(((values >= low) & (values < low + bins.width)).sum()) for low in lefts(bins)]


@given(st.lists(finite, min_size=1, max_size=50))
def test_every_value_is_in_a_bin(values):
    array = np.array(values)
    bins = bins_of(array)
    assert bins.counts(array).sum() == len(array)
    slack = bins.width * 1e-6
    assert bins.low <= array.min() + slack and array.max() <= bins.high + slack
    assert 1 <= bins.count <= 48


def test_counts_are_what_a_loop_counts():
    values = np.random.default_rng(0).normal(7, 1, 2_000).round(3) + 0.0005
    bins = bins_of(values)
    assert bins.counts(values).tolist() == brute(bins, values)


def test_edges_are_round():
    bins = bins_of(np.array([5.03, 9.87]))
    assert (bins.width, bins.low, bins.high) == (0.2, 5.0, pytest.approx(10.0))


@given(st.lists(finite, min_size=2, max_size=40), st.randoms())
@example([0.0, 3.7e-293, 1.0], random.Random(0))
def test_bins_are_a_function_of_the_range_and_only_get_wider(values, chance):
    whole = bins_of(np.array(values))
    mixed = sorted(values, key=lambda _: chance.random())
    assert bins_of(np.array([*mixed, values[0]])) == whole
    assert bins_of(np.array([min(values), max(values)])) == whole
    spread = (np.array(values[:n]) for n in range(2, len(values) + 1))
    apart = (some for some in spread if np.ptp(some) > VANISHING)
    widths = [bins_of(some).width for some in apart]
    assert widths == sorted(widths)


def test_bins_are_neither_few_nor_many():
    for span in np.geomspace(1e-3, 1e5, 400):
        assert 18 <= bins_of(np.array([0.37, 0.37 + span])).count <= 48


def test_a_steady_stream_changes_the_width_a_few_times_only():
    values = np.random.default_rng(1).normal(0, 1, 5_000)
    assert len({bins_of(values[:n]).width for n in range(10, 5_000, 10)}) <= 3


def test_an_outline_goes_around_every_bar():
    x, y = Bins(2, 2, 10.0).outline([3, 5])
    np.testing.assert_allclose(x, [20.4, 20.4, 29.6, 29.6, 30.4, 30.4, 39.6, 39.6])
    assert y.tolist() == [0, 3, 3, 0, 0, 5, 5, 0]
    assert x.dtype == y.dtype == np.float32


@pytest.mark.parametrize(
    "values", [[0.0], [0.0, 0.0], [-3.0], [1e-300], [1e300, -1e300], [1.7e308, -1.7e308], [5.0, 5.0 + 1e-12]]
)
def test_odd_values_make_bins(values):
    bins = bins_of(np.array(values))
    assert bins.counts(np.array(values)).sum() == len(values)
    assert np.isfinite(lefts(bins)).all()


def test_a_far_outlier_is_taken_in():
    wide = bins_of(np.array([*np.linspace(0, 1, 100), 1e308]))
    assert 1 <= wide.count <= 48
    assert wide.counts(np.array([0.0, 1.0, 1e308])).tolist()[0] == 2
