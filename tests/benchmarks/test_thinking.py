"""What thinking costs is measured."""

from __future__ import annotations

from benchmarks.thinking import thinking


def test_thinking_is_measured() -> None:
    cost, stretch = thinking(600, 4, 40, 30)
    assert 0 < cost.value < 1000 and 0 < stretch.value < 60_000
    assert "from 40 to 70" in cost.detail
