"""The round: what happens next, given the state.

    propose → retrieve → filter → choose → score → prune

Each step reads the state and yields event bodies; whoever drives it folds them before asking for more.
Nothing else is kept, so a round that was cut off anywhere goes on from the folded state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.caller import Caller
from emb_opt_widgets.engine.calls import Answered, Halt
from emb_opt_widgets.engine.costs import Pricing, overspent
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.limits import limited, too_many
from emb_opt_widgets.engine.protocols import Choose, Closes, Prune, Update
from emb_opt_widgets.engine.queries import Choice, Proposals
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.statistics import ragged_statistics
from emb_opt_widgets.engine.status import Ending, ItemStatus, Pausing, Phase
from emb_opt_widgets.engine.until import reached
from emb_opt_widgets.engine.view import SearchView, go_on, queries_of, unheard
from emb_opt_widgets.errors import FunctionError, failing_as

__all__ = [
    "Bodies", "Gather", "Parts", "close_round", "exhausted", "halted", "proposals_event", "propose", "run_round",
    "scored_event", "verdict",
]  # fmt: skip

STALL_ROUNDS = 20
FRESH_START_ROUNDS = 3


class Gather:
    """Rows to `Items` with their payload, from the source; the last batch fetched is kept at hand."""

    def __init__(self, state: State, source: BoundSource) -> None:
        self._state = state
        self._source = source
        self._held: tuple[Items, dict[int, int]] | None = None

    def hold(self, rows: npt.NDArray[Any], items: Items) -> None:
        """Keep these at hand until the next batch."""
        self._held = items, dict(zip(rows.tolist(), range(len(rows))))

    def payload(self, rows: npt.NDArray[Any]) -> Items:
        """Items with their payload and what functions answered about them. Safe from any thread."""
        state = self._state
        held, place = self._held or (None, {})
        places = [place.get(row) for row in rows.tolist()]
        if held is None or None in places:
            items = self._source.fetch(state.ids.take(rows))
        elif places == list(range(len(held))):
            items = held
        else:
            items = held.take(np.array(places, np.int64))
        extra = [state.extra.get(row) for row in rows.tolist()] if state.extra else None
        return items.with_columns(state.items["score"][rows], extra)

    def light(self, rows: npt.NDArray[Any]) -> Items:
        """Items as the state knows them: ids, embeddings, scores. Payload is fetched if somebody looks at it."""
        state = self._state
        return Items(
            state.ids.take(rows),
            state.items["embedding"][rows],
            scores=state.items["score"][rows],
            later=lambda: self.payload(rows),
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a round is made with, resolved from the configuration.

    Attributes:
        source: What is searched. filter, score: callers, or None. update, prune: strategies.
        gather: Rows to items. cache: the strategy's scratch space. at_once: items that are scored at a time.
        pricing: What measurements cost, and how exact they are.
        checkpoint, notify: As in `SearchView`.
    """

    source: BoundSource
    gather: Gather
    filter: Caller | None
    score: Caller | None
    update: Update
    prune: Prune | None
    starts: Callable[[], Proposals]
    cache: dict[str, Any] = field(default_factory=dict)
    at_once: int = 1
    pricing: Pricing | None = None
    checkpoint: Callable[[], None] = go_on
    notify: Callable[[str], None] = unheard

    def view(self, state: State) -> SearchView:
        """The search as its strategy sees it."""
        return SearchView(state, self.source.source, self.cache, self.at_once, self.checkpoint, self.notify)


Bodies = Sequence[ev.Body]


def verdict(state: State, seconds: float = 0.0) -> ev.Finished | None:
    """Whether the search is over here, and how; but for `until`, only before its next round.

    Args:
        state: The fold.
        seconds: How long this run has been going.
    """
    if (over := reached(state, seconds)) is not None:
        return over
    if overspent(state):
        return ev.Finished(Ending.BUDGET.name, Ending.BUDGET.value)
    if state.phase is not Phase.PROPOSE:
        return None
    if state.until is not None and state.n_rounds >= state.until:
        return ev.Finished(Ending.ROUNDS.name, Ending.ROUNDS.value)
    if state.calls_left == 0:
        return ev.Finished(Ending.BUDGET.name, Ending.BUDGET.value)
    if state.until is None and state.idle_rounds >= STALL_ROUNDS:
        return ev.Finished(Ending.STALLED.name, Ending.STALLED.value.format(n=STALL_ROUNDS))
    return None


