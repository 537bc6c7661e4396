"""A round over a library that can be read: which items to score, as one node for each operator that got calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Choice, Proposals
from emb_opt_widgets.engine.status import NodeStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio import plan
from emb_opt_widgets.strategies.portfolio.batch import Slot, mix
from emb_opt_widgets.strategies.portfolio.board import Board
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Scored, called, fit_ensemble, learn, skilled
from emb_opt_widgets.strategies.portfolio.known import Known, Shelf, known_rows, nearness, shelf_of
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.operators import Candidates, Coverage, Operator, Uniform
from emb_opt_widgets.strategies.portfolio.settings import Settings, operator_shares
from emb_opt_widgets.strategies.portfolio.state import Batch, Memory, RoundPlan
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, asked, without

__all__ = ["choose_items", "propose_items"]

Array = npt.NDArray[Any]

_PARENTS = 4096
"""Scored items among which a proposal's parent is sought."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A round's batch before it is put into words: its slots, who asked for them and what they expect."""

    slots: Sequence[Slot]
    want: int
    share: Mapping[str, float]
    ensemble: Ensemble | None
    lists: Mapping[str, Candidates]
    said: Mapping[str, str]
    memory: Memory


def propose_items(settings: Settings, view: SearchView) -> Proposals:
    """One node for each operator that got calls this round; its items are given, so that nothing is asked."""
    shelf = shelf_of(view)
    known, memory = known_rows(view, shelf), Memory.read(view.memory)
    calls = called(memory)
    memory = learn(memory, known.positions(calls), known.gains, np.isin(calls, known.pending))
    left = known.n_free if view.calls_left is None else min(known.n_free, view.calls_left)
    if left <= 0:
        return Proposals.none(view.dim, memory.plain())
    troubles = Troubles(view.notify)

    def planned(surrogates: Sequence[Surrogate]) -> Plan:
        return _plan(replace(settings, surrogates=surrogates), shelf, known, memory, left, view, troubles)

    return _nodes(without(settings.surrogates, planned, troubles), shelf, known, view, troubles)


def _plan(
    settings: Settings, shelf: Shelf, known: Known, memory: Memory, left: int, view: SearchView, troubles: Troubles
) -> Plan:
    library = shelf.library
    budget = plan.horizon(view.budget, view.n_scored, library.n)
    n, fine = len(known.rows) + len(known.pending), known.gains[np.isfinite(known.gains)]
    board = Board(
        library, known.rows, known.gains, known.open, known.blocked, view.rng("portfolio"), None, settings.caution,
        settings.boldness, view.checkpoint, view, known.pending,
    )  # fmt: skip
    first = plan.initial_size(budget, view.at_once)
    if n < first:
        b = min(plan.whole(first - n, view.at_once), max(first - n, budget // 2))
        return _design(settings, board, known, memory, min(left, b))
    if len(fine) < 3 or not fine.max() > fine.min() or settings.blind:
        return _design(settings, board, known, memory, plan.batch_size(budget, left, 0.0, view.at_once))
    b = plan.batch_size(budget, left, skilled(memory), view.at_once)
    scored = Scored(library, known.rows, known.gains, shelf.sums, view.rng, view.checkpoint)
    ensemble, memory, failed = fit_ensemble(scored, settings.surrogates, memory)
    troubles.note(failed)
    if ensemble is None or (n < plan.DESIGN * budget and ensemble.best_fit < 2.5 / np.sqrt(n)):
        return _design(settings, board, known, memory, b)
    board = replace(board, ensemble=ensemble)
    share = operator_shares(settings.operators, ensemble, memory, left / budget, board.rng)
    spare = min(plan.with_spares(b, known.passed, known.rejected), known.n_free)
    lists = _lists(settings.operators, board, spare, troubles)
    if not lists:
        return _design(settings, board, known, memory, b)
    said = {operator.name: operator.said for operator in settings.operators}
    return Plan(mix(lists, share, spare, board.rng), b, share, ensemble, lists, said, memory)


def _design(settings: Settings, board: Board, known: Known, memory: Memory, b: int) -> Plan:
    """Calls that no model can place yet: in every region, and by chance where that does not suffice, or is all there
    is."""
    spare = min(plan.with_spares(b, known.passed, known.rejected), known.n_free)
    slots: list[Slot] = []
    blocked = known.blocked.copy()
    spread, chance = Coverage(), Uniform()
    lists: dict[str, Candidates] = {}
    if not settings.by_chance:
        slots += _in_turn(spread, board, spare, lists)
        blocked[[slot[0] for slot in slots]] = True
    slots += _in_turn(chance, replace(board, blocked=blocked), spare - len(slots), lists)
    drawn = {name: len(listed.rows) / max(len(slots), 1) for name, listed in lists.items()}
    share = {one.name: drawn.get(one.name, 0.0) for one in (spread, chance)}
    return Plan(slots, b, share, None, lists, {one.name: one.said for one in (spread, chance)}, memory)


def _in_turn(operator: Operator, board: Board, n: int, lists: dict[str, Candidates]) -> list[Slot]:
    """An operator's rows as slots; `lists` is told."""
    listed = lists[operator.name] = operator.propose(board, n)
    chance = np.ones(len(listed.rows)) if listed.chance is None else listed.chance
    return [(int(row), operator.name, float(p)) for row, p in zip(listed.rows, chance)]


