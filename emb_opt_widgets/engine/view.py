"""What a strategy may look at while it proposes and chooses: a read-only window on the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import stream
from emb_opt_widgets.engine.costs import REPORTED
from emb_opt_widgets.engine.protocols import Source
from emb_opt_widgets.engine.queries import Queries
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus

__all__ = ["Interrupted", "SearchView", "go_on", "queries_of", "unheard"]


class Interrupted(BaseException):
    """A strategy's thinking is given up, because a person asked for something. Nothing of it is kept: the same
    thinking begins anew when the engine goes on. Not an `Exception`, so that no strategy swallows it."""


def go_on() -> None:
    """Nobody interrupts."""


def unheard(text: str) -> None:
    """Nobody is told."""


class SearchView:
    """A search as its strategy sees it. Gains are scores with their sign turned: more is always better.

    Args:
        state: The fold.
        source: What is searched.
        cache: Scratch space that lives as long as the engine does. It may be empty at any call (after a
            resume), so it may only hold what can be computed again from the rest, to the last bit.
        at_once: Items that are scored at a time.
        checkpoint: To be called every tenth of a second or so by a strategy that thinks long: raises `Interrupted`
            where a person asked for something meanwhile. What the cache holds then must be whole.
        notify: Tells the person something, in a sentence: what a strategy left out, and why.
    """

    __slots__ = ("_state", "at_once", "cache", "checkpoint", "notify", "source")

    def __init__(
        self,
        state: State,
        source: Source,
        cache: dict[str, Any],
        at_once: int = 1,
        checkpoint: Callable[[], None] = go_on,
        notify: Callable[[str], None] = unheard,
    ) -> None:
        self._state = state
        self.source = source
        self.cache = cache
        self.at_once = at_once
        self.checkpoint = checkpoint
        self.notify = notify

    @property
    def round(self) -> int:
        """The present round, from 0."""
        return self._state.round

    @property
    def seed(self) -> int:
        return self._state.seed

    @property
    def dim(self) -> int:
        return self._state.dim

    @property
    def k(self) -> int:
        """Hits per query."""
        return int(self._state.config["k"])

    @property
    def sign(self) -> float:
        """1.0 when high scores are sought, else -1.0."""
        return self._state.sign

    @property
    def budget(self) -> int | None:
        """Score calls that the search may pay for, those made included; None without a limit."""
        budget = self._state.config.get("budget")
        return None if budget is None else max(1, int(float(budget) / self._state.call_cost + 1e-9))

    @property
    def calls_left(self) -> int | None:
        """Score calls the budget still allows; None without a limit."""
        return self._state.calls_left

    @property
    def n_scored(self) -> int:
        """Items whose score was paid for so far."""
        return self._state.n_scored

    @property
    def noise(self) -> float | str | None:
        """The search's `noise`: a standard deviation, a column, "estimate", or None."""
        noise: float | str | None = self._state.config.get("noise")
        return noise

    @property
    def cost_column(self) -> str | None:
        """The payload column that tells what a measurement costs; None where none does before it is made."""
        cost = self._state.config.get("cost")
        by = None if cost is None else cost["by"]
        return by if isinstance(by, str) and by != REPORTED else None

    @property
    def budget_left(self) -> float | None:
        """What is left of the budget, in its unit; None without a limit."""
        return self._state.budget_left

    @property
    def idle_rounds(self) -> int:
        """Rounds since anything new was found."""
        return self._state.idle_rounds

    @property
    def memory(self) -> Mapping[str, Any] | None:
        """What the strategy asked to be told, in its last `Proposals` or `Choice`."""
        return self._state.memory

    def rng(self, purpose: str) -> np.random.Generator:
        """The random stream of this purpose in this round."""
        return stream(self._state.seed, self._state.round, purpose)

    def items(self) -> dict[str, npt.NDArray[Any]]:
        """All items seen, by row: `status` (an `ItemStatus`), `gain` (NaN: none), `round`, `node` (who found it
        first), `call` (place in the order of first answers, -1: none), `n` (valid measurements), `noise` (standard
        error of the gain, NaN: unknown), `pending` (a `Pending`), `embedding (m, d)`. Views: not to be written."""
        columns = self._state.items
        if not len(columns):
            return {}
        out = {name: columns[name] for name in ("status", "round", "node", "call", "pending", "embedding")}
        noise = self._state.errors(slice(None))
        return {**out, "n": columns["measured"], "noise": noise, "gain": columns["score"] * self._state.sign}

    def handed_out(self) -> npt.NDArray[np.int32]:
        """Rows that are being measured, in the order in which they were handed out."""
        return self._state.handed_out()

    def paid(self) -> npt.NDArray[np.int64]:
        """Rows of all items that were measured, in the order of their first answers, failed ones included: what was
        known before the search comes first."""
        columns = self._state.items
        if not len(columns):
            return np.empty(0, np.int64)
        rows = np.flatnonzero(columns["call"] >= 0)
        out = np.empty_like(rows)
        out[columns["call"][rows]] = rows
        return out

    def ids(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The ids of these rows."""
        return self._state.ids.take(rows)

    def answered(self, name: str, rows: npt.NDArray[Any]) -> list[Any]:
        """What score functions answered about these rows under this name, beside the score; None where nothing."""
        extra = self._state.extra
        return [extra.get(row, {}).get(name) for row in rows.tolist()] if extra else [None] * len(rows)

    def spent_ids(self) -> npt.NDArray[Any]:
        """Ids of all items that are not to be scored (again): measured, pending, filtered out or dropped."""
        columns = self._state.items
        if not len(columns):
            return np.empty(0, np.int64)
        return self.ids(np.flatnonzero(columns["status"] >= ItemStatus.SCORED))

    def row_of(self, item_id: int | str) -> int | None:
        """The row of an item seen before."""
        return self._state.ids.row(item_id)

    def rows_of(self, ids: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """`(n,)` rows of items; -1 for one never seen."""
        return self._state.ids.rows(ids)

    @property
    def given_starts(self) -> bool:
        """Whether a person gave the queries that the search starts from."""
        return "random" not in self._state.config.get("queries", {"random": 1})

    def nodes(self) -> dict[str, npt.NDArray[Any]]:
        """All nodes: `status` (a `NodeStatus`), `parent`, `round`, `embedding (n, d)`. Views: not to be written."""
        columns = self._state.nodes
        return {name: columns[name] for name in ("status", "parent", "round", "embedding")} if len(columns) else {}

    def closures(self) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
        """What a person's prunes closed, one pair for each moment: `(n,)` rows that had an answer then, and whether a
        pruned node found each. An item most of whose nearest among these are pruned is not to be proposed."""
        return [self._known_at(moment.rows, moment.nodes) for moment in self._state.closures.in_force()]

    def closing(self, nodes: Iterable[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The same, were these nodes pruned now."""
        return self._known_at(np.sort(self.paid()), self._state.closures.nodes.union(nodes))

    def _known_at(
        self, rows: npt.NDArray[np.int64], nodes: frozenset[int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        return rows, np.isin(self._state.items["node"][rows], sorted(nodes)) if len(rows) else np.empty(0, np.bool_)

    def operator(self, node: int) -> str:
        """What made a node."""
        return self._state.operators[node]

    def made_by(self, operator: str) -> npt.NDArray[np.int64]:
        """The nodes that this made, in order."""
        return np.flatnonzero([name == operator for name in self._state.operators])

    def looked(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The nodes that looked in this round, `(q,)`, and the rows they found, ragged by offsets `(q + 1,)`."""
        if not len(self._state.nodes):
            return np.empty(0, np.int64), np.empty(0, np.int32), np.zeros(1, np.int64)
        nodes = np.flatnonzero(self._state.nodes["round"] == self._state.round)
        return (nodes, *self._state.hits.gather(nodes))


def queries_of(state: State, nodes: npt.NDArray[np.int64], hits: Any) -> Queries:
    """Nodes as scored queries.

    Args:
        state: The fold.
        nodes: `(q,)`.
        hits: Function from item rows to their `Items`, with scores.
    """
    n = state.nodes
    rows, offsets = state.hits.gather(nodes)
    return Queries(
        ids=nodes,
        parents=n["parent"][nodes].astype(np.int64),
        collections=n["root"][nodes].astype(np.int64),
        rounds=n["round"][nodes].astype(np.int64),
        embeddings=n["embedding"][nodes],
        offsets=offsets,
        hits=hits(rows),
        valid=state.items["status"][rows] == ItemStatus.SCORED,
        sign=state.sign,
    )
