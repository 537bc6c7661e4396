"""The default strategy: operators propose, surrogates judge, a bandit shares out the calls. One algorithm a file."""

from emb_opt_widgets.strategies.portfolio.operators import Blend, Coverage, Explore, Neighbours, Only, Uniform
from emb_opt_widgets.strategies.portfolio.strategy import Portfolio, SurrogateUpdate
from emb_opt_widgets.strategies.portfolio.surrogates import Kernel, LearnedMetric, Linear

__all__ = [
    "Blend", "Coverage", "Explore", "Kernel", "LearnedMetric", "Linear", "Neighbours", "Only", "Portfolio",
    "SurrogateUpdate", "Uniform",
]  # fmt: skip
