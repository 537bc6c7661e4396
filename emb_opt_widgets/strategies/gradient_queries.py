"""`GradientQueries`: queries that also look along their estimated score gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emb_opt_widgets.engine.adapt import as_update
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.gradient import check_lrs, check_norm, loss_gradient

__all__ = ["GradientQueries"]


@dataclass(frozen=True, slots=True)
class GradientQueries:
    """Gives the queries of another update the gradient of their parents' hits to look along.

    One piece for `emb_opt`'s `UpdatePluginGradientWrapper` and `DataPluginGradWrapper`: a query then looks
    from `q` and from `q + lr · gradient` for each learning rate, and its hits are all of theirs.

    Args:
        update: The update that makes the queries.
        lrs: Learning rates along the gradient of rising score.
        distance_penalty: Pull towards the hits.
        max_norm: Longest gradient; None: any.
        norm_type: Its norm, as in `numpy.linalg.norm`.
    """

    update: Any
    lrs: tuple[float, ...]
    distance_penalty: float = 0.0
    max_norm: float | None = None
    norm_type: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lrs", check_lrs(self.lrs))
        check_norm(self.max_norm, self.norm_type)
        object.__setattr__(self, "update", as_update(self.update))

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        made: Proposals = self.update.propose(queries, view)
        if not len(made):
            return made
        return replace(made, gradients=self._gradients(made, queries), steps=np.array(self.lrs))

    def _gradients(self, made: Proposals, queries: Queries) -> Any:
        gains, hits, _, offsets = queries.scored()
        place = {int(node): i for i, node in enumerate(queries.ids)}
        parent = np.array([place.get(int(p), -1) for p in made.parents])
        known = np.flatnonzero(parent >= 0)
        gradients = np.zeros_like(made.embeddings)
        lengths = np.diff(offsets)[parent[known]]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat = np.arange(starts[-1]) + np.repeat(offsets[:-1][parent[known]] - starts[:-1], lengths)
        gradients[known] = -loss_gradient(
            made.embeddings[known],
            hits[flat],
            gains[flat],
            starts,
            self.distance_penalty,
            self.max_norm,
            self.norm_type,
        )
        return gradients
