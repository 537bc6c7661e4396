"""Conformance suites for what others write: is it what the engine asks for. For tests; needs nothing but numpy."""

from __future__ import annotations

from emb_opt_widgets.testing.executors import EXECUTOR_CHECKS, ExecutorCase, check_executor
from emb_opt_widgets.testing.parts import OPERATOR_CHECKS, SURROGATE_CHECKS, check_operator, check_surrogate
from emb_opt_widgets.testing.sources import SOURCE_CHECKS, VOLATILE_CHECKS, SourceCase, check_source

__all__ = [
    "EXECUTOR_CHECKS", "OPERATOR_CHECKS", "SOURCE_CHECKS", "SURROGATE_CHECKS", "VOLATILE_CHECKS", "ExecutorCase",
    "SourceCase", "check_executor", "check_operator", "check_source", "check_surrogate",
]  # fmt: skip
