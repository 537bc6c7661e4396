"""`Portfolio`, what `update=None` stands for, and `SurrogateUpdate`, its models alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import Reasons, VolatileSource
from emb_opt_widgets.engine.queries import Choice, Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies.portfolio.asking import choose_hits, propose_queries
from emb_opt_widgets.strategies.portfolio.beliefs import believed_of_all, expected_of
from emb_opt_widgets.strategies.portfolio.explaining import reasons_of
from emb_opt_widgets.strategies.portfolio.known import is_readable, would_close
from emb_opt_widgets.strategies.portfolio.latent import LatentUpdate
from emb_opt_widgets.strategies.portfolio.operators import OPERATORS, Asker, Operator
from emb_opt_widgets.strategies.portfolio.readable import choose_items, propose_items
from emb_opt_widgets.strategies.portfolio.settings import Settings, check_weight, read_operators, read_surrogates
from emb_opt_widgets.strategies.portfolio.surrogates import SURROGATES, Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, without

__all__ = ["Portfolio", "SurrogateUpdate"]

_ASKED = {"both": ("linear", "kernel", "learned"), "linear": ("linear",), "kernel": ("kernel", "learned")}


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Operators propose, surrogates are weighted by how they predicted, and a bandit shares out the calls.

    Where the source can be read through, every round fits Gaussian processes to what is scored (a linear one, and with
    a kernel in two given metrics and one learned from the scores), asks them about the whole library, and draws a batch
    slot by slot from the operators' lists; each operator is credited by how its own draws scored, the models' blend has
    the more credit to begin with the better they explain the scores, and from the middle of the budget on, what is
    asked in order to learn gets less. Where it can only be asked, operators make queries and the surrogate chooses
    among their hits; where it makes its items up, and no other surrogates are given, `LatentUpdate` climbs in it.
    Weights, credit and shares stand in the events' `memory`; `Choice.propensity` is the probability
    with which an item's slot went to it, given the lists (see `batch.mix`); before the first design, given the starts.

    A round's size follows from the budget and from how well the models predict, in multiples of what is scored at once:
    the search's `batch_size`, times the workers of its executor where those are known (threads, processes), or the `n`
    of `ask(n)`. Only the first design stops at half the budget, and the last round at the budget itself. The
    search's `k`, hits per query, counts where the source can only be asked, and for queries of a person's own; where
    the source can be read through, an operator's node holds the items that it got calls for.

    Args:
        operators: Who takes part, as objects or names: "blend" (all models), "explore" (all models, boldly), "linear",
            "kernel", "neighbours", "coverage", "random"; the name of another surrogate asks that one alone.
            Where the source can only be asked: "gradient", "around", "between", "spread". The usual ones of a kind
            stand in where none of that kind is given.
        surrogates: Who is asked what to expect, as objects or names: "linear", "kernel", "learned". One that fails is
            left out of that round, and an operator that proposes what cannot be scored, too.
        caution: Standard deviations added to what is expected of an item.
        boldness: The same, for "explore".
        asynchronous: With workers, propose whenever fewer calls than workers are in flight, knowing what is pending.
            False: wait until a round's scores are all there.
    """

    operators: tuple[Operator | Asker, ...] | tuple[Operator | Asker | str, ...] | str = tuple(OPERATORS.values())
    surrogates: tuple[Surrogate, ...] | tuple[Surrogate | str, ...] | str = tuple(SURROGATES.values())
    caution: float = 0.75
    boldness: float = 2.5
    asynchronous: bool = True

    def __post_init__(self) -> None:
        surrogates = read_surrogates(self.surrogates)
        check_weight("caution", self.caution)
        check_weight("boldness", self.boldness)
        object.__setattr__(self, "operators", read_operators(self.operators, surrogates))
        object.__setattr__(self, "surrogates", surrogates)

    def _settings(self) -> Settings:
        surrogates = read_surrogates(self.surrogates)
        return Settings.of(read_operators(self.operators, surrogates), surrogates, self.caution, self.boldness)

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        """One node for each operator that got calls, with the items to score; or queries, where only those find any."""
        if self._climbs(view):
            return LatentUpdate(self.caution).propose(queries, view)
        make = propose_items if is_readable(view.source) else propose_queries
        return make(self._settings(), view)

    def _climbs(self, view: SearchView) -> bool:
        """Whether the source makes its items up, and no surrogates were chosen for it."""
        return isinstance(view.source, VolatileSource) and self.surrogates == tuple(SURROGATES.values())

    def choose(self, candidates: Items, view: SearchView) -> Choice:
        """What to spend calls on: what a person asked for, then the batch."""
        if self._climbs(view):
            return LatentUpdate(self.caution).choose(candidates, view)
        if is_readable(view.source):
            return choose_items(candidates, view)
        return choose_hits(self._settings(), candidates, view)

    def predict(
        self, rows: npt.NDArray[np.int32], view: SearchView
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """As `Predicts.predict`: by all surrogates, fitted to the scores there are now."""
        return expected_of(self._settings().surrogates, rows, view)

    def explain(self, item: int | str, n: int, view: SearchView) -> Reasons | None:
        """As `Explains.explain`."""
        return reasons_of(self._settings().surrogates, item, n, view)

    def believe(self, view: SearchView) -> npt.NDArray[np.float64] | None:
        """As `Believes.believe`: by all surrogates, each asked about an item without its own score."""
        surrogates = self._settings().surrogates
        return without(surrogates, lambda asked: believed_of_all(asked, view), Troubles(view.notify))

    def would_close(self, nodes: Sequence[int], view: SearchView) -> tuple[int, bool]:
        """As `Closes.would_close`."""
        return would_close(nodes, view)


@dataclass(frozen=True, slots=True)
class SurrogateUpdate:
    """The surrogate alone: after a first design, every call goes where the model expects most.

    Args:
        model: "linear" (on x, |x|² and the single xⱼ²), "kernel" (Matérn 5/2 beside these, in three
            metrics, of which one is learned), or "both".
        caution: As in `Portfolio`.
    """

    model: Literal["both", "linear", "kernel"] = "both"
    caution: float = 0.75
    asynchronous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.model not in ("both", "linear", "kernel"):
            raise InputError("model is not usable", expected='"both", "linear" or "kernel"', got=repr(self.model))
        check_weight("caution", self.caution)

    def _settings(self) -> Settings:
        operator = OPERATORS["blend" if self.model == "both" else self.model]
        surrogates = tuple(SURROGATES[name] for name in _ASKED[self.model])
        return Settings((operator,), surrogates, self.caution, self.caution)

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        """As `Portfolio.propose`."""
        make = propose_items if is_readable(view.source) else propose_queries
        return make(self._settings(), view)

    def choose(self, candidates: Items, view: SearchView) -> Choice:
        """As `Portfolio.choose`."""
        if is_readable(view.source):
            return choose_items(candidates, view)
        return choose_hits(self._settings(), candidates, view)

    def predict(
        self, rows: npt.NDArray[np.int32], view: SearchView
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """As `Predicts.predict`: by all surrogates, fitted to the scores there are now."""
        return expected_of(self._settings().surrogates, rows, view)

    def explain(self, item: int | str, n: int, view: SearchView) -> Reasons | None:
        """As `Explains.explain`."""
        return reasons_of(self._settings().surrogates, item, n, view)

    def believe(self, view: SearchView) -> npt.NDArray[np.float64] | None:
        """As `Believes.believe`: by all surrogates, each asked about an item without its own score."""
        surrogates = self._settings().surrogates
        return without(surrogates, lambda asked: believed_of_all(asked, view), Troubles(view.notify))

    def would_close(self, nodes: Sequence[int], view: SearchView) -> tuple[int, bool]:
        """As `Closes.would_close`."""
        return would_close(nodes, view)
