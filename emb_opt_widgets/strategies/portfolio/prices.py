"""What measurements cost, as far as it is known before: cheap items of equal promise come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.view import SearchView

__all__ = ["Prices", "read_prices"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_BLOCK = 65_536
_USUAL = 0.25
"""The quantile of the costs above 0 that others are compared with."""
_LEAST = 0.01
"""Of the usual cost: what is cheaper counts as that."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Costs of a library's rows.

    Attributes:
        costs: `(N,)` in the budget's unit.
        dearness: `(N,)` logarithms of costs over the usual one.
    """

    costs: Float64
    dearness: npt.NDArray[np.float32]

    def payable(self, rows: Array, budget: float | None) -> npt.NDArray[np.bool_]:
        """`(m,)` which of these rows the budget can pay, each for itself."""
        return np.ones(len(rows), np.bool_) if budget is None else self.costs[rows] <= budget + 1e-9

    def within(self, budget: float | None, blocked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """`(N,)` what is blocked, and what the budget cannot pay; only the first where it can pay none."""
        if budget is None:
            return blocked
        more = blocked | ~self.payable(np.arange(len(blocked)), budget)
        return blocked if more.all() else more

    def thinned(self, blocked: npt.NDArray[np.bool_], n: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """`(N,)` what is blocked, and dear rows in proportion to how much they cost over the usual: for whoever draws
        rows whatever is expected of them. At least `n` rows stay free, if there are so many."""
        more = blocked | (rng.random(len(blocked)) >= np.exp(-self.dearness))
        return blocked if len(more) - int(more.sum()) < n else more


def read_prices(view: SearchView) -> Prices | None:
    """The costs of a readable source's items; None where no column tells them, or all are the same."""
    name = view.cost_column
    if name is None:
        return None
    parts = []
    for items in view.source.scan(_BLOCK):  # type: ignore[attr-defined]
        view.checkpoint()
        parts.append(np.asarray(items.columns()[name], np.float64))
    costs: Float64 = np.concatenate(parts)
    above = costs[costs > 0]
    if not len(above) or costs.min() == costs.max():
        return None
    usual = float(np.quantile(above, _USUAL))
    return Prices(costs, np.log(np.maximum(costs / usual, _LEAST)).astype(np.float32))