def run_round(state: State, parts: Parts, gate: Callable[[], bool]) -> Iterator[Bodies]:
    """The events of one round, or of the rest of one.

    Args:
        state: The fold; whoever iterates applies each yielded group before going on.
        parts: What the round is made with.
        gate: Asked before every call of a user's function; once False, the round comes to rest and the
            iterator ends with the round unfinished.

    Yields:
        Bodies that belong together, to be kept all or none; an empty group while calls are under way.
    """
    if state.phase is Phase.PROPOSE:
        yield [propose(state, parts)]
        if not len(state.pending()):
            yield [exhausted(state, parts)]
            return
    if state.phase is Phase.RETRIEVE:
        yield [_retrieve(state, parts)]
    if state.phase is Phase.FILTER:
        yield from _filter(state, parts.filter, gate)
    too_dear = False
    if state.phase is Phase.CHOOSE:
        chosen, too_dear = _affordable(_choose(state, parts), parts.pricing)
        yield [chosen]
    if state.phase is Phase.SCORE and parts.score is not None:
        yield from _score(state, parts.score, parts.pricing, gate)
    if state.phase is Phase.PRUNE or (state.phase is Phase.SCORE and not len(state.unscored())):
        yield close_round(state, parts)
    if too_dear:
        yield [ev.Finished(Ending.BUDGET.name, Ending.BUDGET.value)]


def _affordable(chosen: ev.Chosen, pricing: Pricing | None) -> tuple[ev.Chosen, bool]:
    """The choice without what the budget cannot pay, and whether that is all of it."""
    if pricing is None or not len(chosen.rows):
        return chosen, False
    fits = pricing.affordable(chosen.rows)
    if fits.all():
        return chosen, False
    propensity = None if chosen.propensity is None else chosen.propensity[fits]
    operator = None if chosen.operator is None else [chosen.operator[i] for i in np.flatnonzero(fits).tolist()]
    return replace(chosen, rows=chosen.rows[fits], propensity=propensity, operator=operator), not fits.any()


def propose(state: State, parts: Parts) -> ev.QueriesMade:
    """The round's new nodes."""
    if not state.n_nodes:
        return proposals_event(state, parts.starts())
    if _converged(state, parts):
        points = parts.source.unseen(int(state.config["queries"].get("random", 5)), state.seed, state.round, state.ids)
        if len(points):
            reason = f"the last {state.idle_rounds} rounds found nothing new, and there is budget left"
            return proposals_event(state, Proposals(points, np.full(len(points), -1), "fresh start", reason))
    queries = queries_of(state, state.frontier(), parts.gather.light)
    with failing_as("update"):
        made = parts.update.propose(queries, parts.view(state))
    kept = limited(made, state) if isinstance(made, Proposals) else made
    if kept is not made:
        parts.notify(too_many(len(kept)))
    return proposals_event(state, kept)


def exhausted(state: State, parts: Parts) -> ev.Finished | ev.Paused:
    """The end, where nothing is left to look at, and why; a pause, where a person's prunes closed what is left."""
    size = parts.source.size
    if state.closures.nodes and isinstance(parts.update, Closes) and (size is None or _judged(state)[0] < size):
        return ev.Paused(Pausing.PRUNED.value)
    return ev.Finished(Ending.EXHAUSTED.name, _nothing_left(state, size))


def _judged(state: State) -> tuple[int, int]:
    """How many items have a verdict or a score, and how many of these the filter rejected."""
    status = state.items["status"] if len(state.items) else np.empty(0, np.int8)
    judged = np.isin(status, (ItemStatus.SCORED, ItemStatus.FILTERED, ItemStatus.FAILED))
    return int(judged.sum()), int((status == ItemStatus.FILTERED).sum())


def _nothing_left(state: State, size: int | None) -> str:
    judged, rejected = _judged(state)
    if size is None or judged < size:
        return Ending.EXHAUSTED.value
    return f"Every item is judged: {judged - rejected:,} are scored, {rejected:,} rejected by the filter."


def _converged(state: State, parts: Parts) -> bool:
    """Whether queries that go round in known places keep a budget from being spent."""
    to_spend = state.until is None and state.calls_left is not None
    return to_spend and state.idle_rounds >= FRESH_START_ROUNDS and not isinstance(parts.update, Choose)


def proposals_event(state: State, made: Proposals, command: str | None = None) -> ev.QueriesMade:
    """Proposals as an event, checked.

    Raises:
        FunctionError: They are not finite, of the wrong width, or of unknown parents.
    """
    m = len(made)
    embeddings = np.ascontiguousarray(made.embeddings, np.float64)
    width = state.dim or embeddings.shape[-1]
    parents = np.asarray(made.parents, np.int32)
    fine = embeddings.shape == (m, width) and bool(np.isfinite(embeddings).all())
    if not fine or (m and not (parents.min() >= -1 and parents.max() < max(state.n_nodes, 1))):
        raise FunctionError(
            "The update proposed queries that cannot be used",
            expected=f"finite embeddings of shape (m, {width}) and parents that are in the tree (or -1)",
            got=f"embeddings of shape {embeddings.shape}, parents {parents[:5].tolist()}…",
        )
    each = [[v] * m if isinstance(v, str) else list(v) for v in (made.operator, made.reason)]
    propensity = np.ones(m) if made.propensity is None else np.asarray(made.propensity, np.float64)
    return ev.QueriesMade(
        state.round, parents, embeddings, each[0], each[1], propensity, made.gradients, made.steps, made.items,
        made.memory, command,
    )  # fmt: skip


