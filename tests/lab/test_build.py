"""What is packed: one version everywhere, the server told of its extension, and no wheel without its JavaScript."""

from __future__ import annotations

import importlib
import json
import re
import runpy
from pathlib import Path

import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.lab.kernel import COMMAND, NEWS

ROOT = Path(__file__).parents[2]
LAB = ROOT / "js" / "lab"


def read(path: str) -> dict:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


def test_one_version():
    assert read("package.json")["version"] == read("js/lab/package.json")["version"] == eow.__version__


def test_the_lock_file_names_no_place_of_ours():
    places = set(re.findall(r'"resolved": "https?://([^/"]+)', (LAB / "package-lock.json").read_text(encoding="utf-8")))
    assert places <= {"registry.npmjs.org"}


def test_the_server_is_told_of_a_module_that_is_an_extension():
    (name,) = read("emb_opt_widgets/lab/config/emb_opt_widgets.json")["ServerApp"]["jpserver_extensions"]
    module = importlib.import_module(name)
    assert module._jupyter_server_extension_points() == [{"module": name}]
    assert callable(module._load_jupyter_server_extension)


def test_shortcuts_are_of_commands_there_are():
    source = (LAB / "src" / "commands.ts").read_text(encoding="utf-8")
    commands = set(re.findall(r'"(emb-opt-widgets:[\w-]+)"', source))
    shortcuts = read("js/lab/schema/searches.json")["jupyter.lab.shortcuts"]
    assert {one["command"] for one in shortcuts} <= commands and len(shortcuts) == 2


def test_both_sides_use_the_same_names():
    source = "".join(path.read_text(encoding="utf-8") for path in (LAB / "src").glob("*.ts"))
    assert f'"{COMMAND}"' in source and f'"{NEWS}"' in source
    showing = importlib.import_module("emb_opt_widgets.widgets.showing")
    assert f'VIEW = "{showing.OURS}"' in source and f'WIDGET = "{showing.WIDGET}"' in source


@pytest.fixture
def hook(tmp_path):
    pytest.importorskip("hatchling")
    made = runpy.run_path(str(ROOT / "hatch_build.py"))["AssetsHook"]
    return made(str(tmp_path), {}, None, None, str(tmp_path), "wheel")


def test_no_wheel_is_made_without_javascript(hook, tmp_path):
    with pytest.raises(FileNotFoundError, match="make build"):
        hook.initialize("standard", {})
    hook.initialize("editable", {})
    (tmp_path / "emb_opt_widgets/widgets/static").mkdir(parents=True)
    (tmp_path / "emb_opt_widgets/widgets/static/x.js").touch()
    with pytest.raises(FileNotFoundError, match="nothing in emb_opt_widgets/labextension:? *"):
        hook.initialize("standard", {})
    (tmp_path / "emb_opt_widgets/labextension/static").mkdir(parents=True)
    (tmp_path / "emb_opt_widgets/labextension/static/remoteEntry.1.js").touch()
    hook.initialize("standard", {})
