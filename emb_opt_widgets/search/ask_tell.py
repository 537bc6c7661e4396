"""Scores from elsewhere: handing out what to score, and taking the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.answers import read_scores
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.engine.rounds import run_round, verdict
from emb_opt_widgets.engine.status import SearchStatus
from emb_opt_widgets.errors import FunctionError, InputError
from emb_opt_widgets.search.controller import Controller

__all__ = ["ask", "tell"]


def ask(controller: Controller, n: int, handed_out: set[int]) -> Items:
    """The next items to score, at most `n`, without those in `handed_out`, which grows by them.

    A round that begins here is told that `n` are wanted.
    """
    with controller.lock:
        controller.need_rest("ask")
        while not (fresh := [row for row in controller.waiting() if row not in handed_out]):
            if controller.waiting() or not _advance(controller, n):
                break
        rows = np.array(fresh[:n], np.int32)
        handed_out.update(rows.tolist())
        if not len(rows):
            return Items(np.empty(0, np.int64), np.empty((0, controller.state.dim), np.float32))
        return controller.gather.payload(rows)


def _advance(controller: Controller, at_once: int = 1) -> bool:
    """One stretch of a round up to its scores, in the caller's thread; whether there is more to come.

    Args:
        controller: At rest, its lock held.
        at_once: How many items are wanted.
    """
    over = verdict(controller.state)
    ended = controller.state.status is SearchStatus.FINISHED
    if over is not None:
        controller.emit([] if ended else [over])
        return False
    if ended:
        controller.emit([ev.Resumed(controller.state.until)])
    parts = controller.parts()
    parts = replace(parts, score=None, at_once=max(parts.at_once, at_once))
    for group in run_round(controller.state, parts, lambda: True):
        controller.emit(group)
    return controller.state.status is not SearchStatus.FINISHED


def tell(controller: Controller, items: Any, scores: Any) -> None:
    """Take scores of items, all or none."""
    single = np.ndim(items) == 0 and not isinstance(items, Items)
    raw = [items] if single else items
    ids = raw.ids if isinstance(raw, Items) else as_ids([getattr(i, "id", i) for i in raw])
    try:
        answer = read_scores([scores] if single and np.ndim(scores) == 0 else scores, len(ids))
    except FunctionError as error:
        raise InputError("The scores told cannot be used", expected=f"{len(ids)} scores", got=str(error)) from None
    with controller.lock:
        controller.need_rest("tell")
        state = controller.state
        _check(controller, ids)
        new = ids[state.ids.rows(ids) < 0]
        found = controller.source.fetch(new) if len(new) else None
        if found is not None and not state.n_nodes:
            _advance(controller)
            keep = state.ids.rows(new) < 0
            new, found = new[keep], found.take(np.flatnonzero(keep))
        bodies: list[ev.Body] = []
        if found is not None and len(new):
            bodies.append(ev.Added(state.round, new, embeddings=found.embeddings))
        rows, _ = state.ids.number(ids)
        bodies.append(ev.Scored(rows, answer.values, answer.reasons, answer.data, told=True))
        controller.emit(bodies)


def _check(controller: Controller, ids: npt.NDArray[Any]) -> None:
    state = controller.state
    if len(set(ids.tolist())) < len(ids):
        raise InputError("An item is told twice in one call", expected="distinct ids", got=ids.tolist()[:10])
    rows = state.ids.rows(ids)
    known = rows[rows >= 0]
    scored = known[state.items["call"][known] >= 0] if len(known) else known
    if len(scored):
        raise InputError(
            "A score is never overwritten",
            expected="items without a score",
            got=f"scored already: {state.ids.take(scored).tolist()[:5]}",
        )
    left = state.calls_left
    if left is not None and len(ids) > left:
        raise InputError(
            "More scores than the budget allows", expected=f"at most {left}", got=len(ids), hint="set(budget=…)"
        )
