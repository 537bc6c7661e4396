"""Everything about a search in one panel: what displaying a search shows."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import FeedView
from emb_opt_widgets.widgets.score_histogram import ScoreHistogram
from emb_opt_widgets.widgets.score_trace import ScoreTrace

__all__ = ["Dashboard"]


class Dashboard(SearchWidget):
    """Controls on top, the tree beside histogram and curve, below them items, map, operators and events.

    Args:
        search: What it shows.
    """

    def _views(self) -> Sequence[ipywidgets.Widget]:
        self._charts = ScoreHistogram(self._search), ScoreTrace(self._search)
        charts = ipywidgets.VBox(self._charts, _dom_classes=("eow-side",))
        tree = FeedView("query-tree", self._feed)
        return [
            FeedView("control-panel", self._feed),
            ipywidgets.Box([tree, charts], _dom_classes=("eow-middle",)),
            FeedView("details", self._feed),
        ]

    def _classes(self) -> Sequence[str]:
        return ("eow-dashboard",)
