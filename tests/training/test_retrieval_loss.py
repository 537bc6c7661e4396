"""The in-batch softmax against a slow loop that follows the specification's order, one query at a time."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
from tests.training.reads import Reads


def slow(q, c, temperature=None, hard=None, hits=False, weight=None, p=None, ids=None, mask=None):
    """Each query's loss by plain numbers in float64 (autograd through scalars)."""
    losses = []
    for i in range(len(q)):
        heads = q[i] if q.ndim == 3 else q[i][None]
        row = []
        for j in range(len(c)):
            score = max(((head * c[j]).sum() for head in heads), key=lambda value: value.item())
            if temperature is not None:
                score = score / temperature
            if p is not None:
                score = score - math.log(min(max(float(p[j]), 1e-6), 1.0))
            gone = hits and j != i and ids[j] == ids[i]
            gone = gone or (mask is not None and not bool(mask[i][j]))
            row.append(None if gone else score)
        others = [(s.item(), -j) for j, s in enumerate(row) if s is not None and j != i]
        if hard:
            others = sorted(others, reverse=True)[:hard]
        kept = [row[i]] + [row[-j] for _, j in others]
        top = max(s.item() for s in kept)
        total = sum(torch.exp(s - top) for s in kept)
        loss = torch.log(total) + top - row[i]
        losses.append(loss * (1.0 if weight is None else float(weight[i])))
    return torch.stack(losses)


def batch(seed, b=5, extra=3, d=6, heads=0, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    shape = (b, heads, d) if heads else (b, d)
    q = torch.randn(shape, generator=rng, dtype=dtype, requires_grad=True)
    c = torch.randn((b + extra, d), generator=rng, dtype=dtype, requires_grad=True)
    return q, c


def close(got, wanted, tolerance):
    np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=tolerance, atol=tolerance)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_mix_of_options_equals_the_slow_loop(data):
    b, extra = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 5))
    n = b + extra
    q, c = batch(data.draw(st.integers(0, 10_000)), b, extra, 4, data.draw(st.sampled_from([0, 1, 3])))
    temperature = data.draw(st.sampled_from([None, 0.05, 0.7, 3.0]))
    hard = data.draw(st.sampled_from([None, 0, 1, 2, 50]))
    hits = data.draw(st.booleans())
    ids = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    p = data.draw(st.none() | st.lists(st.floats(0, 1.5), min_size=n, max_size=n))
    weight = data.draw(st.none() | st.lists(st.floats(0, 3), min_size=b, max_size=b))
    mask = None
    if data.draw(st.booleans()):
        mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=b * n, max_size=b * n))).reshape(b, n)
        mask |= torch.eye(b, n, dtype=torch.bool)
    loss = RetrievalLoss(temperature, hard, hits)
    got = loss(q, c, weight, p, ids, mask)
    wanted = slow(q, c, temperature, hard, hits, weight, p, ids, mask).sum()
    close(got, wanted, 1e-9)
    for mine, theirs in zip(torch.autograd.grad(got, (q, c)), torch.autograd.grad(wanted, (q, c))):
        close(mine, theirs, 1e-9)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize("heads", [0, 3])
def test_float32_is_close_to_float64(reduction, heads):
    q, c = batch(1, 16, 8, 32, heads)
    options = {"temperature": 0.2, "num_hard_negatives": 5, "reduction": reduction}
    exact = RetrievalLoss(**options)(q, c)
    single = q.detach().float().requires_grad_(), c.detach().float().requires_grad_()
    got = RetrievalLoss(**options)(*single)
    assert got.dtype == torch.float32
    close(got.double(), exact, 1e-5)
    for mine, theirs in zip(torch.autograd.grad(got.sum(), single), torch.autograd.grad(exact.sum(), (q, c))):
        close(mine.double(), theirs, 1e-5)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_reductions(reduction):
    q, c = batch(2)
    weight = torch.tensor([0.0, 1.0, 2.0, 0.5, 3.0])
    each = slow(q, c, weight=weight)
    wanted = {"sum": each.sum(), "mean": each.sum() / 5, "none": each}[reduction]
    close(RetrievalLoss(reduction=reduction)(q, c, weight), wanted, 1e-9)
    close(RetrievalLoss(reduction=reduction)(q, c, weight[:, None]), wanted, 1e-9)


