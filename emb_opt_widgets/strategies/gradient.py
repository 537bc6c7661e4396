"""The estimated score gradient of a query (`emb_opt.utils.compute_rl_grad`), for many queries at once.

Rewarding a query for being near well-scored hits gives the loss `Σ aᵢ (q − eᵢ)²` with advantages
`a = whiten(scores) + distance_penalty`, and so the gradient `mean 2·aᵢ·(q − eᵢ)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import groups_by_length, whiten
from emb_opt_widgets.errors import InputError

__all__ = ["check_lrs", "check_norm", "clip_norm", "loss_gradient"]

_BLOCK = 1 << 15
"""Numbers worked on at a time: what stays in a core's cache."""

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def clip_norm(gradients: Float64, max_norm: float, norm_type: float | str) -> Float64:
    """Gradients `(q, d)` with norms of at most `max_norm`; `norm_type` as in `numpy.linalg.norm` for vectors."""
    order: Any = norm_type
    norms = np.linalg.norm(gradients, ord=order, axis=-1, keepdims=True)
    out: Float64 = gradients * np.minimum(max_norm / (norms + 1e-6), 1)
    return out


def check_lrs(lrs: Any) -> tuple[float, ...]:
    """Learning rates as a tuple; `InputError` where there is none, or one is not finite."""
    try:
        values = tuple(float(v) for v in np.atleast_1d(np.asarray(lrs, np.float64)))
    except (TypeError, ValueError):
        values = ()
    if not values or not np.isfinite(values).all():
        raise InputError("lrs is not usable", expected="one or more finite learning rates", got=repr(lrs))
    return values


def check_norm(max_norm: float | None, norm_type: float | str | None) -> None:
    """Raise `InputError` where clipping could not work."""
    if max_norm is not None and not max_norm > 0:
        raise InputError("max_norm is not usable", expected="a number above 0, or None", got=max_norm)
    if max_norm is None:
        return
    if not isinstance(norm_type, (int, float)) or isinstance(norm_type, bool):
        raise InputError("norm_type is not usable", expected="a number (2.0, 1.0, inf, …)", got=repr(norm_type))


def _taken(hits: npt.NDArray[Any], positions: Int64) -> npt.NDArray[Any]:
    """`hits[positions]`; without a copy where the positions follow on one another, as they mostly do."""
    first, last = int(positions[0, 0]), int(positions[-1, -1])
    if last - first + 1 != positions.size:
        return hits[positions]
    return hits[first : last + 1].reshape(*positions.shape, hits.shape[1])


def loss_gradient(
    points: Float64,
    hits: npt.NDArray[Any],
    gains: Float64,
    offsets: Int64,
    distance_penalty: float = 0.0,
    max_norm: float | None = None,
    norm_type: float | str = 2.0,
) -> Float64:
    """Gradient of the loss at each point; the score rises against it.

    Args:
        points: `(q, d)` float64.
        hits: `(m, d)` embeddings of the points' scored hits, ragged by `offsets`.
        gains: `(m,)` their scores, more is better.
        offsets: `(q + 1,)`.
        distance_penalty: Added to each advantage: pulls towards the hits.
        max_norm: Longest gradient allowed; None: any.
        norm_type: The norm that measures it.

    Returns:
        `(q, d)`; zeros for a point without hits.
    """
    out = np.zeros_like(points)
    for rows, positions in groups_by_length(offsets):
        weights = 2 * (whiten(gains[positions]) + distance_penalty)
        block = max(1, _BLOCK // (positions.shape[1] * points.shape[1]))
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            apart = points[rows[part]][:, None, :] - _taken(hits, positions[part])
            apart *= weights[part, :, None]
            out[rows[part]] = apart.mean(axis=1)
    return out if max_norm is None else clip_norm(out, max_norm, norm_type)
