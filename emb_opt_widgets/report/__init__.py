"""A search on one page of inert HTML, and in a notebook's output. Knows states and events, not who runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emb_opt_widgets.report.data import Report, collect, happenings
from emb_opt_widgets.tables import writing

__all__ = ["Report", "search_summary", "write_page", "write_report"]

_TOP = 50


def write_report(search: Any, path: str | Path) -> Path:
    """Write a search's report: one file, readable offline, that runs nothing.

    Args:
        search: A `Search`, at rest or running.
        path: The file; its folder must exist.

    Returns:
        The path.

    Raises:
        FileError: It cannot be written.
    """
    return write_page(_of(search, _TOP, with_events=True), path)


def write_page(report: Report, path: str | Path) -> Path:
    """Write a report.

    Raises:
        FileError: It cannot be written.
    """
    from emb_opt_widgets.report.html import page

    out = Path(path)
    with writing(out):
        out.write_text(page(report), encoding="utf-8")
    return out


def search_summary(search: Any) -> str:
    """A search as a piece of inert HTML, for a notebook."""
    from emb_opt_widgets.report.html import summary

    return summary(_of(search, 5, with_events=False))


def _of(search: Any, top: int, with_events: bool) -> Report:
    with search.controller.lock:
        state = search.controller.state
        best = search.results(n=top)
        rows = np.array([state.ids.row(i) for i in best.ids.tolist()], np.int64)
        listed = happenings(search.events) if with_events or state.commands else None
        return collect(state, search.tree, rows, best.items, str(search.status), search.reason, listed)
