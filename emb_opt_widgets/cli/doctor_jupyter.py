"""Jupyter's two sides, as `doctor` sees them: the server's environment, running servers, and the kernels' environments.

It asks every Python that a kernel would start for its versions, and every running server of this person for its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emb_opt_widgets.cli.finding import Finding
from emb_opt_widgets.lab.installed import LABEXTENSIONS, labextension, package

__all__ = ["jupyter_findings", "judge_kernel", "judge_server"]

_ASK = """
import json
from importlib.metadata import PackageNotFoundError, version
def found(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
names = ("emb_opt_widgets", "ipykernel", "ipywidgets", "anywidget", "debugpy")
print(json.dumps({name: found(name) for name in names}))
"""
_SECONDS = 20


def jupyter_findings() -> list[Finding]:
    """What is to be said of Jupyter here."""
    return [*_environment(), *_servers(), *_kernels()]


def _environment() -> Iterator[Finding]:
    """This environment, as a server's."""
    server = package("jupyter_server")
    elsewhere = shutil.which("jupyter")
    if server is None:
        found = "not there" if elsewhere is None else f"not in this environment, but {elsewhere}"
        yield Finding("jupyter server", "absent", found, "pip install 'emb_opt_widgets[lab]'")
        return
    yield Finding("jupyter server", "ok", server)
    for name in LABEXTENSIONS:
        found_here = labextension(name)
        what, state = f"labextension of {name}", "ok" if found_here else "missing"
        todo = "" if found_here else f"pip install {name}, in the server's environment, and reload the page"
        if name == "emb_opt_widgets" and found_here and found_here != package(name):
            state, todo = "missing", f"pip install --force-reinstall emb_opt_widgets=={package(name)}"
        yield Finding(what, state, found_here or "not there", todo)


def _servers() -> Iterator[Finding]:
    """Servers of this person that run now."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir
    except ImportError:
        return
    for file in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
            url, token = str(known["url"]), str(known.get("token", ""))
            status, body = _get(f"{url.rstrip('/')}/emb-opt-widgets/api/info", token)
        except (OSError, ValueError, KeyError):
            continue
        yield judge_server(url, status, body)


def _get(url: str, token: str) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


def judge_server(url: str, status: int, body: Any) -> Finding:
    """What a running server's answer means.

    Args:
        url: Where it is. status: Of HTTP. body: What it has installed, where it answered.
    """
    what, mine = f"running server {url}", package("emb_opt_widgets")
    if status in (401, 403):
        return Finding(what, "absent", "it asks for a password, so its side was not looked at")
    if not isinstance(body, dict):
        todo = "pip install emb_opt_widgets, in the server's environment, and restart it"
        return Finding(what, "missing", "does not know emb_opt_widgets: no panel, no viewer of files", todo)
    theirs, extensions = body.get("version"), body.get("labextensions") or {}
    lacking = [name for name in LABEXTENSIONS if not extensions.get(name)]
    if theirs != mine:
        where = body.get("executable", "python")
        todo = f"{where} -m pip install emb_opt_widgets=={mine}, and restart it"
        return Finding(what, "missing", f"has emb_opt_widgets {theirs}, here is {mine}", todo)
    if lacking:
        todo = f"{body.get('executable', 'python')} -m pip install {' '.join(lacking)}, and reload the page"
        return Finding(what, "missing", f"lacks the labextension of {', '.join(lacking)}", todo)
    return Finding(what, "ok", f"emb_opt_widgets {theirs}, JupyterLab {body.get('jupyterlab')}")


def _kernels() -> Iterator[Finding]:
    """Every kernel that speaks Python."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        return
    specs = KernelSpecManager().get_all_specs()
    for name, known in sorted(specs.items()):
        spec = known["spec"]
        if spec.get("language") == "python" and spec.get("argv"):
            python = _interpreter(spec["argv"][0])
            yield judge_kernel(name, python, _versions(python))


def _interpreter(first: str) -> str:
    """What is started for the first word of a kernel's command: Jupyter takes a bare name for its own Python."""
    own = ("python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return sys.executable if first in own else first


def _versions(python: str) -> dict[str, str | None] | None:
    try:
        ran = subprocess.run([python, "-c", _ASK], capture_output=True, timeout=_SECONDS, check=True)
        answer = json.loads(ran.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return answer if isinstance(answer, dict) else None


def judge_kernel(name: str, python: str, versions: dict[str, str | None] | None) -> Finding:
    """What a kernel's versions mean.

    Args:
        name: The kernel's. python: Its interpreter. versions: By package; None where it did not say.
    """
    what, mine = f"kernel {name}", package("emb_opt_widgets")
    if versions is None:
        return Finding(what, "absent", f"{python} could not be asked")
    theirs = versions.get("emb_opt_widgets")
    install = f"{python} -m pip install"
    if theirs is None:
        return Finding(what, "absent", f"has no emb_opt_widgets ({python})", f"{install} emb_opt_widgets=={mine}")
    lacking = [need for need in ("ipykernel", "ipywidgets", "anywidget") if versions.get(need) is None]
    if lacking:
        return Finding(what, "missing", f"lacks {', '.join(lacking)}", f"{install} {' '.join(lacking)}")
    if theirs != mine:
        todo = f"{install} emb_opt_widgets=={mine}, or the same in the server's environment"
        return Finding(what, "missing", f"has emb_opt_widgets {theirs}, here is {mine}", todo)
    kernel = str(versions["ipykernel"])
    subshells = int(kernel.split(".")[0]) >= 7
    says = f"emb_opt_widgets {theirs}, ipykernel {kernel} ({'' if subshells else 'no '}subshells)"
    if versions.get("debugpy") is None:
        busy = "answers the panel while a cell runs" if subshells else "does not answer the panel while a cell runs"
        return Finding(what, "ok" if subshells else "missing", f"{says}; {busy}", f"{install} debugpy")
    return Finding(what, "ok", f"{says}; answers the panel while a cell runs")
