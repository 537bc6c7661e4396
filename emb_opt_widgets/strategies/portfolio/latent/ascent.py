"""Uphill by the scores' own gradients: limited-memory BFGS on whatever points are known.

Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4, for a maximum. Knows nothing of searches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.latent.surface import within

__all__ = ["direction", "steps"]

Float64 = npt.NDArray[np.float64]
_PAIRS = 12
_BENT = 1e-8


def direction(points: Float64, gains: Float64, gradients: Float64, radius: float) -> Float64:
    """The step from the best point: by the curvature between it and those that were best before it.

    Args:
        points: `(n, d)`, in the order in which they were scored. gains: `(n,)`. gradients: `(n, d)` of the gains.
        radius: How long a step is where no curvature is known, and at most.

    Returns:
        `(d,)`.
    """
    best = np.maximum.accumulate(gains)
    records = np.flatnonzero(gains > np.concatenate([[-np.inf], best[:-1]]))[-_PAIRS - 1 :]
    moved, turned = np.diff(points[records], axis=0), -np.diff(gradients[records], axis=0)
    bent = np.einsum("nd,nd->n", moved, turned)
    sound = bent > _BENT * np.linalg.norm(moved, axis=1) * np.linalg.norm(turned, axis=1)
    moved, turned, bent = moved[sound], turned[sound], bent[sound]
    slope = gradients[records[-1]]
    if not len(moved):
        ahead: Float64 = slope / max(float(np.linalg.norm(slope)), 1e-300) * radius
        return ahead
    out, shares = slope.copy(), np.empty(len(moved))
    for i in range(len(moved) - 1, -1, -1):
        shares[i] = moved[i] @ out / bent[i]
        out = out - shares[i] * turned[i]
    out = out * (bent[-1] / (turned[-1] @ turned[-1]))
    for i in range(len(moved)):
        out = out + moved[i] * (shares[i] - turned[i] @ out / bent[i])
    step: Float64 = within(out[None], radius)[0]
    return step


def steps(n: int, failed: int) -> Float64:
    """`(n,)` shares of the step to try at once, the whole one first, after so many that found nothing better."""
    both = np.array([0.5 ** ((i + 1) // 2) if i % 2 else 2.0 ** (i // 2) for i in range(n)])
    out: Float64 = both * 0.5 ** (failed * ((n + 1) // 2) if n else 0)
    return out
