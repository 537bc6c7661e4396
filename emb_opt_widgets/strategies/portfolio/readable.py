"""A round over a library that can be read: which items to score, as one node for each operator that got calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Choice, Proposals
from emb_opt_widgets.engine.status import NodeStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio import plan
from emb_opt_widgets.strategies.portfolio.bandit import shares
from emb_opt_widgets.strategies.portfolio.batch import Slot, acquire, mix, screen
from emb_opt_widgets.strategies.portfolio.known import (
    Known,
    Shelf,
    imputed,
    known_rows,
    nearness,
    remembered,
    shelf_of,
)
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.members import Ensemble, fit_members, learn
from emb_opt_widgets.strategies.portfolio.proposals import Listed, coverage, neighbours, uniform

__all__ = ["MODELLED", "PRIOR", "Settings", "choose_items", "propose_items"]

Array = npt.NDArray[Any]
Memory = dict[str, Any]

PRIOR: Mapping[str, tuple[float, float]] = {
    "blend": (6.0, 2.0), "explore": (1.5, 2.0), "linear": (2.0, 2.0), "kernel": (2.0, 2.0),
    "neighbours": (1.0, 3.0), "coverage": (0.3, 4.0), "random": (0.1, 6.0),
}  # fmt: skip
"""Hits and misses that each operator begins with."""
MODELLED = ("blend", "explore", "linear", "kernel")
_LEARNING = ("explore", "coverage", "random")
"""Operators whose calls are as much for what they tell as for what they find."""
_PARENTS = 4096
"""Scored items among which a proposal's parent is sought."""

