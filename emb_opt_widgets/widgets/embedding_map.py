"""The scored items on a plane."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import FeedView

__all__ = ["EmbeddingMap"]


class EmbeddingMap(SearchWidget):
    """The scored items and the queries on the plane of their principal components; draw around items to select them.

    Args:
        search: What it shows.
    """

    def _views(self) -> Sequence[ipywidgets.Widget]:
        return [FeedView("embedding-map", self._feed)]
