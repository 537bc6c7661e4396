"""`RLUpdate`: gradient steps on the estimated score, one child for each learning rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.gradient import check_lrs, check_norm, loss_gradient

__all__ = ["RLUpdate"]


@dataclass(frozen=True, slots=True)
class RLUpdate:
    """Moves every query along its estimated score gradient (`emb_opt.update.RLUpdate`).

    Args:
        lrs: Learning rates; each makes a child of every query.
        distance_penalty: Pull towards the hits, in units of the whitened scores.
        max_norm: Longest gradient; None: any.
        norm_type: Its norm, as in `numpy.linalg.norm`.

    Raises:
        InputError: No learning rate, or one that is not finite.
    """

    lrs: tuple[float, ...]
    distance_penalty: float = 0.0
    max_norm: float | None = None
    norm_type: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lrs", check_lrs(self.lrs))
        check_norm(self.max_norm, self.norm_type)

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        gains, hits, _, offsets = queries.scored()
        alive = np.flatnonzero(np.diff(offsets))
        gradients = loss_gradient(
            queries.embeddings, hits, gains, offsets, self.distance_penalty, self.max_norm, self.norm_type
        )[alive]
        lrs = np.array(self.lrs)
        moved = queries.embeddings[alive][:, None, :] - gradients[:, None, :] * lrs[None, :, None]
        return Proposals(
            moved.reshape(-1, moved.shape[-1]),
            np.repeat(queries.ids[alive], len(lrs)),
            "gradient step",
            [f"learning rate {lr:g}" for lr in self.lrs] * len(alive),
        )
