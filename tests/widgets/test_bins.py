"""Bins stay where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emb_opt_widgets.widgets.bins import Bins, settled

finite = st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False)


def brute(bins: Bins, values: np.ndarray) -> list[int]:
    return [int(((values >= low) & (values < low + bins.width)).sum()) for low in bins.centers() - bins.width / 2]


def edges(bins: Bins) -> set[int]:
    """Numbers of the edges, in units of the width."""
    return set(range(bins.first, bins.first + bins.count + 1))


@given(st.lists(finite, min_size=1, max_size=50))
def test_every_value_is_in_a_bin(values):
    array = np.array(values)
    bins = settled(array, None)
    assert bins.counts(array).sum() == len(array)
    slack = bins.width * 1e-6
    assert bins.low <= array.min() + slack and array.max() <= bins.high + slack
    assert 1 <= bins.count <= 60


def test_counts_are_what_a_loop_counts():
    values = np.random.default_rng(0).normal(7, 1, 2_000).round(3)
    bins = settled(values, None)
    assert bins.counts(values).tolist() == brute(bins, values)


def test_edges_are_round():
    bins = settled(np.array([5.03, 9.87]), None)
    assert (bins.width, bins.low, bins.high) == (0.2, 5.0, pytest.approx(10.0))


@given(st.lists(st.lists(finite, min_size=1, max_size=8), min_size=2, max_size=12))
def test_bins_extend_or_double_but_never_jump(batches):
    seen = np.array(batches[0])
    before = settled(seen, None)
    for batch in batches[1:]:
        seen = np.concatenate([seen, batch])
        after = settled(seen, before)
        assert after.count <= 60
        assert after.counts(seen).sum() == len(seen)
        ratio = after.width / before.width
        if before.count >= 12:
            assert ratio == 2 ** round(np.log2(ratio)) >= 1
            if ratio == 1:
                assert edges(before) <= edges(after)
        before = after


def test_a_steady_stream_changes_the_width_a_few_times_only():
    values = np.random.default_rng(1).normal(0, 1, 5_000)
    widths, bins = [], None
    for n in range(10, 5_000, 10):
        bins = settled(values[:n], bins)
        widths.append(bins.width)
    assert len(set(widths)) <= 3


def test_bins_that_were_far_too_wide_are_chosen_afresh():
    one = settled(np.array([100.0]), None)
    many = settled(np.array([100.0, 100.001, 100.002, 100.01]), one)
    assert one.count == 1
    assert many.width == 0.0005
    assert (many.counts(np.array([100.001, 100.009])) > 0).sum() == 2


@pytest.mark.parametrize(
    "values", [[0.0], [0.0, 0.0], [-3.0], [1e-300], [1e300, -1e300], [1.7e308, -1.7e308], [5.0, 5.0 + 1e-12]]
)
def test_odd_values_make_bins(values):
    bins = settled(np.array(values), None)
    assert bins.counts(np.array(values)).sum() == len(values)
    assert np.isfinite(bins.centers()).all()


def test_a_far_outlier_is_taken_in():
    bins = settled(np.linspace(0, 1, 100), None)
    wide = settled(np.array([0.0, 1e308]), bins)
    assert 1 <= wide.count <= 60
    assert wide.counts(np.array([0.0, 1.0, 1e308])).tolist()[0] == 2
