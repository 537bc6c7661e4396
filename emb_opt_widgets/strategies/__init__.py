"""Ways to turn scored queries into new ones, and to decide which go on. One algorithm a file."""

from __future__ import annotations

from collections.abc import Mapping

from emb_opt_widgets.engine.protocols import Update
from emb_opt_widgets.strategies.composite import CompositeFilter, CompositeScore
from emb_opt_widgets.strategies.gradient_queries import GradientQueries
from emb_opt_widgets.strategies.portfolio import (
    Around,
    Between,
    Blend,
    BoTorchSurrogate,
    Coverage,
    Explore,
    Gradient,
    Kernel,
    LearnedMetric,
    Linear,
    Neighbours,
    Only,
    Portfolio,
    SklearnSurrogate,
    Spread,
    SurrogateUpdate,
    Uniform,
)
from emb_opt_widgets.strategies.portfolio.latent import LatentUpdate
from emb_opt_widgets.strategies.prune import TopKPrune
from emb_opt_widgets.strategies.rl import RLUpdate
from emb_opt_widgets.strategies.topk import TopKContinuousUpdate, TopKDiscreteUpdate

__all__ = [
    "Around",
    "Between",
    "Blend",
    "BoTorchSurrogate",
    "CompositeFilter",
    "CompositeScore",
    "Coverage",
    "Explore",
    "Gradient",
    "GradientQueries",
    "Kernel",
    "LatentUpdate",
    "LearnedMetric",
    "Linear",
    "Neighbours",
    "Only",
    "Portfolio",
    "RLUpdate",
    "SklearnSurrogate",
    "Spread",
    "SurrogateUpdate",
    "TopKContinuousUpdate",
    "TopKDiscreteUpdate",
    "TopKPrune",
    "Uniform",
]

REGISTRY: Mapping[str, type] = {
    part.__name__: part
    for part in (
        Around, Between, Blend, BoTorchSurrogate, CompositeFilter, CompositeScore, Coverage, Explore, Gradient,
        GradientQueries, Kernel, LatentUpdate, LearnedMetric, Linear, Neighbours, Only, Portfolio, RLUpdate,
        SklearnSurrogate, Spread, SurrogateUpdate, TopKContinuousUpdate, TopKDiscreteUpdate, TopKPrune, Uniform,
    )
}  # fmt: skip
"""Our own parts by name: what a search's file restores without being handed anything."""

DEFAULT_UPDATE: Update = Portfolio()
"""What `update=None` stands for."""
