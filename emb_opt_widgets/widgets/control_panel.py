"""The panel that steers a search."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import FeedView

__all__ = ["ControlPanel"]


class ControlPanel(SearchWidget):
    """State, progress and best score of a search; start, pause, step, stop, undo; its live settings.

    Args:
        search: What it steers.
    """

    def _views(self) -> Sequence[ipywidgets.Widget]:
        return [FeedView("control-panel", self._feed)]
