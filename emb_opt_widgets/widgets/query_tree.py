"""The tree of a search's queries."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import FeedView

__all__ = ["QueryTreeView"]


class QueryTreeView(SearchWidget):
    """The live tree of queries: select nodes, branch from them, prune them.

    Args:
        search: What it shows.
    """

    def _views(self) -> Sequence[ipywidgets.Widget]:
        return [FeedView("query-tree", self._feed)]
