"""What a report shows, as plain columns: taken once from a state and its events, from then on independent of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus
from emb_opt_widgets.report.layout import TreeColumns
from emb_opt_widgets.report.text import plain

__all__ = ["Found", "Happening", "Report", "best_rows", "collect", "happenings"]

MARKED = ("branch", "prune_node", "restore", "set", "undo", "redo")
_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the top table. `by` says what found it; `node` is -1 where a person brought it."""

    score: float
    id: Any
    item: Any
    by: str
    node: int
    call: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the event list. `call` is how many scores were paid by then; `time` seconds since the epoch."""

    time: float
    call: int
    what: str
    text: str
    note: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a report shows.

    Attributes:
        name, status, reason: Of the search.
        sign: 1.0 when high scores are sought, else -1.0.
        budget, spent, unit: What may be spent (None: no limit), what is, and in what: "calls", or a cost's unit.
        n_scored, n_rounds: Counts.
        facts: Name to text, for the foot: source, seed, settings.
        tree: Columns as `QueryTree` names them.
        scores: `(n_scored,)` in the order of payment; NaN where a score failed.
        best_node: The node that found the best item, -1 for none.
        top: Best first.
        happenings: In order; None where they were not asked for.
    """

    name: str
    status: str
    reason: str
    sign: float
    budget: float | None
    spent: float
    unit: str
    n_scored: int
    n_rounds: int
    facts: Mapping[str, str]
    tree: TreeColumns
    scores: npt.NDArray[np.float64]
    best_node: int
    top: Sequence[Found]
    happenings: Sequence[Happening] | None = None


def best_rows(state: State, n: int) -> npt.NDArray[np.int64]:
    """Rows of the best scored items, best first; ties in the order they were paid for."""
    if not len(state.items):
        return np.empty(0, np.int64)
    rows = np.flatnonzero(state.items["status"] == ItemStatus.SCORED)
    gains = state.items["score"][rows] * state.sign
    if len(rows) > 4 * n:
        floor = np.partition(gains, len(rows) - n)[len(rows) - n]
        rows, gains = rows[gains >= floor], gains[gains >= floor]
    return rows[np.lexsort((state.items["call"][rows], -gains))][:n]


def collect(
    state: State,
    tree: TreeColumns,
    rows: npt.NDArray[np.int64],
    items: Sequence[Any] | None,
    status: str,
    reason: str,
    happenings: Sequence[Happening] | None = None,
) -> Report:
    """A report's data.

    Args:
        state: The fold.
        tree: Its nodes' columns.
        rows: Rows of the top items, best first.
        items: What they stand for, None where nothing is known.
        status, reason: Where the search stands, for a person.
        happenings: The event list.
    """
    by_call = np.full(state.n_answered, np.nan)
    if state.n_answered:
        paid = np.flatnonzero(state.items["call"] >= 0)
        by_call[state.items["call"][paid]] = state.items["score"][paid]
    ids: Any = state.ids.take(rows) if len(rows) else []
    top = [
        Found(
            score=float(state.items["score"][row]),
            id=ids[i],
            item=None if items is None else items[i],
            by=_found_by(state, int(state.items["node"][row])),
            node=int(state.items["node"][row]),
            call=int(state.items["call"][row]) + 1,
        )
        for i, row in enumerate(rows)
    ]
    config = state.config
    budget = config.get("budget")
    return Report(
        name=str(config.get("name", "search")),
        status=status,
        reason=reason,
        sign=state.sign,
        budget=None if budget is None else float(budget),
        spent=state.spent,
        unit=state.unit,
        n_scored=state.n_scored,
        n_rounds=state.n_rounds,
        facts=_facts(state),
        tree=tree,
        scores=by_call,
        best_node=int(state.items["node"][state.best_row]) if state.best_row >= 0 else -1,
        top=top,
        happenings=happenings,
    )


def _found_by(state: State, node: int) -> str:
    return f"{state.operators[node]}, query {node}" if node >= 0 else "told by a person"


def _facts(state: State) -> dict[str, str]:
    source = state.source
    size, dim = source.get("size"), source.get("dim") or state.dim
    what = str(source.get("kind", "source"))
    if size is not None:
        what += f", {int(size):,} items"
    if dim:
        what += f" × {int(dim):,}"
    if source.get("metric"):
        what += f", {source['metric']}"
    out = {"source": what, "seed": str(state.seed), "direction": str(state.config.get("direction", "maximize"))}
    for key in ("k", "update", "prune", "filter", "score"):
        value = state.config.get(key)
        if value is not None:
            out[key] = part_text(value)
    return out


def part_text(value: Any) -> str:
    """A part of the configuration, as a person would write it."""
    if isinstance(value, Mapping):
        if "function" in value:
            return plain(value["function"])
        inside = ", ".join(f"{k}={part_text(v)}" for k, v in value.items() if k != "strategy" and v is not None)
        return f"{value.get('strategy', '')}({inside})"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(part_text(v) for v in value) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return plain(value)


def happenings(events: Iterable[ev.Event]) -> list[Happening]:
    """What a person did and how the search came to rest, out of all events; where there are very many, the last."""
    out: list[Happening] = []
    paid = 0
    for event in events:
        body = event.body
        if isinstance(body, ev.Scored):
            paid += len(body.rows)
            if body.told:
                out.append(Happening(event.time, paid, "told", f"{len(body.rows):,} scores from elsewhere"))
        elif isinstance(body, ev.Commanded):
            text = _command_text(body)
            out.append(Happening(event.time, paid, body.name, text, body.note, body.name in MARKED))
        elif isinstance(body, ev.Created):
            out.append(Happening(event.time, paid, "created", f"seed {body.seed}"))
        elif isinstance(body, (ev.Started, ev.Resumed)):
            until = "" if body.until is None else f"until {body.until:,} rounds are done"
            out.append(Happening(event.time, paid, body.kind, until))
        elif isinstance(body, ev.Paused):
            out.append(Happening(event.time, paid, "paused", ""))
        elif isinstance(body, ev.Finished):
            out.append(Happening(event.time, paid, body.ending.lower(), body.reason))
        if len(out) >= 2 * _KEPT:
            del out[1 : 1 + len(out) - _KEPT]
    return out


def _command_text(body: ev.Commanded) -> str:
    given = body.arguments
    words = []
    if given.get("item") is not None:
        words.append(f"at item {plain(given['item'], 60)}")
    elif given.get("items"):
        words.append(f"at {len(given['items']):,} items")
    elif given.get("embedding") is not None:
        words.append("at a given vector")
    if given.get("node") is not None:
        words.append(f"query {given['node']}" + (" and all below" if given.get("subtree") else ""))
    if given.get("nodes"):
        words.append(f"{len(given['nodes']):,} queries" + (" and all below" if given.get("subtree") else ""))
    if given.get("update") is not None:
        words.append(part_text(given["update"]))
    if body.name == "set" and body.config is not None:
        words += [f"{key} = {part_text(value)}" for key, value in body.config.items()]
    if body.target is not None:
        words.append(f"command {body.target}")
    changed = len(body.nodes)
    if changed and body.name != "set":
        words.append(f"{changed:,} {'query' if changed == 1 else 'queries'} changed")
    who = "" if body.who in ("", "python") else f" (by {plain(body.who, 40)})"
    return ", ".join(words) + who


def finite_range(values: Any) -> tuple[float, float] | None:
    """Smallest and largest finite value; None where there is none."""
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    if not len(array):
        return None
    return float(array.min()), float(array.max())
