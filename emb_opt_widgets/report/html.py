"""Reports as HTML: no scripts, no references to anything outside, and text of strangers escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from emb_opt_widgets.engine.costs import amount
from emb_opt_widgets.report import charts
from emb_opt_widgets.report.data import Found, Happening, Report
from emb_opt_widgets.report.style import NOTEBOOK, PAGE
from emb_opt_widgets.report.text import number, safe

__all__ = ["page", "results_table", "summary"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_COLUMNS = 8


def page(report: Report, style: str = PAGE) -> str:
    """The whole report: one file, readable offline, that runs nothing.

    Args:
        report: What it shows.
        style: Its rules: of a page of its own, or of JupyterLab's.
    """
    body = "".join(
        [
            _head(report),
            _main(report),
            _top(report),
            _events(report.happenings or ()),
            _foot(report.facts),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{safe(report.name, 80)}: {safe(report.status)}</title><style>{style}</style></head>\n"
        f'<body><main class="eow-report">{body}</main></body></html>\n'
    )


def summary(report: Report) -> str:
    """The upper part of a report, to stand in a notebook's output."""
    return f'<div class="eow-report"><style>{NOTEBOOK}</style>{_head(report)}{_main(report)}{_top(report)}</div>'


def results_table(columns: Mapping[str, Any], total: int) -> str:
    """The first rows of results, for a notebook.

    Args:
        columns: Name to column, all of one length.
        total: How many rows there are in all.
    """
    names = list(columns)
    n = len(columns[names[0]]) if names else 0
    kept = names[:_COLUMNS]
    left_out = f" · {len(names) - len(kept)} more columns" if len(names) > len(kept) else ""
    head = "".join(f'<th class="{_kind(name)}">{safe(name, 40)}</th>' for name in ["#", *kept])
    lines = ([("#", i + 1), *((name, columns[name][i]) for name in kept)] for i in range(n))
    rows = "".join("<tr>" + "".join(_cell(name, value) for name, value in line) + "</tr>" for line in lines)
    more = f" · {total - n:,} more rows" if total > n else ""
    return (
        f'<div class="eow-report"><style>{NOTEBOOK}</style><h2>{total:,} {"item" if total == 1 else "items"}'
        f"<span>best first{more}{left_out}</span></h2>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _kind(name: str) -> str:
    return {"#": "r", "score": "r", "call": "r", "calls": "r", "item": "item", "id": "id"}.get(name, "")


def _cell(name: str, value: Any) -> str:
    numeric = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    text = safe(number(float(value))) if numeric and name != "id" else "—" if value is None else safe(value)
    kind = "r" if numeric and name != "id" else _kind(name)
    title = f' title="{text}"' if len(text) > 40 else ""
    return f'<td class="{kind}"{title}>{text}</td>'


def _head(report: Report) -> str:
    limit = "" if report.budget is None else f" of {amount(report.budget)}"
    spent = f"<b>{amount(report.spent)}</b>{limit} {safe(report.unit, 20)}"
    if report.unit != "calls":
        spent += f" · {report.n_scored:,} scored"
    rounds = f"{report.n_rounds:,} {'round' if report.n_rounds == 1 else 'rounds'}"
    best = report.top[0] if report.top else None
    shown = "" if best is None else f"<b>{safe(number(best.score))}</b><span>{safe(best.id, 60)}</span>"
    meter = ""
    if report.budget:
        part = min(100.0, 100 * report.spent / report.budget)
        meter = f'<div class="meter"><i style="width:{part:.1f}%"></i></div>'
    status = safe(report.status)
    return (
        f'<div class="head"><div><span class="pill {status.split(",")[0]}">{status.capitalize()}</span>'
        f'<h1 class="name">{safe(report.name, 80)}</h1></div><div class="facts num">{spent} · {rounds}</div>'
        f'<div class="top num">{shown}</div><div class="why">{safe(report.reason, 600)}</div>{meter}</div>'
    )


def _main(report: Report) -> str:
    status = np.asarray(report.tree["status"], object)
    counts = [f"{int((status == word).sum()):,} {word}" for word in ("active", "pruned", "removed", "undone")]
    counts = [text for text in counts if not text.startswith("0 ")]
    marks = [h for h in report.happenings or () if h.marked]
    failed = int((~np.isfinite(report.scores)).sum())
    none = f", {failed:,} without a score" if failed else ""
    return (
        '<div class="main"><div class="map"><div class="cap num"><span>'
        f"<b>{len(status):,}</b> queries{''.join(' · ' + c for c in counts)}</span>"
        f"{charts.score_legend(report.tree, report.sign)}</div>"
        f"{charts.tree(report.tree, report.sign, report.best_node)}</div>"
        '<div class="side"><div><div class="cap num"><span><b>Best so far</b> against calls, over the mean</span></div>'
        f"{charts.trace(report.scores, report.sign, marks)}</div>"
        f'<div><div class="cap num"><span><b>Scores</b> all {report.n_scored:,}{none}; orange: the last quarter</span>'
        "</div>"
        f"{charts.histogram(report.scores)}</div></div></div>"
    )


def _top(report: Report) -> str:
    if not report.top:
        return '<section><h2>Items</h2><p class="none">Nothing is scored yet.</p></section>'
    more = report.n_scored - len(report.top)
    rest = f"<span>the best {len(report.top):,} of {report.n_scored:,}</span>" if more > 0 else ""
    with_items = any(found.item is not None for found in report.top)
    return f"<section><h2>Items{rest}</h2>{_found_table(report.top, with_items)}</section>"


def _found_table(top: Sequence[Found], with_items: bool) -> str:
    item = "<th>item</th>" if with_items else ""
    rows = "".join(
        f'<tr><td class="r">{i:,}</td><td class="r">{safe(number(f.score))}</td>'
        + (_cell("item", f.item) if with_items else "")
        + f'{_cell("id", f.id)}<td>{safe(f.by)}</td><td class="r">{f.call:,}</td></tr>'
        for i, f in enumerate(top, 1)
    )
    return (
        f'<table><thead><tr><th class="r">#</th><th class="r">score</th>{item}<th>id</th><th>found by</th>'
        f'<th class="r">call</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _events(happenings: Sequence[Happening]) -> str:
    if not happenings:
        return ""
    rows = "".join(
        f'<tr{" class=you" if h.marked else ""}><td class="num">{_when(h.time)}</td><td class="r">{h.call:,}</td>'
        f'<td>{safe(h.what.removesuffix("_node").replace("_", " "))}</td><td class="wrap">{safe(h.text, 600)}</td>'
        f'<td class="wrap">{safe(h.note, 600)}</td></tr>'
        for h in happenings
    )
    return (
        '<section><h2>Events</h2><table><thead><tr><th>time (UTC)</th><th class="r">calls</th><th>what</th><th></th>'
        f"<th>note</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _when(time: float) -> str:
    if time != time:
        return "—"
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _foot(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value, 600)}</dd>" for name, value in facts.items())
    return f"<section><h2>Settings</h2><dl>{rows}</dl></section>"
