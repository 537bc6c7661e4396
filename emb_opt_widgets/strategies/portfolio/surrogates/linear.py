"""The surrogate that extrapolates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from emb_opt_widgets.strategies.portfolio.fit import fit
from emb_opt_widgets.strategies.portfolio.library import PLAIN
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Observed

__all__ = ["Linear"]


@dataclass(frozen=True, slots=True)
class Linear:
    """A Bayesian linear model of x, |x|² and the single xⱼ²; of all scores, however many there are."""

    name: ClassVar[str] = "linear"

    def fit(self, observed: Observed) -> Process:
        """Fit to all that is scored."""
        library, hyper = observed.library, observed.hyper.get(self.name)
        metric = library.metrics[PLAIN]
        out = fit(library, metric, observed.rows, observed.gains, hyper, observed.turn, linear=True)
        if observed.sums is not None and observed.everything is not None:
            out.primal = observed.sums.fit(out, library, *observed.everything)
        return out