def _retrieve(state: State, parts: Parts) -> ev.Looked:
    nodes = state.pending()
    given = [int(n) for n in nodes if int(n) in state.given] if state.given else []
    asking = np.array([n for n in nodes if int(n) not in state.given], np.int64) if given else nodes
    ids, owner, items = _ask(state, parts.source, asking)
    if given:
        own = [state.given[n] for n in given]
        ids = np.concatenate([ids.astype(object), *[np.asarray(i, object) for i in own]])
        owner = np.concatenate([owner, np.repeat(given, [len(i) for i in own])])
        order = np.argsort(owner, kind="stable")
        ids, owner = ids[order], owner[order]
    rows, new_ids = state.ids.number(ids)
    if len(state.looks) or given:
        rows, owner = _distinct(rows, owner)
    offsets = np.searchsorted(owner, np.concatenate([nodes, [np.iinfo(np.int64).max]]))
    fresh = _payload(parts.source, new_ids, items)
    if fresh is not None:
        parts.gather.hold(np.arange(len(state.ids), len(state.ids) + len(new_ids)), fresh)
    volatile = parts.source.volatile and fresh is not None
    return ev.Looked(
        state.round, nodes.astype(np.int32), offsets.astype(np.int64), rows, new_ids,
        filtered=parts.filter is not None,
        vectors=fresh.embeddings if fresh is not None and volatile else None,
        payload=_plain(fresh) if fresh is not None and volatile else None,
        embeddings=None if fresh is None else fresh.embeddings,
    )  # fmt: skip


def _ask(
    state: State, source: BoundSource, nodes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], Items | None]:
    """One batched source call for these nodes: hit ids, the node of each, and payload that came along."""
    if not len(nodes):
        return np.empty(0, np.int64), np.empty(0, np.int64), None
    points, owner = [state.nodes["embedding"][nodes]], [nodes]
    for node in nodes if state.looks else ():
        if int(node) in state.looks:
            gradient, steps = state.looks[int(node)]
            points.append(state.nodes["embedding"][node] + gradient[None, :] * np.asarray(steps)[:, None])
            owner.append(np.full(len(steps), node))
    owners = np.concatenate(owner)
    order = np.argsort(owners, kind="stable")
    hits = source.search(np.concatenate(points)[order], int(state.config["k"]))
    return hits.ids, np.repeat(owners[order], np.diff(hits.offsets)), hits.items


