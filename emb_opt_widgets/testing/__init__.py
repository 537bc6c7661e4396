"""Conformance suites for what others write: is it what the engine asks for. For tests; needs nothing but numpy."""

from __future__ import annotations

from emb_opt_widgets.testing.parts import OPERATOR_CHECKS, SURROGATE_CHECKS, check_operator, check_surrogate
from emb_opt_widgets.testing.sources import SOURCE_CHECKS, VOLATILE_CHECKS, SourceCase, check_source

__all__ = [
    "OPERATOR_CHECKS", "SOURCE_CHECKS", "SURROGATE_CHECKS", "VOLATILE_CHECKS", "SourceCase", "check_operator",
    "check_source", "check_surrogate",
]  # fmt: skip
