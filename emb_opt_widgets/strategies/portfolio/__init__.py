"""The default strategy: operators propose, surrogates judge, a bandit shares out the calls. One algorithm a file."""

from emb_opt_widgets.strategies.portfolio.operators import Blend, Coverage, Explore, Neighbours, Only, Uniform
from emb_opt_widgets.strategies.portfolio.strategy import Portfolio, SurrogateUpdate
from emb_opt_widgets.strategies.portfolio.surrogates import (
    BoTorchSurrogate,
    Kernel,
    LearnedMetric,
    Linear,
    SklearnSurrogate,
)

__all__ = [
    "Blend", "BoTorchSurrogate", "Coverage", "Explore", "Kernel", "LearnedMetric", "Linear", "Neighbours", "Only",
    "Portfolio", "SklearnSurrogate", "SurrogateUpdate", "Uniform",
]  # fmt: skip
