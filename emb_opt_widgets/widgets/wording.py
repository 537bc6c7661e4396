"""What happened in a search, in a person's words."""

from __future__ import annotations

from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.live.notices import Notices
from emb_opt_widgets.report.data import part_text
from emb_opt_widgets.report.text import plain

__all__ = ["called", "deed", "first_node", "noticed", "sentence"]

_NOTICES = 5
_WORD = {"prune_node": "prune"}
_DONE = {"branch": "Branched", "prune_node": "Pruned", "restore": "Restored"}
_ASKED = {"start": "Start", "pause": "Pause", "resume": "Resume", "stop": "Stop"}


def called(body: ev.Commanded) -> str:
    """A command's name, as pages say it."""
    return _WORD.get(body.name, body.name)


def first_node(body: ev.Commanded) -> int:
    """The node that a command is about, -1 for none."""
    given = body.arguments.get("node")
    several = body.arguments.get("nodes")
    if given is None and several:
        given = several[0]
    if given is None and len(body.nodes):
        given = body.nodes[0]
    return -1 if given is None else int(given)


def deed(body: ev.Commanded) -> str:
    """A command as a thing: "prune of query 47 and 2 more"."""
    if body.name == "set":
        return f"setting of {_settings(body)}"
    if body.name == "branch":
        return f"branch {_place(body)}"
    return f"{called(body)} of {_queries(body)}"


def sentence(body: ev.Commanded, target: ev.Commanded | None) -> str:
    """A command as a sentence; `target`: the command that an undo or a redo is about."""
    if body.name in ("undo", "redo"):
        what = "a command" if target is None else f"the {deed(target)}"
        return f"{'Undid' if body.name == 'undo' else 'Redid'} {what}."
    if body.name == "set":
        return f"Set {_settings(body)}."
    if body.name == "branch":
        return f"Branched {_place(body)}: {_many(len(body.nodes), 'new query', 'new queries')}."
    if body.name in _DONE:
        return f"{_DONE[body.name]} {_queries(body)}."
    if body.name == "step":
        return f"{_many(int(body.arguments.get('n') or 1), 'round', 'rounds')} asked for."
    rounds = body.arguments.get("rounds")
    return f"{_ASKED.get(body.name, body.name)} asked for" + (
        f", {_many(rounds, 'round', 'rounds')}." if rounds else "."
    )


def _many(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"


def _queries(body: ev.Commanded) -> str:
    first, more = first_node(body), len(body.nodes) - 1
    return f"query {first}" + (f" and {more:,} more" if more > 0 else "")


def _place(body: ev.Commanded) -> str:
    given = body.arguments
    items: Any = given.get("items")
    if given.get("item") is not None:
        return f"at item {plain(given['item'], 60)}"
    if items:
        return f"at item {plain(items[0], 60)}" + (f" and {len(items) - 1:,} more" if len(items) > 1 else "")
    if given.get("embedding") is not None:
        return "at a given vector"
    nodes: Any = given.get("nodes")
    return f"from {len(nodes):,} queries" if nodes else f"from query {given.get('node')}"


def _settings(body: ev.Commanded) -> str:
    return plain(", ".join(f"{key} = {part_text(value)}" for key, value in (body.config or {}).items()), 400)


def noticed(notices: Notices) -> list[dict[str, Any]]:
    """The latest notices, as pages know them."""
    return [
        {"number": one.number, "source": plain(one.source, 40), "text": plain(one.text, 600), "count": one.count}
        for one in notices[-_NOTICES:]
    ]
