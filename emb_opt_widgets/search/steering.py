"""Steering a search: what starting, pausing, branching and the like check and do, whoever asks. Never waits.

A person's line of Python and a button in a page come down to the same; only who asks, and under which id, differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.calls import Calls
from emb_opt_widgets.engine.items import Item, Items, as_ids
from emb_opt_widgets.engine.status import Ending, SearchStatus
from emb_opt_widgets.errors import InputError, StateError
from emb_opt_widgets.live.steering import PERSON, Asked
from emb_opt_widgets.search.commands import check_node
from emb_opt_widgets.search.controller import Controller
from emb_opt_widgets.search.settings import LIVE, check_setting, described_calls, whole_number

__all__ = ["Steering"]

Done = Future[list[int]]


class Steering:
    """The commands of a search.

    Each returns at once what tells when it took effect, and with which new nodes. One that does not fit raises
    `InputError` or `StateError`, at once or there, and changes nothing.

    Args:
        controller: What drives the search.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    # -- running -------------------------------------------------------------------------------------------

    def start(self, rounds: int | None = None, asked: Asked = PERSON) -> Done:
        """Run in the search's own thread. Where it is asked under an id it is logged as a command too."""
        live = self._controller
        more = whole_number("rounds", rounds, 1, optional=True)
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            self._check_can_run()
            live.flush()
            done = _done() if asked.id is None else self._queue("start", {"rounds": more}, asked)
            self._launch(more)
        return done

    def _launch(self, more: int | None) -> None:
        live, state = self._controller, self._controller.state
        until = self._until(more)
        if state.status is not SearchStatus.RUNNING or until != state.until:
            resumed = state.status is SearchStatus.PAUSED and until == state.until
            live.emit([ev.Resumed(until) if resumed else ev.Started(until)])
        live.launch()

    def pause(self, asked: Asked = PERSON) -> Done:
        """Make no new score calls; the one in flight finishes and is kept."""
        live = self._controller
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            self._check_running("pause")
            return self._queue("pause", {}, asked, at_once=False)

    def stop(self, asked: Asked = PERSON) -> Done:
        """End the search; the call in flight finishes and is kept."""
        live = self._controller
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            if not live.running and live.status in (SearchStatus.READY, SearchStatus.PAUSED):
                done = self._queue("stop", {}, asked)
                live.emit([ev.Finished(Ending.STOPPED.name, Ending.STOPPED.value)])
                return done
            self._check_running("stop")
            return self._queue("stop", {}, asked, at_once=False)

    def resume(self, asked: Asked = PERSON) -> Done:
        """Go on after a pause."""
        live = self._controller
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            if live.status is not SearchStatus.PAUSED:
                raise StateError(f"The search is {live.status}, not paused", hint=live.reason)
            self._check_can_run()
            done = self._queue("resume", {}, asked)
            live.flush()
            self._launch(None)
            return done

    def step(self, n: int = 1, asked: Asked = PERSON) -> Done:
        """Run `n` rounds, then pause."""
        count = whole_number("n", n, 1) or 1
        live, state = self._controller, self._controller.state
        with live.lock:
            if (before := live.asked(asked.id)) is not None:
                return before
            self._check_can_run()
            if live.status not in (SearchStatus.READY, SearchStatus.PAUSED) and state.ending != Ending.ROUNDS.name:
                raise StateError(f"The search is {live.status}", hint=live.reason)
            live.flush()
            done = self._queue("step", {"n": count}, asked)
            live.emit([ev.Resumed(None if state.ending else self._until(None))])
            live.launch(state.n_rounds + count)
            return done

    def can(self) -> dict[str, bool]:
        """What would be accepted now, by name: start, pause, resume, step, stop, undo, redo."""
        live, state = self._controller, self._controller.state
        with live.lock:
            status, running = live.status, live.running
            able = not running and live.score is not None and not live.over
            resting = status in (SearchStatus.READY, SearchStatus.PAUSED)
            return {
                "start": able,
                "pause": running,
                "resume": able and status is SearchStatus.PAUSED,
                "step": able and (resting or state.ending == Ending.ROUNDS.name),
                "stop": running or resting,
                "undo": bool(state.undoable),
                "redo": bool(state.redoable),
            }

    def _check_can_run(self) -> None:
        live = self._controller
        if live.running:
            raise StateError("The search is running already", hint="pause() or stop() it first, or wait()")
        if live.score is None:
            raise StateError("This search has no score function", hint="Use ask() and tell(), or pass score=…")
        if live.over:
            raise StateError("The budget is spent", hint="Raise it first: set(budget=…)")

    def _check_running(self, verb: str) -> None:
        live = self._controller
        if not live.running:
            raise StateError(f"There is nothing to {verb}: the search is {live.status}", hint=live.reason)

    def _until(self, more: int | None) -> int | None:
        """The round to run to: so many more, or what was asked for before an interruption."""
        state = self._controller.state
        if more is not None:
            return state.n_rounds + more
        interrupted = state.status in (SearchStatus.RUNNING, SearchStatus.PAUSED)
        return state.until if interrupted and (state.until or 0) > state.n_rounds else None

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
        live = self._controller
        if node is not None:
            check_node(live.state, node)
        vector = None if embedding is None else np.asarray(embedding, np.float64)
        plain = {
            "node": None if node is None else int(node),
            "item": item,
            "embedding": None if vector is None else vector.tolist(),
            "update": live.functions.note("branch", update),
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
        return self._queue("branch", self._nodes(nodes) if nodes else {"items": list(items)}, asked)

    def prune_node(self, nodes: Sequence[int], subtree: bool = True, asked: Asked = PERSON) -> Done:
        """Make nodes, and with `subtree` all below them, inactive."""
        return self._queue("prune_node", {**self._nodes(nodes), "subtree": bool(subtree)}, asked)

    def restore(self, nodes: Sequence[int], asked: Asked = PERSON) -> Done:
        """Reverse a prune of nodes, a person's or the pruner's."""
        return self._queue("restore", self._nodes(nodes), asked)

    def _nodes(self, nodes: Sequence[int]) -> dict[str, Any]:
        checked = [check_node(self._controller.state, node) for node in nodes]
        return {"node": checked[0]} if len(checked) == 1 else {"nodes": checked}

    def undo(self, asked: Asked = PERSON) -> Done:
        """Reverse the last branch, prune, restore or set."""
        return self._queue("undo", {}, asked)

    def redo(self, asked: Asked = PERSON) -> Done:
        """Do again what was undone last."""
        return self._queue("redo", {}, asked)

    def set(self, settings: Mapping[str, Any], asked: Asked = PERSON) -> Done:
        """Change settings from the next round on."""
        if not settings:
            raise InputError("set needs a setting", expected=", ".join(LIVE), got="none")
        live = self._controller
        whole = dict(settings)
        if "calls" in whole:
            plain_calls = described_calls(whole.pop("calls"), {})
            whole |= {name: plain_calls.get(name, value) for name, value in asdict(Calls()).items()}
        checked = {k: check_setting(k, v, live.source, live.state.n_scored) for k, v in whole.items()}
        plain = {key: live.functions.note(key, value) for key, value in checked.items()}
        return self._queue("set", checked, asked, plain)

    def retry(self, items: Any = None, asked: Asked = PERSON) -> Done:
        """Open failed items again; None: all."""
        if isinstance(items, Item):
            items = [items.id]
        ids = None if items is None else as_ids(items.ids if isinstance(items, Items) else items)
        return self._queue("retry", {"ids": ids}, asked, {"items": None if ids is None else ids.tolist()})

    def _queue(
        self,
        name: str,
        arguments: Mapping[str, Any],
        asked: Asked,
        plain: Mapping[str, Any] | None = None,
        at_once: bool = True,
    ) -> Done:
        done = self._controller.queue(
            name, arguments, plain, asked.note, who=asked.who, command_id=asked.id, at_once=at_once
        )
        if done.done():
            done.result()
        return done


def _done() -> Done:
    done: Done = Future()
    done.set_result([])
    return done
