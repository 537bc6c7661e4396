"""Fitting a process to scores: which points, which target, which kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.evidence import CONSTANT, LENGTH, NOISE, QUADRATIC, SHARE, Evidence
from emb_opt_widgets.strategies.portfolio.kernels import linear_gram, matern, square_distances
from emb_opt_widgets.strategies.portfolio.library import Library, Metric, stable_order
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.target import TRANSFORMS, best_first, transform

__all__ = ["VOTE", "fit", "representative"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

VOTE = 5
"""How sharply targets and members are weighted by their rank correlation: `(1 - rho²) ** -VOTE`."""
_POINTS = 1024
_FEW_POINTS = 512
"""In libraries so large that predicting takes the time."""
_LARGE = 250_000
_SUBSET = 200
_FIRST = [3, 6, 6, 1]


def fit(
    library: Library,
    metric: Metric,
    rows: Array,
    scores: Float64,
    hyper: Mapping[str, Any] | None,
    turn: str,
    linear: bool = False,
) -> Process:
    """Fit to scored rows, as few as `representative` leaves.

    Args:
        library: What the rows are of.
        metric: In which to measure.
        rows: `(n,)`. scores: `(n,)` finite, more is better.
        hyper: What the last fit found.
        turn: The target that is searched again beside the leading one.
        linear: Whether the kernel is left out.
    """
    points = metric.apply(library.block(rows))
    a = points.astype(np.float64)
    lengths: Float64 = metric.lengths(a)
    squared: Float64 = square_distances(a, a) / (2 * a.shape[1])
    subset = np.sort(stable_order(rows)[:_SUBSET])
    shares = (1.0,) if linear else SHARE
    grams = [linear_gram(a[subset], lengths[subset], a[subset], lengths[subset], q) for q in QUADRATIC]
    evidence = Evidence(squared[np.ix_(subset, subset)], grams, shares, 0 if linear else 2)
    every = {kind: transform(scores, kind) for kind in TRANSFORMS}
    found = _search(evidence, {kind: z[subset] for kind, z in every.items()}, scores[subset], hyper or {}, turn)
    place = found[found["best"]]
    merit = {kind: evidence.left_out(place, z[subset], scores[subset]) for kind, z in every.items()}
    votes = np.array([(1 - min(max(merit[kind], 0), 0.9999) ** 2) ** -VOTE for kind in TRANSFORMS])
    targets: Float64 = np.asarray(sum(v * every[kind] for v, kind in zip(votes / votes.sum(), TRANSFORMS)))
    share, length, noise, quadratic = shares[place[0]], LENGTH[place[1]], NOISE[place[2]], QUADRATIC[place[3]]
    gram = np.full((len(a), len(a)), CONSTANT)
    if share > 0:
        gram += share * (1 + linear_gram(a, lengths, a, lengths, quadratic))
    if share < 1:
        gram += (1 - share) * matern(squared / length)
    gram[np.diag_indices(len(a))] += noise
    alpha: Float64 = np.linalg.solve(gram, targets)
    return Process(
        metric, points, lengths, share, length, noise, quadratic, alpha, gram,
        variance=max(float(targets @ alpha) / len(a), 1e-9), left_out=float(merit[found["best"]]),
        targets=targets, scores=scores, hyper=found,
    )  # fmt: skip


def representative(library: Library, rows: Array, scores: Float64) -> Array:
    """Positions of the scored rows to fit to: all, or the best and a stable random rest."""
    most = _POINTS if library.n <= _LARGE else _FEW_POINTS
    if len(rows) <= most:
        return np.arange(len(rows))
    top = best_first(scores, most // 2)
    others = np.ones(len(rows), bool)
    others[top] = False
    rest = np.flatnonzero(others)
    return np.concatenate([top, rest[stable_order(rows[rest])[: most - len(top)]]])


def _search(
    evidence: Evidence, every: Mapping[str, Float64], scores: Float64, hyper: Mapping[str, Any], turn: str
) -> dict[str, Any]:
    """The place in the grids for each target, with the target that predicts best under "best".

    The leader and one other, whose turn it is, are searched again; the rest keep their places.
    """
    found = dict(hyper)
    again = {found.get("best"), turn}
    merit = {}
    for kind, targets in every.items():
        if kind in again or kind not in found:
            found[kind], _ = evidence.search(list(found.get(kind, _FIRST)), targets, 1 if kind in found else 9)
        merit[kind] = evidence.left_out(found[kind], targets, scores)
    found["best"] = max(TRANSFORMS[::-1], key=lambda kind: round(merit[kind], 3))
    return found
