"""A log's search in the engine: `Runner`'s modules as the parts of its rounds, and what became of every item."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.build import bare_item, bare_query, lineage, query_id
from emb_opt_widgets.compat.data_source import DataPluginGradWrapper, DataSourceModule, NumpyDataPlugin
from emb_opt_widgets.compat.prune import PruneModule
from emb_opt_widgets.compat.proposed import Proposed
from emb_opt_widgets.compat.rounds import Round, Told
from emb_opt_widgets.compat.schemas import Batch, Item
from emb_opt_widgets.compat.strategies import as_pruner
from emb_opt_widgets.compat.table import Table
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.calls import Caller, CallPolicy
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.rounds import Gather, Parts, run_round
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.view import SearchView, queries_of
from emb_opt_widgets.errors import FunctionError, StateError

if TYPE_CHECKING:
    from emb_opt_widgets.compat.runner import Runner

__all__ = ["Session"]

Array = npt.NDArray[Any]


def _column_plugin(function: Any) -> Any:
    """One of our data plugins, which answer in columns; None for anything else, and what is derived from them."""
    for cls in (NumpyDataPlugin,):
        if type(function) is cls:
            return function
    for name in ("faiss.FaissDataPlugin", "huggingface.HugggingfaceDataPlugin", "qdrant.QdrantDataPlugin"):
        module, cls_name = name.split(".")
        loaded = sys.modules.get(f"emb_opt_widgets.compat.plugins.{module}")
        if loaded is not None and type(function) is getattr(loaded, cls_name):
            return function
    return None


def _modules(runner: Runner) -> list[tuple[Any, Any]]:
    return [(type(m), m.function) for m in (runner.data_module, runner.filter_module, runner.score_module)]
