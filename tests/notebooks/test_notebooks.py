"""Every notebook runs from top to bottom. `EOW_NOTEBOOKS=full` runs them at full size and keeps the outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FULL = os.environ.get("EOW_NOTEBOOKS") == "full"


def run(path, folder, monkeypatch):
    if not FULL:
        monkeypatch.setenv("EOW_SMOKE", "1")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def text(notebook):
    return "".join(
        str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS] == [
        "01_first_search.ipynb",
        "02_from_emb_opt.ipynb",
        "03_live_search.ipynb",
        "04_train_and_search.ipynb",
        "05_async_scoring.ipynb",
        "09_steering_a_language_model.ipynb",
        "10_a_latent_space_of_pictures.ipynb",
    ]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    notebook = run(path, tmp_path, monkeypatch)
    assert any(cell.get("outputs") for cell in notebook.cells)
    if FULL:
        out = ROOT / "out" / "notebooks"
        out.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, out / path.name)
    if FULL and path.stem == "02_from_emb_opt":
        assert "186 items found" in text(notebook)
        assert "recall at (1, 5, 10, 50): [1.0, 0.4, 0.4, 0.2]" in text(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
