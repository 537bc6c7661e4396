"""What a search did: its batches, the tree of its queries, and its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emb_opt_widgets.compat.rounds import Round, statistics
from emb_opt_widgets.compat.schemas import Batch, Item, Query

__all__ = ["Log", "Node", "QueryTree"]


class Node:
    """A query in the tree: with its parent, its children by id, and statistics of its valid results.

    Args:
        query: The query.
        iteration: The round it looked in.
    """

    def __init__(self, query: Query, iteration: int) -> None:
        self.query: Any = query
        self.iteration = iteration
        self.id: str = self.query.id
        self.parent: Node | None = None
        self.children: dict[str, Node] = {}
        self.prepare()

    def prepare(self) -> None:
        """Take the statistics from the query as it is now."""
        self.removed: bool = self.query.internal.removed
        self.mean_score, self.max_score = statistics(self.query)

    def add_child(self, child: Node) -> None:
        """Put a node below this one."""
        child.add_parent(self)

    def add_parent(self, parent: Node) -> None:
        """Put this node below another."""
        self.parent = parent
        parent.children[self.id] = self


class QueryTree:
    """All queries of a log, linked: `nodes` in order, `root_nodes`, and `id_dict`."""

    def __init__(self) -> None:
        self.id_dict: dict[str, Node] = {}
        self.nodes: list[Node] = []
        self.root_nodes: list[Node] = []

    def add_node(self, query: Query, iteration: int) -> None:
        """Add a query below its parent, or as a root where that is not in the tree."""
        node = Node(query, iteration)
        parent = self.id_dict.get(node.query.internal.parent_id)
        if parent is None:
            self.root_nodes.append(node)
        else:
            node.add_parent(parent)
        self.id_dict[node.id] = node
        self.nodes.append(node)

    def leaf_nodes(self, include_removed: bool = False) -> Iterator[Node]:
        """The nodes without children that are not roots."""
        for node in self.nodes:
            if node.parent is not None and not node.children and (include_removed or not node.removed):
                yield node

    def backtrack_node(self, node: Node | None = None, node_id: str | None = None) -> list[Node]:
        """A node, its parent, and so on up to its root."""
        current = node if node_id is None else self.id_dict.get(node_id)
        path = []
        while current is not None:
            path.append(current)
            current = current.parent
        return path


class Log:
    """The batches of a search, in order; `Runner.search` goes on from where it ends."""

    def __init__(self) -> None:
        self.batch_log: list[Batch] = []
        self._tree = QueryTree()
        self._untreed: list[tuple[Batch, int]] = []
        self._sessions: list[Any] = []

    @property
    def query_tree(self) -> QueryTree:
        """The tree of all queries."""
        for batch, iteration in self._untreed:
            for query in batch:
                self._tree.add_node(query, iteration)
        self._untreed = []
        return self._tree

    def __getstate__(self) -> dict[str, Any]:
        tree = self.query_tree
        return {"batch_log": self.batch_log, "_tree": tree, "_untreed": [], "_sessions": []}

    def get_item(self, iteration: int, query_index: int | None = None, result_index: int | None = None) -> Any:
        """A batch, one of its queries, or one of that query's results."""
        found: Any = self.batch_log[iteration]
        for field, index in (("queries", query_index), ("query_results", result_index)):
            if index is not None:
                found = getattr(found, field)[index]
        return found

    def add_batch(self, batch: Batch) -> None:
        """Append a batch, and its queries to the tree."""
        self._untreed.append((batch, len(self.batch_log)))
        self.batch_log.append(batch)
        if not isinstance(batch._whence(), Round):
            self.query_tree  # noqa: B018 - objects are noted as they are now

    def compile_results(self, skip_removed: bool = True) -> list[dict[str, Any]]:
        """All items as dictionaries, each once as it was found last, best score first.

        Args:
            skip_removed: Without removed items, and without the items of removed queries.
        """
        last: dict[Any, Item] = {}
        for batch in self.batch_log:
            for item in _items(batch, skip_removed):
                last[item.id] = item
        out = []
        for item in last.values():
            fields = item.model_dump()
            fields.pop("internal", None)
            out.append(fields)
        return sorted(out, key=lambda fields: fields["score"] or float("-inf"), reverse=True)

    def dump_batch_log(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"batch_log": [batch.model_dump() for batch in self.batch_log]}


def _items(batch: Batch, skip_removed: bool) -> Iterator[Item]:
    """The items a batch found; of what nobody looked at, the session's own objects."""
    round = batch._whence()
    if isinstance(round, Round):
        for place in range(len(round.nodes)):
            yield from round.hits(place, skip_removed)
        return
    for _, query in batch.enumerate_queries(skip_removed):
        later = query._whence()
        if later is None:
            for _, item in query.enumerate_query_results(skip_removed):
                yield item
        else:
            yield from later.round.hits(later.place, skip_removed)
