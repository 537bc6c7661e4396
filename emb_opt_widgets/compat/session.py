"""A log's search in the engine: `Runner`'s modules as the parts of its rounds, and what became of every item."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.alike import Alike
from emb_opt_widgets.compat.build import bare_item, lineage, query_id
from emb_opt_widgets.compat.data_source import DataPluginGradWrapper, DataSourceModule
from emb_opt_widgets.compat.found import COLUMNS
from emb_opt_widgets.compat.judging import filter_caller, score_caller
from emb_opt_widgets.compat.proposed import Proposed
from emb_opt_widgets.compat.pruning import ModulePrune
from emb_opt_widgets.compat.rounds import Round, Told
from emb_opt_widgets.compat.schemas import Batch, Item
from emb_opt_widgets.compat.table import Table
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.rounds import Gather, Parts, run_round
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.view import SearchView, queries_of
from emb_opt_widgets.errors import FunctionError, StateError

if TYPE_CHECKING:
    from emb_opt_widgets.compat.runner import Runner

__all__ = ["Session"]

Array = npt.NDArray[Any]


def _modules(runner: Runner) -> list[tuple[Any, Any]]:
    return [(type(m), m.function) for m in (runner.data_module, runner.filter_module, runner.score_module)]


class Session:
    """The rounds of one log that ask the same data, filter and score functions.

    Args:
        runner: Whose functions they are.

    Attributes:
        state: The fold of the rounds' events.
        collections: Of each node, its collection id.
    """

    def __init__(self, runner: Runner) -> None:
        self._modules = _modules(runner)
        function: Any = runner.data_module.function
        self._wrapper: DataPluginGradWrapper | None = function if type(function) is DataPluginGradWrapper else None
        if self._wrapper is not None:
            function = self._wrapper.function
        columns = type(runner.data_module) is DataSourceModule and type(function) in COLUMNS
        self._plugin: Any = function
        self._table = Table(function) if columns else None
        self._source = BoundSource(_Finder(self))
        self.state = State(self._source.vectors)
        self._gather = Gather(self.state, self._source)
        self.state.apply(ev.Created({"k": 1, "direction": "maximize", "budget": None}, {"dtype": "float64"}, 0))
        self.state.apply(ev.Started(None))
        self.collections: list[Any] = []
        self._ids: dict[int, str] = {}
        self._node_of: dict[str, int] = {}
        self._given_parents: dict[int, str | None] = {}
        self._items: dict[int, Item] = {}
        self._alike = Alike()
        self._round: Round | None = None

    def fits(self, runner: Runner) -> bool:
        """Whether this runner asks the same functions."""
        theirs = _modules(runner)
        return all(a[0] is b[0] and a[1] is b[1] for a, b in zip(self._modules, theirs))

    # -- a round ------------------------------------------------------------------------------------------

    def run(self, runner: Runner, batch: Batch, iteration: int) -> Round | None:
        """Let a batch look, in the engine; None where none of its queries may."""
        view = batch._whence()
        if isinstance(view, Proposed) and view.session is self:
            round = Round(self, batch, iteration, None, view)
            batch._await(round)
        else:
            if view is not None:
                for query in batch:
                    query.update_internal(iteration=iteration)
            queries = list(batch.valid_queries())
            if not queries:
                return None
            round = Round(self, batch, iteration, queries, None)
            round.touched = self._table is None or any(query.query_results for query in queries)
        self._number(round)
        self._round, self._runner = round, runner
        try:
            for group in run_round(self.state, self._parts(round, runner), lambda: True):
                for body in group:
                    self.state.apply(body)
        except BaseException as error:
            if view is not None:
                batch._await(view)
            if isinstance(error, FunctionError) and error.__cause__ is not None:
                raise error.__cause__ from None
            raise
        finally:
            self._round = None
        round.settle()
        return round

    def _number(self, round: Round) -> None:
        """Give the queries that look their nodes."""
        first = self.state.n_nodes
        if round.queries is None:
            assert round.origin is not None
            self.collections.extend(self.collections[parent] for parent in round.origin.parents)
            round.nodes = np.arange(first, first + len(round.origin.parents))
            return
        round.nodes = np.arange(first, first + len(round.queries))
        for node, query in enumerate(round.queries, first):
            self.collections.append(query.internal.collection_id)
            self._given_parents[node] = query.internal.parent_id
            self._ids[node] = query.id
            self._node_of.setdefault(query.id, node)

    def _parts(self, round: Round, runner: Runner) -> Parts:
        made = round.proposals(self._node_of)
        return Parts(
            source=self._source,
            gather=self._gather,
            filter=filter_caller(runner.filter_module, self.state, self.item),
            score=score_caller(runner.score_module, self.state, self.item),
            update=_Made(made),
            prune=None if runner.prune_module.function is None else ModulePrune(self, round, runner.prune_module),
            starts=lambda: made,
        )

    # -- what is found ------------------------------------------------------------------------------------

    def find(self, points: npt.NDArray[np.float64]) -> Hits:
        """Hits of the present round's queries."""
        round = self._round
        if round is None:
            raise StateError("No round is under way")
        if round.touched:
            self._runner.data_module(round.batch)
            assert round.queries is not None
            round.found = [[] if query.internal.removed else list(query.valid_results()) for query in round.queries]
            keys = np.array([self._alike.key(item) for items in round.found for item in items], np.int64)
            offsets = np.concatenate([[0], np.cumsum([len(items) for items in round.found])])
            return Hits(keys, np.zeros(len(keys)), offsets.astype(np.int64))
        return self._find_rows(points, round)

    def _find_rows(self, points: npt.NDArray[np.float64], round: Round) -> Hits:
        assert self._table is not None
        groups = None
        if self._wrapper is not None:
            points, groups = _looks(points, round.gradients(), self._wrapper.lrs)
        found = self._plugin.lookup(points)
        round.told = Told(found.distances, found.offsets, groups, self._plugin.empty_is_valid)
        rows, offsets = self._table.rows(found), found.offsets
        if groups is not None:
            owner = np.repeat(np.arange(len(groups) - 1), np.diff(offsets[groups]))
            rows, owner = self._table.once(rows, owner)
            offsets = np.searchsorted(owner, np.arange(len(groups)))
        return Hits(self._table.keys(rows), np.zeros(len(rows)), offsets)

    def fetch(self, keys: Array) -> Items:
        """Vectors by key."""
        vectors = [
            self._alike.item(key).embedding if key < 0 or self._table is None else self._table.payload(key).embedding
            for key in keys.tolist()
        ]
        return Items(keys, np.array(vectors, np.float64).reshape(len(keys), -1))

    def item_like(self, item: Item) -> Item:
        """The item that was judged in the place of this one of a user's."""
        return self._alike.item(self._alike.key(item))

    def item(self, key: int) -> Item:
        """The item of a key: the one object of it that functions were given."""
        if key < 0 or self._table is None:
            return self._alike.item(key)
        item = self._items.get(key)
        if item is None:
            known = self._table.payload(key)
            node = int(self.state.items["node"][self.state.ids.row(key)])
            internal = lineage(
                parent=self.id_of(node), collection=self.collections[node],
                iteration=None if self._round is None else self._round.iteration,
            )  # fmt: skip
            name = f"item_{uuid.uuid1()}" if known.id is None else known.id
            data = {} if known.data is None else dict(known.data)
            item = self._items[key] = bare_item(name, known.item, known.embedding.tolist(), data, internal)
        return item

    # -- nodes --------------------------------------------------------------------------------------------

    def id_of(self, node: int) -> str:
        """A node's query id."""
        name = self._ids.get(node)
        if name is None:
            name = self._ids[node] = query_id()
            self._node_of[name] = node
        return name

    def parent_of(self, node: int) -> str | None:
        """The query id of a node's parent."""
        parent = int(self.state.nodes["parent"][node]) if node not in self._given_parents else -1
        return self.id_of(parent) if parent >= 0 else self._given_parents.get(node)

    def embedding(self, node: int) -> list[float]:
        """Where a node looked from."""
        point: list[float] = self.state.nodes["embedding"][node].tolist()
        return point

    def queries(self, nodes: npt.NDArray[np.int64]) -> Queries:
        """Nodes as scored queries."""
        return queries_of(self.state, nodes, self._gather.light)

    def view(self) -> SearchView:
        """What a strategy may look at."""
        return SearchView(self.state, self._source.source, {})


class _Finder:
    """A session as the engine's source."""

    dtype = np.float64
    dim = None

    def __init__(self, session: Session) -> None:
        self._session = session

    def __len__(self) -> int:
        return sys.maxsize

    def search(self, queries: Array, k: int) -> Hits:
        return self._session.find(queries)

    def fetch(self, ids: Array) -> Items:
        return self._session.fetch(ids)


class _Made:
    """An update whose proposals are made already."""

    def __init__(self, made: Proposals) -> None:
        self._made = made

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        return self._made


def _looks(points: Array, gradients: list[Any], lrs: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Every query's own point and those along its gradient, and where each query's points begin and end."""
    each = [
        point[None] if gradient is None else np.concatenate([point[None], point[None] + gradient[None] * lrs[:, None]])
        for point, gradient in zip(points, gradients)
    ]
    return np.concatenate(each), np.concatenate([[0], np.cumsum([len(p) for p in each])]).astype(np.int64)
