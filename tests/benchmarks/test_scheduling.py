"""Calls that take long: what a perfect scheduler would need, and searches on a simulated clock."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.command import main
from benchmarks.scheduling import measure_recall, perfect
from benchmarks.simulated import simulated_search


@pytest.mark.parametrize(
    ("seconds", "workers", "took"),
    [([1, 1, 1, 1], 2, 2), ([3, 1, 1, 1], 2, 3), ([1, 1, 1, 3], 2, 4), ([2, 2], 4, 2), ([1, 2, 3], 1, 6)],
)
def test_a_perfect_scheduler_gives_the_next_call_to_whoever_is_free(seconds, workers, took):
    assert perfect(seconds, workers) == took


def test_simulated_calls_take_their_time_and_long_ones_hold_nobody_up():
    rng = np.random.default_rng(0)
    x, seconds = rng.standard_normal((500, 4)).astype("f4"), np.full(500, 100.0)
    seconds[rng.random(500) < 0.1] = 2000.0
    ids, took, handed = simulated_search(x, -(x**2).sum(1).astype("f8"), seconds, workers=4, budget=60, seed=0)
    assert len(set(ids.tolist())) == 60 == len(handed)
    assert sum(handed) == seconds[ids].sum()
    assert perfect(handed, 4) <= took < 1.1 * perfect(handed, 4)


def test_recall_is_compared_in_pairs():
    measure = measure_recall("digits", "40", seeds=2)
    assert measure.name.startswith("digits, 40 calls on 4 workers") and -1 <= measure.value <= 1
    assert measure.limit <= 0 and measure.sense == "at least"


def test_the_command_measures(capsys):
    assert main(["scheduling", "--quick"]) == 0
    assert "4 threads" in capsys.readouterr().out
