"""`emb-opt-widgets doctor`: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from typing import Any

from emb_opt_widgets.cli.doctor_jupyter import jupyter_findings
from emb_opt_widgets.cli.finding import Finding
from emb_opt_widgets.lab.installed import package

__all__ = ["act", "add_to", "findings", "own_version"]

_NEEDED = ("numpy", "tqdm", "faiss-cpu", "ipywidgets", "anywidget", "bqplot")
_OPTIONAL = {
    "torch": ("vectors on a GPU, emb_opt_widgets.training", "torch"),
    "safetensors": ("trainings kept in a file", "training"),
    "pandas": ("Results.to_pandas()", "pandas"),
    "pyarrow": ("Results.to_parquet(), export --parquet", "parquet"),
    "datasets": ("HuggingFaceSource", "huggingface"),
    "qdrant-client": ("QdrantSource", "qdrant"),
    "pydantic": ("emb_opt_widgets.compat", "compat"),
    "scipy": ("emb_opt_widgets.compat", "compat"),
    "httpx": ("emb_opt_widgets.compat", "compat"),
    "scikit-learn": ("emb-opt-widgets demo", "demo"),
    "jupyterlab": ("the notebooks", "lab"),
}


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor",
        help="what is installed here, and what is missing",
        description="Versions, the device, optional backends and Jupyter as this Python sees them, with the line that "
        "installs what is missing. Exits with 1 where something needed is missing.",
        epilog="It looks at this environment, at the Python of every kernel and at the servers that run: where all are "
        "on one machine, once is enough.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(act=act)


def act(given: argparse.Namespace) -> int:
    """Run it."""
    found = findings()
    if given.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        wide = max(len(finding.what) for finding in found)
        marks = {"ok": "✓", "missing": "✗", "absent": "·"}
        for finding in found:
            todo = f"  → {finding.todo}" if finding.todo else ""
            print(f"{marks[finding.state]} {finding.what:<{wide}}  {finding.found}{todo}")
        print("\n✓ there   · optional, not there   ✗ needed, and not there")
    return int(any(finding.state == "missing" for finding in found))


def findings() -> list[Finding]:
    """Everything that is looked at."""
    out = [
        Finding("emb_opt_widgets", "ok", own_version()),
        Finding("python", "ok", f"{platform.python_version()} ({sys.executable})"),
        Finding("system", "ok", platform.platform()),
    ]
    for name in _NEEDED:
        there = package(name)
        state, todo = ("ok", "") if there else ("missing", f"pip install {name}")
        out.append(Finding(name, state, there or "not there", todo))
    out.append(_device())
    for name, (use, extra) in _OPTIONAL.items():
        there = package(name)
        todo = "" if there else f"pip install 'emb_opt_widgets[{extra}]'"
        out.append(Finding(name, "ok" if there else "absent", f"{there or 'not there'} (for {use})", todo))
    return [*out, *jupyter_findings()]


def own_version() -> str:
    """This package's version, as it was installed."""
    return package("emb_opt_widgets") or "not installed: run from its folder"


def _device() -> Finding:
    if package("torch") is None:
        return Finding("device", "absent", "torch is not there")
    try:
        import torch
    except Exception as error:
        problem = f"torch does not load ({type(error).__name__}: {error})"
        return Finding("device", "missing", problem, "pip install 'emb_opt_widgets[torch]'")
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("device", "ok", f"cuda {torch.version.cuda}: {names}")
    if torch.backends.mps.is_available():
        return Finding("device", "ok", "mps")
    return Finding("device", "ok", f"cpu, {torch.get_num_threads()} threads")
