"""The linear model on more scores than a Gram matrix holds: by sums over blocks, of which only new ones are computed.

Bayesian linear regression in its primal form (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006,
eq. 2.8), with the process's own prior: as many unknowns as features, however much is scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.kernels import CONSTANT
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.process import Primal, Process

__all__ = ["Sums"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_BLOCK = 1024
_BLOCKS = 64


class Sums:
    """Products of the features of scored rows with each other, block by block in the order of payment.

    The latest 64 blocks of 1,024 count, so that neither time nor memory grows beyond them. The blocks' borders depend
    on the order of payment alone: after a resume the same sums come out, to the last bit.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, Float64] = {}

    def fit(self, process: Process, library: Library, rows: Array, scores: Float64) -> Primal:
        """The linear part of a process, from all of these rows instead of the few it was fitted to.

        Args:
            process: Its targets, prior and noise are taken.
            library: What the rows are of.
            rows: `(n,)` in the order of payment. scores: `(n,)` finite.
        """
        known, at = np.unique(process.scores, return_index=True)
        first = max(0, -(-len(rows) // _BLOCK) - _BLOCKS)
        self._blocks = {number: gram for number, gram in self._blocks.items() if number >= first}
        d = library.dim
        gram, product = np.zeros((2 * d + 2, 2 * d + 2)), np.zeros(2 * d + 2)
        for number in range(first, -(-len(rows) // _BLOCK)):
            part = slice(number * _BLOCK, (number + 1) * _BLOCK)
            library.checkpoint()
            features = _features(process, library.block(rows[part]))
            product += features.T @ np.interp(scores[part], known, process.targets[at])
            known_gram = self._blocks.get(number)
            if known_gram is None:
                known_gram = features.T @ features
                if len(features) == _BLOCK:
                    self._blocks[number] = known_gram
            gram += known_gram
        wx, wq, ws = process.kernel.quadratic
        scale = np.sqrt(np.concatenate([[1 + CONSTANT], np.full(d, wx / d), [wq], np.full(d, ws / (2 * d))]))
        inner = scale[:, None] * gram * scale
        inner[np.diag_indices(len(inner))] += process.noise
        weights = scale * np.linalg.solve(inner, scale * product)
        return (
            weights[1 : d + 1].astype(np.float32), weights[d + 2 :].astype(np.float32) if ws else None,
            np.float32(weights[d + 1]), np.float32(weights[0]),
        )  # fmt: skip


def _features(process: Process, block: Array) -> Float64:
    """`(m, 2 d + 2)`: 1, x, |x|² (standardised), xⱼ² − 1."""
    b = process.metric.apply(block)
    lengths = process.metric.lengths(b)
    return np.concatenate([np.ones((len(b), 1)), b, lengths[:, None], b * b - 1], axis=1).astype(np.float64)
