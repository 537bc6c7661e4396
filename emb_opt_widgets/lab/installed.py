"""What is installed in the environment this runs in, as JupyterLab's two sides must agree on it.

The server's environment holds JupyterLab and the extensions of browsers, a kernel's the packages; they may be one.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["LABEXTENSIONS", "labextension", "package", "server_side"]

LABEXTENSIONS = {
    "emb_opt_widgets": "emb_opt_widgets",
    "anywidget": "anywidget",
    "jupyterlab_widgets": "@jupyter-widgets/jupyterlab-manager",
}
"""Package that brings it, and the name under which JupyterLab finds it."""


def package(name: str) -> str | None:
    """A package's version, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def labextension(name: str) -> str | None:
    """The version of a package's extension of JupyterLab where Jupyter's own paths have it, else None."""
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:
        return None
    for folder in jupyter_path("labextensions"):
        file = Path(folder) / LABEXTENSIONS[name] / "package.json"
        try:
            return str(json.loads(file.read_text(encoding="utf-8")).get("version", "?"))
        except (OSError, ValueError):
            continue
    return None


def server_side() -> dict[str, Any]:
    """What the server's environment has."""
    return {
        "version": package("emb_opt_widgets"),
        "python": platform.python_version(),
        "executable": sys.executable,
        "jupyterlab": package("jupyterlab"),
        "jupyter_server": package("jupyter_server"),
        "labextensions": {name: labextension(name) for name in LABEXTENSIONS},
    }
