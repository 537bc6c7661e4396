"""What is drawn, and how often: chi-square against the softmax, in one step and in two."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training import GumbelMax, MaxScore
from emb_opt_widgets.training import retrieval as module

DRAWS = 60_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def p_value(columns, probabilities):
    expected = probabilities * len(columns)
    counts = np.bincount(columns.numpy(), minlength=len(probabilities))
    assert (counts[probabilities == 0] == 0).all()
    return chisquare(counts[expected > 0], expected[expected > 0]).pvalue


def softmax(scores):
    out = np.exp(scores - scores.max())
    return out / out.sum()


@pytest.mark.parametrize("single", [2048, 1])
@pytest.mark.parametrize("beta", [1.0, 0.5, 3.0, 0.0])
@pytest.mark.parametrize("n", [5, 23])
def test_frequencies_are_the_softmax(single, beta, n, monkeypatch):
    monkeypatch.setattr(module, "_SINGLE", single)
    scores = torch.randn(n, generator=seeded(n))
    scores[2] = -math.inf
    columns = GumbelMax(beta, seeded(1))(scores.expand(DRAWS, n))
    weights = np.where(scores.numpy() == -np.inf, -np.inf, beta * np.nan_to_num(scores.numpy().astype(float), neginf=0))
    assert p_value(columns, softmax(weights)) > 1e-3


def test_a_wrong_distribution_is_seen():
    scores = torch.tensor([0.0, 0.1, 0.2])
    columns = GumbelMax(1.0, seeded(1))(scores.expand(DRAWS, 3))
    assert p_value(columns, softmax(2 * scores.double().numpy())) < 1e-6


def test_two_steps_with_most_columns_closed():
    scores = torch.full((4000, 5000), -math.inf)
    scores[:, [17, 3000, 4999]] = torch.tensor([0.0, 1.0, 0.5])
    columns = GumbelMax(1.0, seeded())(scores)
    assert set(columns.tolist()) == {17, 3000, 4999}
    place = torch.searchsorted(torch.tensor([17, 3000, 4999]), columns)
    assert p_value(place, softmax(np.array([0.0, 1.0, 0.5]))) > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_every_type_is_drawn_from_evenly_enough(dtype):
    columns = GumbelMax(1.0, seeded())(torch.zeros(DRAWS, 50, dtype=dtype))
    assert columns.dtype == torch.int64
    assert p_value(columns, np.full(50, 0.02)) > 1e-3


@pytest.mark.parametrize("value", [0.0, 1 - 2.0**-24])
def test_the_ends_of_the_uniform_draw_stay_finite(value, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *shape, **options: torch.full(*shape, value, dtype=options["dtype"]))
    scores = torch.tensor([[1.0, 3.0, 2.0], [-math.inf, -math.inf, 0.0]])
    assert GumbelMax()(scores).tolist() == [1, 2]


def test_a_generator_repeats():
    scores = torch.randn(20, 3000, generator=seeded())
    assert torch.equal(GumbelMax(1.0, seeded(3))(scores), GumbelMax(1.0, seeded(3))(scores))


def test_max_score():
    assert MaxScore()(torch.tensor([[1.0, 5.0, 5.0], [-math.inf, 0.0, -1.0]])).tolist() == [1, 1]


@pytest.mark.parametrize("retrieval", [GumbelMax(1.0, seeded(5)), GumbelMax(2.5, seeded(5)), MaxScore()])
def test_parts_drawn_by_worth_are_the_whole(retrieval):
    scores = torch.randn(9, generator=seeded(2)).expand(DRAWS, 9)
    parts = scores.split([2, 4, 3], dim=1)
    part = retrieval(torch.stack([retrieval.worth(each) for each in parts], dim=1))
    inside = torch.stack([retrieval(each) for each in parts], dim=1).gather(1, part[:, None])[:, 0]
    columns = torch.tensor([0, 2, 6])[part] + inside
    if isinstance(retrieval, MaxScore):
        assert torch.equal(columns, retrieval(scores))
    else:
        assert p_value(columns, softmax(retrieval.inverse_temperature * scores[0].double().numpy())) > 1e-3


@pytest.mark.parametrize("scores", [torch.zeros(3), torch.zeros(3, 0), torch.zeros(2, 3).long(), [[0.0]]])
@pytest.mark.parametrize("retrieval", [GumbelMax(), MaxScore()])
def test_what_cannot_be_drawn_from_is_refused(retrieval, scores):
    for call in (retrieval, retrieval.worth):
        with pytest.raises(InputError, match="nothing to draw from"):
            call(scores)


@pytest.mark.parametrize("wrong", [-1.0, True, float("nan"), float("inf")])
def test_wrong_inverse_temperature(wrong):
    with pytest.raises(InputError):
        GumbelMax(wrong)
