"""Directions from examples of both kinds: where a search of a model's inside may start.

The same as the aggregators of the package steering-vectors give.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from emb_opt_widgets.engine.protocols import ReadableSource
from emb_opt_widgets.errors import InputError, MissingDependencyError, needing

__all__ = ["contrastive_mean", "logistic_direction", "principal_direction", "starts"]

Vector = npt.NDArray[np.float32]
_BATCH = 65_536


def contrastive_mean(positive: Any, negative: Any) -> Vector:
    """The mean of the positive minus the mean of the negative (Rimsky et al., "Steering Llama 2 via Contrastive
    Activation Addition", 2024).

    Args:
        positive, negative: Sources that can be read through, as `Tap.read` gives them; or `(n, d)` and `(m, d)`.

    Returns:
        `(d,)` float32.
    """
    a, b = _two(positive, negative)
    return _plain((a - b).mean(dim=0) if len(a) == len(b) else a.mean(dim=0) - b.mean(dim=0))


def principal_direction(positive: Any, negative: Any) -> Vector:
    """The first principal direction of the pairs' differences, of length 1, from negative to positive (Zou et al.,
    "Representation Engineering", 2023).

    Args:
        positive, negative: As in `contrastive_mean`, pair by pair.

    Returns:
        `(d,)` float32.
    """
    a, b = _two(positive, negative, paired=True)
    differences = a - b
    if not bool((differences != 0).any()):
        raise InputError(
            "The pairs do not differ", expected="a difference to take the direction of", got="0 everywhere"
        )
    left, _, _ = torch.linalg.svd(torch.cat([differences, -differences]).T, full_matrices=False)
    direction = left[:, 0]
    return _plain(direction if float((differences @ direction).mean()) >= 0 else -direction)


def logistic_direction(positive: Any, negative: Any, **options: Any) -> Vector:
    """The direction in which a logistic regression tells them apart, of length 1; by scikit-learn.

    Args:
        positive, negative: As in `contrastive_mean`, pair by pair.
        options: Of `sklearn.linear_model.LogisticRegression`.

    Returns:
        `(d,)` float32.
    """
    with needing("logistic_direction", "demo"):
        from sklearn.linear_model import LogisticRegression
    a, b = _two(positive, negative, paired=True)
    middle = torch.stack([a, b]).mean(dim=0)
    x = torch.cat([a - middle, b - middle]).numpy()
    y = np.repeat(np.array([1.0, -1.0], np.float32), len(a))
    found = LogisticRegression(fit_intercept=False, **options).fit(x, y)
    return _plain(torch.nn.functional.normalize(torch.tensor(found.coef_).float(), dim=-1).reshape(-1))


def starts(positive: Any, negative: Any, norm: float | None = None) -> Vector:
    """Starting points for a search: contrastive mean, principal and, where scikit-learn is installed, logistic
    direction.

    Args:
        positive, negative: As in `contrastive_mean`, pair by pair.
        norm: How long each is. None: as long as the mean.

    Returns:
        `(2, d)` or `(3, d)` float32, for `Search(queries=…)`.
    """
    found = [contrastive_mean(positive, negative), principal_direction(positive, negative)]
    with suppress(MissingDependencyError):
        found.append(logistic_direction(positive, negative))
    out = np.stack(found)
    lengths = np.linalg.norm(out, axis=1, keepdims=True)
    return np.asarray(out / np.maximum(lengths, 1e-12) * (lengths[0, 0] if norm is None else norm), np.float32)


def _plain(vector: torch.Tensor) -> Vector:
    out: Vector = vector.float().cpu().numpy()
    return out


def _two(positive: Any, negative: Any, paired: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = _rows("positive", positive), _rows("negative", negative)
    if a.shape[1] != b.shape[1] or (paired and len(a) != len(b)):
        raise InputError(
            "The examples do not fit together",
            expected=f"(n, {a.shape[1]}){f', n = {len(a)}: pair by pair' if paired else ''}",
            got=tuple(b.shape),
        )
    return a, b


def _rows(name: str, given: Any) -> torch.Tensor:
    if isinstance(given, ReadableSource):
        given = np.concatenate([items.embeddings for items in given.scan(_BATCH)])
    try:
        rows = torch.as_tensor(given if isinstance(given, torch.Tensor) else np.array(given)).detach().float().cpu()
    except (TypeError, ValueError, RuntimeError):
        rows = torch.empty(0)
    if rows.ndim != 2 or not rows.numel() or not bool(torch.isfinite(rows).all()):
        raise InputError(
            f"The {name} examples are not usable",
            expected="a source, or finite numbers (n, d)",
            got=f"{type(given).__name__} {tuple(getattr(given, 'shape', ()))}",
        )
    return rows
