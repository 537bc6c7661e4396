"""How the scores are spread, and those of the selected nodes."""

from __future__ import annotations

import math
from typing import Any

import bqplot
import numpy as np
import numpy.typing as npt
import traitlets

from emb_opt_widgets.report.scale import ticks
from emb_opt_widgets.widgets.bins import bins_of
from emb_opt_widgets.widgets.chart import GHOST, SELECTED, Chart, axes, figure, update

__all__ = ["ScoreHistogram"]

_TOPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class ScoreHistogram(Chart):
    """All scored items by score, those that the selected nodes found in front.

    Draw over a range of scores with the mouse to select the nodes that found the items in it.

    Args:
        search: What it shows.

    Attributes:
        scale: "linear" or "log": how counts are drawn.
    """

    scale = traitlets.Enum(("linear", "log"), "linear")
    _kind = "histogram"

    def _figure(self) -> bqplot.Figure:
        self._brushed: list[int] | None = None
        self._x = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._y = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        scales = {"x": self._x, "y": self._y}
        self._all, self._chosen = (_bars(scales, color) for color in (GHOST, SELECTED))
        self._axes = axes(self._x, self._y)
        self._brush = bqplot.interacts.BrushIntervalSelector(scale=self._x, color=SELECTED)
        self._brush.observe(self._take_brush, "brushing")
        self._endings.append(traitlets.link((self._head, "scale"), (self, "scale")).unlink)
        self.observe(self._redraw, ["selection", "scale"])
        return figure([self._all, self._chosen], self._axes, interaction=self._brush)

    def _draw(self) -> None:
        scores, nodes = self._scored()
        if not len(scores):
            return
        bins = bins_of(scores)
        counts = bins.counts(scores)
        chosen = bins.counts(scores[np.isin(nodes, self.selection)])
        top, counted = self._heights(int(counts.max()))
        x, tall = bins.outline(self._place(counts))
        update(
            {
                self._x: {"min": bins.low, "max": bins.high},
                self._y: {"min": 0.0, "max": top},
                self._axes[0]: {"visible": True, "tick_values": np.array(ticks(bins.low, bins.high, 6))},
                self._axes[1]: {
                    "visible": True,
                    "tick_values": np.array([self._place(n) for n in counted]),
                    "tick_labels": {_written(self._place(n)): f"{n:,}" for n in counted},
                },
                self._all: {"x": x, "y": tall},
                self._chosen: {"x": x, "y": bins.outline(self._place(chosen))[1]},
            }
        )
        if self._brushed is not None and self._brushed != self.selection:
            self._brushed = None
            self._brush.selected = None

    def _scored(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Scores of the items that have one, and the nodes that found them."""
        controller = self._search.controller
        with controller.lock:
            items = controller.state.items
            if not len(items):
                return np.empty(0), np.empty(0, np.int64)
            fine = np.flatnonzero(np.isfinite(items["score"]))
            return items["score"][fine], items["node"][fine]

    def _place(self, counts: Any) -> Any:
        """How high counts stand."""
        return np.log10(1.0 + counts) if self.scale == "log" else 1.0 * counts

    def _heights(self, most: int) -> tuple[float, list[int]]:
        """Where the counts' axis ends, and the counts that are named at it."""
        if self.scale == "log":
            powers = [10**power for power in range(len(str(most)))]
            return float(self._place(most)) * 1.05, powers[:: -(-len(powers) // 3)]
        scale = 10.0 ** math.floor(math.log10(most))
        top = next(scale * step for step in _TOPS if scale * step >= most)
        return top, [int(n) for n in ticks(0.0, top, 3) if n == int(n) > 0]

    def _take_brush(self, change: Any) -> None:
        """Select the nodes that found what lies in the range, once the mouse is let go."""
        span = self._brush.selected
        if change["new"] or span is None:
            return
        if len(span) != 2:
            self._brushed = self.selection = []
            return
        scores, nodes = self._scored()
        inside = (scores >= min(span)) & (scores <= max(span)) & (nodes >= 0)
        self._brushed = np.unique(nodes[inside]).tolist()
        self.selection = self._brushed


def _bars(scales: dict[str, bqplot.Scale], color: str) -> bqplot.Lines:
    """Bars as one filled line: each time `bqplot.Bars` are drawn they leave an element more on the page."""
    nothing = np.zeros(1, np.float32)
    return bqplot.Lines(
        x=nothing, y=nothing, scales=scales, colors=[color], stroke_width=0.0, fill="bottom", fill_colors=[color],
        fill_opacities=[1.0],
    )  # fmt: skip


def _written(number: float) -> str:
    """A number as JavaScript writes it."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))
