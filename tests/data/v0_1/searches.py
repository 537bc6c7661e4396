"""What the files of version 0.1 in this folder were searches of. Small whole numbers, so that every sum is exact."""

from __future__ import annotations

from typing import Any

import numpy as np


def library() -> np.ndarray:
    """`(300, 6)`, float32."""
    return np.random.default_rng(1).integers(-8, 9, (300, 6)).astype(np.float32)


def score(items: Any) -> np.ndarray:
    return -np.square(items.embeddings - 2).sum(axis=1).astype(np.float64)


def keep(items: Any) -> np.ndarray:
    return items.ids % 7 != 0


def pairs() -> tuple[Any, Any]:
    """32 queries and their documents."""
    import torch

    grid = torch.arange(32 * 4, dtype=torch.float32).reshape(32, 4)
    return torch.sin(grid), torch.cos(grid)


def towers() -> tuple[Any, Any]:
    """Two small ones, of known weights."""
    import torch

    made = []
    for shift in (0.0, 1.0):
        tower = torch.nn.Linear(4, 3)
        with torch.no_grad():
            tower.weight.copy_(torch.sin(torch.arange(12.0) + shift).reshape(3, 4))
            tower.bias.zero_()
        made.append(tower)
    return made[0], made[1]
