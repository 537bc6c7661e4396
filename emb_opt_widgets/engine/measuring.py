"""How answers change a search's state: handed out, given back, scored, measured again, corrected, dropped.

Each function folds one event, or takes a correction back; `State.apply` calls them, and nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.statistics import ragged_statistics
from emb_opt_widgets.engine.status import ItemStatus, Pending, Phase

if TYPE_CHECKING:
    from emb_opt_widgets.engine.state import State

__all__ = ["Correction", "change_source", "correct", "give_back", "hand_out", "reopen", "score", "use_correction"]


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A correction, so that it can be taken back: places of the measurements before and after, and the items' data."""

    rows: npt.NDArray[Any]
    before: npt.NDArray[np.int64]
    after: npt.NDArray[np.int64]
    was: Mapping[int, Mapping[str, Any]]
    now: Mapping[int, Mapping[str, Any]]


def hand_out(state: State, body: ev.HandedOut) -> None:
    """Rows that are being measured from here on."""
    rows = np.asarray(body.rows, np.int32)
    status = state.items["status"]
    state.items["pending"][rows] = Pending.PERSON if body.to == "person" else Pending.WORKER
    status[rows] = np.where(status[rows] == ItemStatus.CANDIDATE, ItemStatus.PENDING, status[rows])
    costs = np.full(len(rows), state.call_cost) if body.cost is None else np.asarray(body.cost)
    state.reserved.update(zip(rows.tolist(), costs.tolist()))
    if body.predicted is not None and body.deviation is not None:
        believed = zip(np.asarray(body.predicted).tolist(), np.asarray(body.deviation).tolist())
        state.expected.update(zip(rows.tolist(), believed))


def give_back(state: State, body: ev.GivenBack) -> None:
    """Rows that are not measured after all."""
    rows = np.asarray(body.rows, np.int32)
    status = state.items["status"]
    _no_longer_pending(state, rows)
    status[rows] = np.where(status[rows] == ItemStatus.PENDING, ItemStatus.CANDIDATE, status[rows])
    state.chosen = state.chosen[~np.isin(state.chosen, rows)]
    _end_scoring(state)


def _no_longer_pending(state: State, rows: npt.NDArray[Any]) -> None:
    if state.reserved:
        state.items["pending"][rows] = Pending.NOBODY
        for row in rows.tolist():
            state.reserved.pop(row, None)


def _end_scoring(state: State) -> None:
    if state.phase == Phase.SCORE and not len(state.unscored()) and not len(state.awaited()):
        state.phase = Phase.PRUNE


def reopen(state: State, body: ev.Reopened) -> None:
    """Failed rows that may be measured again, as if they never had been."""
    rows = np.unique(np.asarray(body.rows, np.int32))
    rows = rows[state.items["status"][rows] == ItemStatus.FAILED] if len(rows) else rows
    if body.refund:
        _refund(state, rows)
    state.items["status"][rows] = ItemStatus.CANDIDATE
    state.items["call"][rows] = -1
    call = state.items["call"]
    answered = np.flatnonzero(call >= 0)
    call[answered[np.argsort(call[answered])]] = np.arange(len(answered))
    state.n_answered = len(answered)
    state.n_failed -= len(rows)
    for row in rows.tolist():
        state.item_reasons.pop(row, None)
    if state.phase in (Phase.SCORE, Phase.PRUNE, Phase.PROPOSE) and len(rows):
        before = state.chosen if state.phase != Phase.PROPOSE else np.empty(0, np.int32)
        state.chosen = np.concatenate([rows[~np.isin(rows, before)], before])
        state.phase = Phase.SCORE
    else:
        state.reopened = np.union1d(state.reopened, rows).astype(np.int32)


def _refund(state: State, rows: npt.NDArray[Any]) -> None:
    """Take the failures of these rows out of the account."""
    columns = state.measurements.columns
    places = state.measurements.of(rows)
    places = places[np.isnan(columns["value"][places])]
    columns["replaced"][places] = True
    places = places[columns["paid"][places]]
    state.spent -= float(columns["cost"][places].sum())
    state.n_paid -= len(places)
    state.n_scored -= int(state.items["paid"][rows].sum())
    state.items["paid"][rows] = False


def score(state: State, body: ev.Scored) -> None:
    """A measurement of each row, of an item's first or another, in time or late."""
    rows = np.asarray(body.rows)
    again = state.items["call"][rows] >= 0
    late = body.told or bool(again.any() or (state.items["pending"][rows] > 0).any())
    unimproved, best = state.unimproved, state.best_row
    _no_longer_pending(state, rows)
    _measured(state, body, rows)
    new = rows[~again]
    state.items["call"][new] = np.arange(state.n_answered, state.n_answered + len(new))
    state.items["round"][new] = state.round
    state.n_answered += len(new)
    noise = None if body.noise is None else np.asarray(body.noise)[~again]
    _set_scores(state, new, np.asarray(body.values)[~again], noise)
    if again.any():
        _rescore(state, rows[again])
    if not body.paid:
        state.unimproved = unimproved if state.best_row == best else 0
    fresh = {place: reason for place, reason in body.reasons.items() if not again[int(place)]}
    state.answered(rows, fresh, body.data)
    state.failure = next(reversed(list(body.reasons.values())), state.failure)
    _end_scoring(state)
    if late:
        _follow(state, rows)


