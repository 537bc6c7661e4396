"""The default strategy: operators propose, surrogates judge, a bandit shares out the calls. One algorithm a file."""

from emb_opt_widgets.strategies.portfolio.operators import (
    Around,
    Between,
    Blend,
    Coverage,
    Explore,
    Gradient,
    Neighbours,
    Only,
    Spread,
    Uniform,
)
from emb_opt_widgets.strategies.portfolio.strategy import Portfolio, SurrogateUpdate
from emb_opt_widgets.strategies.portfolio.surrogates import (
    BoTorchSurrogate,
    Kernel,
    LearnedMetric,
    Linear,
    SklearnSurrogate,
)

__all__ = [
    "Around", "Between", "Blend", "BoTorchSurrogate", "Coverage", "Explore", "Gradient", "Kernel", "LearnedMetric",
    "Linear", "Neighbours", "Only", "Portfolio", "SklearnSurrogate", "Spread", "SurrogateUpdate", "Uniform",
]  # fmt: skip
