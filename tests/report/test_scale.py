"""Axes and drawings of scores of any size."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.report import search_summary
from emb_opt_widgets.report.charts import histogram, score_legend, trace
from emb_opt_widgets.report.scale import labels, mean, scale_of, ticks

SATURATED = 1 / (1 + np.exp(-(35 + np.abs(np.random.default_rng(0).normal(size=60)))))
EXTREME = {
    "equal and large": np.full(60, 1e15),
    "equal beyond 2**53": np.full(60, 2.0**53 + 2),
    "equal and largest": np.full(60, 1.7e308),
    "equal and least": np.full(60, -1.7976931348623157e308),
    "saturated": SATURATED,
    "last bits": 1e15 + np.arange(60) % 3 / 8,
    "whole beyond 2**53": 2.0**53 + 2 * (np.arange(60) % 5),
    "denormal": 5e-324 * np.arange(60),
    "one denormal": np.full(60, 5e-324),
    "largest": np.where(np.arange(60) % 2, 1.7e308, -1.7e308),
    "far apart": np.logspace(-300, 300, 60),
    "zeros": np.zeros(60),
    "mixed": np.r_[np.full(30, 1e-310), np.full(29, 1e308), np.nan],
}
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def checked(svg: str) -> None:
    """A drawing of finite places within it, whose axes have readable labels that differ."""
    assert "nan" not in svg and "inf" not in svg
    height = float(svg.split('viewBox="0 0 ')[1].split('"')[0].split()[1])
    for text in re.findall(r"<text[^>]*>", svg):
        assert -1 <= float(re.search(r' y="([^"]*)"', text)[1]) <= height  # type: ignore[index]
    for start, kind, label in re.findall(r'<text x="([^"]*)"[^>]*?class="(\w+)">([^<]+)</text>', svg):
        wide = {"end": 1.0, "mid": 0.5, "start": 0.0}[kind] * 7.0 * len(label)
        assert float(start) - wide >= -1, label
    assert all(len(label) <= 11 or label.startswith("from ") for label in re.findall(r">([^<]+)</text>", svg))


@pytest.mark.parametrize("kind", EXTREME)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_extreme_scores_are_drawn(kind: str, sign: float) -> None:
    scores = EXTREME[kind]
    checked(histogram(scores))
    checked(trace(scores, sign))
    assert "nan" not in score_legend({"max_score": scores}, sign)


@pytest.mark.parametrize("kind", EXTREME)
def test_a_search_of_extreme_scores_shows_itself_and_writes_its_report(kind: str, tmp_path) -> None:
    scores = EXTREME[kind]
    library = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    search = eow.Search(
        library, lambda items: scores[items.ids], k=8, queries=4, update=eow.RLUpdate((0.1,)), budget=60
    )
    search.run(rounds=3, progress=False)
    assert search.n_scored > 8
    search.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for svg in re.findall(r'<svg class="(?:bars|trace)".*?</svg>', page):
        checked(svg)
    assert (
        page.count("<svg") == 3 and "<svg" in search_summary(search) and repr(search) and search.results()._repr_html_()
    )


@settings(max_examples=300, deadline=None)
@given(low=FINITE, high=FINITE)
def test_any_axis_is_wide_enough_and_has_ticks_in_order(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)
    scale = scale_of(low, high)
    assert scale.low <= low <= high <= scale.high and scale.low < scale.high
    parts = scale.part(np.array([scale.low, low, high, scale.high]))
    assert np.isfinite(parts).all() and (np.diff(parts) >= 0).all() and parts[0] == 0 and abs(parts[-1] - 1) < 1e-9
    at = ticks(scale.low, scale.high)
    assert 1 <= len(at) <= 7 and all(map(math.isfinite, at)) and all(a < b for a, b in itertools.pairwise(at))
    texts, base = labels(at)
    assert len(set(texts)) == len(texts) and (not base or float(base.removeprefix("from ")) == at[0])
    assert scale.counts(np.array([low, high, low]), 9).sum() == 3


@given(values=st.lists(FINITE, min_size=1, max_size=20))
def test_a_mean_lies_between_least_and_most(values: list[float]) -> None:
    room = 1e-9 * max(map(abs, values))
    assert min(values) - room <= mean(np.array(values)) <= max(values) + room


def test_ticks_are_as_round_as_they_look() -> None:
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0.0, 3e-15, 3) == [0.0, 1e-15, 2e-15, 3e-15]
    assert ticks(-1.7e308, 1.7e308) == [-1e308, 0.0, 1e308]
    assert ticks(3.0, 3.0) == [3.0]
    assert labels([2.0**53, 2.0**53 + 2]) == (["+0", "+2"], "from 9007199254740992")
