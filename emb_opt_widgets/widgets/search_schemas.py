"""The shapes of what pages may ask of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emb_opt_widgets.widgets.requests import (
    Check,
    Schema,
    choice,
    flag,
    integer,
    integers,
    mapping,
    number,
    text,
    value,
)

__all__ = ["ASKS", "COMMANDS", "MOST_POINTS"]

MOST_POINTS = 50
_MOST = 100_000
_node = integer(0, 2**31 - 1)
_strategy = Schema({"name": text(64, 1), "parameters": mapping(value, 32)})


def _or_null(check: Check) -> Check:
    def inner(name: str, given: Any) -> Any:
        return None if given is None else check(name, given)

    return inner


def _amount(name: str, given: Any) -> float:
    """Of a budget; whole where it counts calls."""
    return given if type(given) is int else number(name, given)


_settings = Schema(
    may={
        "k": integer(1, 1_000_000),
        "budget": _or_null(_amount),
        "batch_size": _or_null(integer(1, 2**31 - 1)),
        "update": _strategy,
        "prune": _or_null(_strategy),
    }
)

COMMANDS: Mapping[str, Schema] = {
    "start": Schema(may={"rounds": integer(1, 1_000_000_000)}),
    "pause": Schema(),
    "resume": Schema(),
    "stop": Schema(),
    "undo": Schema(),
    "redo": Schema(),
    "step": Schema(may={"n": integer(1, 1_000_000)}),
    "branch": Schema(
        may={"nodes": integers(1_000), "rows": integers(MOST_POINTS), "center": integers(_MOST)},
        one_of=("nodes", "rows", "center"),
    ),
    "prune": Schema({"nodes": integers(_MOST)}, {"subtree": flag}),
    "restore": Schema({"nodes": integers(_MOST)}),
    "set": Schema({"settings": _settings}),
}

ASKS: Mapping[str, Schema] = {
    "items": Schema({"rows": integers(500)}),
    "node": Schema({"node": _node}),
    "find": Schema({"text": text(200)}, {"limit": integer(1, 1_000)}),
    "places": Schema({"by": choice("id", "item")}),
    "export": Schema({"format": choice("csv", "parquet", "html")}),
}
