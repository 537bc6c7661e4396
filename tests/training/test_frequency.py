"""The streaming frequency estimator against the algorithm, item by item."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.frequency import FrequencyEstimator


class Slow:
    """Algorithm 2 with one table as two dictionaries, for ids that do not collide."""

    def __init__(self, alpha, gap):
        self.t, self.alpha, self.first = 0, alpha, gap
        self.a, self.b = {}, {}

    def update(self, ids):
        self.t += 1
        for h in set(ids):
            b = self.b.get(h, self.first)
            self.b[h] = (1 - self.alpha) * b + self.alpha * (self.t - self.a.get(h, 0))
            self.a[h] = self.t

    def probability(self, ids):
        return [min(1.0, 1 / self.b.get(h, self.first)) for h in ids]


BATCHES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(batches=BATCHES, alpha=st.sampled_from([0.01, 0.3, 1.0]), gap=st.sampled_from([0.25, 1.0, 7.5, 1e6]))
def test_without_collisions_it_is_the_algorithm(batches, alpha, gap):
    fast, slow = FrequencyEstimator(10, alpha, initial_gap=gap), Slow(alpha, gap)
    for ids in batches:
        got = fast(torch.tensor(ids))
        slow.update(ids)
        assert got.tolist() == pytest.approx(slow.probability(ids), rel=1e-12)
    assert fast.probability(torch.arange(10)).tolist() == pytest.approx(slow.probability(range(10)), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(batches=BATCHES)
def test_more_tables_never_believe_an_item_more_frequent(batches):
    one, three = FrequencyEstimator(4, 0.2, 1, 50.0), FrequencyEstimator(4, 0.2, 3, 50.0)
    for ids in batches:
        one.update(ids)
        three.update(ids)
    every = torch.arange(10)
    assert bool((three.probability(every) <= one.probability(every)).all())
    assert torch.equal(one.gap[0], three.gap[0])
    assert three.probability(every).tolist() == pytest.approx(by_tables(three, every))


def by_tables(estimator, ids):
    """The largest gap over tables, slot by slot."""
    slots = estimator._slots(ids)
    gaps = [max(float(estimator.gap[t, slots[t, i]]) for t in range(len(slots))) for i in range(len(ids))]
    return [min(1.0, 1 / gap) for gap in gaps]


def test_it_finds_the_rates_of_a_stream():
    rates = torch.tensor([0.5, 0.1, 0.02])
    rng = torch.Generator().manual_seed(0)
    estimator = FrequencyEstimator(1000, 0.01, 2, initial_gap=10.0)
    mean = torch.zeros(3, dtype=torch.float64)
    for step in range(20_000):
        present = (torch.rand(3, generator=rng) < rates).nonzero()[:, 0]
        if len(present):
            estimator.update(present * 7919)
        else:
            estimator.update([123456])
        if step >= 10_000:
            mean += estimator.gap.gather(1, estimator._slots(torch.arange(3) * 7919)).amax(0)
    assert (10_000 / mean).tolist() == pytest.approx(rates.tolist(), rel=0.1)


def test_tables_scatter_ids_each_in_its_own_way():
    estimator = FrequencyEstimator(64, 0.1, 3)
    ids = torch.cat([torch.arange(4096), torch.arange(4096) * 64 + 10**12])
    for table, slots in enumerate(estimator._slots(ids)[1:], 1):
        counts = torch.bincount(slots, minlength=64).double()
        assert float(((counts - 128) ** 2 / 128).sum()) < 120, f"table {table} is uneven (chi-square, 63 degrees)"
    together = estimator._slots(ids)
    assert float((together[1] == together[2]).double().mean()) < 0.04


def test_unseen_items_have_the_prior_and_nothing_passes_one():
    assert FrequencyEstimator(50, 0.1).probability([1, 2]).tolist() == [1 / 50] * 2
    assert FrequencyEstimator(50, 0.1, initial_gap=4).probability(["a"]).tolist() == [0.25]
    assert FrequencyEstimator(50, 0.1, initial_gap=0.1).probability([3]).tolist() == [1.0]


def test_the_state_goes_on_from_a_state_dict():
    rng = torch.Generator().manual_seed(1)
    batches = [torch.randint(0, 500, (32,), generator=rng) for _ in range(40)]
    whole = FrequencyEstimator(100, 0.05, 3)
    first, second = FrequencyEstimator(100, 0.05, 3), FrequencyEstimator(100, 0.05, 3)
    for ids in batches:
        whole.update(ids)
    for ids in batches[:17]:
        first.update(ids)
    second.load_state_dict(first.state_dict())
    for ids in batches[17:]:
        second.update(ids)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), second.state_dict().values()))


def test_in_evaluation_it_only_tells():
    estimator = FrequencyEstimator(10, 0.5).eval()
    estimator([1, 2])
    assert int(estimator.step) == 0
    estimator.train()([1, 2])
    assert int(estimator.step) == 1


def test_text_and_columns_are_ids():
    estimator = FrequencyEstimator(1000, 0.5, 2)
    assert estimator(["a", "b", "a"]).shape == (3,)
    assert torch.equal(estimator.probability(["a"]), estimator.probability(["b"]))
    assert torch.equal(estimator.probability(torch.tensor([[3], [-4]])), estimator.probability([3, -4]))


@pytest.mark.parametrize(
    "arguments",
    [(0, 0.1), (10, 0), (10, 1.5), (10, math.nan), (10, 0.1, 0), (10, 0.1, 1, 0.0), (10, 0.1, 1, math.inf), (1.5, 0.1)],
)
def test_arguments_that_make_no_sense_are_refused(arguments):
    with pytest.raises(InputError):
        FrequencyEstimator(*arguments)


@pytest.mark.parametrize("ids", [[], torch.rand(3), torch.ones(2, 2, dtype=torch.int64), [None], [2**70], [True]])
def test_what_are_not_ids_is_refused(ids):
    with pytest.raises(InputError):
        FrequencyEstimator(10, 0.1).update(ids)
