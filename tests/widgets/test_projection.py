"""The map: principal components, still as it grows."""

from __future__ import annotations

import time

import numpy as np
import pytest

from emb_opt_widgets.widgets.projection import LAST_FIT, Projection


def cloud(n: int, d: int = 16, seed: int = 0) -> np.ndarray:
    spread = np.r_[8.0, 4.0, np.full(d - 2, 0.5)]
    turn = np.linalg.qr(np.random.default_rng(9).standard_normal((d, d)))[0]
    return (np.random.default_rng(seed).standard_normal((n, d)) * spread @ turn).astype(np.float32)


@pytest.mark.parametrize(("n", "d"), [(500, 16), (200, 300)])
def test_it_finds_the_two_directions_of_most_variance(n: int, d: int) -> None:
    points = cloud(n, d)
    made = Projection()
    assert made.grow(n, lambda rows: points[rows])
    _, _, directions = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    exact = (points - points.mean(axis=0)) @ directions[:2].T
    found = made.place(points)
    assert found.dtype == np.float32 and found.shape == (n, 2)
    left, _, right = np.linalg.svd((found - found.mean(axis=0)).T @ exact)
    np.testing.assert_allclose((found - found.mean(axis=0)) @ (left @ right), exact, atol=0.35)


def test_what_is_on_the_map_moves_little_as_it_grows() -> None:
    points, made = cloud(40_000), Projection()
    before, moves = None, []
    for n in range(1, 40_000, 37):
        if made.grow(n, lambda rows: points[rows]) and n > 100:
            now = made.place(points[:100])
            if before is not None:
                moves.append(float(np.abs(now - before).max()))
            before = now
    assert len(moves) >= 7 and max(moves) < 4.0 and max(moves[3:]) < 1.5


def test_it_is_fitted_at_doublings_up_to_a_bound() -> None:
    points, made, fitted = cloud(1_000), Projection(), []
    for n in range(1, 70_000):
        if made.grow(n, lambda rows: points[rows % 1_000]):
            fitted.append(n)
    assert fitted == [2**i for i in range(15)] and fitted[-1] == LAST_FIT


def test_it_does_not_flip_where_nothing_has_changed() -> None:
    points, made = cloud(64), Projection()
    made.grow(32, lambda rows: points[rows % 32])
    before = made.place(points)
    made.grow(64, lambda rows: points[rows % 32])
    np.testing.assert_allclose(made.place(points), before, atol=1e-2)


@pytest.mark.parametrize("points", [np.zeros((8, 3)), np.ones((8, 1)), np.arange(8.0)[:, None], np.zeros((8, 0))])
def test_what_has_no_two_directions_lies_on_a_line_or_a_point(points: np.ndarray) -> None:
    made = Projection()
    made.grow(8, lambda rows: points[rows])
    place = made.place(points)
    assert place.shape == (8, 2) and np.isfinite(place).all() and not place[:, 1].any()


def test_before_a_fit_and_for_other_vectors_all_is_at_the_origin() -> None:
    made = Projection()
    assert not made.place(np.ones((3, 4))).any()
    made.grow(4, lambda rows: cloud(4)[rows])
    assert not made.place(np.ones((3, 4))).any()


@pytest.mark.parametrize("d", [64, 768, 1536])
def test_a_fit_is_quick(d: int) -> None:
    points = np.random.default_rng(0).standard_normal((4_000, d)).astype(np.float32)
    times = []
    for _ in range(3):
        made = Projection()
        began = time.thread_time()
        made.grow(4_000, lambda rows: points[rows])
        times.append(time.thread_time() - began)
    assert min(times) < 0.05
