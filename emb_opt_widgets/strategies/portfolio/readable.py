"""A round over a library that can be read: which items to score, as nodes of those that lie close together."""

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
from emb_opt_widgets.strategies.portfolio.closed import CLOSED, doubted_among
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Scored, called, fit_ensemble, learn, skilled
from emb_opt_widgets.strategies.portfolio.known import Known, Shelf, known_rows, nearness, shelf_of
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.moments import believed, inexact
from emb_opt_widgets.strategies.portfolio.operators import Candidates, Coverage, Operator, Uniform
from emb_opt_widgets.strategies.portfolio.operators.branched import (
    PROTECTED,
    PROTECTED_ROUNDS,
    Branched,
    branch_ages,
    protected,
)
from emb_opt_widgets.strategies.portfolio.places import continued, grouped
from emb_opt_widgets.strategies.portfolio.settings import Settings, operator_shares
from emb_opt_widgets.strategies.portfolio.state import Batch, Memory, RoundPlan
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, asked, without

__all__ = ["choose_items", "propose_items"]

Array = npt.NDArray[Any]

_PARENTS = 4096
"""Nodes among which the nearest is sought, before anything is scored."""


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
    """The round's items as places (see `places`); they are given, so that nothing is asked."""
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
        settings.boldness, view.checkpoint, view, known.pending, known.doubt, known.prices,
    )  # fmt: skip
    first = plan.initial_size(budget, view.at_once)
    if n < first:
        b = min(plan.whole(first - n, view.at_once), max(first - n, budget // 2))
        return _design(settings, board, known, memory, min(left, b), view)
    if len(fine) < 3 or not fine.max() > fine.min() or settings.blind:
        return _design(settings, board, known, memory, plan.batch_size(budget, left, 0.0, view.at_once), view)
    b = plan.batch_size(budget, left, skilled(memory), view.at_once)
    scored = Scored(library, known.rows, known.gains, shelf.sums, view.rng, view.checkpoint)
    ensemble, memory, failed = fit_ensemble(scored, settings.surrogates, memory)
    troubles.note(failed)
    if ensemble is None or (n < plan.DESIGN * budget and ensemble.best_fit < 2.5 / np.sqrt(n)):
        return _design(settings, board, known, memory, b, view)
    noisy = inexact(known.errors, view.noise)
    gains = believed(ensemble, library, known.rows, known.gains, known.errors) if noisy else known.gains
    board = replace(board, ensemble=ensemble, gains=gains)
    branches, ages = branch_ages(view)
    operators = [*settings.operators, *([Branched()] if len(branches) else [])]
    share = protected(operator_shares(operators, ensemble, memory, left / budget, board.rng), ages)
    spare = min(plan.with_spares(b, known.passed, known.rejected), known.n_free)
    lists = _lists(operators, board, spare, troubles)
    if not lists:
        return _design(settings, board, known, memory, b, view)
    said = {operator.name: operator.said for operator in operators}
    return Plan(mix(lists, share, spare, board.rng), b, share, ensemble, lists, said, memory)


def _design(settings: Settings, board: Board, known: Known, memory: Memory, b: int, view: SearchView) -> Plan:
    """Calls that no model can place yet: in every region, and by chance where that does not suffice, or is all there
    is."""
    spare = min(plan.with_spares(b, known.passed, known.rejected), known.n_free)
    slots: list[Slot] = []
    blocked = known.blocked.copy()
    branched, spread, chance = Branched(), Coverage(), Uniform()
    lists: dict[str, Candidates] = {}
    if (branch_ages(view)[1] < PROTECTED_ROUNDS).any():
        slots += _in_turn(branched, board, int(np.ceil(PROTECTED * spare)), lists)
        blocked[[slot[0] for slot in slots]] = True
    if not settings.by_chance:
        slots += _in_turn(spread, replace(board, blocked=blocked), spare - len(slots), lists)
        blocked[[slot[0] for slot in slots]] = True
    slots += _in_turn(chance, replace(board, blocked=blocked), spare - len(slots), lists)
    drawn = {name: len(listed.rows) / max(len(slots), 1) for name, listed in lists.items()}
    used: list[Operator] = [*([branched] if branched.name in lists else []), spread, chance]
    share = {one.name: drawn.get(one.name, 0.0) for one in used}
    return Plan(slots, b, share, None, lists, {one.name: one.said for one in used}, memory)


def _in_turn(operator: Operator, board: Board, n: int, lists: dict[str, Candidates]) -> list[Slot]:
    """An operator's rows as slots; `lists` is told."""
    listed = lists[operator.name] = operator.propose(_seen_by(operator, board, n), n)
    chance = np.ones(len(listed.rows)) if listed.chance is None else listed.chance
    return [(int(row), operator.name, float(p)) for row, p in zip(listed.rows, chance)]


def _lists(
    operators: Sequence[Operator], board: Board, n: int, troubles: Troubles
) -> dict[str, Candidates]:  # fmt: skip
    """What each operator would score, in its order; those left out that propose what they must not."""
    lists: dict[str, Candidates] = {}
    for operator in operators:
        board.checkpoint()
        listed = asked(operator, _seen_by(operator, board, n), n, troubles)
        if listed is not None:
            lists[operator.name] = listed
    return lists


def _seen_by(operator: Operator, board: Board, n: int) -> Board:
    """The board; without most of what is dear, for an operator that draws rows whatever is expected of them."""
    return board.affordable(n) if isinstance(operator, (Coverage, Uniform)) else board


def _nodes(planned: Plan, shelf: Shelf, known: Known, view: SearchView, troubles: Troubles) -> Proposals:
    """The batch as places, and in `memory` what is needed to choose from it and to learn from it."""
    slots, ensemble, library = planned.slots, planned.ensemble, shelf.library
    rows = np.array([slot[0] for slot in slots], np.int64)
    predicted = {} if ensemble is None else {n: fit.at(library, rows) for n, fit in ensemble.fits.items()}
    chance = np.array([slot[2] for slot in slots])
    memory = replace(
        planned.memory, troubles=troubles.texts,
        plan=RoundPlan(
            "design" if ensemble is None else "model",
            {name: round(value, 4) for name, value in planned.share.items()}, planned.want,
        ),
        last=Batch(
            rows.tolist(), [slot[1] for slot in slots], {name: short(told) for name, told in predicted.items()},
            planned.want, [round(p, 9) or 1e-9 for p in chance.tolist()],
            {name: _why(name, planned) for name in dict.fromkeys(slot[1] for slot in slots)},
        ),
    )  # fmt: skip
    blend = None if ensemble is None else np.asarray(sum(ensemble.weights[n] * p for n, p in predicted.items()))
    block = library.block(rows)
    groups = [at if blend is None else at[np.argsort(-blend[at], kind="stable")] for at in grouped(block)]
    by = [[slots[i][1] for i in at.tolist()] for at in groups]
    middles = np.array([block[at].mean(axis=0) for at in groups], np.float32).reshape(-1, view.dim)
    parents = _parents(groups, rows, middles, library, known, view)
    return Proposals(
        library.original(middles), parents,
        [max(dict.fromkeys(names), key=names.count) for names in by],
        [_reason(at, one, names, blend, planned, view.sign) for at, one, names in zip(groups, parents.tolist(), by)],
        np.array([float(np.clip(chance[at].mean(), 1e-9, 1.0)) for at in groups]),
        items=[shelf.ids.of(rows[at]) for at in groups], memory=memory.plain(),
    )  # fmt: skip


def _parents(
    groups: Sequence[Array], rows: Array, middles: Array, library: Library, known: Known, view: SearchView
) -> npt.NDArray[np.int64]:
    """The node whose region each place continues; before anything is scored, the nearest node."""
    can = np.flatnonzero(known.finders >= 0)
    if not len(can):
        return np.array([_nearest_node(middle[None], library, view) for middle in middles], np.int64)
    node, apart = continued(library, rows, known.rows[can], known.finders[can])
    out = []
    for at in groups:
        nodes, votes = np.unique(node[at], return_counts=True)
        most = nodes[votes == votes.max()]
        among = at[np.isin(node[at], most)]
        out.append(node[among[np.argmin(apart[among])]])
    return np.array(out, np.int64)


def _nearest_node(z: Array, library: Library, view: SearchView) -> int:
    """The active node nearest to a scaled vector, or -1."""
    nodes = view.nodes()
    active = np.flatnonzero(nodes["status"] == NodeStatus.ACTIVE)[:_PARENTS] if nodes else np.empty(0, np.int64)
    if not len(active):
        return -1
    return int(active[np.argmin(((library.scaled(nodes["embedding"][active]) - z) ** 2).sum(axis=1))])


def _why(name: str, planned: Plan) -> str:
    """Why an operator's items are proposed."""
    said = planned.said[name]
    if planned.ensemble is None:
        return f"{said}, before a model can be asked"
    return f"{said}; {planned.share[name]:.0%} of the calls"


def _reason(at: Array, parent: int, names: Sequence[str], blend: Array | None, planned: Plan, sign: float) -> str:
    """What lies at a place, whose region that is, what is expected of it, and who proposed it."""
    where = "1 item" if len(at) == 1 else f"{len(at)} items close together"
    where += f" in the region of query {parent}" if parent >= 0 else ""
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    by = ", ".join(f"{n} by {planned.said[name]}" for name, n in counts.items())
    by = by.removeprefix(f"{len(at)} ") if len(counts) == 1 else by
    if planned.ensemble is None or blend is None:
        return f"{where}: {by}, before a model can be asked"
    expected = sign * planned.ensemble.in_scores(blend[at])
    low, high = f"{float(expected.min()):.3g}", f"{float(expected.max()):.3g}"
    return f"{where}, expected {low if low == high else f'{low} to {high}'}: {by}"


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
    shelf = shelf_of(view)
    rows = shelf.ids.rows(candidates.ids)
    if last is None or last.want is None:
        prices = shelf.prices(view)
        return _first_calls(rank, view, None if prices is None else prices.payable(rows, view.budget_left))
    place = {row: i for i, row in enumerate(last.rows)}
    slot = np.array([place.get(row, -1) for row in rows.tolist()], np.int64)
    asked = np.flatnonzero((slot < 0) & (rank < view.k))
    batch = np.flatnonzero((slot >= 0) & (doubted_among(view, candidates.embeddings) <= CLOSED))
    batch = batch[np.argsort(slot[batch], kind="stable")][: last.want]
    positions = np.concatenate([asked, batch])[: view.calls_left]
    kept = slot[positions][slot[positions] >= 0].tolist()
    memory = replace(memory, last=last.take(kept))
    given = [1.0] * len(last.rows) if last.chance is None else last.chance
    chosen = slot[positions].tolist()
    chance = np.array([1.0 if s < 0 else given[s] for s in chosen])
    by = ["" if s < 0 else last.operators[s] for s in chosen]
    return Choice(positions, chance, memory.plain(), by, last.said)


def _first_calls(
    rank: npt.NDArray[np.int64], view: SearchView, payable: npt.NDArray[np.bool_] | None = None
) -> Choice:  # fmt: skip
    """Of starts that a person gave, the nearest three of each, or as many as are scored at once, at most half of the
    design. Of drawn starts one item, where the tree begins, for the design covers the library better than they do; none
    where several are scored at once, for the design fills the first batch."""
    if view.given_starts:
        most = max(1, plan.initial_size(plan.horizon(view.budget, view.n_scored, None), view.at_once) // 2)
        near = np.argsort(rank, kind="stable")[: max(view.at_once, int((rank < 3).sum()))][:most]
    else:
        near = np.flatnonzero(rank == 0)[: int(view.at_once == 1)]
    near = near if payable is None else near[payable[near]]
    return Choice(near, np.ones(len(near)))
