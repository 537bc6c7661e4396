"""One round as it stands in a log: the engine's columns, and `Query` and `Item` objects of them when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.build import bare_query, copied, lineage
from emb_opt_widgets.compat.proposed import Proposed
from emb_opt_widgets.compat.schemas import ALL_REMOVED, Batch, Item, Query
from emb_opt_widgets.engine.queries import Proposals
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus

if TYPE_CHECKING:
    from emb_opt_widgets.compat.session import Session

__all__ = ["Place", "Round", "statistics"]

Int64 = npt.NDArray[np.int64]


class Told:
    """What a data plugin told about the queries of a round.

    Args:
        distances: Of all hits of all points.
        points: `(p + 1,)`: the hits of each point.
        groups: `(q + 1,)`: the points of each query; None where each looks from one point only, its own.
        empty_is_valid: Whether a point without hits is told about.
    """

    def __init__(
        self, distances: Sequence[Any] | npt.NDArray[Any], points: Int64, groups: Int64 | None, empty_is_valid: bool
    ) -> None:
        self._distances = distances
        self._points = points
        self._groups = groups
        self._empty_is_valid = empty_is_valid

    def data(self, place: int) -> dict[str, Any]:
        """What it told about one query."""
        if self._groups is None:
            return {"query_distance": self._of(place)}
        each = [self._of(point) for point in range(self._groups[place], self._groups[place + 1])]
        return {"subquery_data": [{"query_distance": d} for d in each if d or self._empty_is_valid]}

    def _of(self, point: int) -> list[Any]:
        return list(self._distances[self._points[point] : self._points[point + 1]])

    @property
    def empty_reason(self) -> str:
        """Why a query without hits is removed."""
        valid = self._empty_is_valid or self._groups is not None
        return "query returned no results" if valid else "invalid query"


class Round:
    """A batch that looks, or has looked.

    Args:
        session: The search it belongs to.
        batch: The batch; some of its queries may be removed, and do not look.
        iteration: Its number in the log.
        queries: The queries that look, as objects; None where only `origin` has them.
        origin: The queries that look, as columns.

    Attributes:
        touched: A user's function has seen its objects, which from then on are what counts.
    """

    def __init__(
        self, session: Session, batch: Batch, iteration: int, queries: list[Query] | None, origin: Proposed | None
    ) -> None:
        self.session = session
        self.batch = batch
        self.iteration = iteration
        self.origin = origin
        self.queries = queries
        self.nodes: Int64 = np.empty(0, np.int64)
        self.told: Told | None = None
        self.found: list[list[Item]] | None = None
        self.touched = False
        self.pruned_by: str | None = None
        self._judged: set[int] = set()
        self._reasons: list[str | None] | None = None

    # -- while it runs ------------------------------------------------------------------------------------

    def proposals(self, node_of: dict[str, int]) -> Proposals:
        """The queries that look, as the engine takes them."""
        if self.queries is None:
            assert self.origin is not None
            return self.origin.made
        embeddings = np.array([query.embedding for query in self.queries], np.float64)
        parents = [node_of.get(query.internal.parent_id or "", -1) for query in self.queries]
        return Proposals(embeddings, np.array(parents, np.int64), "compat", "given")

    def gradients(self) -> list[Any]:
        """The gradient each query is to look along, or None."""
        if self.queries is not None:
            return [(query.data or {}).get("_score_grad") for query in self.queries]
        assert self.origin is not None
        made = self.origin.made
        return [None] * len(made) if made.gradients is None else list(made.gradients)

    def judged(self, nodes: Int64, told: str) -> None:
        """These were given to the pruner, who tells them this."""
        self._judged = set(nodes.tolist())
        self.pruned_by = told

    def settle(self) -> None:
        """Tell the objects that there are what has happened; once."""
        if self._reasons is not None:
            return
        self._reasons = self._removals()
        if self.found is not None:
            self._settle_items()
        elif self.queries is not None:
            self._settle_queries(self.queries)

    def _settle_items(self) -> None:
        assert self.found is not None
        for items in self.found:
            for item in items:
                known = self.session.item_like(item)
                if known is not item:
                    item.score = known.score
                    item.data.update(known.data)
                    if known.internal.removed:
                        item.update_internal(removed=True, removal_reason=known.internal.removal_reason)
        for query in self.batch:
            query.update_internal()

    def _settle_queries(self, queries: list[Query]) -> None:
        assert self._reasons is not None
        for place, (query, reason) in enumerate(zip(queries, self._reasons)):
            later = Place(self, place, query.data)
            if reason is not None:
                query.internal.__dict__.update(removed=True, removal_reason=reason)
            query._await(later)

    def _removals(self) -> list[str | None]:
        """Why each query is removed, None where it is not."""
        state, told = self.session.state, self.told
        rows, offsets = state.hits.gather(self.nodes)
        alive = state.items["status"][rows] == ItemStatus.SCORED
        left = np.diff(np.concatenate([[0], np.cumsum(alive)])[offsets])
        reasons: list[str | None] = [None] * len(self.nodes)
        for place in np.flatnonzero(left == 0).tolist():
            empty = offsets[place + 1] == offsets[place]
            reasons[place] = told.empty_reason if empty and told is not None else ALL_REMOVED
        for place in np.flatnonzero(state.nodes["status"][self.nodes] == NodeStatus.PRUNED).tolist():
            reasons[place] = "prune response invalid"
        return reasons

    # -- afterwards ---------------------------------------------------------------------------------------

    def active(self) -> Int64:
        """The nodes that go on."""
        active: Int64 = self.nodes[self.session.state.nodes["status"][self.nodes] == NodeStatus.ACTIVE]
        return active

    def fill(self, batch: Batch) -> None:
        """Make the batch's queries."""
        assert self.origin is not None
        made = self.session
        queries = []
        for place, node in enumerate(self.nodes.tolist()):
            reason = None if self._reasons is None else self._reasons[place]
            internal = lineage(reason is not None, reason, made.parent_of(node), made.collections[node], self.iteration)
            query = bare_query(made.id_of(node), self.origin.item(place), made.embedding(node), {}, [], internal)
            if self._reasons is not None:
                query._await(Place(self, place, None))
            queries.append(query)
        self.queries = batch.__dict__["queries"] = queries

    def data(self, place: int, before: dict[Any, Any] | None) -> dict[Any, Any]:
        """A query's data; `before`: what it was before it looked."""
        data = before
        if data is None:
            data = {} if self.origin is None else self.origin.data(place)
        if self.told is not None:
            data.update(self.told.data(place))
        node = int(self.nodes[place])
        if self.pruned_by is not None and node in self._judged:
            data[self.pruned_by] = self.session.state.nodes[self.pruned_by.removesuffix("_score")][node]
        return data

    def hits(self, place: int, skip_removed: bool = False) -> Iterator[Item]:
        """The items a query found, as the session knows them: one object for each item."""
        if skip_removed and self._reasons is not None and self._reasons[place] is not None:
            return iter(())
        state, session = self.session.state, self.session
        items = (session.item(key) for key in state.ids.take(state.hits[int(self.nodes[place])]).tolist())
        return (item for item in items if not (skip_removed and item.internal.removed))

    def results(self, place: int) -> list[Item]:
        """The items a query found, as its own."""
        parent = self.session.id_of(int(self.nodes[place]))
        collection = self.session.collections[int(self.nodes[place])]
        return [
            copied(
                item,
                lineage(item.internal.removed, item.internal.removal_reason, parent, collection, self.iteration),
            )
            for item in self.hits(place)
        ]

    def means(self) -> npt.NDArray[np.float64]:
        """Mean scores of the nodes that go on."""
        means: npt.NDArray[np.float64] = self.session.state.nodes["mean"][self.active()]
        return means


class Place:
    """Where the results of a query are, until somebody looks at them."""

    __slots__ = ("_before", "place", "round")

    def __init__(self, round: Round, place: int, before: dict[Any, Any] | None) -> None:
        self.round = round
        self.place = place
        self._before = before

    def fill(self, query: Query) -> None:
        """Give the query its data and results, where it has none of its own."""
        fields = query.__dict__
        if "data" not in fields:
            fields["data"] = self.round.data(self.place, self._before)
        if "query_results" not in fields:
            fields["query_results"] = self.round.results(self.place)


def statistics(query: Query) -> tuple[Any, Any]:
    """Mean and best score of a query's valid results, None where there are none; without making objects of them."""
    later = query._whence()
    if later is not None:
        nodes, node = later.round.session.state.nodes, int(later.round.nodes[later.place])
        mean, best = nodes["mean"][node], nodes["max"][node]
        return (None, None) if np.isnan(mean) else (mean, best)
    scores = np.array([item.score for item in query.valid_results() if item.score is not None])
    return (scores.mean(), scores.max()) if len(scores) else (None, None)
