"""Ranking metrics against scikit-learn and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training import RankingMetrics

sklearn = pytest.importorskip("sklearn.metrics")


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12))
@settings(deadline=None, max_examples=40)
def test_against_scikit_learn_and_a_plain_loop(seed, n, k):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(n).astype(float)
    relevance = rng.integers(0, 4, n).astype(float)
    relevance[rng.integers(n)] = 2
    run = {"q": np.argsort(-scores).tolist()}
    got = RankingMetrics({"q": dict(enumerate(relevance.tolist()))}, (k,)).of_run(run)
    if n > 1:
        assert got[f"ndcg@{k}"] == pytest.approx(sklearn.ndcg_score([relevance], [scores], k=k))
    places = [place for place, item in enumerate(run["q"][:k], 1) if relevance[item] > 0]
    assert got[f"mrr@{k}"] == pytest.approx(1 / places[0] if places else 0)
    assert got[f"recall@{k}"] == pytest.approx(len(places) / (relevance > 0).sum())
    average = sum((i + 1) / place for i, place in enumerate(places)) / (relevance > 0).sum()
    assert got[f"map@{k}"] == pytest.approx(average)


def test_embeddings_are_ranked_by_the_inner_product():
    rng = torch.Generator().manual_seed(0)
    queries, candidates = torch.randn(4, 6, generator=rng), torch.randn(50, 6, generator=rng)
    ids = [f"d{i}" for i in range(50)]
    order = (queries @ candidates.T).argsort(1, descending=True)
    qrels = {f"q{i}": [ids[order[i, i]]] for i in range(4)}
    metrics = RankingMetrics(qrels, (1, 4))
    for given_candidates in (candidates, candidates.numpy()):
        got = metrics(queries, given_candidates, [f"q{i}" for i in range(4)], ids)
        assert got["mrr@4"] == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4]))
        assert got["recall@1"] == 0.25 and got["recall@4"] == 1.0
    rows = RankingMetrics({i: [int(order[i, 0])] for i in range(4)}, (1,))(queries, candidates, range(4))
    assert rows["ndcg@1"] == 1.0


def test_equal_scores_go_by_column():
    got = RankingMetrics({0: [1]}, (1, 2))(torch.ones(1, 2), torch.ones(3, 2), [0])
    assert got["recall@1"] == 0 and got["recall@2"] == 1


def test_a_query_that_found_nothing_counts():
    assert RankingMetrics({"a": ["x"], "b": ["y"]}, (5,)).of_run({"a": ["x"]})["mrr@5"] == 0.5


WRONG = {
    "no judgements": lambda: RankingMetrics({}),
    "nothing relevant": lambda: RankingMetrics({"q": {"d": 0}}),
    "not finite": lambda: RankingMetrics({"q": {"d": float("inf")}}),
    "a k": lambda: RankingMetrics({"q": ["d"]}, (0,)),
    "an unknown query": lambda: RankingMetrics({"q": ["d"]}).of_run({"p": ["d"]}),
    "twice": lambda: RankingMetrics({"q": ["d"]}).of_run({"q": ["d", "d"]}),
    "ids too few": lambda: RankingMetrics({"q": ["d"]})(torch.ones(2, 3), torch.ones(4, 3), ["q"]),
    "a query missing": lambda: RankingMetrics({"q": ["d"]})(torch.ones(1, 3), torch.ones(4, 3), ["p"]),
    "another length": lambda: RankingMetrics({"q": [0]})(torch.ones(1, 3), torch.ones(4, 2), ["q"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused(case):
    with pytest.raises(InputError):
        WRONG[case]()
