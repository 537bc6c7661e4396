"""How the search comes on: its best score against calls, the means of its rounds, and where a person stepped in."""

from __future__ import annotations

from collections.abc import Sequence

import bqplot
import numpy as np
import numpy.typing as npt

from emb_opt_widgets.report.scale import scale_of, ticks
from emb_opt_widgets.widgets.bins import drawn
from emb_opt_widgets.widgets.chart import ACCENT, GHOST, SELECTED, Chart, axes, figure, update
from emb_opt_widgets.widgets.curve import Curve, best_so_far, round_means

__all__ = ["ScoreTrace"]

_MARKED = ("branch", "prune", "restore", "set", "undo", "redo")
_MOST_MARKS = 200
_LABEL_EVERY = 0.14
_LARGEST = 1e300


class ScoreTrace(Chart):
    """Best score so far and mean score of each round against calls, commands as dashed lines.

    Args:
        search: What it shows.
    """

    _kind = "trace"

    def _figure(self) -> bqplot.Figure:
        self._x = bqplot.LinearScale(min=0.0, max=10.0, allow_padding=False)
        self._y = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        scales = {"x": self._x, "y": self._y}
        nothing = np.zeros(1, np.float32)
        look = {"x": nothing, "y": nothing, "scales": scales}
        self._means = bqplot.Lines(colors=[GHOST], stroke_width=1.3, **look)
        self._best = bqplot.Lines(colors=[ACCENT], stroke_width=2.0, interpolation="step-after", **look)
        self._marks = bqplot.Lines(colors=[SELECTED], stroke_width=1.0, line_style="dashed", **look)
        self._words = bqplot.Label(
            x=nothing, y=nothing, text=np.array([""]), scales=scales, colors=["var(--eow-soft, #5d6b7a)"],
            default_size=10.5, x_offset=4, font_weight="normal", align="start",
        )  # fmt: skip
        self._axes = axes(self._x, self._y)
        return figure([self._marks, self._means, self._best, self._words], self._axes)

    def _draw(self) -> None:
        scores, rounds = self._paid()
        best = best_so_far(scores, self._search.controller.state.sign)
        if not len(best.x):
            return
        means = round_means(scores, rounds)
        low, high = _span(best.y, means.y)
        right = float(max(len(scores), 10))
        marks = self._commands()
        shown = _readable(marks, right)
        calls = np.array([call for call, _ in marks] or [-1], np.float32)
        update(
            {
                self._x: {"min": 0.0, "max": right},
                self._y: {"min": low, "max": high},
                self._axes[0]: {"visible": True, "tick_values": np.array(ticks(0.0, right, 4))},
                self._axes[1]: {"visible": True, "tick_values": np.array(ticks(low, high, 4))},
                self._best: _points(best),
                self._means: _points(means),
                self._marks: {
                    "x": np.repeat(calls[:, None], 2, axis=1),
                    "y": np.tile(drawn(np.array([low, high])), (len(calls), 1)),
                },
                self._words: {
                    "x": np.array([call for call, _ in shown] or [0], np.float32),
                    "y": np.full(max(1, len(shown)), high - 0.05 * (high - low)),
                    "text": np.array([word for _, word in shown] or [""]),
                },
            }
        )

    def _paid(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Scores in the order of first answers, NaN where one failed, and the rounds they came in."""
        controller = self._search.controller
        with controller.lock:
            items, n = controller.state.items, controller.state.n_answered
            scores, rounds = np.full(n, np.nan), np.zeros(n, np.int64)
            if n:
                paid = np.flatnonzero(items["call"] >= 0)
                at = items["call"][paid]
                scores[at], rounds[at] = items["score"][paid], items["round"][paid]
        return scores, rounds

    def _commands(self) -> list[tuple[int, str]]:
        """How many calls were paid when a person stepped in, and the word for what they did."""
        events = self._feed.tables.get("events")
        if events is None:
            return []
        kinds, calls = events["kind"], events["n_scored"]
        found = [(int(calls[i]), str(kind)) for i, kind in enumerate(kinds) if kind in _MARKED]
        return found[-_MOST_MARKS:]


def _points(curve: Curve) -> dict[str, npt.NDArray[np.floating]]:
    return {"x": curve.x.astype(np.float32), "y": drawn(np.clip(curve.y, -_LARGEST, _LARGEST))}


def _span(*values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """A range that holds all values, with a little room."""
    whole = np.concatenate(values)
    scale = scale_of(*np.clip([whole.min(), whole.max()], -_LARGEST, _LARGEST).tolist())
    if whole.min() == whole.max():
        low = high = scale.low * 0.5 + scale.high * 0.5
    else:
        low, high = scale.low, scale.high
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + 3.5 * room


def _readable(marks: Sequence[tuple[int, str]], right: float) -> list[tuple[int, str]]:
    """Those marks whose words do not run into the one before."""
    out: list[tuple[int, str]] = []
    for call, word in marks:
        if (not out or call - out[-1][0] >= _LABEL_EVERY * right) and call <= right * 0.86:
            out.append((call, word))
    return out
