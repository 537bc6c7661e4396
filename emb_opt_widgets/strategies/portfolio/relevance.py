"""Along which directions the scores change: a metric learned from a fitted process."""

from __future__ import annotations

import numpy as np

from emb_opt_widgets.strategies.portfolio.library import Library, Metric
from emb_opt_widgets.strategies.portfolio.process import Process

__all__ = ["relevant"]

_POWER = 0.5
_REST = 0.2
"""Added to every direction's relevance, in mean ones."""


def relevant(library: Library, process: Process) -> Metric:
    """The metric that is stretched along directions in which the process's mean changes, by its average gradient outer
    product (Radhakrishnan et al., "Mechanism for feature learning in neural networks and backpropagation-free machine
    learning models", Science 383, 2024), more gently: by the power 1/2.
    """
    library.checkpoint()
    slopes = process.gradients()
    library.checkpoint()
    if process.metric.map is not None:
        slopes = slopes @ process.metric.map.T.astype(np.float64)
    values, axes = np.linalg.eigh(slopes.T @ slopes)
    mean = float(values.mean())
    if not mean > 0:
        return process.metric
    return library.metric(axes * (np.maximum(values / mean, 0) + _REST) ** (_POWER / 2))
