"""A real JupyterLab in a real Chromium: servers and pages for the end-to-end tests. Knows nothing of searches."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Lab", "Notebook", "Tab", "chromium", "eventually", "launch", "missing", "serve"]

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
_PATIENCE = 30.0
_QUIET = ("favicon.ico", "Could not restore the debugger state")


def chromium() -> str | None:
    """Where Debian's Chromium is, or None."""
    return next((path for name in _CHROMIUM if (path := shutil.which(name))), None)


def missing() -> str | None:
    """Why there can be no browser tests here; None where there can."""
    absent = [name for name in ("playwright", "jupyterlab", "notebook", "ipykernel") if find_spec(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (pip install 'emb_opt_widgets[test]')"
    return None if chromium() else "there is no Chromium (Debian: apt install chromium)"


@dataclass(frozen=True)
class Lab:
    """A running Jupyter server.

    Attributes:
        url: With the base URL, ending in "/". token: Of this server only.
        root: The folder it serves. app: "lab", or "notebook" for Notebook 7.
    """

    url: str
    token: str
    root: Path
    app: str = "lab"

    def address(self, path: str = "") -> str:
        """The page that opens a file."""
        where = f"lab/tree/{path}" if self.app == "lab" else f"notebooks/{path}"
        return f"{self.url}{where}?token={self.token}&reset"

    def write(self, name: str, cells: Sequence[str | dict[str, Any]], **metadata: Any) -> str:
        """A new notebook of code cells (text) and cells given whole; returns its path."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        whole = [_code(cell, i) if isinstance(cell, str) else cell for i, cell in enumerate(cells)]
        notebook = {
            "cells": whole,
            "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}, **metadata},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(notebook), encoding="utf-8")
        return name


def _code(source: str, number: int) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": f"cell-{number:02}", "metadata": {}, "outputs": [], "execution_count": None,
        "source": source,
    }  # fmt: skip


@contextmanager
def serve(folder: Path, base_url: str = "/", app: str = "lab") -> Iterator[Lab]:
    """A Jupyter server of its own: own port, own configuration, own runtime files; ended on leaving.

    Args:
        folder: A temporary folder; notebooks go into its `root`.
        base_url: As a JupyterHub gives it, e.g. "/user/ann/".
        app: "lab" or "notebook".
    """
    root = folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    environment = _environment(folder)
    port, token = _free_port(), secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab" if app == "lab" else "notebook", "--no-browser", "--allow-root",
        "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}", f"--ServerApp.base_url={base_url}", "--ServerApp.log_level=WARN",
        "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=root, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}{base_url}"
    try:
        _wait_for_server(process, f"{url}api/status?token={token}", folder / "server.log")
        yield Lab(url, token, root, app)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    places = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_DATA_DIR": "data",
        "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }  # fmt: skip
    for name in places.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, value in _SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "JPY_"))}
    return {**kept, **{key: str(folder / name) for key, name in places.items()}, "OMP_NUM_THREADS": "1"}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for_server(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The Jupyter server did not start:\n{log.read_text(errors='replace')[-3000:]}")


@dataclass
class Tab:
    """A page of the browser, and what went wrong on it.

    Attributes:
        page: Playwright's page.
        errors: Console errors and uncaught exceptions, in order.
        requests: Every address the page asked for.
        dialogs: Texts of alerts and the like: none may ever come up.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, context: Any) -> Tab:
        """A new page of a browser context."""
        tab = cls(context.new_page())
        tab.page.set_default_timeout(_PATIENCE * 1000)
        tab.page.on("console", lambda message: tab._hear(message.type, message.text, message.location))
        tab.page.on("pageerror", lambda error: tab.errors.append(f"uncaught: {error}"))
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        tab.page.on("dialog", tab._dialog)
        return tab

    def _hear(self, kind: str, text: str, location: dict[str, Any]) -> None:
        where = str(location.get("url", ""))
        if kind == "error" and not any(quiet in f"{text} {where}" for quiet in _QUIET):
            self.errors.append(f"{text} ({where.rsplit('/', 1)[-1][:80]})")

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def strangers(self, lab: Lab) -> list[str]:
        """Addresses asked for that are not the server's."""
        home = lab.url.split("/", 3)[2]
        return [
            url for url in self.requests
            if url.split(":", 1)[0] in ("http", "https", "ws", "wss") and url.split("/", 3)[2] != home
        ]  # fmt: skip

    def close(self) -> None:
        """Close the page."""
        self.page.close()


class Notebook:
    """A notebook open in a tab, driven through `window.jupyterapp`."""

    def __init__(self, tab: Tab, lab: Lab, path: str) -> None:
        self.tab, self.page, self.lab, self.path = tab, tab.page, lab, path

    def open(self, kernel: bool = True) -> Notebook:
        """Go to the page and wait for the notebook, and for its kernel where it is to have one."""
        self.page.goto(self.lab.address(self.path))
        self.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0")
        if kernel:
            self.page.wait_for_function(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
            )
        return self

    def run(self, index: int, wait: bool = True) -> None:
        """Run a cell; with `wait`, until it is done."""
        self.page.evaluate(
            """async ([index, wait]) => {
                const panel = window.jupyterapp.shell.currentWidget;
                panel.content.activeCellIndex = index;
                const done = window.jupyterapp.commands.execute("notebook:run-cell");
                if (wait) await done;
            }""",
            [index, wait],
        )

    def value(self, expression: str) -> Any:
        """What an expression is in the kernel, as plain JSON values."""
        found = self.page.evaluate(
            """async (code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute(
                    {code: "", silent: false, store_history: false, user_expressions: {value: code}});
                return (await future.done).content.user_expressions.value;
            }""",
            f"__import__('json').dumps({expression})",
        )
        if found["status"] != "ok":
            raise AssertionError(f"{expression}: {found['ename']}: {found['evalue']}")
        text = found["data"]["text/plain"]
        return json.loads(eval(text, {"__builtins__": {}}))

    def execute(self, code: str, wait: bool = True) -> None:
        """Have the kernel execute code beside the notebook's cells."""
        failed = self.page.evaluate(
            """async ([code, wait]) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code, silent: false, store_history: false});
                if (!wait) return null;
                const reply = (await future.done).content;
                return reply.status === "ok" ? null : `${reply.ename}: ${reply.evalue}`;
            }""",
            [code, wait],
        )
        if failed:
            raise AssertionError(failed)

    def until(self, expression: str, timeout: float = _PATIENCE) -> Any:
        """Ask the kernel until an expression is true; its value."""
        return eventually(lambda: self.value(expression), timeout, expression)

    def output(self, index: int) -> Any:
        """The locator of a cell's outputs."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea")

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme: "JupyterLab Light", "JupyterLab Dark" or "JupyterLab Dark High Contrast"."""
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")

    def command(self, name: str, **arguments: Any) -> Any:
        """One of JupyterLab's commands."""
        return self.page.evaluate(
            "async ([name, given]) => { await window.jupyterapp.commands.execute(name, given); }", [name, arguments]
        )

    def save(self) -> dict[str, Any]:
        """Save, and read what was saved."""
        self.command("docmanager:save")
        saved: dict[str, Any] = json.loads((self.lab.root / self.path).read_text(encoding="utf-8"))
        return saved

    def shut_down(self) -> None:
        """End the notebook's kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def eventually(ask: Callable[[], Any], timeout: float = _PATIENCE, what: str = "") -> Any:
    """Ask until the answer is true; it."""
    end = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what or ask}")
        time.sleep(0.05)


def launch(playwright: Any) -> Any:
    """Chromium, with a fresh profile."""
    return playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
