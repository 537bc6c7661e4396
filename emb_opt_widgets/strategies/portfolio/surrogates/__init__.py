"""What the strategy believes: models of the scores. One a file; names stand for the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping

from emb_opt_widgets.strategies.portfolio.surrogates.botorch import BoTorchSurrogate
from emb_opt_widgets.strategies.portfolio.surrogates.kernel import Kernel
from emb_opt_widgets.strategies.portfolio.surrogates.learned_metric import LearnedMetric
from emb_opt_widgets.strategies.portfolio.surrogates.linear import Linear
from emb_opt_widgets.strategies.portfolio.surrogates.sklearn import SklearnSurrogate
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Fitted, JointFitted, Observed, Surrogate

__all__ = [
    "SURROGATES", "BoTorchSurrogate", "Fitted", "JointFitted", "Kernel", "LearnedMetric", "Linear", "Observed",
    "SklearnSurrogate", "Surrogate",
]  # fmt: skip

SURROGATES: Mapping[str, Surrogate] = {one.name: one for one in (Linear(), Kernel(), LearnedMetric())}
"""The built-in surrogates by name, in the order in which they are fitted."""
