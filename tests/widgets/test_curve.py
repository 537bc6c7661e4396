"""Curves against slow, obvious loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emb_opt_widgets.widgets.curve import POINTS, best_so_far, round_means, thinned


def slow_best(scores, sign):
    out, best = [], -math.inf
    for score in scores:
        if not math.isnan(score):
            best = max(best, score * sign)
        out.append(best * sign)
    return out


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_best_so_far_is_what_a_loop_finds(sign):
    rng = np.random.default_rng(3)
    scores = np.where(rng.random(400) < 0.2, np.nan, rng.normal(size=400))
    curve, slow = best_so_far(scores, sign), slow_best(scores, sign)
    for x, y in zip(curve.x, curve.y):
        assert y == slow[int(x) - 1]
    assert curve.x[-1] == 400
    corners = sum(now != before for before, now in zip([-sign * math.inf, *slow], slow))
    assert len(curve.x) == corners + 1


def test_means_of_rounds_are_what_a_loop_finds():
    rng = np.random.default_rng(4)
    rounds = np.sort(rng.integers(0, 30, 300))
    scores = np.where(rng.random(300) < 0.3, np.nan, rng.normal(size=300))
    curve = round_means(scores, rounds)
    for x, y in zip(curve.x, curve.y):
        here = rounds == rounds[int(x) - 1]
        assert y == pytest.approx(np.nanmean(scores[here]))
        assert int(x) - 1 == np.flatnonzero(here & ~np.isnan(scores))[-1]
    assert len(curve.x) == len({r for r, s in zip(rounds, scores) if not math.isnan(s)})


@pytest.mark.parametrize("scores", [[], [math.nan, math.nan]])
def test_nothing_scored_is_an_empty_curve(scores):
    array = np.array(scores, np.float64)
    assert len(best_so_far(array, 1.0).x) == 0
    assert len(round_means(array, np.zeros(len(array), np.int64)).x) == 0


def test_long_curves_are_thinned_and_keep_their_ends():
    scores = np.arange(50_000.0)
    curve = best_so_far(scores, 1.0)
    assert POINTS <= len(curve.x) <= POINTS + 1
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (1, 0, 50_000, 49_999)
    means = round_means(scores, np.arange(50_000))
    assert len(means.x) == POINTS and means.y[-1] == 49_999
    rows = np.arange(5)
    assert thinned(rows) is rows
