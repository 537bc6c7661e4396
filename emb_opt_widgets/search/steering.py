"""Steering a search: what branching, pruning and the like check and do, whoever asks. Never waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from emb_opt_widgets.engine.calls import Calls
from emb_opt_widgets.engine.items import Item, Items, as_ids
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.executors import as_workers
from emb_opt_widgets.live.steering import PERSON, Asked, Done, Lifecycle, took_effect
from emb_opt_widgets.search.commands import check_node
from emb_opt_widgets.search.engine import SearchRun
from emb_opt_widgets.search.settings import AT_REST, LIVE, check_setting, described_calls

__all__ = ["Steering"]


class Steering(Lifecycle[SearchRun]):
    """The commands of a search: those of every live thing, and of its tree and settings.

    Each returns at once what tells when it took effect, and with which new nodes. One that does not fit raises
    `InputError` or `StateError`, at once or there, and changes nothing.

    Args:
        run: What drives the search.
    """

    def _can_besides(self) -> dict[str, bool]:
        state = self._run.state
        return {"undo": bool(state.undoable), "redo": bool(state.redoable)}

    # -- the tree ------------------------------------------------------------------------------------------

    def branch(
        self,
        node: int | None = None,
        *,
        item: int | str | None = None,
        embedding: Any = None,
        update: Any = None,
        asked: Asked = PERSON,
    ) -> Done:
        """New queries: from a node's scored hits, from an item, or from a point."""
        if (item is not None) + (embedding is not None) > 1 or (node is None and item is None and embedding is None):
            raise InputError(
                "branch needs one place to start from",
                expected="a node, an item or an embedding",
                got="none" if item is None else "an item and an embedding",
            )
        run = self._run
        if node is not None:
            check_node(run.state, node)
        item = None if item is None else as_ids([item]).tolist()[0]
        vector = None if embedding is None else np.asarray(embedding, np.float64)
        plain = {
            "node": None if node is None else int(node),
            "item": item,
            "embedding": None if vector is None else vector.tolist(),
            "update": run.engine.functions.note("branch", update),
        }
        arguments = {"node": node, "item": item, "embedding": vector, "update": update}
        return self._queue("branch", arguments, asked, plain)

    def branch_all(self, *, nodes: Sequence[int] = (), items: Sequence[int | str] = (), asked: Asked = PERSON) -> Done:
        """New queries from several nodes, or from several items, as one command.

        Args:
            nodes: Whose scored hits the update is applied to.
            items: Ids; each becomes the place of a query.
        """
        if bool(nodes) == bool(items):
            raise InputError("branch needs nodes or items", expected="one of both", got="both" if nodes else "none")
        return self._queue("branch", self._nodes(nodes) if nodes else {"items": as_ids(items).tolist()}, asked)

    def prune_node(self, nodes: Sequence[int], subtree: bool = True, asked: Asked = PERSON) -> Done:
        """Make nodes, and with `subtree` all below them, inactive."""
        return self._queue("prune_node", {**self._nodes(nodes), "subtree": bool(subtree)}, asked)

    def restore(self, nodes: Sequence[int], asked: Asked = PERSON) -> Done:
        """Reverse a prune of nodes, a person's or the pruner's."""
        return self._queue("restore", self._nodes(nodes), asked)

    def _nodes(self, nodes: Sequence[int]) -> dict[str, Any]:
        checked = [check_node(self._run.state, node) for node in nodes]
        return {"node": checked[0]} if len(checked) == 1 else {"nodes": checked}

    def undo(self, asked: Asked = PERSON) -> Done:
        """Reverse the last branch, prune, restore or set."""
        return self._queue("undo", {}, asked)

    def redo(self, asked: Asked = PERSON) -> Done:
        """Do again what was undone last."""
        return self._queue("redo", {}, asked)

    def set(self, settings: Mapping[str, Any], asked: Asked = PERSON) -> Done:
        """Change settings from the next round on; where calls run, and what they call, at rest only."""
        if not settings:
            raise InputError("set needs a setting", expected=", ".join(LIVE), got="none")
        run, whole = self._run, dict(settings)
        for name in AT_REST:
            if name in whole:
                run.need_rest(f"set({name}=…)")
        given = whole.pop("executor", None)
        workers = None if given is None else as_workers(given)
        if "calls" in whole:
            plain_calls = described_calls(whole.pop("calls"), {})
            whole |= {name: plain_calls.get(name, value) for name, value in asdict(Calls()).items()}
        spent, cost = run.state.spent, run.state.config.get("cost")
        checked = {k: check_setting(k, v, run.engine.source, spent, cost) for k, v in whole.items()}
        if "executor" in settings:
            run.engine.use(workers)
        if not checked:
            return took_effect()
        plain = {key: run.engine.functions.note(key, value) for key, value in checked.items()}
        return self._queue("set", checked, asked, plain)

    def retry(self, items: Any = None, asked: Asked = PERSON) -> Done:
        """Open failed items again; None: all."""
        if isinstance(items, Item):
            items = [items.id]
        ids = None if items is None else as_ids(items.ids if isinstance(items, Items) else items)
        return self._queue("retry", {"ids": ids}, asked, {"items": None if ids is None else ids.tolist()})
