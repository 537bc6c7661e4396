"""Our update and prune plugins as the engine's strategies, and what their proposals are told as emb_opt tells it.

A plugin is known by its exact class: one that is derived from it is a user's own function.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.prune import TopKPrune
from emb_opt_widgets.compat.update import (
    RLUpdate,
    TopKContinuousUpdate,
    TopKDiscreteUpdate,
    UpdatePluginGradientWrapper,
)
from emb_opt_widgets.engine.protocols import Update
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies import prune, rl, topk
from emb_opt_widgets.strategies.gradient import loss_gradient
from emb_opt_widgets.strategies.gradient_queries import GradientQueries

__all__ = ["Pruner", "as_pruner", "as_strategy", "picked_hits", "propose", "step_gradients"]


def as_strategy(plugin: Any) -> Update | None:
    """The engine's update of one of our update plugins; None for anything else."""
    try:
        if type(plugin) is RLUpdate:
            return rl.RLUpdate(tuple(plugin.lrs.tolist()), plugin.distance_penalty, plugin.max_norm, plugin.norm_type)
        if type(plugin) is TopKDiscreteUpdate:
            return topk.TopKDiscreteUpdate(plugin.k)
        if type(plugin) is TopKContinuousUpdate:
            return topk.TopKContinuousUpdate(plugin.k)
        if type(plugin) is UpdatePluginGradientWrapper:
            inner = as_strategy(plugin.function)
            if inner is None or isinstance(inner, GradientQueries):
                return None
            return GradientQueries(inner, (1.0,), plugin.distance_penalty, plugin.max_norm, plugin.norm_type)
    except (InputError, TypeError, ValueError):
        return None
    return None


def propose(strategy: Update, queries: Queries, view: SearchView) -> Proposals:
    """The strategy's proposals; gradients are told, looking along them is the data plugin's business."""
    return replace(strategy.propose(queries, view), steps=None)


def step_gradients(strategy: rl.RLUpdate, queries: Queries) -> npt.NDArray[np.float64]:
    """`(q, d)`: the gradient by which each query was moved."""
    gains, hits, _, offsets = queries.scored()
    return loss_gradient(
        queries.embeddings, hits, gains, offsets, strategy.distance_penalty, strategy.max_norm, strategy.norm_type
    )


def picked_hits(strategy: topk.TopKDiscreteUpdate, queries: Queries) -> npt.NDArray[np.int64]:
    """`(m,)`: the place, among the queries' hits, of the one that each proposal looks from."""
    gains, _, positions, offsets = queries.scored()
    picked, _ = topk.best_hits(gains, offsets, strategy.k)
    out: npt.NDArray[np.int64] = positions[picked]
    return out


class Pruner:
    """`TopKPrune` in columns.

    Args:
        plugin: The plugin.
        pruner: The engine's.
    """

    def __init__(self, plugin: TopKPrune, pruner: prune.TopKPrune) -> None:
        self.told = f"{plugin.score_agg}_score"
        self.by = plugin.group_by
        self._pruner = pruner

    def keep(self, queries: Queries, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the queries go on, judged in these groups."""
        regrouped = Queries(
            queries.ids, groups, groups, queries.rounds, queries.embeddings, queries.offsets, queries.hits,
            queries.valid, queries.sign,
        )  # fmt: skip
        return self._pruner.keep(regrouped)


def as_pruner(plugin: Any) -> Pruner | None:
    """The columns of our prune plugin; None for anything else."""
    if type(plugin) is not TopKPrune:
        return None
    try:
        group = "collection_id" if plugin.group_by else None
        return Pruner(plugin, prune.TopKPrune(plugin.k, plugin.score_agg, group))  # type: ignore[arg-type]
    except InputError:
        return None
