"""What a search knows of a latent space: its scored points, their gains, and gradients where scores tell them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.status import NodeStatus
from emb_opt_widgets.engine.view import SearchView

__all__ = ["History", "history_of"]

Float64 = npt.NDArray[np.float64]
_FAILED = 0.25
"""What a failed score counts as: this quantile of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Scored points, in the order of payment.

    Attributes:
        points: `(n, d)`. gains: `(n,)`, a low one where a score failed.
        open: `(n,)` whether it may be built on: it has a score, and nobody dropped the node that found it, as long as
            there is any such.
        finders: `(n,)` the active node that found each, -1 where there is none.
        gradients: `(n, d)` of the gains, NaN where none was told.
        pending: `(p, d)` points without an answer yet.
    """

    points: Float64
    gains: Float64
    open: npt.NDArray[np.bool_]
    finders: npt.NDArray[np.int64]
    gradients: Float64
    pending: Float64

    def since(self, call: int) -> npt.NDArray[np.int64]:
        """Places of the open points from a call on."""
        places = np.flatnonzero(self.open)
        return places[places >= call]


def history_of(view: SearchView) -> History:
    """What is known by now."""
    items, rows = view.items(), view.paid()
    gains: Float64 = items["gain"][rows]
    fine = np.isfinite(gains)
    active = view.nodes()["status"] == NodeStatus.ACTIVE
    finders = items["node"][rows].astype(np.int64)
    alive = np.where(finders >= 0, active[finders], True)
    open_ = fine & alive
    points = items["embedding"][rows].astype(np.float64)
    return History(
        points,
        np.where(fine, gains, np.quantile(gains[fine], _FAILED)) if fine.any() else gains,
        open_ if open_.any() else fine,
        np.where(alive, finders, -1),
        _gradients(view, rows, points.shape),
        items["embedding"][view.handed_out()].astype(np.float64),
    )


def _gradients(view: SearchView, rows: npt.NDArray[Any], shape: tuple[int, ...]) -> Float64:
    out = np.full(shape, np.nan)
    for place, told in enumerate(view.answered("gradient", rows)):
        if told is not None and np.shape(told) == shape[1:]:
            out[place] = view.sign * np.asarray(told, np.float64)
    return out
