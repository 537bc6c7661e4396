"""A real Jupyter server, without a browser."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Server:
    """A server that runs: where it is, the folder it serves, and its token."""

    url: str
    root: Path
    token: str

    def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """Status and body (JSON where it is) of an answer; `token=""` asks as a stranger."""
        request = urllib.request.Request(f"{self.url}{path}")
        if token is None or token:
            request.add_header("Authorization", f"token {self.token if token is None else token}")
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body.decode(errors="replace")

    def file(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """The view of a file."""
        return self.get(f"emb-opt-widgets/api/file/{urllib.parse.quote(path)}", token)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("jupyter_server")
    folder = tmp_path_factory.mktemp("server")
    root, token = folder / "root", secrets.token_hex(16)
    root.mkdir()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}",
        "--ServerApp.base_url=/user/x/", "--ServerApp.jpserver_extensions={'emb_opt_widgets.lab': True}",
    ]  # fmt: skip
    places = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "RUNTIME", "DATA")}
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **places}, cwd=root, stdout=log, stderr=log)
    made = Server(f"http://127.0.0.1:{port}/user/x/", root, token)
    try:
        _wait_for(made, process, folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if server.get("api/status")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-3000:]}")