def _measured(state: State, body: ev.Scored, rows: npt.NDArray[Any]) -> None:
    """Keep the measurements, and count what they cost."""
    cost = np.full(len(rows), state.call_cost) if body.cost is None else np.asarray(body.cost, np.float64)
    state.measurements.add(
        rows, np.asarray(body.values), body.reasons, noise=body.noise, cost=cost if body.paid else 0.0,
        paid=body.paid, told=body.told, round=state.round,
    )  # fmt: skip
    if body.paid:
        state.spent += float(cost.sum())
        state.n_paid += len(rows)
        state.n_scored += len(rows) - int(state.items["paid"][rows].sum())
        state.items["paid"][rows] = True


def _set_scores(state: State, rows: npt.NDArray[Any], values: npt.NDArray[Any], noise: npt.NDArray[Any] | None) -> None:
    """The first scores of items."""
    ok = np.isfinite(values)
    state.items["status"][rows] = np.where(ok, ItemStatus.SCORED, ItemStatus.FAILED)
    state.items["score"][rows] = np.where(ok, values, np.nan)
    state.items["measured"][rows] = ok
    state.items["error"][rows] = np.nan if noise is None else np.where(ok, noise, np.nan)
    state.n_failed += int((~ok).sum())
    state.unimproved += len(rows)
    if ok.any():
        gains = np.where(ok, values * state.sign, -np.inf)
        top = int(np.argmax(gains))
        if state.best_row < 0 or gains[top] > state.items["score"][state.best_row] * state.sign:
            state.best_row = int(rows[top])
            state.unimproved = len(rows) - 1 - top


def _rescore(state: State, rows: npt.NDArray[Any]) -> None:
    """Scores of items that were measured again, or corrected, from all their measurements that stand."""
    rows = np.unique(rows)
    rows = rows[state.items["status"][rows] != ItemStatus.DROPPED]
    n, mean, error = state.measurements.scores(rows)
    state.items["measured"][rows] = n
    state.items["error"][rows] = error
    state.items["score"][rows] = mean
    failed = state.items["status"][rows] == ItemStatus.FAILED
    state.items["status"][rows] = np.where(n > 0, ItemStatus.SCORED, ItemStatus.FAILED)
    state.n_failed += int((n == 0).sum()) - int(failed.sum())
    for row, valid in zip(rows.tolist(), n.tolist()):
        state.item_reasons.pop(row, None)
        if not valid:
            state.item_reasons[row] = state.measurements.reason(row)
    _find_best(state)


def _find_best(state: State) -> None:
    scored = np.flatnonzero(state.items["status"] == ItemStatus.SCORED)
    gains, was = state.items["score"][scored] * state.sign, state.best_row
    order = np.lexsort((state.items["call"][scored], -gains))
    state.best_row = int(scored[order[0]]) if len(scored) else -1
    state.unimproved = state.unimproved + 1 if state.best_row == was else 0


def _follow(state: State, rows: npt.NDArray[Any]) -> None:
    """Statistics of closed rounds' nodes, where an answer came late or a score changed."""
    if not state.n_nodes:
        return
    nodes = state.nodes
    closed = np.flatnonzero((nodes["round"] >= 0) & (nodes["round"] < state.round))
    found, offsets = state.hits.gather(closed)
    touched = closed[np.diff(np.concatenate([[0], np.cumsum(np.isin(found, rows))])[offsets]) > 0]
    found, offsets = state.hits.gather(touched)
    valid = state.items["status"][found] == ItemStatus.SCORED
    _, mean, best = ragged_statistics(state.items["score"][found], valid, offsets, state.sign)
    nodes["mean"][touched], nodes["max"][touched] = mean, best


def correct(state: State, body: ev.Corrected) -> None:
    """New values in place of all that stand."""
    rows = np.asarray(body.rows)
    before = state.measurements.of(rows)
    after = state.measurements.add(
        rows, np.asarray(body.values), body.reasons, noise=body.noise, cost=0.0, paid=False, told=True,
        round=state.round,
    )  # fmt: skip
    was = {row: dict(state.extra.get(row, {})) for row in rows.tolist()}
    state.answered(rows, {}, body.data)
    now = {row: dict(state.extra.get(row, {})) for row in rows.tolist()}
    state.corrections[body.command] = Correction(rows, before, after, was, now)
    use_correction(state, state.corrections[body.command], True)


def use_correction(state: State, correction: Correction, corrected: bool) -> None:
    """Have the corrected values stand, or those of before."""
    state.measurements.columns["replaced"][correction.before] = corrected
    state.measurements.columns["replaced"][correction.after] = not corrected
    for row, data in (correction.now if corrected else correction.was).items():
        state.extra[row] = dict(data)
        if not data:
            del state.extra[row]
    _rescore(state, correction.rows)
    _follow(state, correction.rows)


def change_source(state: State, body: ev.SourceChanged) -> None:
    """Another fingerprint, and rows whose scores count no more. What a strategy wrote down of a library whose order
    changed is forgotten: it may name places in it."""
    was, now = state.source, body.source
    grown = was.get("head") == now.get("head") and (now.get("size") or 0) >= (was.get("size") or 0)
    state.source, state.memory = now, state.memory if grown else None
    rows = np.asarray(body.dropped, np.int64)
    _no_longer_pending(state, rows)
    state.n_failed -= int((state.items["status"][rows] == ItemStatus.FAILED).sum()) if len(rows) else 0
    if len(rows):
        state.items["status"][rows] = ItemStatus.DROPPED
        state.items["score"][rows] = np.nan
        state.items["measured"][rows] = 0
        state.item_reasons.update(zip(rows.tolist(), body.reasons))
        state.chosen = state.chosen[~np.isin(state.chosen, rows)]
        _find_best(state)
        _follow(state, rows)
        _end_scoring(state)
