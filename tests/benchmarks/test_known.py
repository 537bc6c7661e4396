"""`bench known`: what measurements from before are worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.command import main


def test_known_measurements_raise_what_is_found_and_cost_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).normal(size=(3000, 6)).astype(np.float32)
    np.savez(tmp_path / "plane.npz", X=x, y=np.sin(x[:, 0]) + 0.5 * x[:, 1])
    assert main(["known", str(tmp_path / "plane.npz"), "--seeds", "2", "--strict"]) == 0
    assert "reached  plane: recall with 300 known measurements" in capsys.readouterr().out
