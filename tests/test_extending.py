"""docs/extending.md is run as it stands, and its parts are as short as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
PARTS = [block for block in BLOCKS if "class " in block]


def test_every_block_runs(tmp_path):
    pytest.importorskip("sklearn")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(BLOCKS)],
        cwd=tmp_path, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Search 'search'" in done.stdout


@pytest.mark.parametrize("block", PARTS, ids=lambda block: re.findall(r"class (\w+)", block)[-1])
def test_each_part_is_short_and_of_public_names(block):
    assert len([line for line in block.splitlines() if line.strip()]) <= 25
    ours = re.findall(r"(?:from|import) (emb_opt_widgets[\w.]*)", block)
    public = {"emb_opt_widgets", *(f"emb_opt_widgets.{name}" for name in ("protocols", "testing", "strategies"))}
    assert set(ours) <= public


def test_there_is_one_of_each():
    assert len(PARTS) == 4