def _distinct(
    rows: npt.NDArray[np.int32], owner: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Each row once for each node, where it first stands."""
    key = owner.astype(np.int64) * (int(rows.max(initial=0)) + 1) + rows
    _, first = np.unique(key, return_index=True)
    first.sort()
    return rows[first], owner[first]


def _payload(source: BoundSource, ids: npt.NDArray[Any], items: Items | None) -> Items | None:
    if not len(ids):
        return None
    if items is None:
        return source.fetch(ids)
    place = {i: at for at, i in enumerate(items.ids.tolist())}
    return items.take(np.array([place[i] for i in ids.tolist()], np.int64))


def _plain(items: Items) -> list[Any]:
    return [[None if items.items is None else items.items[i], items.row_data(i)] for i in range(len(items))]


def _filter(state: State, filter: Caller | None, gate: Callable[[], bool]) -> Iterator[Bodies]:
    fresh = state.pool[state.items["status"][state.pool] == ItemStatus.NEW]
    if filter is None:
        yield [ev.Filtered(fresh, np.ones(len(fresh), np.bool_), {})]
        return
    for answered in filter(fresh, gate):
        if answered is None:
            yield []
            continue
        if isinstance(answered, Halt):
            yield halted(answered)
            return
        rows, answer = answered
        yield [ev.Filtered(rows, answer.values, answer.reasons, answer.data)]


def _choose(state: State, parts: Parts) -> ev.Chosen:
    rows = state.pool[state.items["status"][state.pool] == ItemStatus.CANDIDATE]
    left = None if state.calls_left is None else max(0, state.calls_left - len(state.reopened))
    judges = isinstance(parts.update, Choose)
    choice = Choice(np.arange(len(rows)), np.ones(len(rows)) if judges else None)
    if isinstance(parts.update, Choose) and len(rows):
        with failing_as("update"):
            choice = parts.update.choose(parts.gather.light(rows), parts.view(state))
    elif left is not None and len(rows) > left:
        choice = Choice(_fair_order(state, rows))
    positions = np.asarray(choice.positions, np.int64)[:left]
    propensity = None if choice.propensity is None else choice.propensity[: len(positions)]
    operator = None if choice.operator is None else list(choice.operator[: len(positions)])
    return ev.Chosen(state.round, rows[positions], propensity, choice.memory, operator, choice.reason)


def _fair_order(state: State, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Where not all can be paid: every query's nearest hit first, then every query's second, and so on."""
    nodes = np.flatnonzero(state.nodes["round"] == state.round)
    found, offsets = state.hits.gather(nodes)
    rank = np.arange(len(found)) - np.repeat(offsets[:-1], np.diff(offsets))
    best = dict[int, int]()
    for row, r in zip(found.tolist(), rank.tolist()):
        best[row] = min(r, best.get(row, r))
    ranks = np.array([best[r] for r in rows.tolist()])
    return np.argsort(ranks, kind="stable")


def _score(state: State, score: Caller, pricing: Pricing | None, gate: Callable[[], bool]) -> Iterator[Bodies]:
    left, chosen = state.unscored(), state.chosen
    whole = chosen[np.isin(chosen, left) | (state.items["status"][chosen] != ItemStatus.CANDIDATE)]
    for answered in score(left, lambda: gate() and not overspent(state), whole):
        if answered is None:
            yield []
            continue
        if isinstance(answered, Halt):
            yield halted(answered)
            return
        yield [scored_event(answered, pricing)]


def scored_event(answered: Answered, pricing: Pricing | None) -> ev.Scored:
    """What a call answered, how exact it is, and what it cost."""
    rows, answer = answered
    noise, cost = (None, None) if pricing is None else (pricing.noise(rows, answer), pricing.paid(rows, answer))
    return ev.Scored(rows, answer.values, answer.reasons, answer.data, noise=noise, cost=cost)


def halted(halt: Halt) -> Bodies:
    """The search pauses; what was told as failed in the same run of failures is open again."""
    paused = ev.Paused(halt.reason)
    return [ev.Reopened(halt.reported, "an outage", refund=True), paused] if len(halt.reported) else [paused]


def close_round(state: State, parts: Parts) -> Bodies:
    """The round's end: which nodes go on, and what they found, over the scores that are there."""
    out: list[ev.Body] = []
    looked = np.flatnonzero(state.nodes["round"] == state.round)
    rows, offsets = state.hits.gather(looked)
    n_valid, mean, best = ragged_statistics(
        state.items["score"][rows], state.items["status"][rows] == ItemStatus.SCORED, offsets, state.sign
    )
    going = state.frontier()
    for reason, nodes in _emptied(state, going):
        out.append(ev.Pruned(nodes, "search", reason))
        going = np.setdiff1d(going, nodes)
    judged = going[~state.nodes["kept"][going]]
    if parts.prune is not None and len(judged):
        asked = queries_of(state, judged, parts.gather.light)
        with failing_as("prune function"):
            keep = np.asarray(parts.prune.keep(asked), np.bool_)
        if keep.shape != (len(judged),):
            raise FunctionError(
                "The prune function returned the wrong thing",
                expected=f"{len(judged)} verdicts, one for each query",
                got=f"shape {keep.shape}",
            )
        if not keep.all():
            out.append(ev.Pruned(judged[~keep].astype(np.int32), "pruner", "prune response invalid"))
    scored = int(np.isin(state.items["status"][state.chosen], (ItemStatus.SCORED, ItemStatus.FAILED)).sum())
    out.append(ev.RoundEnded(state.round, looked.astype(np.int32), n_valid, mean, best, scored))
    return out


def _emptied(state: State, nodes: npt.NDArray[np.int64]) -> Iterator[tuple[str, npt.NDArray[np.int32]]]:
    rows, offsets = state.hits.gather(nodes)
    lengths = np.diff(offsets)
    status = state.items["status"][rows]
    alive = np.isin(status, (ItemStatus.CANDIDATE, ItemStatus.SCORED, ItemStatus.PENDING))
    left = np.concatenate([[0], np.cumsum(alive)])[offsets]
    none = nodes[lengths == 0].astype(np.int32)
    dead = nodes[(lengths > 0) & (np.diff(left) == 0)].astype(np.int32)
    if len(none):
        yield "query returned no results", none
    if len(dead):
        yield "all query results removed", dead
