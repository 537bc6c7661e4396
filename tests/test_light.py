"""Without PyTorch: what does not need it works, what needs it says what to type; no benchmarks in what is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emb_opt_widgets import training
from emb_opt_widgets.cli import bench, main

ROOT = Path(__file__).parents[1]
BLOCKED = "import sys; sys.modules['torch'] = None\nimport numpy as np, emb_opt_widgets as eow\nx = np.eye(6, 4)\n"
SAID = """
try:
    {code}
except eow.MissingDependencyError as error:
    print(error)
"""


def without_torch(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("eow.training.NegativeCache", "training"),
        ("from emb_opt_widgets.training import NegativeCache", "training"),
        ("eow.activations.Tap", "torch"),
        ("from emb_opt_widgets.activations import layers", "torch"),
        ("eow.widgets.TrainingDashboard(None)", "training"),
        ("eow.sources.ArraySource(x, device='cuda')", "torch"),
    ],
)
def test_what_needs_torch_names_the_line_to_type(code, extra):
    said = without_torch(SAID.format(code=code))
    assert "needs torch" in said and f"pip install 'emb_opt_widgets[{extra}]'" in said


def test_so_does_every_name_of_training():
    said = without_torch("".join(SAID.format(code=f"eow.training.{name}") for name in training.__all__))
    assert said.count("pip install 'emb_opt_widgets[training]'") == len(training.__all__)


@pytest.mark.parametrize(
    "code",
    [
        "s = eow.Search(x, lambda b: b.embeddings.sum(1), budget=5); s.run(progress=False); s.to_html('{page}')",
        "s = eow.Search(x, lambda b: b.embeddings.sum(1), update=eow.GradientQueries(eow.RLUpdate([.1]), [.1]))\n"
        "s.run(2, progress=False)",
        "[getattr(eow, name) for name in (*eow.__all__, 'strategies', 'sources', 'testing', 'compat', 'training')]",
        "eow.activations.__all__",
        "[getattr(eow.widgets, name) for name in eow.widgets.__all__]",
        "import emb_opt_widgets.compat.runner, emb_opt_widgets.compat.update, emb_opt_widgets.compat.plugins.faiss",
    ],
)
def test_what_needs_no_torch_works_without_it(code, tmp_path):
    without_torch(code.replace("{page}", str(tmp_path / "page.html")) + "\nassert sys.modules['torch'] is None")


def test_bench_says_where_it_runs(monkeypatch, capsys):
    assert bench.checkout() == ROOT
    monkeypatch.setattr(bench, "checkout", lambda: None)
    assert main(["bench", "rounds"]) == 1
    said = capsys.readouterr().err
    assert "from a checkout" in said and "make bench" in said


def test_building_installs_no_torch():
    dry = subprocess.run(
        ["make", "-n", "build", "VENV=not-made", "BUILDING=not-made-either"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert dry.returncode == 0, dry.stderr
    assert "-m build" in dry.stdout and "torch" not in dry.stdout and "not-made/" not in dry.stdout
