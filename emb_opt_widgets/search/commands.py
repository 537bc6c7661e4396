"""What a person may ask of a search: each command checked against the state, and turned into events.

Knows nothing of threads: whoever holds the search decides when a command is applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.adapt import as_update
from emb_opt_widgets.engine.protocols import Choose, Update
from emb_opt_widgets.engine.queries import Proposals
from emb_opt_widgets.engine.rounds import Parts, proposals_event
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.engine.view import SearchView, queries_of
from emb_opt_widgets.errors import InputError, StateError, UnknownNodeError
from emb_opt_widgets.live.commands import Command
from emb_opt_widgets.strategies.gradient_queries import GradientQueries
from emb_opt_widgets.strategies.topk import TopKContinuousUpdate

__all__ = ["COMMANDS", "apply_command", "check_node"]

Bodies = Sequence[ev.Body]
COMMANDS = ("branch", "prune_node", "restore", "correct", "retry", "undo", "redo", "set")


def check_node(state: State, node: Any) -> int:
    """A node's id, checked.

    Raises:
        UnknownNodeError: The tree has no such node.
    """
    whole = isinstance(node, (int, np.integer)) and not isinstance(node, bool)
    if not whole or not 0 <= node < state.n_nodes:
        raise UnknownNodeError(
            "There is no such node",
            expected=f"an id from 0 to {state.n_nodes - 1}"
            if state.n_nodes
            else "a node of the tree, which is empty yet",
            got=repr(node),
            hint="search.tree lists the nodes",
        )
    return int(node)


def apply_command(command: Command, state: State, parts: Parts) -> Bodies:
    """The events of a command.

    Raises:
        InputError, StateError: It does not fit the state; nothing was changed.
    """
    match command.name:
        case "branch":
            return _branch(command, state, parts)
        case "prune_node":
            return [_prune(command, state)]
        case "restore":
            return [_restore(command, state)]
        case "undo":
            return [_undo(command, state)]
        case "redo":
            return [_redo(command, state)]
        case "correct":
            return _correct(command)
        case "retry":
            return _retry(command, state)
        case "set":
            return _set(command, state)
        case _:
            raise InputError("This is no command of a search", expected=", ".join(COMMANDS), got=command.name)


def _set(command: Command, state: State) -> Bodies:
    """The same again, directly after it, changes nothing and is no event."""
    now, before = dict(command.plain), {key: state.config.get(key) for key in command.plain}
    last = state.commands[state.undoable[-1]] if state.undoable else None
    if before == now and last is not None and last.name == "set" and last.config == now:
        return []
    return [command.event(config=now, config_before=before)]


def _branch(command: Command, state: State, parts: Parts) -> Bodies:
    node, item, embedding, items = (command.arguments.get(k) for k in ("node", "item", "embedding", "items"))
    if state.calls_left == 0:
        raise StateError(
            "A branch would have nothing to spend: the budget is spent",
            hint="Raise it first: set(budget=…)",
        )
    if embedding is not None:
        made = _at_point(embedding, -1 if node is None else check_node(state, node), "a given vector", state)
    elif item is not None:
        made = _at_item(item, None if node is None else check_node(state, node), state, parts)
    elif items:
        each = [_at_item(one, None, state, parts) for one in items]
        made = Proposals(
            np.concatenate([one.embeddings for one in each]), np.concatenate([one.parents for one in each]),
            "branch", [str(one.reason) for one in each],
        )  # fmt: skip
    else:
        made = _from_nodes(command, _given(command, state), state, parts)
    event = proposals_event(state, replace(made, memory=None), command.id)
    new = np.arange(state.n_nodes, state.n_nodes + len(made))
    return [event, command.event(new, NodeStatus.UNDONE, NodeStatus.ACTIVE)]


def _at_point(vector: Any, parent: int, reason: str, state: State) -> Proposals:
    point = np.asarray(vector, np.float64)
    if point.ndim != 1 or (state.dim and point.shape != (state.dim,)) or not np.isfinite(point).all():
        raise InputError(
            "The vector to branch from is not usable",
            expected=f"{state.dim or 'd'} finite numbers",
            got=f"shape {point.shape}" if point.shape != (state.dim,) else "NaN or infinity",
        )
    return Proposals(point[None], np.array([parent]), "branch", reason)


def _at_item(item: Any, parent: int | None, state: State, parts: Parts) -> Proposals:
    row = state.ids.row(item)
    if row is not None:
        vector, found_by = state.items["embedding"][row], int(state.items["node"][row])
    else:
        vector, found_by = parts.source.vectors(np.array([item], object))[0], -1
    return _at_point(vector, found_by if parent is None else parent, f"at item {item}", state)


def _given(command: Command, state: State) -> list[int]:
    """The node, or the nodes, that a command is about."""
    several = command.arguments.get("nodes")
    return [check_node(state, node) for node in ([command.arguments.get("node")] if several is None else several)]


def _called(nodes: list[int]) -> str:
    return f"Node {nodes[0]}" if len(nodes) == 1 else f"Each of the {len(nodes)} nodes"


def _from_nodes(command: Command, nodes: list[int], state: State, parts: Parts) -> Proposals:
    queries = queries_of(state, np.array(nodes), parts.gather.light)
    if not queries.valid.any():
        raise StateError(
            f"{_called(nodes)} has no scored hits to branch from",
            hint="Wait until its round is scored, or branch from an item or an embedding",
        )
    update: Update = parts.update
    if command.arguments.get("update") is not None:
        update = as_update(command.arguments["update"])
    elif isinstance(update, Choose):
        update = GradientQueries(TopKContinuousUpdate(3), (0.1, 0.5, 1.0, 5.0))
    made = update.propose(queries, SearchView(state, parts.source.source, parts.cache))
    if not len(made):
        named = ", ".join(str(node) for node in nodes[:10])
        raise StateError(f"The update made no query from node {named}", hint="Pass another: branch(node, update=…)")
    return replace(made, operator="branch")


def _prune(command: Command, state: State) -> ev.Commanded:
    given = _given(command, state)
    nodes = np.array(given)
    if command.arguments.get("subtree", True):
        nodes = np.concatenate([nodes, state.descendants(nodes)])
    if len(given) > 1:
        nodes = np.unique(nodes)
    nodes = nodes[state.nodes["status"][nodes] == NodeStatus.ACTIVE]
    if not len(nodes):
        raise StateError(
            f"{_called(given)} is {_status(state, given[0])} already, and so is all below it",
            hint="restore(node) reverses a prune",
        )
    return command.event(nodes, NodeStatus.ACTIVE, NodeStatus.PRUNED)


def _restore(command: Command, state: State) -> ev.Commanded:
    given = _given(command, state)
    pruned = [node for node in given if _status(state, node) is NodeStatus.PRUNED]
    if not pruned:
        status = _status(state, given[0])
        hints = {
            NodeStatus.ACTIVE: "It is active; there is nothing to restore",
            NodeStatus.REMOVED: "Nothing in it can be used: " + state.status_reasons.get(given[0], ""),
            NodeStatus.UNDONE: "It was undone: redo() brings it back",
        }
        raise StateError(f"{_called(given)} is not pruned but {status}", hint=hints[status])
    nodes = _pruned_with(state, np.array(pruned))
    nodes = nodes[state.nodes["status"][nodes] == NodeStatus.PRUNED]
    return command.event(nodes, NodeStatus.PRUNED, NodeStatus.ACTIVE)


def _pruned_with(state: State, nodes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Nodes, and those below each that the same command of a person pruned last."""
    left, out = np.zeros(state.n_nodes, np.bool_), np.zeros(state.n_nodes, np.bool_)
    left[nodes] = out[nodes] = True
    for event in reversed(state.commands.values()):
        if event.name != "prune_node" or not left[event.nodes].any():
            continue
        here = event.nodes[left[event.nodes]]
        left[here] = False
        out[np.intersect1d(event.nodes, state.descendants(here))] = True
        if not left.any():
            break
    return np.flatnonzero(out)


