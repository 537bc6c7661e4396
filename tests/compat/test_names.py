"""The names are emb_opt's, and importing them costs what is said."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

MODULES = (
    "schemas", "utils", "executor", "module", "data_source", "filter", "score", "prune", "update", "log", "runner",
    "plugins.faiss", "plugins.huggingface", "plugins.qdrant",
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_all_names_and_their_parameters(module: str) -> None:
    pytest.importorskip("emb_opt", reason="emb_opt 1.0.2, the reference, is not installed")
    theirs = import_module(f"emb_opt.{module}")
    ours = import_module(f"emb_opt_widgets.compat.{module}")
    assert set(theirs.__all__) == set(ours.__all__)
    for name in theirs.__all__:
        one, other = getattr(theirs, name), getattr(ours, name)
        if not inspect.isclass(one):
            if inspect.isfunction(one):
                assert parameters(one) == parameters(other), name
            continue
        for member, function in vars(one).items():
            own = inspect.isfunction(function) and "pydantic" not in function.__module__
            if own and not member.startswith("_fill"):
                assert parameters(function) == parameters(getattr(other, member)), f"{name}.{member}"
        if hasattr(one, "model_fields"):
            assert list(one.model_fields) == list(other.model_fields), name


def parameters(function: object) -> list[tuple[str, object]]:
    given = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(p.name, p.default) for p in given]


def test_imports_offers_what_theirs_does() -> None:
    emb_opt = pytest.importorskip("emb_opt.imports", reason="emb_opt 1.0.2, the reference, is not installed")
    ours = import_module("emb_opt_widgets.compat.imports")
    assert {name for name in vars(emb_opt) if not name.startswith("_")} <= set(ours.__all__)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_itself_is_light() -> None:
    heavy = "pydantic", "scipy", "torch", "faiss", "datasets", "httpx", "qdrant_client"
    code = f"import sys, emb_opt_widgets.compat; print([m for m in {heavy!r} if m in sys.modules])"
    assert run(code).strip() == "[]"


def test_the_runner_needs_no_store_and_no_client() -> None:
    heavy = "torch", "faiss", "datasets", "httpx", "qdrant_client"
    code = (
        "import sys, emb_opt_widgets.compat.runner, emb_opt_widgets.compat.plugins.faiss, "
        "emb_opt_widgets.compat.plugins.huggingface, emb_opt_widgets.compat.plugins.qdrant; "
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    assert run(code).strip() == "[]"


@pytest.mark.parametrize("module", ["schemas", "runner", "imports"])
def test_without_pydantic_there_is_an_install_line(module: str) -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from emb_opt_widgets.errors import MissingDependencyError\n"
        f"try:\n    import emb_opt_widgets.compat.{module}\n"
        "except MissingDependencyError as error:\n    print(error)"
    )
    assert "pip install 'emb_opt_widgets[compat]'" in run(code)


def test_modules_are_found_as_attributes() -> None:
    import emb_opt_widgets as eow

    assert eow.compat.runner.Runner is import_module("emb_opt_widgets.compat.runner").Runner
    with pytest.raises(AttributeError):
        _ = eow.compat.nothing
