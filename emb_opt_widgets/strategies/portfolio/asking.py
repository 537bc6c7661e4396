"""A round on a source that can only be asked for neighbours: which vectors to ask about, which hits to score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import VolatileSource
from emb_opt_widgets.engine.queries import Choice, Proposals
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio import plan
from emb_opt_widgets.strategies.portfolio.bandit import shares
from emb_opt_widgets.strategies.portfolio.batch import acquire
from emb_opt_widgets.strategies.portfolio.closed import CLOSED, doubted_among
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Scored, called, fit_ensemble, learn
from emb_opt_widgets.strategies.portfolio.known import nearness
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.operators import Around, Asker, Ground, Spread
from emb_opt_widgets.strategies.portfolio.readable import short
from emb_opt_widgets.strategies.portfolio.rows import HeldRows
from emb_opt_widgets.strategies.portfolio.settings import Settings
from emb_opt_widgets.strategies.portfolio.state import Batch, Memory, RoundPlan
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, questioned, without

__all__ = ["Seen", "choose_hits", "propose_queries"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_QUERIES = (16, 64)
_WALK = 0.8
"""Share of the queries that stand at what was seen and not asked about yet, whatever the credit, where the source holds
its items: they show only to who walks there."""
_MOST_QUERIES = 256
_ROUNDS = 40
_SEEDS = 12
_AGAIN = 512
_SEEN = 20_000


def _calls(view: SearchView) -> int:
    """Calls to spend in a round."""
    budget = plan.horizon(view.budget, view.n_scored, None)
    return plan.whole(max(1, min(plan.LARGEST, int(np.ceil(budget / _ROUNDS)))), view.at_once)


def _asked(view: SearchView) -> int:
    """Queries to make in a round: asking is cheap beside scoring. As many as it takes to find what is scored at once,
    were half of the hits known."""
    enough = min(_MOST_QUERIES, int(np.ceil(2 * view.at_once / view.k)))
    return max(enough, int(np.clip(2 * _calls(view), *_QUERIES)) * (2 if _walks(view) else 1))


def _walks(view: SearchView) -> bool:
    """Whether the neighbours of an item that was seen are others: not where a query makes its items up."""
    return not isinstance(view.source, VolatileSource)


class Seen:
    """What the search has seen so far, as a small library of its own.

    Attributes:
        rows: `(m,)` the search's rows in it: the latest, and all that are paid for.
        paid: `(n,)` positions of the scored ones, in order. gains: `(n,)` NaN where a score failed.
        doubt: `(m,)` how far each is closed by a person's prunes. closed: `(m,)` where wholly.
    """

    def __init__(self, view: SearchView) -> None:
        items = view.items()
        paid = view.paid()
        total = len(items["status"])
        kept = np.zeros(total, bool)
        kept[max(0, total - _SEEN) :] = True
        kept[paid] = True
        self.rows = np.flatnonzero(kept)
        self.status = items["status"][self.rows]
        held = HeldRows([items["embedding"][self.rows]], max(len(self.rows), 1))
        self.library = Library(held, cells=False, checkpoint=view.checkpoint)
        self.paid = np.searchsorted(self.rows, paid)
        self.gains: Float64 = items["gain"][paid]
        self.nodes = items["node"]
        self.doubt = doubted_among(view, items["embedding"][self.rows])
        self.closed = self.doubt > CLOSED

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """`(n,)` where each of the search's rows stands in it; -1 for one that it does not hold."""
        out = np.full(int(self.rows[-1]) + 1 if len(self.rows) else 0, -1, np.int64)
        out[self.rows] = np.arange(len(self.rows))
        return out

    @property
    def modelled(self) -> bool:
        """Whether there is something to fit."""
        fine = self.gains[np.isfinite(self.gains)]
        return len(fine) >= 3 and bool(fine.max() > fine.min())

    def fit(
        self, surrogates: Sequence[Surrogate], memory: Memory, view: SearchView, troubles: Troubles
    ) -> tuple[Ensemble | None, Memory]:
        """The surrogates fitted to what is scored, and the memory with what that found."""
        scored = Scored(self.library, self.paid, self.gains, None, view.rng, view.checkpoint)
        ensemble, memory, failed = fit_ensemble(scored, surrogates, memory)
        troubles.note(failed)
        return ensemble, memory


def propose_queries(settings: Settings, view: SearchView) -> Proposals:
    """Queries to ask the source, and one node with the most promising of the hits that were not paid for yet."""
    memory = Memory.read(view.memory)
    if view.calls_left == 0:
        return Proposals.none(view.dim, memory.plain())
    if not view.items():
        return _spread(view.rng("portfolio").standard_normal((_asked(view), view.dim)), memory)
    seen = Seen(view)
    place, calls = {row: i for i, row in enumerate(view.paid().tolist())}, called(memory)
    positions = np.array([place.get(row, -1) for row in calls.tolist()], np.int64)
    memory = learn(memory, positions, seen.gains, np.isin(calls, view.handed_out()))
    troubles = Troubles(view.notify)
    return without(
        settings.surrogates,
        lambda surrogates: _proposed(replace(settings, surrogates=surrogates), seen, memory, view, troubles),
        troubles,
    )


