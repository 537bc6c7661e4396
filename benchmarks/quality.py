"""How much each method finds per score call: same tasks, budgets and seeds for all, means with standard errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.methods import METHODS
from benchmarks.tasks import Task, load_task, recall
from emb_opt_widgets.errors import InputError

__all__ = ["Cell", "best_settings", "curve_svg", "measure_quality", "quality_table", "select"]

_POINTS = 25
_COLOURS = (
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#888",
    "#0b2a6f", "#7a5c00", "#a0201a", "#0f6b5c",
)  # fmt: skip
_LEGEND = 140
"""Width of a name in the legend."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One method on one task with one budget.

    Attributes:
        recalls: By top set, one for each seed. calls, curve: Mean recall of the last top set on the way.
        seconds: Of a run.
    """

    task: str
    budget: int
    method: str
    recalls: dict[str, list[float]]
    calls: list[int]
    curve: list[float]
    seconds: float

    def mean(self, top: str) -> tuple[float, float]:
        """Mean and standard error."""
        values = np.array(self.recalls[top])
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
        return float(values.mean()), float(error)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "task": self.task, "budget": self.budget, "method": self.method, "seconds": self.seconds,
            "recall": {top: dict(zip(("mean", "se"), self.mean(top)), seeds=self.recalls[top]) for top in self.recalls},
            "curve": {"calls": self.calls, "recall": self.curve},
        }  # fmt: skip


def select(wanted: Sequence[str]) -> list[str]:
    """The methods whose names begin with one of these; all of them for none.

    Raises:
        InputError: One of these begins no name.
    """
    unknown = [w for w in wanted if not any(name.startswith(w) for name in METHODS)]
    if unknown:
        raise InputError(
            "There is no such method", expected=f"the beginning of one of {', '.join(METHODS)}", got=unknown[0]
        )
    return [name for name in METHODS if not wanted or any(name.startswith(w) for w in wanted)]


def measure_quality(
    tasks: Sequence[str],
    budgets: Sequence[str] = (),
    methods: Sequence[str] = (),
    seeds: int = 5,
    say: Callable[[str], None] = lambda _: None,
    *,
    batch: str | None = None,
    tops: Sequence[str] = (),
) -> Iterator[Cell]:
    """All cells, one after the other.

    Args:
        tasks: As `load_task` takes them.
        budgets: Calls ("200") or shares of the items ("2%"). None: the task's own.
        methods: Beginnings of their names. None: all.
        seeds: How many: 0, 1, …
        say: Told what is under way.
        batch: Items that our methods score at a time, as a budget is given. None: their own choice.
        tops: Sizes of the top sets, as a budget is given. None: the task's own.

    Raises:
        InputError: Something of this is not there or no number; before anything is measured.
    """
    asked = [load_task(name).asked(batch, tops) for name in tasks]
    plan = [
        (task, task.calls(budget), method)
        for task in asked
        for budget in budgets or task.budgets
        for method in select(methods)
    ]
    for task, calls, method in plan:
        say(f"{method} on {task.name} with {calls} calls")
        yield _cell(task, calls, method, seeds)


def _cell(task: Task, budget: int, method: str, seeds: int) -> Cell:
    recalls: dict[str, list[float]] = {top: [] for top in task.tops}
    calls = np.unique(np.linspace(1, budget, _POINTS).round().astype(int))
    last, curves = list(task.tops.values())[-1], []
    began = time.perf_counter()
    for seed in range(seeds):
        rows = METHODS[method](task, budget, seed)
        for top, k in task.tops.items():
            recalls[top].append(recall(task, rows, k))
        curves.append([recall(task, rows[:n], last) for n in calls])
    curve = np.mean(curves, axis=0).round(4).tolist()
    return Cell(task.name, budget, method, recalls, calls.tolist(), curve, (time.perf_counter() - began) / seeds)


def best_settings(cells: Sequence[Cell]) -> list[Cell]:
    """Of emb_opt's settings only the best on each task and budget, by the largest top set."""
    out: list[Cell] = []
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        if cell.method.startswith("emb_opt"):
            groups.setdefault((cell.task, cell.budget), []).append(cell)
        else:
            out.append(cell)
    for group in groups.values():
        out.append(max(group, key=lambda cell: cell.mean(list(cell.recalls)[-1])[0]))
    return sorted(out, key=lambda cell: [c.task for c in cells].index(cell.task) * 10**9 + cell.budget)


def quality_table(cells: Sequence[Cell]) -> list[list[str]]:
    """Rows of task, calls, method, recalls and seconds."""

    def shown(cell: Cell, top: str) -> str:
        mean, error = cell.mean(top)
        return f"{top}: {mean:.3f}" + (f" ± {error:.3f}" if len(cell.recalls[top]) > 1 else "")

    return [
        [cell.task, str(cell.budget), cell.method, "  ".join(shown(cell, top) for top in cell.recalls),
         f"{cell.seconds:.1f}"]
        for cell in cells
    ]  # fmt: skip


def curve_svg(cells: Sequence[Cell]) -> str:
    """Recall against calls, one panel for each task at its largest budget, as an SVG."""
    panels: dict[str, list[Cell]] = {}
    for cell in cells:
        panels.setdefault(cell.task, []).append(cell)
    names = list(dict.fromkeys("emb_opt" if c.method.startswith("emb_opt") else c.method for c in cells))
    width, height, across = 300, 210, min(3, max(1, len(panels)))
    down = -(-len(panels) // across)
    beside = max(1, (width * across - 40) // _LEGEND)
    total = height * down + 18 * (-(-len(names) // beside)) + 12
    body = [f'<rect width="{width * across}" height="{total}" fill="#fff"/>']
    for i, (task, group) in enumerate(panels.items()):
        most = max(cell.budget for cell in group)
        drawn = [cell for cell in group if cell.budget == most]
        at = f"{width * (i % across)},{height * (i // across)}"
        body.append(f'<g transform="translate({at})">{_panel(task, drawn, names)}</g>')
    for i, name in enumerate(names):
        x, y = 40 + _LEGEND * (i % beside), height * down + 14 + 18 * (i // beside)
        colour = _COLOURS[i % len(_COLOURS)]
        body.append(
            f'<path d="M{x},{y - 4}h18" stroke="{colour}" stroke-width="2"/><text x="{x + 24}" y="{y}">{name}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * across} {total}" font-family="sans-serif" '
        f'font-size="11" fill="#222">{"".join(body)}</svg>\n'
    )


def _panel(task: str, cells: Sequence[Cell], names: Sequence[str]) -> str:
    left, top, wide, high = 40, 24, 245, 150
    most = max(cell.budget for cell in cells)
    label = list(cells[0].recalls)[-1]
    out = [f'<text x="{left}" y="15" font-weight="bold">{task}, recall of the {label}</text>']
    for tick in (0.0, 0.5, 1.0):
        y = top + high * (1 - tick)
        out.append(f'<path d="M{left},{y}h{wide}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    for tick in (0, most // 2, most):
        x = left + wide * tick / most
        out.append(f'<text x="{x}" y="{top + high + 15}" text-anchor="middle">{tick}</text>')
    for cell in cells:
        name = "emb_opt" if cell.method.startswith("emb_opt") else cell.method
        points = " ".join(
            f"{left + wide * n / most:.1f},{top + high * (1 - r):.1f}" for n, r in zip(cell.calls, cell.curve)
        )
        colour = _COLOURS[names.index(name) % len(_COLOURS)]
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    return "".join(out)
