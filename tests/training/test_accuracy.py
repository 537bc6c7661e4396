"""Top-k accuracy against sorting by hand, over tensors, arrays and sources."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError, StateError
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.training.accuracy import TopKAccuracy


def scores_of(q, c):
    """Exact scores, in whole numbers or in float64, as nested lists."""
    heads = q if q.ndim == 3 else q[:, None]
    return [[max(float((h.double() * v.double()).sum()) for h in row) for v in c] for row in heads]


def slow_by_score(q, c, positives, ks, weight):
    hits = [0.0] * len(ks)
    for i, row in enumerate(scores_of(q, c)):
        own = scores_of(q[i : i + 1], positives[i : i + 1])[0][0]
        greater = sum(score > own for score in row)
        for at, k in enumerate(ks):
            hits[at] += weight[i] * (greater < k)
    return {k: hit / sum(weight) for k, hit in zip(ks, hits)}


def slow_by_id(q, c, wanted, ids, ks, weight):
    hits = [0.0] * len(ks)
    for i, row in enumerate(scores_of(q, c)):
        order = sorted(range(len(row)), key=lambda j: (-row[j], j))
        for at, k in enumerate(ks):
            hits[at] += weight[i] * any(ids[j] == wanted[i] for j in order[:k])
    return {k: hit / sum(weight) for k, hit in zip(ks, hits)}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_small_whole_numbers_with_many_ties_equal_sorting_by_hand(data):
    b, n, heads = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 12)), data.draw(st.sampled_from([0, 1, 2]))
    seed = data.draw(st.integers(0, 10_000))
    rng = torch.Generator().manual_seed(seed)
    q = torch.randint(-2, 3, (b, heads, 3) if heads else (b, 3), generator=rng).float()
    c = torch.randint(-2, 3, (n, 3), generator=rng).float()
    positives = torch.randint(-2, 3, (b, 3), generator=rng).float()
    ids = torch.randint(0, 6, (n,), generator=rng).tolist()
    wanted = torch.randint(0, 6, (b,), generator=rng).tolist()
    weight = [float(w) for w in torch.rand(b, generator=rng) + 0.1]
    metric = TopKAccuracy((1, 2, 5, 20))
    metric.update(q, c, positives, sample_weight=weight)
    assert metric.compute() == pytest.approx(slow_by_score(q, c, positives, metric.ks, weight))
    metric.reset()
    metric.update(q, c, positive_ids=wanted, candidate_ids=ids, sample_weight=weight)
    assert metric.compute() == pytest.approx(slow_by_id(q, c, wanted, ids, metric.ks, weight))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("n", [300, 4001])
def test_what_is_looked_for_among_itself_is_found_first(dtype, n):
    c = torch.randn(n, 128, generator=torch.Generator().manual_seed(0)).to(dtype)
    for positives, ids in ((c[:257], None), (None, torch.arange(257))):
        metric = TopKAccuracy((1,))
        metric.update(c[:257] * 3 if dtype == torch.float64 else c[:257], c, positives, positive_ids=ids)
        assert metric.compute() == {1: 1.0}


def test_an_equal_vector_never_outranks_its_equal():
    rng = torch.Generator().manual_seed(1)
    c = torch.randn(50, 128, generator=rng).repeat(40, 1)
    q = torch.randn(64, 128, generator=rng)
    metric = TopKAccuracy((1,))
    best = (q.double() @ c[:50].double().T).argmax(1)
    assert metric(q, c, c[best]) == {1: 1.0}
    assert metric(q, c, positive_ids=best) == {1: 1.0}
    assert metric(q, c, positive_ids=best + 50) == {1: 0.0}, "of equal vectors the first column comes first"


@pytest.mark.parametrize("d", [7, 128])
def test_random_vectors_equal_sorting_in_float64(d):
    rng = torch.Generator().manual_seed(2)
    q, c = torch.randn(40, d, generator=rng), torch.randn(3000, d, generator=rng)
    own = torch.randint(0, 3000, (40,), generator=rng)
    metric = TopKAccuracy((1, 5, 10, 50, 100, 1000))
    by_score = metric(q, c, c[own])
    exact = q.double() @ c.double().T
    greater = (exact > exact.gather(1, own[:, None])).sum(1)
    assert by_score == {k: pytest.approx(float((greater < k).double().mean())) for k in metric.ks}
    assert metric(q, c, positive_ids=own) == by_score
    assert metric(q, c.numpy(), c[own]) == by_score


@pytest.mark.parametrize("metric", ["ip", "l2", "cosine"])
def test_a_source_gives_what_its_array_gives(metric):
    rng = torch.Generator().manual_seed(3)
    q, c = torch.randn(30, 16, generator=rng), torch.randn(500, 16, generator=rng)
    if metric != "ip":
        c = torch.nn.functional.normalize(c)
    source = ArraySource(c.numpy(), ids=[f"item {i}" for i in range(500)], metric=metric)
    own = (q @ c.T).topk(20).indices[torch.arange(30), torch.arange(30) % 20]
    names = [f"item {i}" for i in own.tolist()]
    accuracy = TopKAccuracy((1, 5, 10))
    if metric == "ip":
        assert accuracy(q, source, c[own]) == accuracy(q, c, c[own])
    assert accuracy(q, source, positive_ids=names) == accuracy(q, c, positive_ids=own)
    assert accuracy(q, source, positive_ids=["nobody"] * 30) == {1: 0.0, 5: 0.0, 10: 0.0}


@dataclass
class Silent:
    """A source that does not say how it ranks."""

    inner: ArraySource

    def __len__(self):
        return len(self.inner)

    @property
    def dim(self):
        return self.inner.dim

    def search(self, queries, k, *arguments, **options):
        return self.inner.search(queries, k, *arguments, **options)

    def fetch(self, ids):
        return self.inner.fetch(ids)


@pytest.mark.parametrize("k", [1, 5, 50])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("silent", [False, True])
def test_a_source_of_another_measure_is_refused_by_scores(k, metric, silent):
    rng = torch.Generator().manual_seed(4)
    c = torch.randn(200, 8, generator=rng) * torch.rand(200, 1, generator=rng) * 5
    source = ArraySource(c.numpy(), metric=metric)
    with pytest.raises(InputError, match="inner product"):
        TopKAccuracy((k,)).update(c[:20], Silent(source) if silent else source, c[:20])
    by_id = TopKAccuracy(k)(c[:20], source, positive_ids=torch.arange(20))
    assert by_id == {k: 1.0}


KINDS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("corpus", KINDS)
@pytest.mark.parametrize("dtype", KINDS)
def test_a_vector_is_found_among_itself_in_another_precision(dtype, corpus):
    c = torch.nn.functional.normalize(torch.randn(400, 64, generator=torch.Generator().manual_seed(6)), dim=1)
    q = (c.double() if dtype == torch.float64 else c).to(dtype)
    if {dtype, corpus} == {torch.bfloat16, torch.float16}:
        with pytest.raises(InputError, match="rounded in two ways"):
            TopKAccuracy(1)(q, c.to(corpus), q)
    else:
        assert TopKAccuracy(1)(q, c.to(corpus), q) == {1: 1.0}


def test_a_vector_is_found_in_a_source_and_an_array_that_rounded_it():
    rng = torch.Generator().manual_seed(7)
    c = torch.nn.functional.normalize(torch.randn(400, 64, generator=rng, dtype=torch.float64), dim=1)
    rounded = c.float().numpy()
    for corpus in (rounded, ArraySource(rounded, metric="ip")):
        assert TopKAccuracy(1)(c, corpus, c) == {1: 1.0}
    half = c.bfloat16()
    assert TopKAccuracy(1)(half, ArraySource(rounded, metric="ip"), half) == {1: 1.0}


def test_one_place_is_enough():
    assert TopKAccuracy(5).ks == (5,) and TopKAccuracy(np.array([1, 5])).ks == (1, 5)


def test_batches_add_up_by_weight():
    rng = torch.Generator().manual_seed(5)
    q, c = torch.randn(60, 4, generator=rng), torch.randn(60, 4, generator=rng)
    weight = torch.rand(60, generator=rng)
    whole, parts = TopKAccuracy((1, 10)), TopKAccuracy((1, 10))
    whole.update(q, c, c, sample_weight=weight)
    for part in (slice(0, 7), slice(7, 40), slice(40, 60)):
        parts.update(q[part], c, c[part], sample_weight=weight[part, None])
    assert parts.compute() == pytest.approx(whole.compute())
    again = TopKAccuracy((1, 10))
    again.load_state_dict(parts.state_dict())
    assert again.compute() == parts.compute()
    parts.reset()
    with pytest.raises(StateError):
        parts.compute()


def test_gradients_are_left_alone():
    q = torch.randn(3, 4, requires_grad=True)
    TopKAccuracy((1,)).update(q, q, q)
    assert q.grad is None


ONE = torch.ones(2, 3)
SOURCE = ArraySource(np.ones((4, 3)), metric="ip")
REFUSED = {
    "neither": ((ONE, ONE), {}),
    "both": ((ONE, ONE, ONE), {"positive_ids": [1, 2]}),
    "candidates of another length": ((ONE, torch.ones(5, 4), ONE), {}),
    "no candidates": ((ONE, torch.ones(0, 3), ONE), {}),
    "no queries": ((torch.ones(0, 3), ONE, torch.ones(0, 3)), {}),
    "a list": ((ONE, [[1.0, 2, 3]], ONE), {}),
    "positives of another shape": ((ONE, ONE, torch.ones(3, 3)), {}),
    "a NaN query": ((ONE * math.nan, ONE, ONE), {}),
    "a NaN candidate": ((ONE, ONE * math.nan, ONE), {}),
    "an infinite positive": ((ONE, ONE, ONE * math.inf), {}),
    "negative weights": ((ONE, ONE, ONE), {"sample_weight": [1, -1]}),
    "weights of another shape": ((ONE, ONE, ONE), {"sample_weight": [1, 1, 1]}),
    "ids of another length": ((ONE, ONE), {"positive_ids": [1]}),
    "candidate ids of another length": ((ONE, ONE), {"positive_ids": [1, 2], "candidate_ids": [1]}),
    "candidate ids and positives": ((ONE, ONE, ONE), {"candidate_ids": [1, 2]}),
    "candidate ids and a source": ((ONE, SOURCE), {"positive_ids": [1, 2], "candidate_ids": [1, 2]}),
    "text among row numbers": ((ONE, ONE), {"positive_ids": ["0", "1"]}),
    "text among numbers": ((ONE, ONE), {"positive_ids": ["0", "1"], "candidate_ids": [0, 1]}),
    "numbers among text": ((ONE, ONE), {"positive_ids": torch.arange(2), "candidate_ids": np.array(["a", "b"])}),
    "text among a source's numbers": ((ONE, SOURCE), {"positive_ids": ["0", "1"]}),
    "heads and a source": ((torch.ones(2, 2, 3), ArraySource(np.ones((4, 3))), ONE), {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    arguments, options = REFUSED[case]
    with pytest.raises(InputError):
        TopKAccuracy((1,)).update(*arguments, **options)


@pytest.mark.parametrize("ks", [(), (0,), (1, -2), (1.5,), (True,), 0, True, 2.5, "5", None])
def test_ks_are_whole_numbers(ks):
    with pytest.raises(InputError, match="ks"):
        TopKAccuracy(ks)