def _lists(
    operators: Sequence[Operator], board: Board, n: int, troubles: Troubles
) -> dict[str, Candidates]:  # fmt: skip
    """What each operator would score, in its order; those left out that propose what they must not."""
    lists: dict[str, Candidates] = {}
    for operator in operators:
        board.checkpoint()
        listed = asked(operator, board, n, troubles)
        if listed is not None:
            lists[operator.name] = listed
    return lists


def _nodes(planned: Plan, shelf: Shelf, known: Known, view: SearchView, troubles: Troubles) -> Proposals:
    """The batch as proposals, and in `memory` what is needed to choose from it and to learn from it."""
    slots, ensemble, library = planned.slots, planned.ensemble, shelf.library
    rows = np.array([slot[0] for slot in slots], np.int64)
    operators = [slot[1] for slot in slots]
    predicted = {} if ensemble is None else {n: fit.at(library, rows) for n, fit in ensemble.fits.items()}
    memory = replace(
        planned.memory, troubles=troubles.texts,
        plan=RoundPlan(
            "design" if ensemble is None else "model",
            {name: round(value, 4) for name, value in planned.share.items()}, planned.want,
        ),
        last=Batch(
            rows.tolist(), operators, {name: short(values) for name, values in predicted.items()}, planned.want,
            [round(slot[2], 9) or 1e-9 for slot in slots],
        ),
    )  # fmt: skip
    blend = None if ensemble is None else sum(ensemble.weights[n] * p for n, p in predicted.items())
    names = list(dict.fromkeys(operators))
    mine = {name: np.flatnonzero(np.array(operators, object) == name) for name in names}
    heads, parents, reasons = [], [], []
    for name in names:
        listed = planned.lists[name]
        at = mine[name] if blend is None else mine[name][np.argsort(-np.asarray(blend)[mine[name]], kind="stable")]
        heads.append(int(rows[at[0]]))
        parents.append(_parent(heads[-1], listed, library, known, view))
        blended = None if blend is None else np.asarray(blend)[at]
        reasons.append(_reason(name, listed, blended, len(at), planned, view.sign))
    return Proposals(
        library.rows.take(np.array(heads, np.int64)).astype(np.float64).reshape(-1, view.dim),
        np.array(parents, np.int64), names, reasons,
        np.array([min(1.0, max(planned.share.get(name, 1.0), 1e-9)) for name in names]),
        items=[shelf.ids.of(rows[mine[name]]) for name in names], memory=memory.plain(),
    )  # fmt: skip


