"""Which part may know which: the layers of the package, read from its imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "emb_opt_widgets"
ROOT = Path(__file__).parents[1] / PACKAGE

LEVEL = {
    "errors": 0, "tables": 0,
    "executors": 0.5,  # where calls run: knows neither items nor searches
    "engine": 1,
    "strategies": 2, "sources": 2, "report": 2,
    "live": 2.5,  # what a search and a training share: it knows neither
    "protocols": 2.5,  # what a person types who extends it: names of the layers below
    "search": 3, "training": 3, "activations": 3,
    "widgets": 4, "lab": 4, "compat": 4, "cli": 4, "testing": 4,
    "__main__": 5, "__init__": 5,
}  # fmt: skip
PEERS = {2, 3, 4}  # levels whose parts do not know one another
MODULE = re.compile(PACKAGE + r"(\.\w+)+")
USES = {"activations": {"training"}, "cli": {"lab"}, "lab": {"widgets"}}  # peers that may know one another
NUMPY_ONLY = {"errors", "engine"}


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Modules imported at run time, anywhere in the file; not those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from imports(other)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            base = node.module or ""
            yield from ((f"{base}.{alias.name}" if base == PACKAGE else base, node.lineno) for alias in node.names)
        else:
            yield from imports(node)


def named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Modules that are named by a string, to be imported later: given to a function, kept under a name, or returned.

    An f-string that begins with the package is filled in from the table in it.
    """
    tables = dict(_tables(tree))
    for node in ast.walk(tree):
        given = isinstance(node, (ast.Assign, ast.Return)) and node.value is not None
        values = node.args if isinstance(node, ast.Call) else [node.value] if given else []
        for value in values:
            if isinstance(value, ast.Constant) and MODULE.fullmatch(str(value.value)):
                yield str(value.value), value.lineno
            elif isinstance(value, ast.JoinedStr) and (text := ast.unparse(value)[2:-1]).startswith(f"{PACKAGE}."):
                table = next((tables[name] for name in tables if name in text), [""])
                yield from (((text.split("{")[0] + part).rstrip("."), value.lineno) for part in table)


def _tables(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and isinstance(node.targets[0], ast.Name):
            values = [v.value for v in node.value.values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
            yield node.targets[0].id, values


def known_to(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """All that a file knows of the package, however it says so."""
    yield from imports(tree)
    yield from named(tree)


def broken_rules(name: str, imported: str) -> str | None:
    mine, theirs = part_of(name), imported.split(".")[0]
    if theirs != PACKAGE:
        if mine in NUMPY_ONLY and theirs not in sys.stdlib_module_names and theirs != "numpy":
            return f"{mine} may use numpy only, not {theirs}"
        return None
    other = part_of(imported)
    if mine == other or mine in ("__init__", "__main__"):
        return None
    if other not in LEVEL:
        return None if other[0].isupper() or other.startswith("as_") else f"{other} has no layer"
    if LEVEL[other] > LEVEL[mine]:
        return f"{mine} (L{LEVEL[mine]}) may not know {other} (L{LEVEL[other]})"
    if LEVEL[other] == LEVEL[mine] in PEERS and other not in USES.get(mine, ()):
        return f"{mine} and {other} are peers"
    return None


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_layers(path):
    name = name_of(path)
    assert part_of(name) in LEVEL, f"{name} has no layer: give it one in LEVEL"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [f"line {line}: {why}" for what, line in known_to(tree) if (why := broken_rules(name, what))]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("emb_opt_widgets.engine.state", "emb_opt_widgets.search"),
        ("emb_opt_widgets.engine.state", "torch"),
        ("emb_opt_widgets.strategies.rl", "emb_opt_widgets.sources.array"),
        ("emb_opt_widgets.sources.array", "emb_opt_widgets.live.store"),
        ("emb_opt_widgets.live.run", "emb_opt_widgets.search.search"),
        ("emb_opt_widgets.live.registry", "emb_opt_widgets.training.loop"),
        ("emb_opt_widgets.training.loop", "emb_opt_widgets.search.settings"),
        ("emb_opt_widgets.activations.space", "emb_opt_widgets.search.search"),
        ("emb_opt_widgets.training.loop", "emb_opt_widgets.activations.tap"),
        ("emb_opt_widgets.live.registry", "emb_opt_widgets.lab.kernel"),
        ("emb_opt_widgets.report.html", "emb_opt_widgets.search.results"),
        ("emb_opt_widgets.search", "emb_opt_widgets.widgets.tree"),
        ("emb_opt_widgets.compat.runner", "emb_opt_widgets.cli"),
        ("emb_opt_widgets.search", "emb_opt_widgets.training.loop"),
        ("emb_opt_widgets.sources.array", "emb_opt_widgets.training.encoding"),
        ("emb_opt_widgets.training.loop", "emb_opt_widgets.widgets.dashboard"),
    ],
)
def test_a_broken_rule_is_seen(name, imported):
    assert broken_rules(name, imported)


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("emb_opt_widgets.engine.state", "numpy"),
        ("emb_opt_widgets.strategies.rl", "emb_opt_widgets.engine.queries"),
        ("emb_opt_widgets.search", "emb_opt_widgets.report"),
        ("emb_opt_widgets.compat.runner", "emb_opt_widgets.search"),
        ("emb_opt_widgets.sources.faiss", "faiss"),
        ("emb_opt_widgets.training.loop", "emb_opt_widgets.live.store.sqlite"),
        ("emb_opt_widgets.activations.reading", "emb_opt_widgets.training"),
        ("emb_opt_widgets.widgets.dashboard", "emb_opt_widgets.training.loop"),
    ],
)
def test_what_is_allowed_is_allowed(name, imported):
    assert broken_rules(name, imported) is None


@pytest.mark.parametrize(
    "text",
    [
        'import importlib\nimportlib.import_module("emb_opt_widgets.lab.kernel")',
        'HOME = "emb_opt_widgets.lab.kernel"',
        'WHERE = {"meet": "lab.kernel"}\n\ndef home(name):\n    return f"emb_opt_widgets.{WHERE[name]}"',
        'def home(name):\n    return f"emb_opt_widgets.lab.{name}"',
    ],
)
def test_an_import_by_string_is_seen(text):
    seen = [what for what, _ in known_to(ast.parse(text))]
    assert any(broken_rules("emb_opt_widgets.live.registry", what) for what in seen)


def test_no_file_is_a_grab_bag():
    assert [p for p in modules() if p.stem in ("utils", "helpers", "manager") and "compat" not in p.parts] == []


def test_the_library_never_prints():
    for path in modules():
        if part_of(name_of(path)) in ("cli", "compat", "testing"):
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls), path
