"""Conformance suites for what others write: is it what the engine asks for. For tests; needs nothing but numpy."""

from __future__ import annotations

from emb_opt_widgets.testing.executors import EXECUTOR_CHECKS, ExecutorCase, check_executor
from emb_opt_widgets.testing.parts import OPERATOR_CHECKS, SURROGATE_CHECKS, check_operator, check_surrogate
from emb_opt_widgets.testing.sources import SOURCE_CHECKS, VOLATILE_CHECKS, SourceCase, check_source
from emb_opt_widgets.testing.stores import STORE_CHECKS, StoreCase, check_store
from emb_opt_widgets.testing.strategies import PRUNE_CHECKS, UPDATE_CHECKS, check_prune, check_update

__all__ = [
    "EXECUTOR_CHECKS",
    "ExecutorCase",
    "OPERATOR_CHECKS",
    "PRUNE_CHECKS",
    "SOURCE_CHECKS",
    "STORE_CHECKS",
    "SURROGATE_CHECKS",
    "SourceCase",
    "StoreCase",
    "UPDATE_CHECKS",
    "VOLATILE_CHECKS",
    "check_executor",
    "check_operator",
    "check_prune",
    "check_source",
    "check_store",
    "check_surrogate",
    "check_update",
]
