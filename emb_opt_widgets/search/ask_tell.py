"""Scores from elsewhere: handing out what to score, taking it back, and taking the answers, whenever they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.costs import REPORTED
from emb_opt_widgets.engine.items import Items, Proposed, as_ids
from emb_opt_widgets.engine.protocols import Asynchronous, Predicts
from emb_opt_widgets.engine.rounds import Parts, run_round, verdict
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus, Phase, RunStatus
from emb_opt_widgets.engine.told import Told, read_told
from emb_opt_widgets.errors import InputError, StateError, failing_as
from emb_opt_widgets.search.engine import SearchRun

__all__ = ["ask", "give_back", "pending", "tell"]

_JUDGED = (ItemStatus.SCORED, ItemStatus.FILTERED, ItemStatus.FAILED, ItemStatus.PENDING, ItemStatus.DROPPED)


def ask(run: SearchRun, n: int) -> Items:
    """The next items to score, `n` while there are any and the budget allows; pending from here on.

    A round that begins here is told that `n` are wanted. Where all of a round is handed out, the next one begins if the
    strategy can propose beside what is pending; else there is no more before the answers.
    """
    with run.lock:
        run.need_rest("ask()")
        state, rows = run.state, list[int]()
        while len(rows) < n:
            fresh = _waiting(run)[: n - len(rows)]
            if len(fresh):
                run.emit([_handed_out(fresh, state, run.engine.parts())])
                rows += fresh.tolist()
            elif not _advance(run, n):
                break
        return _items(run, np.array(rows, np.int32))


def pending(run: SearchRun) -> Items:
    """What is handed out and has no answer yet, in the order in which it was handed out."""
    with run.lock:
        return _items(run, run.state.handed_out())


def _items(run: SearchRun, rows: npt.NDArray[np.int32]) -> Items:
    state = run.state
    if not len(rows):
        return Items(np.empty(0, np.int64), np.empty((0, state.dim), np.float32)).handed_out(Proposed.nothing(0))
    believed = np.array([state.expected.get(row, (np.nan, np.nan)) for row in rows.tolist()])
    found = _proposers(state, rows)
    operator, reason = (list(words) for words in zip(*state.proposers(rows, np.array(found))))
    return run.engine.gather.payload(rows).handed_out(Proposed(believed[:, 0], believed[:, 1], operator, reason))


def _proposers(state: State, rows: npt.NDArray[np.int32]) -> list[int]:
    """The latest node that has each item among its hits; -1 where a person brought it."""
    looked = np.flatnonzero(state.nodes["round"] >= 0) if state.n_nodes else np.empty(0, np.int64)
    found, offsets = state.hits.gather(looked)
    at = np.flatnonzero(np.isin(found, rows))
    nodes = looked[np.searchsorted(offsets, at, side="right") - 1]
    latest = dict(zip(found[at].tolist(), nodes.tolist()))
    return [latest.get(row, -1) for row in rows.tolist()]


def _waiting(run: SearchRun) -> npt.NDArray[np.int32]:
    """Rows that this round chose and nobody measures yet, as far as the budget goes."""
    state, pricing = run.state, run.engine.parts().pricing
    if state.phase is not Phase.SCORE:
        return np.empty(0, np.int32)
    rows = state.unscored()
    return rows[: state.calls_left] if pricing is None else rows[pricing.affordable(rows)][: state.calls_left]


def _handed_out(rows: npt.NDArray[np.int32], state: State, parts: Parts) -> ev.HandedOut:
    cost = None if parts.pricing is None else parts.pricing.costs(rows)
    if not isinstance(parts.update, Predicts):
        return ev.HandedOut(rows, "person", cost)
    with failing_as("update"):
        gain, deviation = parts.update.predict(rows, parts.view(state))
    return ev.HandedOut(rows, "person", cost, np.asarray(gain) * state.sign, np.asarray(deviation))


def _advance(run: SearchRun, at_once: int = 1) -> bool:
    """One stretch of a round up to its scores, in the caller's thread; whether there is more to come.

    Args:
        run: At rest, its lock held.
        at_once: How many items are wanted.
    """
    state, parts = run.state, run.engine.parts()
    if state.reserved and not _may_go_on(state, parts):
        return False
    over = verdict(state)
    ended = state.status is RunStatus.FINISHED
    if over is not None:
        run.emit([] if ended else [over])
        return False
    if ended:
        run.emit([ev.Resumed(state.until)])
    parts = replace(parts, score=None, at_once=max(parts.at_once, at_once))
    paused = False
    for group in run_round(state, parts, lambda: True):
        run.emit(group)
        paused = any(isinstance(body, ev.Paused) for body in group)
    return state.status is not RunStatus.FINISHED and not paused


def _may_go_on(state: State, parts: Parts) -> bool:
    """Whether there may be more before the pending items are answered."""
    if state.calls_left == 0:
        return False
    if len(state.awaited()) and not (isinstance(parts.update, Asynchronous) and parts.update.asynchronous):
        return False
    judged = int(np.isin(state.items["status"], _JUDGED).sum())
    return parts.source.size is None or judged < parts.source.size


def give_back(run: SearchRun, items: Any) -> None:
    """Items that are not measured after all, all or none."""
    ids = items.ids if isinstance(items, Items) else as_ids([getattr(i, "id", i) for i in _listed(items)])
    with run.lock:
        run.need_rest("give_back()")
        rows = run.state.ids.rows(ids)
        out = set(run.state.reserved)
        strange = [i for i, row in zip(ids.tolist(), rows.tolist()) if row not in out]
        if strange:
            raise InputError(
                "Only what is pending can be given back",
                expected="items of ask() without an answer",
                got=strange[:5],
                hint="search.pending lists them",
            )
        if len(rows):
            run.emit([ev.GivenBack(np.unique(rows))])


def _listed(items: Any) -> Any:
    return [items] if np.ndim(items) == 0 else items


def tell(
    run: SearchRun,
    items: Any,
    scores: Any = None,
    noise: Any = None,
    paid: bool = True,
    replace: bool = False,
    note: str = "",
) -> None:
    """Take scores of items, all or none; with `replace`, in place of all that was measured of them."""
    told = read_told(items, scores, noise, run.engine.source.id_name)
    if not len(told.ids):
        return
    with run.lock:
        run.need_rest("tell()")
        if replace:
            _correct(run, told, note)
        else:
            _measure(run, told, paid)


def _measure(run: SearchRun, told: Told, paid: bool) -> None:
    state, ids = run.state, told.ids
    cost = _cost(run, told) if paid else None
    _check(state, ids, cost, paid)
    new = ids[state.ids.rows(ids) < 0]
    found = run.engine.source.fetch(new) if len(new) else None
    if found is not None and not state.n_nodes and paid:
        _advance(run)
        keep = state.ids.rows(new) < 0
        new, found = new[keep], found.take(np.flatnonzero(keep))
    bodies: list[ev.Body] = []
    if found is not None and len(new):
        bodies.append(ev.Added(state.round, new, embeddings=found.embeddings))
    answer, noise, pricing = told.answer, told.noise, run.engine.parts().pricing
    if pricing is not None:
        run.emit(bodies)
        bodies, rows = [], state.ids.rows(ids)
        cost = pricing.costs(rows) if cost is None and paid else cost
        noise = pricing.noise(rows) if noise is None else noise
        if paid and cost is None and (state.config.get("cost") or {}).get("by") == REPORTED:
            pricing.untold += len(rows)
            for text in pricing.news():
                run.notify("calls", text)
    rows, _ = state.ids.number(ids)
    scored = ev.Scored(rows, answer.values, answer.reasons, answer.data, True, noise, cost, paid)
    run.emit([*bodies, scored])


def _cost(run: SearchRun, told: Told) -> npt.NDArray[np.float64] | None:
    """What these measurements cost, where the search counts anything but calls."""
    setting = run.state.config.get("cost")
    if told.cost is None or setting is None or setting["by"] != REPORTED:
        return None
    wrong = ~np.isfinite(told.cost) | (told.cost < 0)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise InputError(
            "A cost is not usable",
            expected="finite numbers of at least 0",
            got=f"{told.cost[at]} for item {told.ids.tolist()[at]!r}",
        )
    return told.cost


def _check(state: State, ids: npt.NDArray[Any], cost: npt.NDArray[np.float64] | None, paid: bool) -> None:
    rows = state.ids.rows(ids)
    known = rows[rows >= 0]
    gone = known[state.items["status"][known] == ItemStatus.DROPPED] if len(known) else known
    if len(gone):
        raise InputError(
            "An item is not in the source any more",
            expected="items of the source",
            got=f"dropped: {state.ids.take(gone).tolist()[:5]}",
        )
    left = state.calls_left
    unreserved = int(sum(row not in state.reserved for row in rows.tolist()))
    if paid and left is not None and unreserved > left:
        raise InputError(
            "More scores than the budget allows",
            expected=f"at most {left} beside those that are pending",
            got=unreserved,
            hint="set(budget=…), or tell(…, paid=False) for what cost nothing",
        )


def _correct(run: SearchRun, told: Told, note: str) -> None:
    state, rows = run.state, run.state.ids.rows(told.ids)
    without = [i for i, row in zip(told.ids.tolist(), rows.tolist()) if row < 0 or state.items["call"][row] < 0]
    if without:
        raise InputError(
            "There is nothing to replace",
            expected="items that have a score",
            got=f"none yet: {without[:5]}",
            hint="tell(items, scores) without replace takes their first",
        )
    dropped = rows[state.items["status"][rows] == ItemStatus.DROPPED]
    if len(dropped):
        raise StateError(f"Items are not in the source any more: {state.ids.take(dropped).tolist()[:5]}")
    pricing = run.engine.parts().pricing
    if told.noise is None and pricing is not None:
        told = replace(told, noise=pricing.noise(rows))
    plain = {"items": told.ids.tolist()[:100], "scores": told.answer.values.tolist()[:100]}
    run.submit("correct", {"rows": rows, "told": told}, plain, note)
