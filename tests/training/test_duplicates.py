"""Equality of rows against the plain loop, hashes that collide included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emb_opt_widgets.training import duplicates
from emb_opt_widgets.training.columns import freshest_of_each


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("collide", [False, True])
def test_not_among(width, collide, monkeypatch):
    if collide:
        monkeypatch.setattr(duplicates, "_hash", lambda keys: keys[:, 0] % 2)
    monkeypatch.setattr(duplicates, "_CHUNK", 64)
    rng = np.random.default_rng(width)
    new, stored = rng.integers(0, 4, (40, width)), rng.integers(0, 4, (30, width))
    expected = [not any((row == other).all() for other in stored) for row in new]
    assert duplicates.not_among(torch.tensor(new), torch.tensor(stored)).tolist() == expected
    assert any(expected) != all(expected) or width == 1


def test_first_of_each():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 3, (30, 2))
    expected = [not any((keys[i] == keys[j]).all() for j in range(i)) for i in range(30)]
    assert duplicates.first_of_each(torch.tensor(keys)).tolist() == expected
    assert duplicates.first_of_each(torch.tensor([5, 5, 3, 5])).tolist() == [True, False, True, False]
    assert duplicates.first_of_each(torch.zeros(0, dtype=torch.int64)).tolist() == []


def test_floats_count_by_value():
    keys = duplicates.key_matrix([torch.tensor([0.0, -0.0, 1.0, float("nan"), float("nan")])])
    assert duplicates.first_of_each(keys).tolist() == [True, False, True, True, False]


def test_the_youngest_copy_competes():
    ids = torch.tensor([7, 7, 8, 7, 8, 9])
    age = torch.tensor([3, 1, 0, 1, 0, 5], dtype=torch.int32)
    valid = torch.tensor([True, True, False, True, True, True])
    assert freshest_of_each(ids, age, valid).tolist() == [False, True, False, False, True, True]
