"""The surrogate that refines what the linear one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from emb_opt_widgets.strategies.portfolio.fit import fit
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Observed

__all__ = ["Kernel"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """Gaussian processes: Matérn 5/2 beside the linear part, one in each metric that the library has by itself."""

    name: ClassVar[str] = "kernel"

    def fit(self, observed: Observed) -> dict[str, Process]:
        """One process in the plain metric, one in a metric that evens out the principal axes."""
        out = {}
        for name, metric in observed.library.metrics.items():
            observed.checkpoint()
            hyper = observed.hyper.get(name)
            out[name] = fit(observed.library, metric, observed.rows, observed.gains, hyper, observed.turn)
        return out
