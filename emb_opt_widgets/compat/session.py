"""A log's search in the engine: `Runner`'s modules as the parts of its rounds, and what became of every item."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.build import bare_item, bare_query, lineage, query_id
from emb_opt_widgets.compat.data_source import DataPluginGradWrapper, DataSourceModule
from emb_opt_widgets.compat.found import COLUMNS
from emb_opt_widgets.compat.prune import PruneModule
from emb_opt_widgets.compat.proposed import Proposed
from emb_opt_widgets.compat.rounds import Round, Told
from emb_opt_widgets.compat.schemas import Batch, Item
from emb_opt_widgets.compat.strategies import as_pruner
from emb_opt_widgets.compat.table import Table
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.calls import Caller, CallPolicy
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
        function = runner.data_module.function
        lrs = None
        if type(function) is DataPluginGradWrapper:
            function, lrs = function.function, function
        columns = type(runner.data_module) is DataSourceModule and type(function) in COLUMNS
        self._plugin: Any = function if columns else None
        self._wrapper: DataPluginGradWrapper | None = lrs
        self._table = Table(self._plugin) if columns else None
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
        self._like: dict[int, tuple[int, Item]] = {}
        self._same_id: dict[Any, list[tuple[int, Any, Any, dict[Any, Any]]]] = {}
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
            queries = list(batch.valid_queries())
            if not queries:
                return None
            round = Round(self, batch, iteration, queries, None)
            round.touched = self._table is None or any(query.query_results for query in queries)
        object.__setattr__(batch, "_view", round)
        self._number(round)
        self._round, self._runner = round, runner
        try:
            for group in run_round(self.state, self._parts(round, runner), lambda: True):
                for body in group:
                    self.state.apply(body)
        except FunctionError as error:
            raise error.__cause__ or error from None
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
        asked = runner.filter_module.function is not None
        return Parts(
            source=self._source,
            gather=self._gather,
            filter=self._caller("filter", runner.filter_module, _verdicts) if asked else None,
            score=self._caller("score", runner.score_module, _scores),
            update=_Made(made),
            prune=None if runner.prune_module.function is None else _Prune(self, round, runner.prune_module),
            starts=lambda: made,
        )

    def _caller(self, name: str, module: Any, read: Callable[[Sequence[Item]], Answer]) -> Caller:
        def ask(items: Items) -> Answer:
            known = [self.item(key) for key in items.ids.tolist()]
            before = [dict(item.data or {}) for item in known]
            module(Batch(queries=[bare_query(query_id(), None, [], {}, known, lineage())]))
            answer = read(known)
            data = [_added(item.data or {}, old) for item, old in zip(known, before)]
            return Answer(answer.values, answer.reasons, data if any(data) else None)

        policy = CallPolicy(on_error="raise")
        return Caller(name, ask, lambda answer, n: answer, self._named, policy)

    def _named(self, rows: Array) -> Items:
        return Items(self.state.ids.take(rows), np.empty((len(rows), 0)))

    # -- what is found ------------------------------------------------------------------------------------

    def find(self, points: npt.NDArray[np.float64]) -> Hits:
        """Hits of the present round's queries."""
        round = self._round
        if round is None:
            raise StateError("No round is under way")
        if round.touched:
            self._runner.data_module(round.batch)
            assert round.queries is not None
            round.found = [
                [] if query.internal.removed else list(query.valid_results()) for query in round.queries
            ]
            keys = np.array([self._key(item) for items in round.found for item in items], np.int64)
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
            self._items[key].embedding if key < 0 else self._table.payload(key).embedding  # type: ignore[union-attr]
            for key in keys.tolist()
        ]
        return Items(keys, np.array(vectors, np.float64).reshape(len(keys), -1))

    def _key(self, item: Item) -> int:
        """The key of a user's own item: that of one like it, if there was one."""
        if id(item) in self._like:
            return self._like[id(item)][0]
        alike = self._same_id.setdefault(item.id, [])
        for key, what, embedding, data in alike:
            if item.embedding == embedding and _equal(item.item, what) and _equal(item.data, data):
                break
        else:
            key = -1 - len(self._items)
            self._items[key] = item
            alike.append((key, item.item, list(item.embedding), dict(item.data or {})))
        self._like[id(item)] = (key, item)
        return key

    def item_like(self, item: Item) -> Item:
        """The item that was judged in the place of this one."""
        return self._items[self._like[id(item)][0]]

    def item(self, key: int) -> Item:
        """The item of a key: the one object of it that functions were given."""
        item = self._items.get(key)
        if item is None:
            assert self._table is not None
            known = self._table.payload(key)
            node = int(self.state.items["node"][self.state.ids.rows(np.array([key]))[0]])
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


class _Prune:
    """A prune module as the engine's pruner: ours in columns, a user's on the round's objects."""

    def __init__(self, session: Session, round: Round, module: Any) -> None:
        self._session = session
        self._round = round
        self._module = module

    def keep(self, queries: Queries) -> npt.NDArray[np.bool_]:
        ours = as_pruner(self._module.function) if type(self._module) is PruneModule else None
        if ours is not None and not self._round.touched:
            self._round.judged(queries.ids, ours.told)
            return ours.keep(queries, self._groups(ours.by, queries.ids.tolist()))
        self._round.touched = True
        self._round.settle()
        self._module(self._round.batch)
        assert self._round.queries is not None
        removed = {
            node for node, query in zip(self._round.nodes.tolist(), self._round.queries) if query.internal.removed
        }
        return np.array([node not in removed for node in queries.ids.tolist()], np.bool_)

    def _groups(self, by: str | None, nodes: list[int]) -> npt.NDArray[np.int64]:
        session = self._session
        codes: dict[Any, int] = {}
        names: list[Any] = [None] * len(nodes)
        if by == "collection_id":
            names = [session.collections[node] for node in nodes]
        elif by == "parent_id":
            names = [session.parent_of(node) for node in nodes]
        return np.array([codes.setdefault(name, len(codes)) for name in names], np.int64)


def _looks(points: Array, gradients: list[Any], lrs: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Every query's own point and those along its gradient, and where each query's points begin and end."""
    each = [
        point[None] if gradient is None else np.concatenate([point[None], point[None, :] + (gradient[None, :] * lrs[:, None])])
        for point, gradient in zip(points, gradients)
    ]
    return np.concatenate(each), np.concatenate([[0], np.cumsum([len(p) for p in each])]).astype(np.int64)


def _verdicts(items: Sequence[Item]) -> Answer:
    reasons = _reasons(items)
    return Answer(np.array([not item.internal.removed for item in items], np.bool_), reasons)


def _scores(items: Sequence[Item]) -> Answer:
    values = np.array([np.nan if item.score is None else item.score for item in items], np.float64)
    for item, value in zip(items, values):
        if not item.internal.removed and not np.isfinite(value):
            item.update_internal(removed=True, removal_reason=f"non-finite score ({value})")
    removed = np.array([item.internal.removed for item in items], np.bool_)
    return Answer(np.where(removed, np.nan, values), _reasons(items))


def _reasons(items: Sequence[Item]) -> dict[str, str]:
    return {str(i): item.internal.removal_reason or "removed" for i, item in enumerate(items) if item.internal.removed}


def _added(data: dict[Any, Any], before: dict[Any, Any]) -> dict[Any, Any] | None:
    new = {name: value for name, value in data.items() if name not in before or before[name] is not value}
    return new or None


def _equal(a: Any, b: Any) -> bool:
    try:
        return a is b or bool(a == b)
    except ValueError:
        return False
