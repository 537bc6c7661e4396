"""Five hundred searches whose score functions answer anything at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ..engine.test_answers import ANYTHING, check_search

pytestmark = pytest.mark.soak


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=ANYTHING)
def test_five_hundred_answers_break_no_search(value: Any) -> None:
    check_search(value)
