"""What the surrogates tell of a search from outside its rounds: what they expect of items, what they make of noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio.asking import Seen
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Scored, fit_ensemble
from emb_opt_widgets.strategies.portfolio.known import is_readable, known_rows, shelf_of
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.moments import believed, expected, inexact
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, without

__all__ = ["believed_of_all", "expected_of"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_KEY = "portfolio/beliefs"


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """An ensemble, the library it is of, and by what it was fitted."""

    by: tuple[Any, ...]
    ensemble: Ensemble
    library: Library


def expected_of(surrogates: Sequence[Surrogate], rows: Array, view: SearchView) -> tuple[Float64, Float64]:
    """Mean and standard deviation `(n,)` of what a measurement of each item would gain; NaN before any can be asked.

    The deviation holds the surrogates' own, the noise that they see in the scores, and how far they disagree.

    Args:
        surrogates: Who is asked. rows: `(n,)` the search's rows.
    """

    def told(asked: Sequence[Surrogate]) -> tuple[Float64, Float64]:
        if is_readable(view.source):
            shelf = shelf_of(view)
            known, places = known_rows(view, shelf), shelf.rows(view)
            scored = Scored(shelf.library, known.rows, known.gains, shelf.sums, view.rng, view.checkpoint)
        else:
            seen = Seen(view)
            places = seen.places
            scored = Scored(seen.library, seen.paid, seen.gains, None, view.rng, view.checkpoint)
        fitted = _fitted(scored, asked, view)
        if fitted is None:
            return np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        return expected(fitted.ensemble, fitted.library, places[rows])

    return without(surrogates, told, Troubles(view.notify))


def _fitted(scored: Scored, surrogates: Sequence[Surrogate], view: SearchView) -> _Fitted | None:
    """The surrogates fitted to all scores there are; kept until there are others."""
    fine = scored.gains[np.isfinite(scored.gains)]
    if len(fine) < 3 or not fine.max() > fine.min():
        return None
    memory = Memory.read(view.memory)
    by = (tuple(surrogates), scored.rows.tobytes(), scored.gains.tobytes(), repr(memory.hyper))
    kept: _Fitted | None = view.cache.get(_KEY)
    if kept is None or kept.by != by:
        ensemble, _, _ = fit_ensemble(scored, surrogates, memory)
        if ensemble is None:
            return None
        kept = view.cache[_KEY] = _Fitted(by, ensemble, scored.library)
    return kept


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