def test_a_temperature_is_learned():
    q, c = batch(3)
    loss = RetrievalLoss(torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64)))
    assert [name for name, _ in loss.named_parameters()] == ["temperature"]
    loss(q, c).backward()
    step = 1e-6
    high, low = (slow(q, c, 0.5 + s).sum() for s in (step, -step))
    assert float(loss.temperature.grad) == pytest.approx(((high - low) / (2 * step)).item(), rel=1e-6)
    with torch.no_grad():
        loss.temperature.fill_(-1.0)
    with pytest.raises(InputError, match="temperature"):
        loss(q, c)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_equal_negatives_go_by_column(n):
    q = torch.ones(1, 2, dtype=torch.float64)
    c = torch.ones(5, 2, dtype=torch.float64, requires_grad=True)
    RetrievalLoss(num_hard_negatives=n)(q, c).backward()
    assert (c.grad.abs().sum(1) > 0).tolist() == [True] * (n + 1) + [False] * (4 - n)


@pytest.mark.parametrize("keep_all", [None, 0])
def test_no_number_of_hard_negatives_keeps_all(keep_all):
    q, c = batch(4)
    assert RetrievalLoss(num_hard_negatives=keep_all)(q, c).item() == pytest.approx(slow(q, c).sum().item(), rel=1e-12)


def test_ids_may_stand_in_a_column_and_be_text():
    q, c = batch(5, 3, 1)
    loss = RetrievalLoss(remove_accidental_hits=True)
    wanted = slow(q, c, hits=True, ids=[7, 7, 8, 8]).sum()
    for ids in (
        torch.tensor([7, 7, 8, 8]),
        torch.tensor([[7], [7], [8], [8]]),
        ["a", "a", "b", "b"],
        np.array([7, 7, 8, 8]),
    ):
        close(loss(q, c, candidate_ids=ids), wanted, 1e-9)


