"""The state of a search: the fold of its events.

`State.apply` is the one place where a state changes; a live, a resumed and a replayed search are equal
because they fold the same events. Knows nothing of threads, files or the user's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine import measuring
from emb_opt_widgets.engine.arrays import Columns, RaggedColumn, first_places
from emb_opt_widgets.engine.closures import Closures
from emb_opt_widgets.engine.ids import IdTable
from emb_opt_widgets.engine.items import as_ids
from emb_opt_widgets.engine.measurements import Measurements
from emb_opt_widgets.engine.status import Ending, ItemStatus, NodeStatus, Pending, Phase, RunStatus

__all__ = ["State"]

Fetch = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


class State:
    """Everything known of one search, as columns.

    Args:
        fetch: Ids to embeddings `(n, d)`, for events that do not carry them. None: embeddings are not kept
            (a file opened only to be looked at).
    """

    def __init__(self, fetch: Fetch | None = None) -> None:
        self._fetch = fetch
        self.config: dict[str, Any] = {}
        self.source: Mapping[str, Any] = {}
        self.seed = 0
        self.status = RunStatus.READY
        self.ending: str | None = None
        self.reason = "Not started yet: run() or start()."
        self.until: int | None = None
        self.phase = Phase.PROPOSE
        self.round = 0
        self.n_rounds = 0
        self.n_scored = 0
        self.n_answered = 0
        self.n_failed = 0
        self.reopened: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.spent = 0.0
        self.n_paid = 0
        self.unimproved = 0
        self.failure = ""
        self.idle_rounds = 0
        self.fresh = 0
        self.best_row = -1
        self.memory: Mapping[str, Any] | None = None
        self.dim = 0
        self.nodes = Columns({})
        self.items = Columns({})
        self.hits = RaggedColumn()
        self.operators: list[str] = []
        self.proposed: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self.status_reasons: dict[int, str] = {}
        self.looks: dict[int, tuple[Any, Any]] = {}
        self.given: dict[int, npt.NDArray[Any]] = {}
        self.ids = IdTable()
        self.item_reasons: dict[int, str] = {}
        self.extra: dict[int, dict[str, Any]] = {}
        self.payload: dict[int, Any] = {}
        self.measurements = Measurements()
        self.reserved: dict[int, float] = {}
        self.expected: dict[int, tuple[float, float]] = {}
        self.corrections: dict[str, measuring.Correction] = {}
        self.pool = np.empty(0, np.int32)
        self.chosen = np.empty(0, np.int32)
        self.commands: dict[str, ev.Commanded] = {}
        self.closures = Closures()
        self.undoable: list[str] = []
        self.redoable: list[str] = []

    # -- reading -------------------------------------------------------------------------------------------

    @property
    def sign(self) -> float:
        """1.0 when high scores are sought, else -1.0."""
        return -1.0 if self.config.get("direction") == "minimize" else 1.0

    @property
    def unit(self) -> str:
        """What the budget counts: "calls", or what `Cost` names."""
        cost = self.config.get("cost")
        return "calls" if cost is None else str(cost["unit"])

    @property
    def done(self) -> int:
        """Rounds done."""
        return self.n_rounds

    @property
    def begun(self) -> bool:
        """Whether a round has begun, perhaps by `ask`."""
        return self.n_nodes > 0

    @property
    def n_nodes(self) -> int:
        return len(self.nodes)

    @property
    def budget_left(self) -> float | None:
        """What is neither spent nor reserved for pending items, in the budget's unit; None without a budget."""
        budget = self.config.get("budget")
        return None if budget is None else max(0.0, float(budget) - self.spent - sum(self.reserved.values()))

    @property
    def call_cost(self) -> float:
        """What one more call costs, as far as can be told: always, by the library, or on average so far."""
        cost: Mapping[str, Any] | None = self.config.get("cost")
        if cost is None:
            return 1.0
        if isinstance(cost["by"], (int, float)):
            return float(cost["by"])
        so_far = self.spent / self.n_paid if self.n_paid and self.spent > 0 else 1.0
        return so_far if cost.get("typical") is None else float(cost["typical"])

    @property
    def calls_left(self) -> int | None:
        """Score calls the budget still allows; None without a budget."""
        left = self.budget_left
        if left is None:
            return None
        known = self.config.get("cost") is None or isinstance(self.config["cost"]["by"], (int, float))
        return max(int(left / self.call_cost + 1e-9), 0 if known else int(left > 1e-9))

    def errors(self, rows: npt.NDArray[Any] | slice) -> npt.NDArray[np.float64]:
        """`(n,)` standard errors of scores: from the noise of their measurements, or from their scatter; with
        `noise="estimate"` from the scatter of all that was measured again."""
        error: npt.NDArray[np.float64] = self.items["error"][rows]
        if self.config.get("noise") != "estimate":
            return error
        n = self.items["measured"][rows]
        pooled = self.measurements.noise() / np.sqrt(np.maximum(n, 1))
        return np.where(np.isnan(error) & (n > 0), pooled, error)

    def proposers(self, rows: npt.NDArray[Any], nodes: npt.NDArray[Any] | None = None) -> list[tuple[str, str]]:
        """What proposed to score each of these items, and why: that of its own call, else that of its node.

        Args:
            rows: `(n,)`.
            nodes: `(n,)` the node of each; None: that which found it first.
        """
        finders = (self.items["node"][rows] if nodes is None else np.asarray(nodes)).tolist()
        own = self.items["by"][rows].tolist() if len(rows) else []
        return [
            self.proposed[by] if by >= 0 else (self.operators[node], self.reasons[node]) if node >= 0 else ("", "")
            for by, node in zip(own, finders)
        ]

    def operators_of(self, nodes: Iterable[int]) -> list[dict[str, int]]:
        """For each of these nodes, how many calls each operator had among the items that it found first."""
        wanted = {node: place for place, node in enumerate(nodes)}
        out: list[dict[str, int]] = [{} for _ in wanted]
        rows = self._answered_rows()
        for node, (operator, _) in zip(self.items["node"][rows].tolist() if len(rows) else [], self.proposers(rows)):
            if node in wanted:
                mine = out[wanted[node]]
                mine[operator] = mine.get(operator, 0) + 1
        return out

    def handed_out(self) -> npt.NDArray[np.int32]:
        """Rows that are being measured, in the order in which they were handed out."""
        return np.array(list(self.reserved), np.int32)

    def pending(self) -> npt.NDArray[np.int64]:
        """Active nodes that have not looked yet."""
        return np.flatnonzero((self.nodes["status"] == NodeStatus.ACTIVE) & (self.nodes["round"] < 0))

    def frontier(self) -> npt.NDArray[np.int64]:
        """Active nodes that have looked and have not been expanded yet."""
        n = self.nodes
        return np.flatnonzero((n["status"] == NodeStatus.ACTIVE) & (n["round"] >= 0) & ~n["expanded"])

    def awaited(self) -> npt.NDArray[np.int32]:
        """Chosen rows of this round that are handed out."""
        out: npt.NDArray[np.int32] = self.chosen[self.items["status"][self.chosen] == ItemStatus.PENDING]
        return out

    def unscored(self) -> npt.NDArray[np.int32]:
        """Chosen rows that are still to be scored, in order; without those that only inactive nodes found."""
        rows = self.chosen[self.items["status"][self.chosen] == ItemStatus.CANDIDATE]
        looked = self.nodes["round"] == self.round
        active = looked & (self.nodes["status"] == NodeStatus.ACTIVE)
        if len(rows) and active.sum() < looked.sum():
            wanted, _ = self.hits.gather(np.flatnonzero(active))
            rows = rows[np.isin(rows, wanted)]
        out: npt.NDArray[np.int32] = rows
        return out

    def descendants(self, node: int | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The nodes below `node`, without it; or below any of several."""
        parent = self.nodes["parent"]
        inside = np.zeros(len(parent), np.bool_)
        newest: npt.NDArray[Any] = np.atleast_1d(node)
        while len(newest):
            newest = np.flatnonzero(np.isin(parent, newest))
            inside[newest] = True
        return np.flatnonzero(inside)

    # -- folding -------------------------------------------------------------------------------------------

    def apply(self, body: ev.Body) -> None:
        """Fold one event in."""
        _FOLDS[body.kind](self, body)

    def _created(self, body: ev.Created) -> None:
        self.config = dict(body.config)
        self.source = body.source
        self.seed = body.seed
        self.dim = int(body.source.get("dim") or 0)

    def _allocate_nodes(self, dim: int) -> None:
        self.dim = dim
        self.nodes = Columns(
            {
                "parent": (np.int32, ()), "root": (np.int32, ()), "round": (np.int32, ()),
                "made": (np.int32, ()), "status": (np.int8, ()), "expanded": (np.bool_, ()),
                "kept": (np.bool_, ()), "n_hits": (np.int32, ()), "n_new": (np.int32, ()),
                "mean": (np.float64, ()), "max": (np.float64, ()), "propensity": (np.float64, ()),
                "embedding": (np.float64, (dim,)),
            }
        )  # fmt: skip
        if not len(self.items):
            self._allocate_items(dim)

    def _allocate_items(self, dim: int) -> None:
        width = dim if self._fetch is not None else 0
        self.items = Columns(
            {
                "status": (np.int8, ()), "score": (np.float64, ()), "round": (np.int32, ()),
                "node": (np.int32, ()), "call": (np.int32, ()), "measured": (np.int32, ()), "error": (np.float64, ()),
                "paid": (np.bool_, ()), "pending": (np.int8, ()), "by": (np.int32, ()), "propensity": (np.float64, ()),
                "embedding": (np.dtype(self.source.get("dtype", "float32")), (width,)),
            }
        )  # fmt: skip

    def _started(self, body: ev.Started | ev.Resumed) -> None:
        self.status = RunStatus.RUNNING
        self.ending = None
        self.reason = "Running."
        self.until = body.until
        self.idle_rounds = 0

    def _queries(self, body: ev.QueriesMade) -> None:
        m = len(body.parents)
        if not self.dim or not self.n_nodes:
            self._allocate_nodes(body.embeddings.shape[1])
        first = self.n_nodes
        if body.command is None:
            self.nodes["expanded"][self.frontier()] = True
            self.memory = body.memory if body.memory is not None else self.memory
            self.phase = Phase.RETRIEVE
        parents = np.asarray(body.parents, np.int32)
        roots = np.arange(first, first + m, dtype=np.int32)
        for i, parent in enumerate(parents):
            if parent >= 0:
                roots[i] = self.nodes["root"][parent] if parent < first else roots[parent - first]
        self.nodes.extend(
            m, parent=parents, root=roots, round=-1, made=body.round, status=NodeStatus.ACTIVE, expanded=False,
            kept=body.command is not None, n_hits=0, n_new=0, mean=np.nan, max=np.nan,
            propensity=body.propensity, embedding=body.embeddings,
        )  # fmt: skip
        self.hits.extend(m)
        self.operators.extend(body.operator)
        self.reasons.extend(body.reason)
        for i in range(m):
            if body.gradients is not None and body.steps is not None and len(body.steps):
                self.looks[first + i] = (body.gradients[i], body.steps)
            given = None if body.items is None else body.items[i]
            if given is not None:
                self.given[first + i] = given

    def _hits(self, body: ev.Looked) -> None:
        new = self.fresh = len(body.new_ids)
        first = len(self.ids)
        nodes = np.asarray(body.nodes, np.int64)
        seen_at = first_places(body.rows, first + new)
        if new:
            owner = np.searchsorted(body.offsets, seen_at[first:], side="right") - 1
            status = ItemStatus.NEW if body.filtered else ItemStatus.CANDIDATE
            self._extend_items(body, status, nodes[owner])
        self.hits.set(nodes, body.rows, body.offsets)
        self.nodes["round"][nodes] = body.round
        self.nodes["n_hits"][nodes] = np.diff(body.offsets)
        self.nodes["n_new"][nodes] = np.bincount(
            np.searchsorted(nodes, self.items["node"][first:]) if new else [], minlength=len(nodes)
        )
        self.pool = np.asarray(body.rows)[seen_at[body.rows] == np.arange(len(body.rows))]
        self.chosen = np.empty(0, np.int32)
        self.phase = Phase.FILTER if body.filtered and new else Phase.CHOOSE

    def _added(self, body: ev.Added) -> None:
        self._extend_items(body, ItemStatus.CANDIDATE, -1)

    def _extend_items(self, body: ev.Looked | ev.Added, status: ItemStatus, finder: Any) -> None:
        ids = as_ids(body.new_ids)
        first = len(self.ids)
        embeddings: Any = 0.0
        if self._fetch is not None:
            embeddings = body.embeddings if body.embeddings is not None else body.vectors
            if embeddings is None:
                embeddings = self._fetch(ids)
        if not self.n_nodes and not first:
            self._allocate_items(self.dim or np.shape(embeddings)[-1] if self._fetch is not None else 0)
        self.items.extend(
            len(ids), status=status, score=np.nan, round=body.round, node=finder, call=-1, measured=0, error=np.nan,
            paid=False, pending=Pending.NOBODY, by=-1, propensity=np.nan, embedding=embeddings,
        )  # fmt: skip
        self.ids.add(ids)
        if body.payload is not None:
            self.payload.update(zip(range(first, first + len(ids)), body.payload))

    def answered(self, rows: Any, reasons: Mapping[str, str], data: Sequence[Any] | None) -> None:
        """Keep why rows have no verdict or score, and what was answered beside it."""
        for place, reason in reasons.items():
            self.item_reasons[int(rows[int(place)])] = reason
        if data is not None:
            for row, answer in zip(rows, data):
                if answer:
                    self.extra.setdefault(int(row), {}).update(answer)

    def _filtered(self, body: ev.Filtered) -> None:
        valid = np.asarray(body.valid, np.bool_)
        self.items["status"][body.rows] = np.where(valid, ItemStatus.CANDIDATE, ItemStatus.FILTERED)
        self.answered(body.rows, body.reasons, body.data)
        if self.phase == Phase.FILTER and not (self.items["status"][self.pool] == ItemStatus.NEW).any():
            self.phase = Phase.CHOOSE

    def _chosen(self, body: ev.Chosen) -> None:
        first = self.reopened[self.items["status"][self.reopened] == ItemStatus.CANDIDATE]
        self.reopened = np.empty(0, np.int32)
        rows = np.asarray(body.rows, np.int32)
        self.chosen = np.concatenate([first[~np.isin(first, rows)], rows]) if len(first) else rows
        self.memory = body.memory if body.memory is not None else self.memory
        self.phase = Phase.SCORE if len(self.chosen) else Phase.PRUNE
        if body.propensity is not None:
            self.items["propensity"][rows] = body.propensity
        if body.operator is not None:
            self._note_proposers(rows, body.operator, body.reason or {})

    def _note_proposers(self, rows: npt.NDArray[np.int32], operators: Sequence[str], why: Mapping[str, str]) -> None:
        number = {name: len(self.proposed) + i for i, name in enumerate(dict.fromkeys(filter(None, operators)))}
        self.proposed += [(name, why.get(name, "")) for name in number]
        self.items["by"][rows] = [number.get(name, -1) for name in operators]
        mine = rows[[bool(name) for name in operators]]
        looked = np.flatnonzero(self.nodes["round"] == self.round)
        found, offsets = self.hits.gather(looked)
        at = np.flatnonzero(np.isin(found, mine))
        self.items["node"][found[at]] = looked[np.searchsorted(offsets, at, side="right") - 1]

    def _pruned(self, body: ev.Pruned) -> None:
        status = NodeStatus.PRUNED if body.by == "pruner" else NodeStatus.REMOVED
        self.nodes["status"][body.nodes] = status
        self.status_reasons.update((int(node), body.reason) for node in body.nodes)

    def _round_ended(self, body: ev.RoundEnded) -> None:
        self.nodes["mean"][body.nodes] = body.mean
        self.nodes["max"][body.nodes] = body.max
        self.nodes["kept"][body.nodes] = False
        self.idle_rounds = 0 if body.n_scored or self.fresh else self.idle_rounds + 1
        self.round = body.round + 1
        self.n_rounds += 1
        self.pool = self.chosen = np.empty(0, np.int32)
        self.phase = Phase.PROPOSE

    def _command(self, body: ev.Commanded) -> None:
        self.commands[body.id] = body
        if body.name == "undo":
            self.undoable.remove(str(body.target))
            self.redoable.append(str(body.target))
        elif body.name == "redo":
            self.redoable.remove(str(body.target))
            self.undoable.append(str(body.target))
        elif body.name in ("branch", "prune_node", "restore", "set", "correct"):
            self.undoable.append(body.id)
            self.redoable.clear()
        if body.name in ("undo", "redo") and str(body.target) in self.corrections:
            measuring.use_correction(self, self.corrections[str(body.target)], body.name == "redo")
        if len(body.nodes):
            self.closures.follow(body, self.commands, self._answered_rows)
            self.nodes["status"][body.nodes] = body.after
            back = np.asarray(body.nodes)[np.asarray(body.after) == NodeStatus.ACTIVE]
            self.nodes["kept"][back] = True
            why = f"{body.name.removesuffix('_node')} by {body.who}" + (f": {body.note}" if body.note else "")
            for node, after in zip(body.nodes, body.after):
                if after == NodeStatus.ACTIVE:
                    self.status_reasons.pop(int(node), None)
                else:
                    self.status_reasons[int(node)] = why
        if body.config is not None:
            self.config.update(body.config)

    def _answered_rows(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.items["call"] >= 0) if len(self.items) else np.empty(0, np.int64)

    def _paused(self, body: ev.Paused) -> None:
        self.status = RunStatus.PAUSED
        self.reason = body.reason

    def _finished(self, body: ev.Finished) -> None:
        named = {"STOPPED": RunStatus.STOPPED, "FAILED": RunStatus.FAILED}
        self.status = named.get(body.ending, RunStatus.FINISHED)
        self.ending = Ending[body.ending].name
        self.reason = body.reason


_FOLDS: Mapping[str, Callable[[State, Any], None]] = {
    "created": State._created,
    "started": State._started,
    "resumed": State._started,
    "queries": State._queries,
    "hits": State._hits,
    "added": State._added,
    "filtered": State._filtered,
    "chosen": State._chosen,
    "handed_out": measuring.hand_out,
    "given_back": measuring.give_back,
    "reopened": measuring.reopen,
    "scored": measuring.score,
    "corrected": measuring.correct,
    "pruned": State._pruned,
    "round_ended": State._round_ended,
    "command": State._command,
    "source_changed": measuring.change_source,
    "paused": State._paused,
    "finished": State._finished,
}
