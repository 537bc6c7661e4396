"""A training as a piece of inert HTML: where it stands, its loss and its recall. Runs nothing, asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.report.scale import ticks
from emb_opt_widgets.report.style import NOTEBOOK
from emb_opt_widgets.report.text import number, safe

__all__ = ["training_summary"]

_POINTS = 300
_WIDTH, _HEIGHT = 440.0, 170.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 8.0, 8.0, 22.0

Float64 = npt.NDArray[np.float64]


def training_summary(training: Any) -> str:
    """A `Training` for a notebook's output."""
    metrics, settings = training.metrics, training.settings
    told = metrics["interpretable_loss"]
    loss = np.where(np.isnan(told), metrics["loss"], told)
    name = f"Recall@{settings['monitor']}"
    watched = metrics[f"accuracy@{settings['monitor']}"]
    at = np.flatnonzero(~np.isnan(watched))
    recall = _drawing(metrics["step"][at], watched[at], name, "No evaluations yet")
    return (
        f'<div class="eow-report"><style>{NOTEBOOK}</style>{_head(training, loss, settings)}'
        '<div class="main" style="grid-template-columns:repeat(auto-fit,minmax(280px,1fr))">'
        f'<div class="map">{_caption("Loss", "against steps")}'
        f"{_drawing(metrics['step'], loss, 'Loss', 'No steps yet')}</div>"
        f'<div class="map" style="border-right:0">{_caption(name, "of held-out pairs")}{recall}</div></div></div>'
    )


def _caption(name: str, more: str) -> str:
    return f'<div class="cap num"><span><b>{safe(name)}</b> {safe(more)}</span></div>'


def _head(training: Any, loss: Float64, settings: dict[str, Any]) -> str:
    status, best = safe(str(training.status)), training.best
    shown = "" if best is None else f"<b>{best[1]:.4f}</b><span>recall@{settings['monitor']}, step {best[0]:,}</span>"
    last = f" · loss {safe(number(float(loss[-1]), 4))}" if len(loss) else ""
    return (
        f'<div class="head"><div><span class="pill {status}">{status.capitalize()}</span>'
        f'<h1 class="name">{safe(training.name, 80)}</h1></div>'
        f'<div class="facts num">step <b>{training.n_steps:,}</b> · epoch {training.n_epochs:,}{last}</div>'
        f'<div class="top num">{shown}</div><div class="why">{safe(training.reason, 600)}</div></div>'
    )


def _drawing(steps: npt.NDArray[Any], values: Float64, name: str, nothing: str) -> str:
    """A line against steps, of the means of at most so many stretches."""
    fine = np.flatnonzero(np.isfinite(values))
    if not len(fine):
        label, body = nothing, [f'<text x="{_WIDTH / 2:g}" y="{_HEIGHT / 2:g}" class="mid">{safe(nothing)}</text>']
        return _svg(label, body)
    parts = [part for part in np.array_split(fine, min(_POINTS, len(fine))) if len(part)]
    x = np.array([float(steps[part].mean()) for part in parts])
    y = np.array([float(values[part].mean()) for part in parts])
    label = f"{name} from {number(float(y[0]), 4)} to {number(float(y[-1]), 4)} in {int(steps[fine[-1]]):,} steps"
    return _svg(label, _line(x, y))


def _line(x: Float64, y: Float64) -> list[str]:
    low, high = float(y.min()), float(y.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    most = max(float(x[-1]), 1.0)
    px = _LEFT + (_WIDTH - _LEFT - _RIGHT) * x / most
    py = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (y - low) / (high - low)
    body = []
    for tick in ticks(low, high, 4):
        at = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (tick - low) / (high - low)
        body.append(f'<path class="grid" d="M{_LEFT:g} {at:.4g}H{_WIDTH - _RIGHT:g}"/>')
        body.append(f'<text x="{_LEFT - 5:g}" y="{at + 3.5:.4g}" class="end">{safe(number(tick))}</text>')
    for tick in ticks(0, most, 4):
        at = _LEFT + (_WIDTH - _LEFT - _RIGHT) * tick / most
        body.append(f'<text x="{at:.4g}" y="{_HEIGHT - 5:g}" class="mid">{safe(number(tick))}</text>')
    if len(x) == 1:
        return [*body, f'<circle class="best" cx="{px[0]:.4g}" cy="{py[0]:.4g}" r="3"/>']
    points = "L".join(f"{a:.5g} {b:.5g}" for a, b in zip(px.tolist(), py.tolist()))
    return [*body, f'<path class="curve" d="M{points}"/>']


def _svg(label: str, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{safe(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(body)}</svg>'
    )
