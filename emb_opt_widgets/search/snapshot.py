"""Results, tree and best item of a state, as snapshots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.rounds import Gather
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.search.results import BestItem, MeasurementTable, Provenance, QueryTree, ResultRows, Results

__all__ = ["best_of", "measurements_of", "results_of", "tree_of"]

_REMOVED = (ItemStatus.FILTERED, ItemStatus.FAILED, ItemStatus.DROPPED)


def best_of(state: State, gather: Gather, believed: npt.NDArray[np.float64] | None = None) -> BestItem | None:
    """The best item, None before there is one.

    Args:
        state: The fold. gather: Rows to items.
        believed: What each measured item is believed to gain, in the order of their first answers; None: the means of
            what was measured count.
    """
    row = state.best_row
    if row < 0:
        return None
    score, basis = float(state.items["score"][row]), "measured"
    if believed is not None and np.isfinite(believed).any():
        place = int(np.nanargmax(believed))
        row, score, basis = int(np.flatnonzero(state.items["call"] == place)[0]), float(believed[place]), "believed"
        score *= state.sign
    found = gather.payload(np.array([row]))
    n, error = int(state.items["measured"][row]), float(state.errors(np.array([row]))[0])
    return BestItem(found[0].id, score, found[0].item, found[0].embedding, n, error, basis)


def results_of(state: State, gather: Gather, n: int | None, include_removed: bool) -> Results:
    """Scored items best first; ties in the order of their first answers. Sorted when somebody looks."""
    seen, answered = len(state.items), state.n_answered

    def find() -> ResultRows:
        rows = _ranked(state, seen, answered, include_removed)[:n]
        if not len(rows):
            return ResultRows.nothing(state.dim)
        return ResultRows(
            state.ids.take(rows),
            state.items["score"][rows],
            lambda: state.items["embedding"][rows],
            lambda: gather.payload(rows),
            [state.item_reasons.get(int(row), "") for row in rows] if include_removed else None,
            _provenance(state, rows),
        )

    return Results(find)


def _provenance(state: State, rows: npt.NDArray[np.int64]) -> Provenance:
    query = state.items["node"][rows].astype(np.int64)
    return Provenance(
        query,
        [operator for operator, _ in state.proposers(rows)],
        state.items["call"][rows].astype(np.int64),
        state.items["measured"][rows].astype(np.int64),
        state.errors(rows).copy(),
        state.items["propensity"][rows],
    )


def measurements_of(state: State) -> MeasurementTable:
    """All measurements as columns."""
    m = state.measurements
    rows = m["row"].astype(np.int64)
    query = state.items["node"][rows].astype(np.int64) if len(rows) else rows
    source = np.where(m["told"], np.where(m["paid"], "tell", "known"), "score").astype(object)
    source[[place for made in state.corrections.values() for place in made.after.tolist()]] = "correction"
    return MeasurementTable(
        {
            "id": state.ids.take(rows), "score": m["value"].copy(), "noise": m["noise"].copy(),
            "cost": m["cost"].copy(), "paid": m["paid"].copy(), "replaced": m["replaced"].copy(), "query": query,
            "operator": np.array([operator for operator, _ in state.proposers(rows)], object),
            "round": m["round"].astype(np.int64),
            "source": source,
            "reason": np.array([m.reasons.get(place, "") for place in range(len(m))], object),
        }
    )  # fmt: skip


def _ranked(state: State, seen: int, answered: int, include_removed: bool) -> npt.NDArray[np.int64]:
    """Rows as they stood when `seen` items were known and `answered` of them had an answer."""
    if not seen:
        return np.empty(0, np.int64)
    status, call = state.items["status"][:seen], state.items["call"][:seen]
    scored = np.flatnonzero((status == ItemStatus.SCORED) & (call < answered))
    gains = state.items["score"][scored] * state.sign
    scored = scored[np.lexsort((call[scored], -gains))]
    if not include_removed:
        return scored
    return np.concatenate([scored, np.flatnonzero(np.isin(status, _REMOVED) & (call < answered))])


def _objects(values: list[dict[str, int]]) -> npt.NDArray[np.object_]:
    out = np.empty(len(values), object)
    out[:] = values
    return out


def tree_of(state: State) -> QueryTree:
    """All nodes as columns."""
    n = state.nodes
    size = state.n_nodes
    if not size:
        empty = np.empty(0, np.int64)
        names = ("id", "parent", "root", "round", "n_hits", "n_new")
        text = ("status", "reason", "operator", "operators")
        numbers = ("mean_score", "max_score", "propensity")
        return QueryTree(
            {
                **{k: empty for k in names}, **{k: np.empty(0, object) for k in text},
                **{k: np.empty(0) for k in numbers}, "expanded": np.empty(0, np.bool_),
                "embedding": np.empty((0, state.dim)),
            }
        )  # fmt: skip
    words = np.array([str(s) for s in NodeStatus], object)
    reasons = list(state.reasons)
    for node, why in state.status_reasons.items():
        reasons[node] = why
    return QueryTree(
        {
            "id": np.arange(size),
            "parent": n["parent"].astype(np.int64),
            "root": n["root"].astype(np.int64),
            "round": n["round"].astype(np.int64),
            "status": words[n["status"]],
            "reason": np.array(reasons, object),
            "n_hits": n["n_hits"].astype(np.int64),
            "n_new": n["n_new"].astype(np.int64),
            "mean_score": n["mean"].copy(),
            "max_score": n["max"].copy(),
            "embedding": n["embedding"].copy(),
            "operator": np.array(state.operators, object),
            "operators": _objects(state.operators_of(range(size))),
            "propensity": n["propensity"].copy(),
            "expanded": n["expanded"].copy(),
        }
    )