def test_where_every_negative_is_masked_the_loss_is_0_and_so_is_its_gradient():
    q, c = batch(6, 3, 0)
    loss = RetrievalLoss(num_hard_negatives=1)(q, c, score_mask=torch.eye(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0 and not q.grad.any() and not c.grad.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_is_finite_and_near(dtype, autocast):
    q, c = (t.detach().mul(60).to(dtype).requires_grad_() for t in batch(7, 8, 4, 64))
    loss = RetrievalLoss(0.05, num_hard_negatives=4, remove_accidental_hits=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        got = loss(q, c, candidate_ids=torch.arange(12) % 9, candidate_sampling_probability=torch.zeros(12))
    got.backward()
    exact = slow(q.double(), c.double(), 0.05, 4, True, ids=(torch.arange(12) % 9).tolist(), p=[0.0] * 12).sum()
    assert got.dtype == torch.float32 and got.item() == pytest.approx(exact.item(), rel=1e-5)
    assert q.grad.dtype == dtype and bool(torch.isfinite(q.grad).all()) and bool(torch.isfinite(c.grad).all())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        large = loss(
            torch.full((2, 512), 250.0, dtype=dtype), torch.eye(2, 512, dtype=dtype) * 250, candidate_ids=[0, 1]
        )
    assert bool(torch.isfinite(large))


@pytest.mark.parametrize("which", [0, 1])
def test_a_broken_tower_shows(which):
    given = [part.detach().clone() for part in batch(8)]
    given[which][1, 0] = math.nan
    with pytest.raises(InputError, match=("queries", "candidates")[which]):
        RetrievalLoss(num_hard_negatives=2)(*given)


def test_a_masked_positive_is_refused_whatever_its_weight():
    mask = torch.ones(4, 4, dtype=torch.bool).fill_diagonal_(False)
    with pytest.raises(InputError, match="query 0") as caught:
        RetrievalLoss()(torch.ones(4, 2), torch.ones(4, 2), sample_weight=torch.zeros(4), score_mask=mask)
    assert "weight" not in str(caught.value)


def test_a_number_of_numpy_is_a_number():
    q, c = batch(3)
    assert torch.equal(RetrievalLoss(None, np.int64(2))(q, c), RetrievalLoss(None, 2)(q, c))


EYE = torch.eye(4, dtype=torch.bool)
REFUSED = {
    "a probability in a column": ({}, {"candidate_sampling_probability": torch.ones(4, 1)}, "probability"),
    "a probability for some": ({}, {"candidate_sampling_probability": torch.ones(3)}, "probability"),
    "a NaN probability": ({}, {"candidate_sampling_probability": torch.tensor([1, 1, math.nan, 1])}, "probability"),
    "a NaN weight": ({}, {"sample_weight": torch.tensor([1, 1, math.nan, 1])}, "sample_weight"),
    "weights of another shape": ({}, {"sample_weight": torch.ones(4, 4)}, "sample_weight"),
    "a masked positive": ({}, {"score_mask": ~EYE}, "query 0"),
    "a mask of numbers": ({}, {"score_mask": EYE.float()}, "score_mask"),
    "a mask of another shape": ({}, {"score_mask": EYE[:, :2]}, "score_mask"),
    "ids missing": ({"remove_accidental_hits": True}, {}, "candidate_ids"),
    "ids of another length": ({}, {"candidate_ids": [1, 2, 3]}, "candidate_ids"),
    "ids that are not": ({}, {"candidate_ids": torch.rand(4)}, "candidate_ids"),
    "fewer candidates": ({}, {"candidates": torch.ones(3, 2)}, "candidate of its own"),
    "no queries": ({}, {"queries": torch.ones(0, 2)}, "empty"),
    "other lengths": ({}, {"candidates": torch.ones(4, 3)}, "lengths"),
    "candidates of four ranks": ({}, {"candidates": torch.ones(4, 2, 1)}, "candidates"),
    "whole numbers": ({}, {"queries": torch.ones(4, 2, dtype=torch.int64)}, "queries"),
    "an array": ({}, {"queries": np.ones((4, 2))}, "queries"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_references_pass_over_is_refused(case):
    options, arguments, word = REFUSED[case]
    with warnings.catch_warnings(), pytest.raises(InputError, match=word):
        RetrievalLoss(**options)(**{"queries": torch.ones(4, 2), "candidates": torch.ones(4, 2), **arguments})


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": "warm"},
        {"temperature": True},
        {"temperature": torch.ones(2)},
        {"num_hard_negatives": -1},
        {"num_hard_negatives": 1.5},
        {"num_hard_negatives": True},
        {"reduction": "average"},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        RetrievalLoss(**options)


@pytest.mark.parametrize("hard", [None, 2])
def test_symmetric_is_the_mean_of_both_ways(hard):
    rng = torch.Generator().manual_seed(0)
    q, c = torch.randn(5, 3, generator=rng), torch.randn(8, 3, generator=rng)
    ids = torch.tensor([1, 2, 1, 3, 4, 5, 2, 6])
    options = {"temperature": 0.5, "remove_accidental_hits": True, "num_hard_negatives": hard, "reduction": "none"}
    both = RetrievalLoss(**options, symmetric=True)(q, c, candidate_ids=ids, candidate_sampling_probability=ids / 10)
    there = RetrievalLoss(**options)(q, c, candidate_ids=ids, candidate_sampling_probability=ids / 10)
    back = RetrievalLoss(**options)(c[:5], q, candidate_ids=ids[:5])
    torch.testing.assert_close(both, (there + back) / 2)
    assert "symmetric" in repr(RetrievalLoss(symmetric=True))


def test_a_loss_looks_at_the_device_once():
    q = torch.randn(5, 3)
    weight, loss = torch.ones(5), RetrievalLoss(torch.tensor(0.5), 2, True)
    with Reads() as reads:
        loss(q, q, weight, weight, torch.arange(5), torch.ones(5, 5).bool())
    assert reads.total == 1, reads.seen
