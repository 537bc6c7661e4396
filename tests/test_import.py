"""Importing is fast and light; so is making a search of an array."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch", "faiss", "ipywidgets", "anywidget", "bqplot", "pandas", "scipy", "sklearn", "pydantic", "datasets",
    "qdrant_client", "pyarrow",
)  # fmt: skip
TIMED = "import time; t = time.perf_counter(); import emb_opt_widgets; print(time.perf_counter() - t)"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_takes_less_than_300_ms():
    assert min(float(run(TIMED)) for _ in range(5)) < 0.3


@pytest.mark.parametrize(
    "code",
    [
        "import emb_opt_widgets",
        "from emb_opt_widgets import *",
        "import emb_opt_widgets.search, emb_opt_widgets.report, emb_opt_widgets.cli",
    ],
)
def test_import_loads_nothing_heavy(code):
    loaded = run(f"{code}\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert loaded.strip() == "[]"
