"""Two small towers and pairs that they can learn, the same in every process."""

from __future__ import annotations

from typing import Any

import torch

from emb_opt_widgets import training as tr


def pairs(n: int = 300, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and documents that share a hidden cause."""
    rng = torch.Generator().manual_seed(seed)
    cause = torch.randn(n, 6, generator=rng)
    views = torch.randn(2, 6, 12, generator=rng)
    noise = torch.randn(2, n, 12, generator=rng) * 0.1
    return cause @ views[0] + noise[0], cause @ views[1] + noise[1]


def tower(seed: int, dropout: float = 0.2) -> torch.nn.Module:
    """A tower with all that has state or draws: batch norm and dropout."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(12, 24), torch.nn.BatchNorm1d(24), torch.nn.ReLU(), torch.nn.Dropout(dropout),
            torch.nn.Linear(24, 8),
        )  # fmt: skip


def ingredients(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is passed again on `load`, and the settings of a new training.

    Args:
        kind: "in batch", "cache" or "half".
    """
    queries, documents = pairs()
    held = pairs(80, seed=0)
    ids = torch.arange(len(queries)) % 250
    again: dict[str, Any] = {
        "query_net": tower(1),
        "doc_net": tower(2),
        "data": (queries, documents, ids),
        "optimizer": lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
        "scheduler": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=500),
        "validation": held,
        "device": "cpu",
    }
    settings: dict[str, Any] = {"batch_size": 16, "epochs": 4, "seed": 5, "checkpoint_every": 7, "ks": (1, 5, 10)}
    if kind == "in batch":
        again["loss"] = tr.RetrievalLoss(torch.nn.Parameter(torch.tensor(0.7)), 5, remove_accidental_hits=True)
        again["frequency"] = tr.FrequencyEstimator(100, 0.05, 2)
        settings |= {"accumulate": 2, "clip_norm": 1.0}
    elif kind == "cache":
        again |= {"caches": 120, "loss": tr.CacheLoss(score_transform=tr.Temperature(0.8), id_field="id")}
    else:
        again["scheduler"] = lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        settings |= {"precision": "fp16", "evaluate_every": 5}
    return again, settings
