"""The best items, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import FeedView

__all__ = ["ResultsTable"]


class ResultsTable(SearchWidget):
    """The best items, live: their scores, what they are, which node found them; find, sort, copy, export.

    Args:
        search: What it shows.
    """

    def _views(self) -> Sequence[ipywidgets.Widget]:
        return [FeedView("results-table", self._feed)]
