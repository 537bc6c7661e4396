"""Every answer of a score call or of `tell`, in order of arrival, and what they say of each item together.

Knows nothing of nodes, rounds' steps or what a score is worth.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import Columns
from emb_opt_widgets.engine.statistics import combined, pooled_noise

__all__ = ["Measurements"]

Array = npt.NDArray[np.generic]
Rows = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


class Measurements:
    """One row a measurement: `row` of the item, `value` (NaN: failed), `noise` (σ, NaN: unknown), `cost`, `paid`,
    `told`, `round`, and `replaced`, where a correction took its place.

    Attributes:
        reasons: Why each failed one did, by its place.
    """

    def __init__(self) -> None:
        self.columns = Columns(
            {
                "row": (np.int32, ()), "value": (np.float64, ()), "noise": (np.float64, ()), "cost": (np.float64, ()),
                "paid": (np.bool_, ()), "told": (np.bool_, ()), "round": (np.int32, ()), "replaced": (np.bool_, ()),
            }
        )  # fmt: skip
        self.reasons: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> npt.NDArray[np.generic]:
        return self.columns[name]

    def add(
        self,
        rows: Rows,
        values: Float64,
        reasons: Mapping[str, str],
        *,
        noise: Float64 | None,
        cost: Float64 | float,
        paid: bool,
        told: bool,
        round: int,
    ) -> Rows:
        """Append measurements; their places."""
        first, n = len(self), len(rows)
        self.columns.extend(
            n, row=rows, value=np.where(np.isfinite(values), values, np.nan), noise=np.nan if noise is None else noise,
            cost=cost, paid=paid, told=told, round=round, replaced=False,
        )  # fmt: skip
        self.reasons.update((first + int(place), reason) for place, reason in reasons.items())
        return np.arange(first, first + n)

    def of(self, rows: Rows) -> Rows:
        """Places of all measurements of these rows that stand, in order of arrival."""
        columns = self.columns
        return np.flatnonzero(np.isin(columns["row"], rows) & ~columns["replaced"])

    def reason(self, row: int) -> str:
        """Why the last failed measurement of a row failed."""
        places = self.of(np.array([row]))
        failed = [place for place in places.tolist() if place in self.reasons]
        return self.reasons[failed[-1]] if failed else ""

    def scores(self, rows: Rows) -> tuple[Rows, Float64, Float64]:
        """Of each of these rows: how many valid measurements, their mean, its standard error; `(r,)` each."""
        order = np.argsort(rows, kind="stable")
        places = self.of(rows)
        places = places[np.isfinite(self.columns["value"][places])]
        groups = order[np.searchsorted(rows, self.columns["row"][places], sorter=order)]
        return combined(self.columns["value"][places], self.columns["noise"][places], groups, len(rows))

    def noise(self) -> float:
        """σ of one measurement, estimated from items measured more than once; NaN before there are any."""
        columns = self.columns
        fine = np.isfinite(columns["value"]) & ~columns["replaced"]
        _, groups = np.unique(columns["row"][fine], return_inverse=True)
        return pooled_noise(columns["value"][fine], groups, int(groups.max(initial=-1)) + 1)