_SAID = {
    "blend": "all models", "explore": "all models, boldly", "linear": "linear model", "kernel": "kernel model",
    "neighbours": "neighbours of the best", "coverage": "regions with few scores", "random": "by chance",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What a strategy of this family is made of; as in `Portfolio`."""

    operators: tuple[str, ...]
    models: str
    caution: float
    boldness: float


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A round's batch before it is put into words: its slots, who asked for them and what they expect."""

    slots: Sequence[Slot]
    want: int
    share: Mapping[str, float]
    ensemble: Ensemble | None
    lists: Mapping[str, Listed]


def propose_items(settings: Settings, view: SearchView) -> Proposals:
    """One node for each operator that got calls this round; its items are given, so that nothing is asked."""
    shelf = shelf_of(view)
    known, memory = known_rows(view, shelf), remembered(view.memory)
    learn(memory, known.places(np.array(memory.get("last", {}).get("rows", ()), np.int64)), known.gains)
    left = known.n_free if view.calls_left is None else min(known.n_free, view.calls_left)
    if left <= 0:
        return Proposals.none(view.dim, memory)
    planned = _plan(settings, shelf, known, memory, left, view)
    return _nodes(planned, shelf, known, memory, view)


def _plan(settings: Settings, shelf: Shelf, known: Known, memory: Memory, left: int, view: SearchView) -> Plan:
    library = shelf.library
    budget = plan.horizon(view.budget, view.n_scored, library.n)
    rng, n = view.rng("portfolio"), len(known.rows)
    first = plan.initial_size(budget, view.at_once)
    by_chance = set(settings.operators) == {"random"}
    fine = known.gains[np.isfinite(known.gains)]
    if n < first:
        b = min(plan.whole(first - n, view.at_once), max(first - n, budget // 2))
        return _design(library, known, min(left, b), rng, by_chance)
    if len(fine) < 3 or not fine.max() > fine.min() or not set(settings.operators) & {*MODELLED, "neighbours"}:
        return _design(library, known, plan.batch_size(budget, left, 0.0, view.at_once), rng, by_chance)
    skill = max((a / n for a, n in memory.get("skill", {}).values() if n > 0), default=0.3)
    b = plan.batch_size(budget, left, skill, view.at_once)
    ensemble = fit_members(library, known.rows, known.gains, memory, settings.models, shelf.sums)
    if n < plan.DESIGN * budget and ensemble.best_fit < 2.5 / np.sqrt(n):
        return _design(library, known, b, rng, by_chance)
    share = _shares(settings, ensemble, memory, left / budget, rng)
    spare = min(plan.with_spares(b, known.passed, known.rejected), known.n_free)
    lists = _lists(settings, library, known, ensemble, spare, rng)
    return Plan(mix(lists, share, spare, rng), b, share, ensemble, lists)


def _shares(
    settings: Settings, ensemble: Ensemble, memory: Memory, left: float, rng: np.random.Generator
) -> dict[str, float]:
    """Each operator's share of the calls.

    The better the models explain the scores, the fewer hits the others begin with beside their blend; and what is asked
    in order to learn is worth less the less of the budget is left to use it, from the middle on.
    """
    prior = {name: PRIOR[name] for name in settings.operators}
    doubted = {name: (a if name == "blend" else a * ensemble.unexplained, b) for name, (a, b) in prior.items()}
    drawn = shares(memory.get("credit", {}), doubted, rng)
    worth = {name: p * min(1.0, 2 * left) if name in _LEARNING else p for name, p in drawn.items()}
    total = sum(worth.values())
    return {name: p / total for name, p in worth.items()}


def _design(library: Library, known: Known, b: int, rng: np.random.Generator, by_chance: bool) -> Plan:
    """Calls that no model can place yet: in every region, and by chance where that does not suffice, or is all there
    is."""
    spare = min(plan.with_spares(b, known.passed, known.rejected), known.n_free)
    slots: list[Slot] = []
    blocked = known.blocked.copy()
    if not by_chance:
        spread = coverage(library, known.rows, blocked, spare, rng)
        chance = np.ones(len(spread.rows)) if spread.chance is None else spread.chance
        slots += [(int(row), "coverage", float(p)) for row, p in zip(spread.rows, chance)]
        blocked[spread.rows] = True
    rest = uniform(blocked, spare - len(slots), rng)
    chance = np.ones(len(rest.rows)) if rest.chance is None else rest.chance
    slots += [(int(row), "random", float(p)) for row, p in zip(rest.rows, chance)]
    drawn = {"coverage": len(slots) - len(rest.rows), "random": len(rest.rows)}
    return Plan(slots, b, {name: n / max(len(slots), 1) for name, n in drawn.items()}, None, {})


def _lists(
    settings: Settings, library: Library, known: Known, ensemble: Ensemble, b: int, rng: np.random.Generator
) -> dict[str, Listed]:
    """What each operator would score, in its order."""
    gains, rows, lists = imputed(known.gains), known.rows, dict[str, Listed]()
    modelled = [name for name in settings.operators if name in MODELLED]
    if modelled:
        free = screen(library, ensemble, rows, gains, known.blocked)
        mean = {name: process.at(library, free) for name, process in ensemble.fits.items()}
        for name in modelled:
            expected = np.asarray(sum(w * mean[n] for n, w in ensemble.group(name).items()))
            expected = ensemble.discounted(library, free, expected)
            beta = settings.boldness if name == "explore" else settings.caution
            lists[name] = Listed(acquire(library, ensemble.leader(name), free, expected, b, beta, rng))
    if "neighbours" in settings.operators:
        seeds = np.flatnonzero(np.isfinite(known.gains) & known.open)
        most = min(b, plan.LARGEST)
        lists["neighbours"] = neighbours(
            library, rows[seeds], gains[seeds], known.blocked, most, rng, lambda r: ensemble.at(library, r)
        )
    if "coverage" in settings.operators:
        lists["coverage"] = coverage(library, rows, known.blocked, b, rng)
    if "random" in settings.operators:
        lists["random"] = uniform(known.blocked, b, rng)
    return lists


def _nodes(planned: Plan, shelf: Shelf, known: Known, memory: Memory, view: SearchView) -> Proposals:
    """The batch as proposals, and in `memory` what is needed to choose from it and to learn from it."""
    slots, ensemble, library = planned.slots, planned.ensemble, shelf.library
    rows = np.array([slot[0] for slot in slots], np.int64)
    operators = [slot[1] for slot in slots]
    memory["plan"] = {
        "phase": "design" if ensemble is None else "model", "calls": planned.want,
        "shares": {name: round(value, 4) for name, value in planned.share.items()},
    }  # fmt: skip
    predicted = {} if ensemble is None else {n: fit.at(library, rows) for n, fit in ensemble.fits.items()}
    memory["last"] = {
        "rows": rows.tolist(), "operators": operators, "want": planned.want,
        "chance": [round(slot[2], 9) or 1e-9 for slot in slots],
        "predicted": {name: _short(values) for name, values in predicted.items()},
    }  # fmt: skip
    blend = None if ensemble is None else sum(ensemble.weights[n] * p for n, p in predicted.items())
    names = list(dict.fromkeys(operators))
    mine = {name: np.flatnonzero(np.array(operators, object) == name) for name in names}
    heads, parents, reasons = [], [], []
    for name in names:
        at = mine[name] if blend is None else mine[name][np.argsort(-np.asarray(blend)[mine[name]], kind="stable")]
        heads.append(int(rows[at[0]]))
        parents.append(_parent(name, heads[-1], planned.lists.get(name), library, known, view))
        expected = None if ensemble is None or blend is None else ensemble.in_scores(name, np.asarray(blend)[at])
        reasons.append(_reason(name, len(at), None if expected is None else view.sign * expected, planned))
    return Proposals(
        library.rows.take(np.array(heads, np.int64)).astype(np.float64).reshape(-1, view.dim),
        np.array(parents, np.int64), names, reasons,
        np.array([min(1.0, max(planned.share.get(name, 1.0), 1e-9)) for name in names]),
        items=[shelf.ids.of(rows[mine[name]]) for name in names], memory=memory,
    )  # fmt: skip


def _parent(name: str, head: int, listed: Listed | None, library: Library, known: Known, view: SearchView) -> int:
    """The node that found what a proposal builds on: the neighbour's seed, or the scored item nearest to it; for what a
    model expects to be good, the nearest of the best quarter. Before anything is scored: the nearest node."""
    can = np.flatnonzero(np.isfinite(known.gains) & (known.finders >= 0))
    if not len(can):
        return _nearest_node(library.block(np.array([head])), library, view)
    if listed is not None and listed.seeds is not None:
        seed = known.places(listed.seeds[listed.rows == head][:1])
        return int(known.finders[seed[0]]) if len(seed) and seed[0] >= 0 else -1
    if name not in ("coverage", "random"):
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


def _reason(name: str, n: int, expected: Array | None, planned: Plan) -> str:
    items = "1 item" if n == 1 else f"{n} items"
    if planned.ensemble is None:
        return f"{_SAID[name]}: {items}, before a model can be asked"
    if expected is None or name in ("coverage", "random"):
        return f"{_SAID[name]}: {items}; {planned.share[name]:.0%} of the calls"
    low, high = float(expected.min()), float(expected.max())
    return f"{_SAID[name]}: {items}, expects {low:.3g} to {high:.3g}; {planned.share[name]:.0%} of the calls"


def _short(values: Array) -> list[float]:
    return [float(f"{v:.5g}") for v in values.tolist()]


def choose_items(candidates: Items, view: SearchView) -> Choice:
    """This round's calls: what a person asked to look at first, then the batch, without what the filter took.

    At the start, before anything was proposed: the nearest hits of starts that a person gave, or one item. Propensities
    are those of `batch.mix`: of a slot to go to this item, given the operators' lists; 1 for what a person asked for.
    """
    memory = remembered(view.memory)
    last = memory.get("last")
    rank = nearness(view, view.rows_of(candidates.ids))
    if last is None or "want" not in last:
        return _first_calls(rank, view)
    rows = shelf_of(view).ids.rows(candidates.ids)
    place = {row: i for i, row in enumerate(last["rows"])}
    slot = np.array([place.get(row, -1) for row in rows.tolist()], np.int64)
    asked = np.flatnonzero((slot < 0) & (rank < view.k))
    batch = np.flatnonzero(slot >= 0)
    batch = batch[np.argsort(slot[batch], kind="stable")][: int(last["want"])]
    positions = np.concatenate([asked, batch])[: view.calls_left]
    kept = slot[positions][slot[positions] >= 0].tolist()
    memory["last"] = {
        "rows": [last["rows"][i] for i in kept],
        "operators": [last["operators"][i] for i in kept],
        "predicted": {name: [values[i] for i in kept] for name, values in last["predicted"].items()},
    }
    chance = np.array([1.0 if s < 0 else last["chance"][s] for s in slot[positions].tolist()])
    return Choice(positions, chance, memory)


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
