"""Blocks of columns, remainder included, against the plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.approximate import approximate_top_k, block_starts, check_top_k
from tests.training.oracle import survivors


@pytest.mark.parametrize(("n", "k"), [(12, 4), (12, 5), (13, 4), (7, 7), (7, 9), (7, 1), (5, 3), (100, 33)])
def test_best_of_each_block(n, k):
    scores = np.random.default_rng(n * k).integers(0, 5, (6, n)).astype(np.float32)
    values, columns = approximate_top_k(torch.from_numpy(scores), k)
    assert columns.tolist() == [survivors(row, k) for row in scores]
    assert torch.equal(values, torch.from_numpy(scores).gather(1, columns))


def test_starts():
    assert block_starts(11, 4, torch.device("cpu")).tolist() == [0, 3, 6, 9, 11]


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "3"])
def test_wrong_k(wrong):
    with pytest.raises(InputError):
        check_top_k(wrong)