def _proposed(settings: Settings, seen: Seen, memory: Memory, view: SearchView, troubles: Troubles) -> Proposals:
    """What is asked about, as these surrogates see it."""
    rng = view.rng("portfolio")
    ensemble, memory = seen.fit(settings.surrogates, memory, view, troubles) if seen.modelled else (None, memory)
    memory = replace(memory, troubles=troubles.texts)
    if ensemble is None:
        middle, around = seen.library.block(np.arange(seen.library.n)).std(axis=0), rng.standard_normal
        return _spread(seen.library.original(middle * around((_asked(view), view.dim))), memory)
    share = _shares(settings.askers, memory, rng, view)
    memory = replace(memory, plan=RoundPlan("model", {name: round(value, 4) for name, value in share.items()}))
    view.checkpoint()
    return _queries(settings.askers, seen, ensemble, share, memory, rng, view, troubles)


def _shares(askers: Sequence[Asker], memory: Memory, rng: np.random.Generator, view: SearchView) -> dict[str, float]:
    """Each asker's share of the queries: by credit; most of them walk, where there is something to walk on; and by
    half for every round in a row that found nothing new, they turn to regions not asked about."""
    share = shares(memory.credit, {one.name: one.prior for one in askers}, rng)
    walk = next((one.name for one in askers if isinstance(one, Around)), None)
    if walk is not None and _walks(view):
        rest = min(1.0, (1 - _WALK) / max(1 - share[walk], 1e-9))
        kept = {name: value * rest for name, value in share.items() if name != walk}
        share = {**kept, walk: 1 - sum(kept.values())}
    wide = next((one.name for one in askers if isinstance(one, Spread)), None)
    if wide is not None:
        kept = {name: value * 0.5**view.idle_rounds for name, value in share.items()}
        share = {**kept, wide: kept[wide] + 1.0 - sum(kept.values())}
    return share


def _spread(points: Float64, memory: Memory) -> Proposals:
    return Proposals(points, np.full(len(points), -1), "spread", "nothing is known yet", memory=memory.plain())


def _queries(
    askers: Sequence[Asker], seen: Seen, ensemble: Ensemble, share: Mapping[str, float], memory: Memory,
    rng: np.random.Generator, view: SearchView, troubles: Troubles,
) -> Proposals:  # fmt: skip
    """The round's queries, each drawn by the operators' shares and the rank of the item that it starts from."""
    library, value = seen.library, ensemble.at(seen.library, np.arange(seen.library.n))
    value = ensemble.unwanted(value, seen.doubt) if seen.doubt.any() else value
    seeds = _Seeds(seen, value, view)
    ground = Ground(
        library, view.items()["embedding"][seen.rows], view.ids(seen.rows), ensemble, seeds.best, seeds.unasked, rng,
        _SEEDS,
    )  # fmt: skip
    able, names = {one.name: one for one in askers}, list(share)
    made: list[tuple[Array, int, str, str, float]] = []
    while len(made) < _asked(view):
        odds = np.array([share[name] for name in names])
        name = names[int(rng.choice(len(names), p=odds / odds.sum()))]
        question = questioned(able[name], ground, troubles)
        if question is None:
            names.remove(name)
            if not names:
                able, names, share = {"spread": Spread()}, ["spread"], {"spread": 1.0}
            continue
        odd = float(share[name] * question.chance)
        made.append((question.point, seeds.finder(question.seed), name, question.reason, odd))
    memory = replace(memory, troubles=troubles.texts)
    items: list[Array | None] | None = None
    again = np.flatnonzero((seen.status == ItemStatus.CANDIDATE) & ~seen.closed)
    if len(again):
        again = again[np.argsort(-value[again], kind="stable")[:_AGAIN]]
        reason = f"{len(again)} hits of earlier queries that were not scored"
        point = library.original(library.block(again[:1]))[0]
        made.append((point, seeds.finder(int(again[0])), "seen before", reason, 1.0))
        items = [*[None] * (len(made) - 1), view.ids(seen.rows[again])]
    points, parents, operators, reasons, propensity = zip(*made)
    return Proposals(
        np.array(points, np.float64), np.array(parents, np.int64), operators, reasons, np.array(propensity),
        items=items, memory=memory.plain(),
    )  # fmt: skip


