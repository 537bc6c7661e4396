"""The drawings of a report, as inline SVG: the query tree, the best-so-far curve, the histogram of scores.

Colours are CSS classes (`style`), so one drawing serves light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.report.data import Happening, finite_range
from emb_opt_widgets.report.layout import TreeColumns, places
from emb_opt_widgets.report.scale import Scale, labels, scale_of, ticks
from emb_opt_widgets.report.scale import mean as average
from emb_opt_widgets.report.style import SHADES
from emb_opt_widgets.report.text import number, safe

__all__ = ["histogram", "score_legend", "trace", "tree"]

Float64 = npt.NDArray[np.float64]
_MARKS = 2_400
_LABELS = 12
_LETTER = 7.2


def _svg(width: float, height: float, label: str, body: Sequence[str], kind: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{safe(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(body)}</svg>'
    )


def _shade(values: Float64, sign: float) -> npt.NDArray[np.int64]:
    """`(n,)` shade of each value, the best brightest; -1 where it is not finite."""
    span = finite_range(values)
    out = np.full(len(values), -1, np.int64)
    if span is None:
        return out
    fine = np.isfinite(values)
    low, high = span
    part = np.ones(int(fine.sum())) if high == low else Scale(low, high).part(values[fine])
    part = part if sign > 0 or high == low else 1 - part
    out[fine] = np.minimum((part * SHADES).astype(np.int64), SHADES - 1)
    return out


def score_legend(columns: TreeColumns, sign: float) -> str:
    """The ends of the colour scale, worst to best; nothing where no query has a score."""
    span = finite_range(columns["max_score"])
    if span is None:
        return ""
    low, high = span if sign > 0 else span[::-1]
    digits = 4 if low == high or number(low, 4) != number(high, 4) else 17
    ends = (safe(number(end, digits)) for end in (low, high))
    return f'<span class="legend" title="a query’s best score">{"<i></i>".join(ends)}</span>'


def tree(columns: TreeColumns, sign: float, best_node: int, width: float = 620.0, height: float = 345.0) -> str:
    """The query tree: a round is a column; filled by a query's best score; hollow where it is no longer active.

    Where nodes are too many to tell apart, one mark stands for those of its cell: the best of them.

    Args:
        columns: As `QueryTree` names them.
        sign: 1.0 when high scores are sought, else -1.0.
        best_node: The path to this node is drawn out; -1: none.
        width, height: Units of the drawing.
    """
    n = len(columns["id"])
    label = f"Tree of {n:,} queries, rounds from left to right"
    if not n:
        return _svg(width, 60, label, [f'<text x="{width / 2}" y="34" class="mid">No queries yet</text>'], "tree")
    edge = 12.0
    column, y = places(columns, height - 2 * edge - 14, 13.0)
    last = max(int(column.max()), 1)
    step = (width - 2 * edge - 8) / last
    x = np.asarray(edge + 4 + column * min(step, 110.0), np.float64)
    y = y + edge
    parent = np.asarray(columns["parent"], np.int64)
    path = _path(parent, best_node)
    shown = _representatives(x, y, columns, sign, path)
    crowd = _crowding(column[shown], y[shown])
    largest = float(np.clip(min(crowd * 0.5, step * 0.36), 1.5, 5.4))
    body = [
        *_edges(x, y, parent, shown, path, step),
        *_nodes(x, y, columns, sign, shown, largest),
        *_mark(x, y, best_node, largest),
        *_rounds(column, x, height),
    ]
    return _svg(width, height, label, body, "tree")


def _path(parent: npt.NDArray[np.int64], node: int) -> list[int]:
    out = []
    while node >= 0:
        out.append(int(node))
        node = int(parent[node])
    return out


def _active(columns: TreeColumns) -> npt.NDArray[np.bool_]:
    active: npt.NDArray[np.bool_] = np.asarray(columns["status"], object) == "active"
    return active


def _representatives(
    x: Float64, y: Float64, columns: TreeColumns, sign: float, path: Sequence[int]
) -> npt.NDArray[np.int64]:
    """`(n,)` for each node the node that is drawn in its place: itself, or the best of its cell."""
    n = len(x)
    itself = np.arange(n)
    if n <= _MARKS:
        return itself
    gain = np.where(np.isfinite(columns["max_score"]), columns["max_score"] * sign, -np.inf)
    order = np.lexsort((itself, -gain, ~_active(columns)))
    cell = 2.0
    while True:
        keys = np.stack([np.round(x / cell), np.round(y / cell)], axis=1)[order]
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        if len(first) <= _MARKS:
            break
        cell *= 1.4
    out = np.empty(n, np.int64)
    out[order] = order[first][inverse.reshape(-1)]
    out[list(path)] = path
    return out


def _crowding(column: npt.NDArray[np.int64], y: Float64) -> float:
    """Distance between neighbours where the drawing is fullest."""
    order = np.lexsort((y, column))
    near = np.diff(y[order])[np.diff(column[order]) == 0]
    near = near[near > 1e-6]
    return float(np.percentile(near, 10)) if len(near) else 13.0


def _edges(
    x: Float64,
    y: Float64,
    parent: npt.NDArray[np.int64],
    shown: npt.NDArray[np.int64],
    path: Sequence[int],
    step: float,
) -> list[str]:
    children = np.flatnonzero(parent >= 0)
    ends = np.unique(np.stack([shown[parent[children]], shown[children]], axis=1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    plain = "".join(_curve(x, y, a, b, step) for a, b in ends.tolist())
    best = "".join(_curve(x, y, b, a, step) for a, b in pairwise(path))
    out = [f'<path class="edge" d="{plain}"/>'] if plain else []
    return out + ([f'<path class="route" d="{best}"/>'] if best else [])


def _curve(x: Float64, y: Float64, a: int, b: int, step: float) -> str:
    bend = min((x[b] - x[a]) * 0.5, step * 0.5)
    start, stop = f"{x[a]:.4g} {y[a]:.4g}", f"{x[b]:.4g} {y[b]:.4g}"
    return f"M{start}C{x[a] + bend:.4g} {y[a]:.4g} {x[b] - bend:.4g} {y[b]:.4g} {stop}"


def _nodes(
    x: Float64, y: Float64, columns: TreeColumns, sign: float, shown: npt.NDArray[np.int64], largest: float
) -> list[str]:
    nodes, count = np.unique(shown, return_counts=True)
    shade = _shade(np.asarray(columns["max_score"], np.float64), sign)[nodes]
    active = _active(columns)[nodes]
    new = np.asarray(columns["n_new"], np.float64)[nodes]
    size = largest * (0.7 + 0.3 * np.sqrt(new / max(new.max(initial=0), 1)))
    named = len(nodes) <= 400
    out = []
    for i in np.lexsort((shade, active)).tolist():
        node = int(nodes[i])
        kind = "off" if not active[i] else "wait" if shade[i] < 0 else f"on s{shade[i]}"
        at = f'<circle class="{kind}" cx="{x[node]:.4g}" cy="{y[node]:.4g}" r="{size[i]:.2g}"'
        title = f"<title>{safe(_title(columns, node, int(count[i])))}</title>" if named else ""
        out.append(f"{at}>{title}</circle>" if title else f"{at}/>")
    return out


def _title(columns: TreeColumns, node: int, stands_for: int) -> str:
    more = f" and {stands_for - 1:,} more" if stands_for > 1 else ""
    return (
        f"Query {node}{more}: {columns['status'][node]}, round {columns['round'][node]}, "
        f"best {number(float(columns['max_score'][node]))}, {columns['n_new'][node]} new items, "
        f"{columns['operator'][node]} ({columns['reason'][node]})"
    )


def _mark(x: Float64, y: Float64, node: int, largest: float) -> list[str]:
    if node < 0:
        return []
    return [f'<circle class="best" cx="{x[node]:.4g}" cy="{y[node]:.4g}" r="{largest + 3:.3g}"/>']


def _rounds(column: npt.NDArray[np.int64], x: Float64, height: float) -> list[str]:
    present, first = np.unique(column, return_index=True)
    every = _nice_step(int(present[-1]) or 1, 12)
    return [
        f'<text x="{x[at]:.4g}" y="{height - 2:g}" class="mid">{c}</text>'
        if c
        else f'<text x="4" y="{height - 2:g}">round 0</text>'
        for c, at in zip(present.tolist(), first.tolist())
        if c % every == 0
    ]


def _nice_step(total: float, most: int) -> int:
    step = 1
    while total / step > most:
        step *= 5 if str(step)[0] == "2" else 2
        if str(step)[0] == "4":
            step = step // 4 * 5
    return step


def trace(
    scores: Float64, sign: float, marks: Sequence[Happening] = (), width: float = 290.0, height: float = 150.0
) -> str:
    """Best score so far against calls, over the moving mean of the scores; commands as dashed lines.

    Args:
        scores: `(n,)` in the order of payment; NaN where a score failed.
        sign: 1.0 when high scores are sought, else -1.0.
        marks: Commands to mark.
        width, height: Units of the drawing.
    """
    n = len(scores)
    span = finite_range(scores)
    label = f"Best score so far against calls, {n:,} calls"
    if span is None:
        return _svg(width, 60, label, [f'<text x="{width / 2}" y="34" class="mid">No scores yet</text>'], "trace")
    gains = np.where(np.isfinite(scores), scores * sign, -np.inf)
    best = np.maximum.accumulate(gains) * sign
    at, mean = _moving_mean(scores)
    scale = scale_of(*(finite_range(np.concatenate([best[np.isfinite(best)], mean])) or span))
    marked = ticks(scale.low, scale.high, 4)
    texts, base = labels(marked)
    left, right, top, bottom = max(36.0, 10 + _LETTER * max(map(len, texts))), width - 8, 16.0, height - 20

    def sx(call: float) -> float:
        return left + (right - left) * (call / max(n, 1))

    def sy(value: float) -> float:
        return bottom - (bottom - top) * float(scale.part(value))

    body = [f'<text x="2" y="{top - 6:g}">{safe(base)}</text>'] if base else []
    for tick, text in zip(marked, texts):
        body.append(f'<path class="grid" d="M{left:g} {sy(tick):.4g}H{right:g}"/>')
        body.append(f'<text x="{left - 5:g}" y="{sy(tick) + 3.5:.4g}" class="end">{safe(text)}</text>')
    for tick in ticks(0, n, 4):
        body.append(f'<text x="{sx(tick):.4g}" y="{height - 5:g}" class="mid">{safe(number(tick))}</text>')
    line = "".join(f"{'L' if i else 'M'}{sx(c):.4g} {sy(v):.4g}" for i, (c, v) in enumerate(zip(at, mean)))
    body.append(f'<path class="faint" d="{line}"/>')
    body.append(f'<path class="curve" d="{_steps(best, sx, sy)}"/>')
    body += _interventions(marks, sx, top, bottom, right)
    return _svg(width, height, label, body, "trace")


def _moving_mean(scores: Float64) -> tuple[list[float], list[float]]:
    """At most 160 points of the mean of the scores around them."""
    fine = np.flatnonzero(np.isfinite(scores))
    blocks = np.array_split(fine, min(160, max(1, len(fine) // 4)))
    blocks = [b for b in blocks if len(b)]
    return [float(b.mean()) + 1 for b in blocks], [average(scores[b]) for b in blocks]


def _steps(best: Float64, sx: Any, sy: Any) -> str:
    changes = np.flatnonzero(best != np.concatenate([[np.nan], best[:-1]]))
    changes = changes[np.isfinite(best[changes])]
    if len(changes) > 1000:
        changes = changes[np.unique(np.linspace(0, len(changes) - 1, 1000).astype(int))]
    out = [f"M{sx(changes[0] + 1):.4g} {sy(best[changes[0]]):.4g}"]
    out += [f"H{sx(c + 1):.4g}V{sy(best[c]):.4g}" for c in changes[1:].tolist()]
    return "".join([*out, f"H{sx(len(best)):.4g}"])


def _interventions(marks: Sequence[Happening], sx: Any, top: float, bottom: float, right: float) -> list[str]:
    calls: dict[int, list[str]] = {}
    for mark in marks:
        calls.setdefault(mark.call, []).append(mark.what.removesuffix("_node"))
    lines = "".join(f"M{sx(call):.4g} {top - 6:g}V{bottom:g}" for call in calls)
    out = [f'<path class="mark" d="{lines}"/>'] if lines else []
    free = -1e9
    for call, names in sorted(calls.items()):
        text = ", ".join(dict.fromkeys(names))
        wide = len(text) * 5.6 + 6
        start = sx(call) + 3 if sx(call) + 3 + wide < right else sx(call) - wide
        if len(calls) > _LABELS or start < free:
            continue
        free = start + wide
        out.append(f'<text x="{start:.4g}" y="{top - 1:g}">{safe(text)}</text>')
    return out


def histogram(scores: Float64, width: float = 290.0, height: float = 150.0, bins: int = 34) -> str:
    """How many scores fall where; the last quarter of the calls in the accent colour.

    Args:
        scores: `(n,)` in the order of payment; NaN where a score failed.
        width, height: Units of the drawing. bins: Bars.
    """
    span = finite_range(scores)
    label = "Histogram of scores"
    if span is None:
        return _svg(width, 60, label, [f'<text x="{width / 2}" y="34" class="mid">No scores yet</text>'], "bars")
    scale = scale_of(*span)
    whole = scale.counts(scores, bins)
    part = scale.counts(scores[len(scores) - len(scores) // 4 :], bins)
    left, right, top, bottom = 8.0, width - 8, 8.0, height - 20
    wide = (right - left) / bins
    tall = (bottom - top) / max(1, int(whole.max()))

    def bars(counts: Any, kind: str) -> str:
        d = "".join(
            f"M{left + i * wide:.4g} {bottom:g}v{-count * tall:.4g}h{wide - 1:.3g}V{bottom:g}z"
            for i, count in enumerate(counts.tolist())
            if count
        )
        return f'<path class="{kind}" d="{d}"/>' if d else ""

    body = [bars(whole, "bar"), bars(part, "late")]
    marked = ticks(scale.low, scale.high)
    texts, base = labels(marked)
    if base:
        body.append(f'<text x="2" y="{top + 2:g}">{safe(base)}</text>')
    for tick, text in zip(marked, texts):
        at = left + (right - left) * float(scale.part(tick))
        half = max(14.0, _LETTER * len(text) / 2)
        kind = "mid" if half < at < width - half else "start" if at <= half else "end"
        body.append(f'<text x="{at:.4g}" y="{height - 5:g}" class="{kind}">{safe(text)}</text>')
    return _svg(width, height, label, body, "bars")
