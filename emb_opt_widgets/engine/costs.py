"""What measurements cost and how exact they are: settings as people give them, and as columns of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.errors import FunctionError, InputError

if TYPE_CHECKING:
    from emb_opt_widgets.engine.bound import BoundSource
    from emb_opt_widgets.engine.rounds import Gather
    from emb_opt_widgets.engine.state import State

__all__ = ["REPORTED", "Cost", "Pricing", "amount", "describe_cost", "describe_noise", "overspent"]

REPORTED = "reported"
ESTIMATE = "estimate"
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cost:
    """What the budget counts.

    Args:
        by: What one measurement costs: a number, the name of a payload column, or "reported": each answer tells, as
            `cost` in its data (of `tell`: in the column `cost`). A reported cost may overshoot the budget by what is in
            flight.
        unit: Of the budget, for people.

    Raises:
        InputError: One of them is not usable.
    """

    by: float | str = 1.0
    unit: str = "calls"

    def __post_init__(self) -> None:
        number = isinstance(self.by, (int, float, np.number)) and not isinstance(self.by, bool)
        if not (number and 0 < float(self.by) < np.inf) and not (isinstance(self.by, str) and self.by):
            raise InputError(
                "Cost(by=…) is not usable", expected='a number above 0, a column, or "reported"', got=repr(self.by)
            )
        if not isinstance(self.unit, str) or not self.unit:
            raise InputError("Cost(unit=…) is not usable", expected="a word", got=repr(self.unit))


def describe_cost(cost: Any, source: BoundSource) -> dict[str, Any] | None:
    """The `cost` argument as plain values; with what is typical of the source, where it can be read.

    Raises:
        InputError: It is no `Cost`, or names a column that the source does not have, or one of no use.
    """
    if cost is None:
        return None
    if not isinstance(cost, Cost):
        raise InputError("cost is not usable", expected="eow.Cost(by=…, unit=…), or None", got=repr(cost))
    if not isinstance(cost.by, str):
        return {"by": float(cost.by), "unit": cost.unit}
    typical = None
    if cost.by != REPORTED and (first := source.first()) is not None:
        costs = _column(first.columns(), cost.by, "cost")
        typical = float(np.median(costs[costs > 0])) if (costs > 0).any() else None
    return {"by": cost.by, "unit": cost.unit, "typical": typical}


def describe_noise(noise: Any, source: BoundSource | None) -> float | str | None:
    """The `noise` argument, checked: a standard deviation, a column, "estimate" or None.

    Raises:
        InputError: None of these.
    """
    if noise is None or noise == ESTIMATE:
        out: str | None = noise
        return out
    if isinstance(noise, str):
        if source is not None and (first := source.first()) is not None:
            _column(first.columns(), noise, "noise")
        return noise
    if isinstance(noise, bool) or not isinstance(noise, (int, float, np.number)) or not 0 <= noise < np.inf:
        raise InputError(
            "noise is not usable", expected='a number of at least 0, a column, "estimate" or None', got=repr(noise)
        )
    return float(noise)


def _column(columns: Mapping[str, Any], name: str, what: str) -> Float64:
    if name not in columns:
        there = f"one of {list(columns)}" if columns else "a source whose items have columns; this one's have none"
        raise InputError(f"The {what} names a column that is not there", expected=there, got=name)
    try:
        values = np.asarray(columns[name], np.float64)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(
            f"The column {name!r} cannot be a {what}", expected="finite numbers of at least 0", got="something else"
        )
    return values


def amount(value: float) -> str:
    """So much of a unit: whole where it is, else with two decimals."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def overspent(state: State) -> bool:
    """Whether costs that only the answers tell have used up the budget within a round."""
    cost = state.config.get("cost")
    return cost is not None and cost["by"] == REPORTED and state.calls_left == 0 and not state.reserved


@dataclass(slots=True, eq=False)
class Pricing:
    """Costs and noise of rows, by the search's settings.

    Attributes:
        untold: Scores that came without the cost that they were to report.
    """

    state: State
    gather: Gather
    untold: int = 0
    _said: bool = False

    def costs(self, rows: npt.NDArray[Any]) -> Float64 | None:
        """`(n,)` what a measurement of each costs; None where all cost the same, or only the answer tells."""
        cost = self.state.config.get("cost")
        if cost is None or not isinstance(cost["by"], str) or cost["by"] == REPORTED:
            return None
        return self._of(rows, cost["by"], "cost")

    def affordable(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """`(n,)` which of these the budget pays for, in this order; a dear one is passed over."""
        costs, left = self.costs(rows), self.state.budget_left
        fits = np.ones(len(rows), np.bool_)
        if costs is None or left is None:
            return fits
        for i, cost in enumerate(costs.tolist()):
            fits[i] = cost <= left + 1e-9
            left -= cost if fits[i] else 0.0
        return fits

    def paid(self, rows: npt.NDArray[Any], answer: Answer) -> Float64 | None:
        """`(n,)` what an answer cost; None where each cost one call.

        Raises:
            FunctionError: A reported cost is not a finite number of at least 0.
        """
        cost = self.state.config.get("cost")
        if cost is None or cost["by"] != REPORTED:
            return self.costs(rows)
        told = self._told(rows, answer, "cost")
        self.untold += sum(one is None and bool(fine) for one, fine in zip(told, np.isfinite(answer.values)))
        values = np.array([self.state.call_cost if one is None else float(one) for one in told])
        if not np.isfinite(values).all() or (values < 0).any():
            raise FunctionError(
                "The score function reported a cost that cannot be used",
                expected="finite numbers of at least 0",
                got=told[int(np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[0])],
            )
        return values

    def news(self) -> list[str]:
        """What a person should know, once: that costs which answers were to tell are not told."""
        if not self.untold or self._said:
            return []
        self._said = True
        return [
            f"{self.untold} scores came without the cost that they were to report: each counts "
            f"{amount(self.state.call_cost)}, the mean so far or 1. Expected `cost` beside each score: "
            '{"score": s, "data": {"cost": c}}, or a column `cost` of the frame.'
        ]

    def noise(self, rows: npt.NDArray[Any], answer: Answer | None = None) -> Float64 | None:
        """`(n,)` standard deviations of one measurement; None where no setting tells.

        Args:
            rows: `(n,)`. answer: What came of them; `noise` beside a score goes before the setting.

        Raises:
            FunctionError: A noise that came is not a finite number of at least 0.
        """
        noise = self.state.config.get("noise")
        if noise is None:
            return None
        told = [None] * len(rows) if answer is None else self._told(rows, answer, "noise")
        usual = None
        if noise != ESTIMATE:
            usual = self._of(rows, noise, "noise") if isinstance(noise, str) else np.full(len(rows), float(noise))
        if all(one is None for one in told):
            return usual
        usual = np.full(len(rows), np.nan) if usual is None else usual
        values = np.array([np.nan if one is None else float(one) for one in told])
        if (wrong := np.flatnonzero((values < 0) | np.isinf(values))).size:
            raise FunctionError(
                "The score function told a noise that cannot be used",
                expected="standard deviations of at least 0 (NaN: unknown)",
                got=told[int(wrong[0])],
            )
        return np.where(np.isnan(values), usual, values)

    @staticmethod
    def _told(rows: npt.NDArray[Any], answer: Answer, name: str) -> list[Any]:
        """What came beside each score under this name; None where nothing did."""
        return [(data or {}).get(name) for data in (answer.data or [None] * len(rows))]

    def _of(self, rows: npt.NDArray[Any], name: str, what: str) -> Float64:
        return _column(self.gather.payload(rows).columns(), name, what)
