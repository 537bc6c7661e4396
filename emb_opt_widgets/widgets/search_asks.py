"""Answers to what pages ask about a search's items and nodes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.report.data import best_rows
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.search.commands import check_node
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.widgets.content import Shown, data_of, line_of, shown, text_of
from emb_opt_widgets.widgets.live import Answer
from emb_opt_widgets.widgets.search_tables import rows_by_call

__all__ = ["answer", "rows_of"]

_BEST = 10
_BLOCK = 500
_PATIENCE = 2.0
_LARGEST = 64_000_000
_MOST_BYTES = 8_000_000
_MIME = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html",
}


def answer(search: Search, what: str, given: Mapping[str, Any]) -> Answer:
    """The answer to one question.

    Raises:
        EmbOptError: It has none.
    """
    match what:
        case "items":
            return _items(search, given["rows"])
        case "node":
            return _node(search, given["node"])
        case "find":
            return _find(search, given["text"], given.get("limit", 100))
        case "places":
            return _places(search, given["by"])
        case _:
            return _export(search, given["format"])


def rows_of(search: Search, calls: list[int]) -> npt.NDArray[np.int32]:
    """State rows of items, which pages know by call.

    Raises:
        InputError: So many are not scored.
    """
    with search.controller.lock:
        by_call = rows_by_call(search.controller.state)
    if calls and max(calls) >= len(by_call):
        raise InputError("There is no such item", expected=f"rows from 0 to {len(by_call) - 1}", got=max(calls))
    rows: npt.NDArray[np.int32] = by_call[np.array(calls, np.int64)]
    return rows


def _payload(search: Search, rows: npt.NDArray[Any]) -> Items:
    return search.controller.engine.gather.payload(rows)


def _items(search: Search, calls: list[int]) -> Answer:
    items = _payload(search, rows_of(search, calls))
    whole = items.items
    looks = [Shown("text", "") if whole is None else shown(whole[i]) for i in range(len(items))]
    left = _MOST_BYTES
    images: list[str | None] = []
    for look in looks:
        left -= len(look.image or "")
        images.append(look.image if left >= 0 else None)
    return Answer(
        {
            "rows": calls,
            "id": [line_of(one, 200) for one in items.ids.tolist()],
            "text": [look.text for look in looks],
            "kind": [look.kind if image else "text" for look, image in zip(looks, images)],
            "image": images,
            "data": [data_of(items.row_data(i)) for i in range(len(items))],
        }
    )


def _node(search: Search, node: int) -> Answer:
    with search.controller.lock:
        state = search.controller.state
        check_node(state, node)
        rows = state.hits[node]
        rows = rows[state.items["status"][rows] == ItemStatus.SCORED]
        gains = state.items["score"][rows] * state.sign
        rows = rows[np.lexsort((state.items["call"][rows], -gains))][:_BEST]
        calls, scores = state.items["call"][rows].tolist(), state.items["score"][rows].tolist()
        path = [node]
        while (parent := int(state.nodes["parent"][path[-1]])) >= 0:
            path.append(parent)
        data: dict[str, Any] = {
            "node": node,
            "operator": plain(state.operators[node], 80),
            "reason": plain(state.reasons[node], 600),
            "status": str(NodeStatus(state.nodes["status"][node])),
            "status_reason": plain(state.status_reasons.get(node, ""), 600),
            "propensity": float(state.nodes["propensity"][node]),
            "path": path,
        }
    items = _payload(search, rows) if len(rows) else None
    data["best"] = [
        {
            "row": calls[i], "id": line_of(items.ids[i], 200), "score": scores[i],
            "text": "" if items.items is None else line_of(items.items[i], 200),
        }
        for i in range(len(rows)) if items is not None
    ]  # fmt: skip
    return Answer(data)


def _find(search: Search, text: str, limit: int) -> Answer:
    """Best first, as far as patience goes."""
    wanted, end = text.casefold(), time.monotonic() + _PATIENCE
    with search.controller.lock:
        state = search.controller.state
        rows = best_rows(state, max(1, state.n_answered))
        calls = state.items["call"][rows] if len(rows) else np.empty(0, np.int32)
    found: list[int] = []
    for start in range(0, len(rows), _BLOCK):
        items = _payload(search, rows[start : start + _BLOCK])
        whole = items.items
        for i, one in enumerate(items.ids.tolist()):
            line = "" if whole is None else text_of(whole[i])
            if wanted in str(one).casefold() or wanted in line.casefold():
                found.append(int(calls[start + i]))
                if len(found) > limit:
                    return Answer({"rows": found[:limit], "more": True})
        if time.monotonic() > end and start + _BLOCK < len(rows):
            return Answer({"rows": found, "more": True})
    return Answer({"rows": found, "more": False})


def _places(search: Search, by: str) -> Answer:
    """Where each item stands among all, by its id or its text; -1 for those that patience did not reach."""
    end = time.monotonic() + _PATIENCE
    with search.controller.lock:
        rows = rows_by_call(search.controller.state)
    words: list[Any] = []
    for start in range(0, len(rows), _BLOCK):
        items = _payload(search, rows[start : start + _BLOCK])
        if by == "id":
            words += items.ids.tolist()
        else:
            words += [""] * len(items) if items.items is None else [line_of(one, 200).casefold() for one in items.items]
        if time.monotonic() > end:
            break
    if by == "id" and not all(isinstance(word, int) for word in words):
        words = [str(word).casefold() for word in words]
    places = np.full(len(rows), -1, "<i4")
    known = {word: place for place, word in enumerate(sorted(set(words)))}
    places[: len(words)] = [known[word] for word in words]
    return Answer({"n": len(rows), "more": len(words) < len(rows)}, [places.tobytes()])


def _export(search: Search, kind: str) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"search.{kind}"
        match kind:
            case "html":
                search.to_html(place)
            case "csv":
                search.results().to_csv(place)
            case _:
                search.results().to_parquet(place)
        size = place.stat().st_size
        if size > _LARGEST:
            hint = "search.to_html(path)" if kind == "html" else f"search.results().to_{kind}(path)"
            raise InputError(
                "The export is too large to be sent to a page",
                expected=f"at most {_LARGEST // 1_000_000} MB",
                got=f"{size // 1_000_000} MB",
                hint=f"In Python: {hint}",
            )
        data = place.read_bytes()
    name = "".join(c if c.isalnum() or c in "-_ ." else "_" for c in search.name)[:80].strip(" .") or "search"
    return Answer({"name": f"{name}.{kind}", "mime": _MIME[kind]}, [data])
