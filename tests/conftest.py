"""What most tests search: a small Gaussian library and a smooth score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import emb_opt_widgets as eow

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be
settings.load_profile("busy")


@pytest.fixture
def library() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32)


@pytest.fixture
def score() -> Callable[[Any], np.ndarray]:
    return smooth


def smooth(items: Any) -> np.ndarray:
    return -np.linalg.norm(items.embeddings - 0.75, axis=1)


class Counted:
    """A score function that knows how often it was asked for each item."""

    def __init__(self, function: Callable[[Any], Any] = smooth) -> None:
        self.function = function
        self.calls: dict[Any, int] = {}

    def __call__(self, items: Any) -> Any:
        for item_id in items.ids.tolist():
            self.calls[item_id] = self.calls.get(item_id, 0) + 1
        return self.function(items)


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def search(library: np.ndarray, counted: Counted) -> eow.Search:
    return eow.Search(library, counted, update=eow.RLUpdate([0.25, 1.0]), prune=eow.TopKPrune(1), k=6, queries=3)