def _parent(head: int, listed: Candidates, library: Library, known: Known, view: SearchView) -> int:
    """The node that found what a proposal builds on: the neighbour's seed, or the scored item nearest to it; for what
    is expected to be good, the nearest of the best quarter. Before anything is scored: the nearest node."""
    can = np.flatnonzero(np.isfinite(known.gains) & (known.finders >= 0))
    if not len(can):
        return _nearest_node(library.block(np.array([head])), library, view)
    if listed.seeds is not None:
        seed = known.positions(listed.seeds[listed.rows == head][:1])
        return int(known.finders[seed[0]]) if len(seed) and seed[0] >= 0 else -1
    if not listed.blind:
        better = np.argsort(-known.gains[can], kind="stable")[: max(1, len(can) // 4)]
        can = can[better]
    else:
        can = can[::-1]
    can = can[:_PARENTS]
    apart = ((library.block(known.rows[can]) - library.block(np.array([head]))) ** 2).sum(axis=1)
    return int(known.finders[can[np.argmin(apart)]])


def _nearest_node(z: Array, library: Library, view: SearchView) -> int:
    """The active node nearest to a scaled vector, or -1."""
    nodes = view.nodes()
    active = np.flatnonzero(nodes["status"] == NodeStatus.ACTIVE)[:_PARENTS] if nodes else np.empty(0, np.int64)
    if not len(active):
        return -1
    return int(active[np.argmin(((library.scaled(nodes["embedding"][active]) - z) ** 2).sum(axis=1))])


def _reason(name: str, listed: Candidates, blended: Array | None, n: int, planned: Plan, sign: float) -> str:
    items, said = "1 item" if n == 1 else f"{n} items", planned.said[name]
    if planned.ensemble is None or blended is None:
        return f"{said}: {items}, before a model can be asked"
    if listed.blind:
        return f"{said}: {items}; {planned.share[name]:.0%} of the calls"
    expected = sign * planned.ensemble.in_scores(blended, listed.surrogates)
    low, high = float(expected.min()), float(expected.max())
    return f"{said}: {items}, expects {low:.3g} to {high:.3g}; {planned.share[name]:.0%} of the calls"


def short(values: Array) -> list[float]:
    """Values at the precision at which they are remembered."""
    return [float(f"{v:.5g}") for v in values.tolist()]


def choose_items(candidates: Items, view: SearchView) -> Choice:
    """This round's calls: what a person asked to look at first, then the batch, without what the filter took.

    At the start, before anything was proposed: the nearest hits of starts that a person gave, or one item. Propensities
    are those of `batch.mix`: of a slot to go to this item, given the operators' lists; 1 for what a person asked for.
    """
    memory = Memory.read(view.memory)
    last = memory.last
    rank = nearness(view, view.rows_of(candidates.ids))
    if last is None or last.want is None:
        return _first_calls(rank, view)
    rows = shelf_of(view).ids.rows(candidates.ids)
    place = {row: i for i, row in enumerate(last.rows)}
    slot = np.array([place.get(row, -1) for row in rows.tolist()], np.int64)
    asked = np.flatnonzero((slot < 0) & (rank < view.k))
    batch = np.flatnonzero(slot >= 0)
    batch = batch[np.argsort(slot[batch], kind="stable")][: last.want]
    positions = np.concatenate([asked, batch])[: view.calls_left]
    kept = slot[positions][slot[positions] >= 0].tolist()
    memory = replace(memory, last=last.take(kept))
    given = [1.0] * len(last.rows) if last.chance is None else last.chance
    chance = np.array([1.0 if s < 0 else given[s] for s in slot[positions].tolist()])
    return Choice(positions, chance, memory.plain())


def _first_calls(rank: npt.NDArray[np.int64], view: SearchView) -> Choice:
    """Of starts that a person gave, the nearest three of each, or as many as are scored at once, at most half of the
    design. Of drawn starts one item, where the tree begins, for the design covers the library better than they do; none
    where several are scored at once, for the design fills the first batch."""
    if view.given_starts:
        most = max(1, plan.initial_size(plan.horizon(view.budget, view.n_scored, None), view.at_once) // 2)
        near = np.argsort(rank, kind="stable")[: max(view.at_once, int((rank < 3).sum()))][:most]
    else:
        near = np.flatnonzero(rank == 0)[: int(view.at_once == 1)]
    return Choice(near, np.ones(len(near)))
