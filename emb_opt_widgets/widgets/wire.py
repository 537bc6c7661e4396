"""Deltas as messages: what `docs/wire.md` says a page is sent. Knows their layout, nothing of who sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emb_opt_widgets.widgets.tables import DTYPES, Part

__all__ = ["delta", "error_of", "refusal"]


def delta(
    n: int, epoch: str, to: str | None, facts: Mapping[str, Any] | None, parts: Mapping[str, Part]
) -> tuple[dict[str, Any], list[bytes]]:
    """A delta's content and its buffers.

    Args:
        n: Its number. epoch: The life of the tables. to: The page it is for, None for all.
        facts: None where they are known.
        parts: By table.
    """
    buffers: list[bytes] = []
    content: dict[str, Any] = {"type": "delta", "n": n, "epoch": epoch, "to": to}
    if facts is not None:
        content["facts"] = dict(facts)
    content["parts"] = [_part(table, part, buffers) for table, part in parts.items()]
    return content, buffers


def _part(table: str, part: Part, buffers: list[bytes]) -> dict[str, Any]:
    def added(array: Any, kind: str) -> int:
        buffers.append(np.ascontiguousarray(array, DTYPES[kind]).tobytes())
        return len(buffers) - 1

    rows, m = part.rows, len(part.rows)
    whole = m > 0 and int(rows[-1]) - int(rows[0]) == m - 1 and bool((np.diff(rows) == 1).all())
    columns: dict[str, Any] = {}
    where = {"first": int(rows[0]) if m else 0, "count": m} if whole or not m else {"buffer": added(rows, "i4")}
    for name, (kind, values) in part.columns.items():
        columns[name] = [kind, values if kind == "json" else added(values, kind)]
    return {
        "table": table, "base": part.base, "to": part.to, "clock": part.clock, "length": part.length,
        "rows": where, "columns": columns,
    }  # fmt: skip


def error_of(error: BaseException) -> dict[str, str]:
    """An error as a title and what to do about it."""
    text = " ".join(str(error).split()) or type(error).__name__
    title, dot, hint = text.partition(". ")
    return {"title": (title + dot).strip()[:1000], "hint": hint[:1000]}


def refusal(kind: str, client: str, request: str, error: BaseException) -> dict[str, Any]:
    """What a page is told whose request failed.

    Args:
        kind: "reply" or "answer". client, request: Whose, and its id.
        error: Why.
    """
    return {"type": kind, "id": request, "client": client, "ok": False, "error": error_of(error)}
