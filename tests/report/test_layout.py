"""Where nodes stand: apart, inside, in order, and where they stood before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emb_opt_widgets.report.layout import _spread, columns_of, places


def grown(seed, rounds, width=4):
    rng = np.random.default_rng(seed)
    parent, round_ = [-1] * 3, [0] * 3
    last = range(3)
    for number in range(1, rounds):
        made = []
        for node in last:
            for _ in range(rng.integers(0, 3)):
                made.append(len(parent))
                parent.append(int(node))
                round_.append(number)
        if rng.random() < 0.3:
            made.append(len(parent))
            parent.append(int(rng.integers(-1, len(parent))))
            round_.append(number)
        last = made[: width * 3]
    return {"parent": np.array(parent), "round": np.array(round_)}


@pytest.mark.parametrize("seed", range(8))
def test_nodes_of_a_round_stand_apart_and_inside(seed):
    tree = grown(seed, 12)
    column, y = places(tree, 300.0, 13.0)
    assert (y >= -1e-9).all() and (y <= 300 + 1e-9).all()
    for one in np.unique(column):
        here = np.sort(y[column == one])
        assert (np.diff(here) >= min(13.0, 300 / len(here)) - 1e-6).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_growing_tree_does_not_move(seed):
    tree = grown(seed, 12)
    first = tree["round"] < 6
    _, whole = places(tree, 300.0, 13.0)
    _, part = places({name: column[first] for name, column in tree.items()}, 300.0, 13.0)
    assert np.array_equal(whole[first], part)


def test_edges_between_neighbouring_rounds_do_not_cross():
    tree = grown(3, 10)
    keep = (tree["parent"] >= 0) | (tree["round"] == 0)
    column, y = places(tree, 300.0, 13.0)
    for one in range(1, column.max() + 1):
        children = np.flatnonzero((column == one) & keep)
        children = children[column[tree["parent"][children]] == one - 1]
        order = children[np.argsort(y[children])]
        assert (np.diff(y[tree["parent"][order]]) >= -1e-9).all()


def test_a_node_that_has_not_looked_stands_after_its_parent():
    tree = {"parent": np.array([-1, 0, 1, -1]), "round": np.array([0, 1, -1, -1])}
    assert columns_of(tree).tolist() == [0, 1, 2, 0]


@given(st.lists(st.floats(-50, 350), min_size=1, max_size=30), st.floats(0.5, 15))
def test_spread_is_the_nearest_in_least_squares(wanted, apart):
    wanted = np.sort(np.array(wanted))
    apart = min(apart, 300 / len(wanted))
    got = _spread(wanted, apart, 300.0)
    assert (np.diff(got) >= apart - 1e-6).all()
    assert got[0] >= -1e-9 and got[-1] <= 300 + 1e-6
    free = (got[0] > 1e-6) & (got[-1] < 300 - 1e-6)
    if free:
        for nudge in (-0.1, 0.1):
            assert ((got - wanted) ** 2).sum() <= ((got + nudge - wanted) ** 2).sum() + 1e-6
