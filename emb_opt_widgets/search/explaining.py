"""Why: what the strategy thinks of an item, what a node cost and found, what each operator cost and found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.ids import as_ids
from emb_opt_widgets.engine.items import Item
from emb_opt_widgets.engine.protocols import Explains, Opinion
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import InputError, failing_as
from emb_opt_widgets.search.commands import check_node
from emb_opt_widgets.search.engine import SearchRun
from emb_opt_widgets.search.previews import prune_preview
from emb_opt_widgets.tables import to_frame, write_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Explanation",
    "Neighbour",
    "NodeExplanation",
    "OperatorTable",
    "explain",
    "operators_of",
]

_NEAR = 8
_BEST = 20


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A scored item that an expectation rests on.

    Attributes:
        id: Its id. score: Its score. alike: How like the item, at most 1, as the most believed surrogate sees it.
    """

    id: int | str
    score: float
    alike: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known and thought of an item; as text, a few lines for a person.

    Attributes:
        id: The item.
        score: The mean of what was measured of it; None before. n_measured: How often it was.
        operator, reason: Who proposed to measure it, and why; "" where nobody did.
        expected, deviation: What a measurement of it is expected to give, and the standard deviation; None before the
            strategy can be asked, or where it does not tell.
        surrogates: What each surrogate expects (`expected`, `deviation`, in units of the score), its `weight` in the
            whole, and its `trust`: the rank correlation of what it predicted of scores that were left out with these.
        neighbours: Scored items most like it, those first on which the expectation rests most.
        place, of: Its place, from 1, by what is expected, among so many items: those without a score, and itself.
    """

    id: int | str
    score: float | None
    n_measured: int
    operator: str
    reason: str
    expected: float | None
    deviation: float | None
    surrogates: tuple[Opinion, ...]
    neighbours: tuple[Neighbour, ...]
    place: int | None
    of: int | None

    def __str__(self) -> str:
        lines = [f"item {self.id}"]
        if self.score is not None:
            times = "" if self.n_measured == 1 else f", the mean of {self.n_measured}"
            lines.append(f"scored {self.score:.4g}{times}")
        if self.operator:
            lines.append(f"proposed by {self.operator}: {self.reason}")
        if self.expected is None:
            return "\n  ".join([*lines, "no surrogate can be asked of it yet"])
        lines.append(f"expected {self.expected:.4g} ± {self.deviation:.2g}: place {self.place:,} of {self.of:,}")
        lines += [
            f"{one.surrogate} expects {one.expected:.4g} ± {one.deviation:.2g} "
            f"(weight {one.weight:.2f}, trust {one.trust:.2f})"
            for one in self.surrogates
        ]
        like = ", ".join(f"{one.id} ({one.score:.4g}, {one.alike:.2f} alike)" for one in self.neighbours[:3])
        return "\n  ".join([*lines, f"most like {like}"])


@dataclass(frozen=True, slots=True)
class NodeExplanation:
    """What a node and all below it cost and found; as text, a sentence.

    Attributes:
        id: The node. nodes: It and those below it.
        calls: Items that they found first and whose score came or failed. cost: What these cost, in the budget's unit.
        best, mean: Of their scores; None where there is none. among_best: How many of the 20 best are theirs.
        left: Unscored items that a prune would close; None where the strategy closes no region.
    """

    id: int
    nodes: int
    calls: int
    cost: float
    best: float | None
    mean: float | None
    among_best: int
    left: int | None

    def __str__(self) -> str:
        found = "" if self.best is None else f", best {self.best:.4g}, {self.among_best} of the {_BEST} best"
        left = "" if self.left is None else f"; {self.left:,} unscored items are left there"
        return f"node {self.id} and {self.nodes - 1} below it: {self.calls} calls for {self.cost:g}{found}{left}"


class OperatorTable:
    """What each operator cost and found, column by column, most calls first; a person's hand among them.

    Attributes:
        operator: `(n,)` names; "branch" is a person's branches.
        calls, cost: `(n,)` items that it proposed and that have an answer, and what these cost.
        best, mean: `(n,)` of their scores; NaN where there is none.
        among_best: `(n,)` how many of the 20 best are its own.
    """

    def __init__(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._columns["operator"])

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self._columns)

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row an operator."""
        return to_frame(self._columns)

    def to_csv(self, path: str | Path) -> None:
        """Write a CSV file, as `Results.to_csv` does."""
        write_csv(self._columns, path)

    def __repr__(self) -> str:
        lines = zip(self["operator"].tolist(), self["calls"].tolist(), self["among_best"].tolist())
        told = [f"{name or '(unknown)'}: {calls} calls, {among} of the {_BEST} best" for name, calls, among in lines]
        return "\n".join(told) or "no calls yet"


