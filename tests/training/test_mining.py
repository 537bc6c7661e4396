"""Hard negatives against a plain loop over all scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training import mine_hard_negatives, ranking


def slow(queries, corpus, positives, n, skip, margin):
    out = []
    for i, query in enumerate(queries):
        scores = [float(np.dot(query, row)) for row in corpus]
        own = [row for row in positives[i] if row >= 0]
        best = max((scores[row] for row in own), default=np.inf)
        allowed = [j for j in range(len(corpus)) if j not in own]
        if margin is not None and own:
            allowed = [j for j in allowed if scores[j] <= best - margin * abs(best)]
        out.append(sorted(allowed, key=lambda j: -scores[j])[skip : skip + n])
    return out


@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("margin", [None, 0.0, 0.3])
@pytest.mark.parametrize("block", [1 << 24, 40])
def test_against_a_plain_loop(skip, margin, block, monkeypatch):
    monkeypatch.setattr(ranking, "_BLOCK_ELEMENTS", block)
    rng = np.random.default_rng(3)
    queries, corpus = rng.normal(size=(7, 5)), rng.normal(size=(23, 5))
    positives = [[int(rng.integers(23))], [3, 9], [4], [], [0], [22], [5, 6, 7]]
    found = mine_hard_negatives(queries, corpus.astype(np.float32), positives, 4, skip=skip, margin=margin)
    wanted = slow(queries, corpus, positives, 4, skip, margin)
    assert [row[row >= 0].tolist() for row in found.rows] == wanted
    assert ((found.scores == -np.inf) == (found.rows < 0)).all()
    assert found.full.tolist() == [len(row) == 4 for row in wanted]


def test_a_column_for_training():
    vectors = torch.eye(6)
    found = mine_hard_negatives(vectors[:3] + 0.1, vectors, torch.arange(3), n=2)
    tokens = torch.arange(12).reshape(6, 2)
    assert torch.equal(found.column(tokens), tokens[torch.from_numpy(found.rows)])
    texts = [f"text {i}" for i in range(6)]
    assert found.column(texts) == [[texts[j] for j in row] for row in found.rows]
    with pytest.raises(InputError, match="fewer negatives"):
        mine_hard_negatives(vectors[:3], vectors, torch.arange(3), n=6).column(texts)


BAD = [
    {"queries": torch.ones(2, 4)},
    {"positives": [0]},
    {"positives": [0, 9]},
    {"positives": [0.5, 1.0]},
    {"n": 0},
    {"skip": -1},
    {"margin": 1.0},
    {"corpus": torch.full((4, 3), float("nan"))},
]


@pytest.mark.parametrize("wrong", BAD)
def test_what_does_not_fit_is_refused(wrong):
    given = {"queries": torch.ones(2, 3), "corpus": torch.ones(4, 3), "positives": [0, 1]}
    with pytest.raises(InputError):
        mine_hard_negatives(**{**given, **wrong})