class _Seeds:
    """Where queries start: the best scored items, and the most promising ones that no query stood at yet.

    Only what an active node found is built on, as long as there is any.
    """

    def __init__(self, seen: Seen, value: Array, view: SearchView) -> None:
        nodes = view.nodes()
        self._finders = seen.nodes[seen.rows].astype(np.int64)
        self._active = nodes["status"] == NodeStatus.ACTIVE
        usable = (self._finders < 0) | self._active[self._finders]
        fine = np.isfinite(seen.gains) & usable[seen.paid]
        fine = fine if fine.any() else np.isfinite(seen.gains)
        order = np.argsort(-seen.gains[fine], kind="stable")
        self.best = seen.paid[fine][order][:_SEEDS]
        vectors = view.items()["embedding"]
        asked = {point.tobytes() for point in nodes["embedding"].astype(vectors.dtype)}
        inside = usable & ~seen.closed & np.isin(seen.status, (ItemStatus.CANDIDATE, ItemStatus.SCORED))
        promising = np.flatnonzero(inside)
        promising = promising[np.argsort(-value[promising], kind="stable")]
        unasked = [
            at
            for at in promising[: _SEEDS + _MOST_QUERIES + len(asked)]
            if vectors[seen.rows[at]].tobytes() not in asked
        ]
        self.unasked = np.array(unasked[: _SEEDS + _MOST_QUERIES], np.int64)

    def finder(self, at: int) -> int:
        """The active node that found it, or -1."""
        node = int(self._finders[at]) if at >= 0 else -1
        return node if node >= 0 and self._active[node] else -1


def choose_hits(settings: Settings, candidates: Items, view: SearchView) -> Choice:
    """Which of the hits to score: what a person asked to look at, then by the surrogate's upper confidence bound.

    Propensities: the share of the operator whose query found the item; 1 for what a person asked for.
    """
    memory = replace(Memory.read(view.memory), last=None)
    rows = view.rows_of(candidates.ids)
    rank = nearness(view, rows)
    made = _found_by(view, rows)
    asked = np.flatnonzero(np.array([name == "branch" for name in made], bool) & (rank < view.k))
    b = _calls(view)
    rest = np.setdiff1d(np.flatnonzero(doubted_among(view, candidates.embeddings) <= CLOSED), asked)
    seen = Seen(view)

    def chosen(surrogates: Sequence[Surrogate]) -> tuple[Array, Memory] | None:
        return _chosen(replace(settings, surrogates=surrogates), seen, memory, rows, rest, made, b, view, troubles)

    troubles = Troubles(view.notify)
    found = without(settings.surrogates, chosen, troubles) if seen.modelled and len(rest) else None
    if found is None:
        most = len(rest) if view.calls_left is None else view.calls_left
        first = plan.initial_size(plan.horizon(view.budget, view.n_scored, None)) // 2
        b = b if seen.modelled else min(most, max(b, first))
        near = rest[np.argsort(rank[rest], kind="stable")][:b]
        return Choice(np.concatenate([asked, near]), np.ones(len(asked) + len(near)), memory.plain())
    positions, memory = found
    share = {} if memory.plan is None else memory.plan.shares
    chance = [max(float(share.get(made[p], 1.0)), 1e-9) for p in positions.tolist()]
    return Choice(np.concatenate([asked, positions]), np.concatenate([np.ones(len(asked)), chance]), memory.plain())


def _chosen(
    settings: Settings, seen: Seen, memory: Memory, rows: Array, rest: Array, made: Sequence[str], b: int,
    view: SearchView, troubles: Troubles,
) -> tuple[Array, Memory] | None:  # fmt: skip
    """The most promising of the `rest` of the candidates, by position; None where no surrogate can be asked."""
    ensemble, memory = seen.fit(settings.surrogates, memory, view, troubles)
    if ensemble is None:
        return None
    at = np.searchsorted(seen.rows, rows[rest])
    mean = ensemble.at(seen.library, at)
    mean = ensemble.unwanted(mean, seen.doubt[at]) if seen.doubt.any() else mean
    view.checkpoint()
    rng = view.rng("portfolio/choose")
    picked = acquire(seen.library, ensemble.leader(), at, mean, min(b, len(rest)), settings.caution, rng)
    back = {int(p): int(r) for p, r in zip(at, rest)}
    positions = np.array([back[int(p)] for p in picked], np.int64)
    last = Batch(
        rows[positions].tolist(), [made[p] for p in positions.tolist()],
        {name: short(fit.at(seen.library, picked)) for name, fit in ensemble.fits.items()},
    )  # fmt: skip
    return positions, replace(memory, last=last)


def _found_by(view: SearchView, rows: Array) -> list[str]:
    """`(c,)` the operator of the node that found each candidate: this round's if it is new, else the first one's."""
    nodes, found, offsets = view.looked()
    owner = np.repeat(nodes, np.diff(offsets))
    made: dict[int, str] = {}
    for row, node in zip(found.tolist(), owner.tolist()):
        name = view.operator(node)
        if made.get(row, "seen before") == "seen before":
            made[row] = name
    first = view.items()["node"]
    names = [made.get(row, "") for row in rows.tolist()]
    return [
        view.operator(int(first[row])) if name in ("", "seen before") and first[row] >= 0 else name
        for name, row in zip(names, rows.tolist())
    ]
