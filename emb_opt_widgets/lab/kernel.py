"""What the panel asks of a kernel: which searches there are, and to pause, resume, step or stop one.

Questions arrive on the kernel's control channel, as a debug request of a name of its own: answered while a cell
runs, by old kernels too, and without a change of the kernel's status. Where there is no debugger they arrive as an
expression to evaluate, in a subshell. What happens to a search is told unasked (`news`), as an update of a display
that no cell shows. Nothing here prints, and nothing waits for a search.
"""

from __future__ import annotations

import asyncio
import logging
import math
import platform
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.errors import EmbOptError
from emb_opt_widgets.lab.installed import package
from emb_opt_widgets.live import display, registry
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.search.engine import SearchRun
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.search.steering import Steering

__all__ = ["COMMAND", "NEWS", "Answer", "act", "answer", "dashboard", "meet", "overview"]

COMMAND = "embOptWidgets"
NEWS = "application/vnd.emb-opt-widgets.news+json"
_log = logging.getLogger(__name__)
_PROCESS = uuid.uuid4().hex[:16]
_NAME, _REASON = 200, 600
_EVERY = 5.0
_VERBS = ("pause", "resume", "step", "stop")


class Answer(dict[str, Any]):
    """An answer that a front end gets as JSON."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/json": dict(self)}


def answer(request: Mapping[str, Any]) -> Answer:
    """The answer to a question: `ask` is "overview", "act" or "dashboard"; the rest are its arguments.

    What goes wrong comes back as text in `error`; nothing is raised.
    """
    display.lasting()
    given = {key: value for key, value in request.items() if key != "ask"}
    asked: dict[str, Callable[..., Answer]] = {"overview": overview, "act": act, "dashboard": dashboard}
    try:
        return asked[request["ask"]](**given)
    except EmbOptError as error:
        return Answer(error=plain(error, _REASON))
    except Exception as error:  # the panel's to show: there is no cell whose output could hold it
        return Answer(error=plain(f"{type(error).__name__}: {error}", _REASON))


def overview() -> Answer:
    """Every search of this process, and what it runs on."""
    lines = [_line(entry, controller) for entry, controller in registry.entries()]
    return Answer(_about(), process=_PROCESS, searches=lines)


@cache
def _about() -> dict[str, str | None]:
    packages = {"version": "emb_opt_widgets", "ipykernel": "ipykernel", "anywidget": "anywidget"}
    return {"python": platform.python_version(), **{key: package(name) for key, name in packages.items()}}


def _line(entry: registry.Entry, controller: SearchRun) -> dict[str, Any]:
    state, store = controller.state, controller.store
    row, budget, path = state.best_row, state.config.get("budget"), getattr(store, "path", None)
    can = Steering(controller).can()
    best = float(state.items["score"][row]) if row >= 0 else math.nan
    return {
        "id": entry.id,
        "cell": entry.cell,
        "created": entry.created,
        "name": plain(state.config.get("name", "search"), _NAME),
        "status": str(controller.status),
        "reason": plain(controller.reason, _REASON),
        "n_scored": state.n_scored,
        "budget": None if budget is None else float(budget),
        "spent": round(state.spent, 6),
        "unit": plain(state.unit, 20),
        "rounds": state.n_rounds,
        "best": best if math.isfinite(best) else None,
        "best_id": plain(state.ids.take(np.array([row]))[0], _NAME) if row >= 0 else None,
        "file": None if path is None else str(path.resolve()),
        "can": [verb for verb in _VERBS if can[verb]],
    }


def act(search_id: str, verb: str, command_id: str) -> Answer:
    """Pause, resume, step or stop a search.

    Args:
        search_id: As `overview` names it.
        verb: "pause", "resume", "step" or "stop".
        command_id: Each id takes effect once.
    """
    steering, asked = Steering(_found(search_id)), Asked("panel", command_id)
    commands: dict[str, Callable[..., Any]] = {
        "pause": steering.pause, "resume": steering.resume, "stop": steering.stop,
        "step": lambda asked: steering.step(asked=asked),
    }  # fmt: skip
    if verb not in commands:
        return Answer(error=f"There is no command {plain(verb, 40)!r}")
    commands[verb](asked=asked)
    return Answer(done=command_id)


def dashboard(search_id: str) -> Answer:
    """The id of the widget model of a search's dashboard; the one that displaying the search shows."""
    from emb_opt_widgets.widgets.showing import dashboard_of

    return Answer(model_id=dashboard_of(Search.driven_by(_found(search_id))).model_id)


def meet(controller: SearchRun, shell: Any) -> None:
    """Have the kernel answer the panel, and tell it what becomes of a search.

    Args:
        controller: What drives the search.
        shell: IPython's shell, in a kernel.
    """
    debugger = getattr(shell.kernel, "debugger", None)
    handlers = getattr(debugger, "static_debug_handlers", None)
    if isinstance(handlers, dict):
        handlers[COMMAND] = _on_control
    entry, told = registry.note(controller), [0.0]

    def hear(bodies: Sequence[ev.Body]) -> None:
        kinds = [body.kind for body in bodies if body.kind in ("created", "started", "resumed", "paused", "finished")]
        if kinds or time.monotonic() - told[0] > _EVERY:
            told[0] = time.monotonic()
            _publish(shell, {"process": _PROCESS, "kind": kinds[-1] if kinds else "scored"}, entry, controller)

    controller.listen(hear)


def _publish(shell: Any, head: dict[str, Any], entry: registry.Entry, controller: SearchRun) -> None:
    try:
        line = _line(entry, controller)
        if head["kind"] in ("started", "resumed", "paused", "finished"):  # the engine's thread begins and ends later
            line["status"] = str(controller.state.status)
        display_id = {"display_id": "emb_opt_widgets"}
        shell.display_pub.publish(data={NEWS: {**head, "search": line}}, transient=display_id, update=True)
    except Exception as error:  # a search does not stop because nobody can be told of it
        _log.debug("news of search %s was not sent", entry.id, exc_info=error)


async def _on_control(message: Mapping[str, Any]) -> dict[str, Any]:
    body = await asyncio.get_running_loop().run_in_executor(None, answer, message.get("arguments") or {})
    head = {"type": "response", "command": COMMAND, "request_seq": message.get("seq"), "success": True}
    return {**head, "body": dict(body)}


def _found(search_id: str) -> SearchRun:
    controller: SearchRun | None = registry.find(search_id)
    if controller is None:
        raise EmbOptError("This search is gone", hint="It was deleted, or its kernel was restarted")
    return controller
