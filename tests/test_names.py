"""The public names, and that what README says runs as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import emb_opt_widgets as eow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

NAMES = {
    "emb_opt_widgets": [
        "Activity", "BestItem", "Calls", "Cost", "DamagedFileError", "EmbOptError", "Fatal", "FileError",
        "FileInUseError", "FunctionError", "GradientQueries", "InputError", "Item", "Items", "MissingDependencyError",
        "NewerFileError", "Notice", "QueryTree", "RLUpdate",
        "Results", "RetryLater", "RunStatus", "Search", "SearchStatus", "StateError",
        "SurrogateUpdate", "TopKContinuousUpdate", "TopKDiscreteUpdate", "TopKPrune", "UnknownNodeError", "Until",
        "as_source", "load", "register", "replay",
    ],
    "emb_opt_widgets.executors": [
        "Call", "FutureWorkers", "Inline", "Reply", "Threads", "Workers", "as_workers",
    ],
    "emb_opt_widgets.sources": [
        "ArraySource", "FaissSource", "GenerativeSource", "HuggingFaceSource", "QdrantSource", "as_source",
        "differentiable",
    ],
    "emb_opt_widgets.strategies": [
        "Around", "Between", "Blend", "BoTorchSurrogate", "CompositeFilter", "CompositeScore", "Coverage", "Explore",
        "Gradient", "GradientQueries", "Kernel", "LatentUpdate", "LearnedMetric", "Linear", "Neighbours", "Only",
        "Portfolio", "RLUpdate", "SklearnSurrogate", "Spread", "SurrogateUpdate", "TopKContinuousUpdate",
        "TopKDiscreteUpdate", "TopKPrune", "Uniform",
    ],
    "emb_opt_widgets.report": ["Report", "search_summary", "write_page", "write_report"],
    "emb_opt_widgets.cli": ["main"],
    "emb_opt_widgets.widgets": [
        "ControlPanel", "Dashboard", "EmbeddingMap", "EventLog", "QueryTreeView", "ResultsTable", "ScoreHistogram",
        "ScoreTrace", "TrainingDashboard",
    ],
    "emb_opt_widgets.training": [
        "CacheLoss", "CacheLossOutput", "FrequencyEstimator", "GumbelMax", "HardNegatives", "MaxScore",
        "NegativeCache", "RankingMetrics", "Retrieval", "RetrievalLoss", "SentenceLoss",
        "SentenceTower", "ShardedCacheLoss", "Temperature",
        "TopKAccuracy", "Training", "encode", "encoded_source", "load", "mine_hard_negatives",
    ],
    "emb_opt_widgets.activations": [
        "Space", "Steered", "Tap", "contrastive_mean", "from_steering_vector", "layers", "logistic_direction",
        "principal_direction", "starts", "to_steering_vector",
    ],
}  # fmt: skip
SEARCH = (
    "run start pause resume step stop wait wait_async branch prune_node restore undo redo set ask tell results best "
    "tree events status reason activity notices subscribe n_scored n_rounds to_html"
).split()


@pytest.mark.parametrize("module", NAMES)
def test_all(module):
    imported = __import__(module, fromlist=["__all__"])
    assert sorted(imported.__all__) == sorted(NAMES[module])
    for name in imported.__all__:
        assert getattr(imported, name) is not None
        assert name in dir(imported)


def test_a_search_has_what_the_contract_names():
    assert [name for name in SEARCH if not hasattr(eow.Search, name)] == []


def test_one_version():
    import json

    assert eow.__version__ == json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["version"]


def test_readme_example_runs(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.S))
    assert code.count("eow.Search(") == 5
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_readme_names_are_there():
    names = set(re.findall(r"`(?:eow\.)?([A-Z][A-Za-z]+)(?:\([^`]*\))?`", README))
    assert {"ArraySource", "RLUpdate"} & names
    rooms = (eow, eow.sources, eow.strategies, eow.widgets, eow.training, eow.activations)
    missing = [n for n in names if not any(hasattr(room, n) for room in rooms)]
    assert missing == []


def test_readme_files_and_targets_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make (\w+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for path in re.findall(r"\((notebooks/[^)]+)\)|pytest (tests/[\w/.]+)", README):
        assert (ROOT / "".join(path)).exists(), path


def test_modules_are_modules():
    assert isinstance(eow.strategies, types.ModuleType)
    with pytest.raises(AttributeError):
        _ = eow.no_such_name
