"""Everything that can be seen of a log, as plain values in which generated ids are places."""

from __future__ import annotations

from typing import Any

import numpy as np


class Portrait:
    """Turns generated ids into places, in the order in which they are met."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def plain(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(("query_", "item_")) and len(value) > 40 - 5:
            return self.places.setdefault(value, f"{value[:5]}#{len(self.places)}")
        if isinstance(value, np.ndarray):
            return ("array", value.shape, [self.plain(v) for v in value.tolist()])
        if isinstance(value, np.generic):
            return (value.dtype.name, value.item())
        if isinstance(value, dict):
            return {key: self.plain(v) for key, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(v) for v in value]
        if hasattr(value, "model_dump"):
            return self.plain(value.model_dump())
        return value

    def query(self, query: Any) -> Any:
        return self.plain(
            {
                "id": query.id,
                "internal": query.internal.model_dump(),
                "item": query.item,
                "embedding": query.embedding,
                "data": query.data,
                "results": [item.model_dump() for item in query.query_results],
                "valid": [item.id for item in query.valid_results()],
                "length": len(query),
            }
        )

    def batch(self, batch: Any) -> Any:
        return None if batch is None else [self.query(query) for query in batch.queries]

    def node(self, node: Any) -> Any:
        return self.plain(
            {
                "id": node.id,
                "parent": None if node.parent is None else node.parent.id,
                "children": list(node.children),
                "mean": node.mean_score,
                "max": node.max_score,
                "removed": node.removed,
                "iteration": node.iteration,
            }
        )

    def log(self, log: Any, order: tuple[str, ...] = ("batches", "tree", "results")) -> dict[str, Any]:
        parts = {
            "batches": lambda: [self.batch(batch) for batch in log.batch_log],
            "tree": lambda: self.tree(log.query_tree),
            "results": lambda: [self.plain(log.compile_results(skip)) for skip in (True, False)],
            "dump": lambda: self.plain(log.dump_batch_log()),
        }
        return {name: parts[name]() for name in order}

    def tree(self, tree: Any) -> Any:
        return {
            "nodes": [self.node(node) for node in tree.nodes],
            "roots": [self.plain(node.id) for node in tree.root_nodes],
            "leaves": [self.plain(node.id) for node in tree.leaf_nodes()],
            "all leaves": [self.plain(node.id) for node in tree.leaf_nodes(include_removed=True)],
            "paths": [[self.plain(n.id) for n in tree.backtrack_node(node_id=node.id)] for node in tree.nodes[-3:]],
            "ids": [self.plain(name) for name in tree.id_dict],
        }
