"""The surrogate that measures along the directions in which the scores change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from emb_opt_widgets.strategies.portfolio.fit import fit
from emb_opt_widgets.strategies.portfolio.library import PLAIN
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.relevance import relevant
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import Observed

__all__ = ["LearnedMetric"]


@dataclass(frozen=True, slots=True)
class LearnedMetric:
    """As `Kernel`, in a metric that is made from the scores.

    Believed no more than the process in the plain metric that tells it: the scores left out had a part in the metric.
    """

    name: ClassVar[str] = "learned"

    def fit(self, observed: Observed) -> dict[str, Process]:
        """One process in the learned metric; in one dimension there is nothing to learn."""
        library, rows, gains, turn = observed.library, observed.rows, observed.gains, observed.turn
        before = observed.fits.get(PLAIN)
        alone = not isinstance(before, Process)
        if not isinstance(before, Process):
            before = fit(library, library.metrics[PLAIN], rows, gains, None, turn)
            observed.checkpoint()
        if library.dim == 1:
            return {self.name: before} if alone else {}
        out = fit(library, relevant(library, before), rows, gains, observed.hyper.get(self.name), turn)
        out.left_out = min(out.left_out, before.left_out)
        return {self.name: out}
