"""What the two charts share: a title row above a small figure, drawn anew when pages look and something changed.

Drawn by whoever noticed, one at a time: the publisher for new scores, the thread that selects for a selection. While
no page looks nothing is drawn; the first beat after one appears makes up for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import bqplot
import ipywidgets
import numpy as np

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import ChartHead

__all__ = ["ACCENT", "GHOST", "SELECTED", "Chart", "axes", "figure", "update"]

ACCENT, GHOST, SELECTED = (
    "var(--eow-accent, #2463eb)",
    "var(--eow-ghost, #c3cad2)",
    "var(--eow-sel, #ff8a00)",
)
_MARGIN = {"top": 8, "bottom": 20, "left": 38, "right": 12}
_HEIGHT = "132px"


class Chart(SearchWidget):
    """Base of the charts; abstract: `_draw` brings the figure up to date."""

    _kind = ""

    def _views(self) -> Sequence[ipywidgets.Widget]:
        self._drawing = threading.Lock()
        self._head = ChartHead(self._kind, self._feed)
        self._endings.append(self._feed.on_beat(self._redraw))
        self._head.figure = self._figure()
        return [self._head, self._head.figure]

    def _classes(self) -> Sequence[str]:
        return ("eow-framed", "eow-chart", f"eow-{self._kind}")

    def _figure(self) -> bqplot.Figure:
        """The figure, still empty."""
        raise NotImplementedError

    def _draw(self) -> None:
        """Bring the figure up to date."""
        raise NotImplementedError

    def _redraw(self, *_: Any) -> None:
        with self._drawing:
            if self.comm is not None and self._feed.live:
                self._draw()


def axes(x: bqplot.Scale, y: bqplot.Scale) -> list[bqplot.Axis]:
    """A quiet pair of axes: numbers only, hidden until there is something to measure."""
    return [
        bqplot.Axis(scale=scale, side=side, grid_lines="none", tick_format=".4~g", visible=False)
        for scale, side in ((x, "bottom"), (y, "left"))
    ]


def figure(marks: Sequence[bqplot.Mark], pair: Sequence[bqplot.Axis], **more: Any) -> bqplot.Figure:
    """A small figure without a frame."""
    return bqplot.Figure(
        marks=list(marks),
        axes=list(pair),
        fig_margin=dict(_MARGIN),
        padding_y=0.0,
        display_toolbar=False,
        layout=ipywidgets.Layout(width="100%", height=_HEIGHT, min_width="0"),
        **more,
    )


def update(changes: Mapping[ipywidgets.Widget, Mapping[str, Any]]) -> None:
    """Set traits of several widgets; each sends one message, with what is really new."""
    with ExitStack() as held:
        for widget in changes:
            held.enter_context(widget.hold_sync())
        for widget, traits in changes.items():
            for name, value in traits.items():
                if not np.array_equal(getattr(widget, name), value):
                    setattr(widget, name, value)
