"""Fitting a process to scores: which points, which target, which kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.evidence import LENGTH, NOISE, QUADRATIC, SHARE, Evidence
from emb_opt_widgets.strategies.portfolio.kernels import Kernel, linear_gram, lower_gram, square_distances
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
    lengths: Float64 = metric.lengths(points.astype(np.float64))
    every = {kind: transform(scores, kind) for kind in TRANSFORMS}
    library.checkpoint()
    evidence = _evidence(library, points, lengths, rows, every, scores, linear)
    found = _search(evidence, hyper or {}, turn)
    place = found[found["best"]]
    merit = [evidence.left_out(place, i) for i in range(len(TRANSFORMS))]
    votes = np.array([(1 - min(max(value, 0), 0.9999) ** 2) ** -VOTE for value in merit])
    targets: Float64 = np.asarray(sum(v * every[kind] for v, kind in zip(votes / votes.sum(), TRANSFORMS)))
    kernel = Kernel(1.0 if linear else SHARE[place[0]], LENGTH[place[1]], QUADRATIC[place[3]])
    algebra, noise = library.algebra, NOISE[place[2]]
    gram = lower_gram(algebra, kernel, points, lengths, noise, library.checkpoint)
    library.checkpoint()
    factor = algebra.factor(gram)
    alpha: Float64 = np.asarray(algebra.host(factor.solve(algebra.place(targets, wide=True))))
    return Process(
        metric, points, lengths, kernel, noise, alpha, factor,
        variance=max(float(targets @ alpha) / len(points), 1e-9),
        left_out=float(merit[TRANSFORMS.index(found["best"])]),
        targets=targets, scores=scores, hyper=found, algebra=algebra,
    )  # fmt: skip


def _evidence(
    library: Library, points: Array, lengths: Float64, rows: Array, every: Mapping[str, Float64], scores: Float64,
    linear: bool,
) -> Evidence:  # fmt: skip
    """The likelihood on a stable subset of the points."""
    subset = np.sort(stable_order(rows)[:_SUBSET])
    a, q = points[subset].astype(np.float64), lengths[subset]
    squared = square_distances(a, a) / (2 * a.shape[1])
    grams = [linear_gram(a, q, a, q, weights) for weights in QUADRATIC]
    targets = np.stack([every[kind][subset] for kind in TRANSFORMS], axis=1)
    shares = (1.0,) if linear else SHARE
    return Evidence(squared, grams, targets, scores[subset], shares, 0 if linear else 2, library.checkpoint)


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


def _search(evidence: Evidence, hyper: Mapping[str, Any], turn: str) -> dict[str, Any]:
    """The place in the grids for each target, with the target that predicts best under "best".

    The leader and one other, whose turn it is, are searched again; the rest keep their places.
    """
    found = dict(hyper)
    again = {found.get("best"), turn}
    merit = {}
    for i, kind in enumerate(TRANSFORMS):
        if kind in again or kind not in found:
            found[kind], _ = evidence.search(list(found.get(kind, _FIRST)), i, 1 if kind in found else 9)
        merit[kind] = evidence.left_out(found[kind], i)
    found["best"] = max(TRANSFORMS[::-1], key=lambda kind: round(merit[kind], 3))
    return found
