"""Everything about a training in one panel: what displaying a training shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.widgets.base import LiveWidget
from emb_opt_widgets.widgets.bundle import FeedView

__all__ = ["TrainingDashboard"]


class TrainingDashboard(LiveWidget):
    """State and controls on top; loss, recall, staleness with learning rate, and cache ages; events below.

    Args:
        training: What it shows.

    Raises:
        InputError: `training` is no training.
        StateError: The front end is not built.
    """

    def __init__(self, training: Any) -> None:
        from emb_opt_widgets.training import Training

        if not isinstance(training, Training):
            raise InputError(
                "TrainingDashboard shows a training",
                expected="a Training",
                got=type(training).__name__,
                hint="Make one with eow.training.Training(query_net, doc_net, data)",
            )
        super().__init__(training)

    def _views(self) -> Sequence[ipywidgets.Widget]:
        return [FeedView("training", self._feed)]

    def _classes(self) -> Sequence[str]:
        return ("eow-training-dashboard",)

    @property
    def training(self) -> Any:
        """What it shows."""
        return self._subject
