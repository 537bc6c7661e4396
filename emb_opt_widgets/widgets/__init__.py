"""Live views in a notebook; each takes the search. `Dashboard` is what displaying a search shows, `TrainingDashboard`
what displaying a training shows.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emb_opt_widgets.widgets.control_panel import ControlPanel
    from emb_opt_widgets.widgets.dashboard import Dashboard
    from emb_opt_widgets.widgets.embedding_map import EmbeddingMap
    from emb_opt_widgets.widgets.event_log import EventLog
    from emb_opt_widgets.widgets.query_tree import QueryTreeView
    from emb_opt_widgets.widgets.results_table import ResultsTable
    from emb_opt_widgets.widgets.score_histogram import ScoreHistogram
    from emb_opt_widgets.widgets.score_trace import ScoreTrace
    from emb_opt_widgets.widgets.training_view import TrainingDashboard

_WHERE = {
    "ControlPanel": "control_panel",
    "Dashboard": "dashboard",
    "EmbeddingMap": "embedding_map",
    "EventLog": "event_log",
    "QueryTreeView": "query_tree",
    "ResultsTable": "results_table",
    "ScoreHistogram": "score_histogram",
    "ScoreTrace": "score_trace",
    "TrainingDashboard": "training_view",
}

__all__ = [
    "ControlPanel",
    "Dashboard",
    "EmbeddingMap",
    "EventLog",
    "QueryTreeView",
    "ResultsTable",
    "ScoreHistogram",
    "ScoreTrace",
    "TrainingDashboard",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'emb_opt_widgets.widgets' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"emb_opt_widgets.widgets.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