def _undo(command: Command, state: State) -> ev.Commanded:
    if not state.undoable:
        raise StateError("There is nothing to undo")
    done = state.commands[state.undoable[-1]]
    nodes = np.asarray(done.nodes, np.int64)
    if done.name == "branch":
        nodes = np.unique(np.concatenate([nodes, *(state.descendants(int(n)) for n in nodes)]))
        nodes = nodes[state.nodes["status"][nodes] == NodeStatus.ACTIVE]
        return command.event(nodes, NodeStatus.ACTIVE, NodeStatus.UNDONE, target=done.id)
    same = state.nodes["status"][nodes] == done.after if len(nodes) else np.zeros(0, np.bool_)
    return command.event(
        nodes[same], done.after[same], done.before[same],
        config=done.config_before, config_before=done.config, target=done.id,
    )  # fmt: skip


def _redo(command: Command, state: State) -> ev.Commanded:
    if not state.redoable:
        raise StateError("There is nothing to redo")
    target = state.redoable[-1]
    undone = next(e for e in reversed(state.commands.values()) if e.name == "undo" and e.target == target)
    nodes = np.asarray(undone.nodes, np.int64)
    same = state.nodes["status"][nodes] == undone.after if len(nodes) else np.zeros(0, np.bool_)
    return command.event(
        nodes[same], undone.after[same], undone.before[same],
        config=undone.config_before, config_before=undone.config, target=target,
    )  # fmt: skip


def _correct(command: Command) -> Bodies:
    told = command.arguments["told"]
    answer = told.answer
    event = ev.Corrected(command.id, command.arguments["rows"], answer.values, answer.reasons, answer.data, told.noise)
    return [event, command.event()]


def _retry(command: Command, state: State) -> Bodies:
    ids = command.arguments["ids"]
    failed = state.items["status"] == ItemStatus.FAILED
    rows = np.flatnonzero(failed) if ids is None else np.unique(state.ids.rows(ids))
    if ids is not None:
        wrong = [i for i, row in zip(ids.tolist(), state.ids.rows(ids).tolist()) if row < 0 or not failed[row]]
        if wrong:
            raise InputError("An item did not fail", expected="items whose score failed", got=repr(wrong[0]))
    left = state.calls_left
    if left is not None and len(rows) > left:
        raise InputError(
            "The budget does not allow to measure them again", expected=f"at most {left} items", got=len(rows),
            hint="Raise it first: set(budget=…)",
        )  # fmt: skip
    return [command.event(), ev.Reopened(rows.astype(np.int32), "asked for")]


def _status(state: State, node: int) -> NodeStatus:
    return NodeStatus(state.nodes["status"][node])
