"""Conformance suites for what others write: is it what the engine asks for. For tests; needs nothing but numpy."""

from __future__ import annotations

from emb_opt_widgets.testing.sources import SOURCE_CHECKS, VOLATILE_CHECKS, SourceCase, check_source

__all__ = ["SOURCE_CHECKS", "VOLATILE_CHECKS", "SourceCase", "check_source"]