def explain(run: SearchRun, item: int | str | Item | None, node: int | None) -> Explanation | NodeExplanation:
    """As `Search.explain`."""
    if (item is None) == (node is None):
        expected, got = "explain(item), or explain(node=…)", "neither" if node is None else "both"
        raise InputError("explain takes an item or a node", expected=expected, got=got)
    return _of_node(run, node) if node is not None else _of_item(run, item)  # type: ignore[arg-type]


def _of_item(run: SearchRun, given: int | str | Item) -> Explanation:
    item: int | str = as_ids([given.id if isinstance(given, Item) else given]).tolist()[0]
    with run.lock:
        state, parts, source = run.state, run.engine.parts(), run.engine.source
        row = state.ids.row(item)
        if row is None:
            source.fetch(np.array([item], object))
        measured = int(state.items["measured"][row]) if row is not None else 0
        operator, reason = ("", "")
        if row is not None and state.items["call"][row] >= 0:
            operator, reason = state.proposers(np.array([row]))[0]
        found = None
        if isinstance(parts.update, Explains):
            with failing_as("update"):
                found = parts.update.explain(item, _NEAR, SearchView(state, source.source, run.engine.thoughts))
        score = float(state.items["score"][row]) if row is not None and measured else None
        if found is None:
            return Explanation(item, score, measured, operator, reason, None, None, (), (), None, None)
        sign, near = state.sign, state.ids.rows(found.ids)
        return Explanation(
            item, score, measured, operator, reason, sign * found.expected, found.deviation,
            tuple(one._replace(expected=sign * one.expected) for one in found.opinions),
            tuple(
                Neighbour(i, float(state.items["score"][at]), float(alike))
                for i, at, alike in zip(found.ids.tolist(), near.tolist(), found.alike.tolist())
            ),
            found.place, found.of,
        )  # fmt: skip


def _of_node(run: SearchRun, node: int) -> NodeExplanation:
    with run.lock:
        state = run.state
        node = check_node(state, node)
        within = np.append(state.descendants(np.array([node])), node)
        rows = _answered(state)
        mine = rows[np.isin(state.items["node"][rows], within)]
        calls, cost, best, mean, among = _account(state, mine)
        left = prune_preview(run, [node]).unscored
        return NodeExplanation(
            node, len(np.unique(within)), calls, cost, None if np.isnan(best) else best,
            None if np.isnan(mean) else mean, among, left,
        )  # fmt: skip


def operators_of(run: SearchRun) -> OperatorTable:
    """As `Search.operators`."""
    with run.lock:
        state = run.state
        rows = _answered(state)
        made = np.array([operator for operator, _ in (state.proposers(rows) if len(rows) else [])], object)
        names = sorted(set(made.tolist()), key=lambda name: (-int((made == name).sum()), name))
        lines = [_account(state, rows[made == name]) for name in names]
        columns = (
            dict(zip(("calls", "cost", "best", "mean", "among_best"), map(np.array, zip(*lines))))
            if lines
            else {name: np.empty(0) for name in ("calls", "cost", "best", "mean", "among_best")}
        )
        return OperatorTable({"operator": np.array(names, object), **columns})


def _answered(state: State) -> npt.NDArray[np.int64]:
    """Rows that have an answer."""
    return np.flatnonzero(state.items["call"] >= 0) if len(state.items) else np.empty(0, np.int64)


def _account(state: State, rows: npt.NDArray[np.int64]) -> tuple[int, float, float, float, int]:
    """Calls, cost, best and mean score, and how many of the best are among these."""
    items, m = state.items, state.measurements
    mine = np.isin(m["row"], rows) & np.asarray(m["paid"], np.bool_)
    cost = float(np.asarray(m["cost"])[mine].sum())
    scored = rows[items["status"][rows] == ItemStatus.SCORED] if len(rows) else rows
    if not len(scored):
        return len(rows), cost, float("nan"), float("nan"), 0
    gains = items["score"][scored] * state.sign
    everyone = np.flatnonzero(items["status"] == ItemStatus.SCORED)
    order = np.lexsort((items["call"][everyone], -items["score"][everyone] * state.sign))
    among = int(np.isin(scored, everyone[order[:_BEST]]).sum())
    return len(rows), cost, float(gains.max() * state.sign), float(items["score"][scored].mean()), among
