"""What the surrogates tell of a search from outside its rounds: what they expect of items, what they make of noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.ids import as_ids
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio.asking import Seen
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Scored, fit_ensemble
from emb_opt_widgets.strategies.portfolio.known import is_readable, known_rows, shelf_of
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.moments import believed, expected, inexact
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, without

__all__ = ["Learned", "believed_of_all", "expected_of", "learned"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_KEY = "portfolio/beliefs"


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was made of all scores there are.

    Attributes:
        ensemble: Fitted to them. scored: What it was fitted to.
        places: `(m,)` the library rows of the search's rows, -1 for one that the library does not have.
        row: The library row of an id, -1 where there is none. ids: The ids of library rows.
    """

    ensemble: Ensemble
    scored: Scored
    places: Array
    row: Callable[[int | str], int]
    ids: Callable[[Array], Array]

    @property
    def library(self) -> Library:
        """What rows are of."""
        return self.scored.library


def learned(surrogates: Sequence[Surrogate], view: SearchView) -> Learned | None:
    """The surrogates fitted to all scores there are; None before any can be asked."""
    if is_readable(view.source):
        shelf = shelf_of(view)
        known = known_rows(view, shelf)
        scored = Scored(shelf.library, known.rows, known.gains, shelf.sums, view.rng, view.checkpoint)
        ensemble = _ensemble(scored, surrogates, view)
        if ensemble is None:
            return None
        rows = shelf.rows(view)
        return Learned(ensemble, scored, rows, lambda one: int(shelf.ids.rows(as_ids([one]))[0]), shelf.ids.of)
    seen = Seen(view)
    scored = Scored(seen.library, seen.paid, seen.gains, None, view.rng, view.checkpoint)
    ensemble = _ensemble(scored, surrogates, view)
    if ensemble is None:
        return None
    places = seen.places

    def row(item: int | str) -> int:
        known = view.row_of(item)
        return -1 if known is None or known >= len(places) else int(places[known])

    return Learned(ensemble, scored, places, row, lambda rows: view.ids(seen.rows[rows]))


def _ensemble(scored: Scored, surrogates: Sequence[Surrogate], view: SearchView) -> Ensemble | None:
    """Fitted to these; kept until there are others."""
    fine = scored.gains[np.isfinite(scored.gains)]
    if len(fine) < 3 or not fine.max() > fine.min():
        return None
    memory = Memory.read(view.memory)
    by = (tuple(surrogates), scored.rows.tobytes(), scored.gains.tobytes(), repr(memory.hyper))
    kept: tuple[tuple[Any, ...], Ensemble | None] | None = view.cache.get(_KEY)
    if kept is None or kept[0] != by:
        kept = view.cache[_KEY] = by, fit_ensemble(scored, surrogates, memory)[0]
    return kept[1]


def expected_of(surrogates: Sequence[Surrogate], rows: Array, view: SearchView) -> tuple[Float64, Float64]:
    """Mean and standard deviation `(n,)` of what a measurement of each item would gain; NaN before any can be asked.

    The deviation holds the surrogates' own, the noise that they see in the scores, and how far they disagree.

    Args:
        surrogates: Who is asked. rows: `(n,)` the search's rows.
    """

    def told(asked: Sequence[Surrogate]) -> tuple[Float64, Float64]:
        known = learned(asked, view)
        if known is None:
            return np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        return expected(known.ensemble, known.library, known.places[rows])

    return without(surrogates, told, Troubles(view.notify))


def believed_of_all(surrogates: Sequence[Surrogate], view: SearchView) -> Float64 | None:
    """What each item of `view.paid()` is believed to gain, `(n,)`; None where no score is known to be inexact, or no
    model can be asked.

    Looks at nothing but the items that were seen: it may be asked while the strategy thinks.
    """
    errors = view.items()["noise"][view.paid()] if view.items() else np.empty(0)
    if not inexact(errors, view.noise):
        return None
    seen = Seen(view)
    if not seen.modelled:
        return None
    scored = Scored(seen.library, seen.paid, seen.gains, None, view.rng, view.checkpoint)
    ensemble, _, _ = fit_ensemble(scored, surrogates, Memory())
    return None if ensemble is None else believed(ensemble, seen.library, seen.paid, seen.gains, errors)
