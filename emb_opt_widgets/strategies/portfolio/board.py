"""What operators see: the library, what is scored in it, what may not be proposed, and what the surrogates expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.batch import acquire, screen
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble
from emb_opt_widgets.strategies.portfolio.known import imputed
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates
from emb_opt_widgets.strategies.portfolio.prices import Prices

if TYPE_CHECKING:
    from emb_opt_widgets.engine.view import SearchView

__all__ = ["Board"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]


def _go_on() -> None:
    """Nobody interrupts."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """A round as its operators see it. Nothing of it may be written to.

    Attributes:
        library: What the rows are of: `library.block(rows)` gives vectors, centred and scaled.
        rows: `(n,)` scored rows, in the order of payment.
        gains: `(n,)` their scores, more is better; NaN where one failed.
        open: `(n,)` whether a row may be built on: not where a person or the pruner dropped the node that found it.
        blocked: `(N,)` rows that must not be proposed: paid for, filtered out, or closed by a person's prune.
        rng: The round's random stream.
        ensemble: The fitted surrogates; None before any can be asked.
        caution, boldness: The portfolio's own.
        checkpoint: To be called every tenth of a second or so by an operator that thinks long.
        view: The search as its strategy sees it: budget, round, nodes, ids; None in a trial.
        pending: `(p,)` rows that are being scored; they are blocked.
        doubt: `(N,)` how far each row is closed by a person's prunes: above 1 it is blocked; None: nothing is pruned.
        prices: What rows cost; None where all cost the same, as far as is known.
    """

    library: Library
    rows: Array
    gains: Float64
    open: npt.NDArray[np.bool_]
    blocked: npt.NDArray[np.bool_]
    rng: np.random.Generator
    ensemble: Ensemble | None = None
    caution: float = 0.75
    boldness: float = 2.5
    checkpoint: Callable[[], None] = _go_on
    view: SearchView | None = None
    pending: Array = field(default_factory=lambda: np.empty(0, np.int64))
    doubt: npt.NDArray[np.float32] | None = None
    prices: Prices | None = None
    _held: dict[str, Array] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("rows", "gains", "open", "blocked", "pending"):
            seen = getattr(self, name).view()
            seen.flags.writeable = False
            object.__setattr__(self, name, seen)

    @property
    def n_free(self) -> int:
        """Rows that can still be proposed."""
        return len(self.blocked) - int(self.blocked.sum())

    @property
    def refining(self) -> tuple[str, ...]:
        """The surrogates that are not linear, where there are any."""
        return () if self.ensemble is None else self.ensemble.refining

    def expected(self, rows: Array) -> Array:
        """What all surrogates together expect of rows `(m,)`, on the scale of their targets; 0 where none is there."""
        if self.ensemble is None:
            return np.zeros(len(rows), np.float32)
        return self._wanted(self.ensemble, rows, self.ensemble.at(self.library, rows))

    def deviation(self, rows: Array) -> Array:
        """How sure the most believed surrogate is of that, in standard deviations `(m,)`; 1 where none is there."""
        if self.ensemble is None:
            return np.ones(len(rows), np.float32)
        return self.ensemble.leader().deviation_at(self.library, rows)

    @property
    def screened(self) -> Array:
        """Free rows that are worth the surrogates' look; all of them in a small library."""
        if self.ensemble is None:
            return np.flatnonzero(~self.blocked)
        if "screened" not in self._held:
            self._held["screened"] = screen(self.library, self.ensemble, self.rows, imputed(self.gains), self.blocked)
        return self._held["screened"]

    def promising(
        self, n: int, beta: float, surrogates: tuple[str, ...] = (), variances: tuple[str, ...] = ()
    ) -> Candidates:
        """Up to `n` rows by what is expected of them, each as if those before it, and those pending, had been scored.

        Args:
            n: How many.
            beta: Standard deviations added to what is expected.
            surrogates: Whom to ask; empty for all.
            variances: Who says how sure that is; empty for the most believed of those asked.
        """
        if self.ensemble is None:
            return Candidates(np.empty(0, np.int64))
        free, names = self.screened, variances or surrogates
        group = self.ensemble.group(surrogates)
        expected = np.asarray(sum(w * self._mean(name) for name, w in group.items()))
        expected = self._wanted(self.ensemble, free, self.ensemble.discounted(self.library, free, expected))
        self.checkpoint()
        leader = self.ensemble.leader(names)
        picked = acquire(self.library, leader, free, expected, n, beta, self.rng, self.pending)
        return Candidates(picked, surrogates=names)

    def _wanted(self, ensemble: Ensemble, rows: Array, expected: Array) -> Array:
        """What is expected, less what a person is not interested in, and less the price: what costs e times as much has
        to promise one standard deviation more, of what is not explained. So expected improvement over cost ranks, to
        first order, where an improvement is about one deviation away."""
        wanted = expected if self.doubt is None else ensemble.unwanted(expected, self.doubt[rows])
        if self.prices is None:
            return wanted
        dear: Array = wanted - np.float32(np.sqrt(ensemble.unexplained)) * self.prices.dearness[rows]
        return dear

    def affordable(self, n: int) -> Board:
        """For whoever draws rows whatever is expected of them: dear ones left out, the more the dearer they are."""
        if self.prices is None:
            return self
        return replace(self, blocked=self.prices.thinned(self.blocked, n, self.rng), _held={})

    def _mean(self, member: str) -> Array:
        """What a member expects of the screened rows."""
        if member not in self._held and self.ensemble is not None:
            self.checkpoint()
            self._held[member] = self.ensemble.fits[member].at(self.library, self.screened)
        return self._held[member]
