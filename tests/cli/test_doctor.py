"""What `doctor` says of Jupyter's two sides."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.cli.doctor_jupyter import judge_kernel, judge_server
from emb_opt_widgets.lab.installed import LABEXTENSIONS

WHOLE = {
    "emb_opt_widgets": eow.__version__,
    "ipykernel": "7.4.0",
    "ipywidgets": "8",
    "anywidget": "0.11",
    "debugpy": "1",
}


@pytest.mark.parametrize(
    ("versions", "state", "says"),
    [
        (None, "absent", "could not be asked"),
        (dict.fromkeys(WHOLE), "absent", "/py -m pip install emb_opt_widgets=="),
        ({**WHOLE, "emb_opt_widgets": "0.0.1"}, "missing", f"here is {eow.__version__}"),
        ({**WHOLE, "anywidget": None}, "missing", "/py -m pip install anywidget"),
        ({**WHOLE, "ipykernel": "6.31.0", "debugpy": None}, "missing", "does not answer the panel while a cell runs"),
        ({**WHOLE, "ipykernel": "6.31.0"}, "ok", "no subshells"),
        ({**WHOLE, "debugpy": None}, "ok", "(subshells)"),
        (WHOLE, "ok", "answers the panel while a cell runs"),
    ],
)
def test_a_kernel(versions: dict[str, str | None] | None, state: str, says: str) -> None:
    found = judge_kernel("k", "/py", versions)
    assert found.state == state
    assert says in f"{found.found} {found.todo}"
    assert found.todo or state != "missing"


SERVER = {
    "version": eow.__version__,
    "jupyterlab": "4.6",
    "executable": "/sp",
    "labextensions": dict.fromkeys(LABEXTENSIONS, "1"),
}


@pytest.mark.parametrize(
    ("status", "body", "state", "says"),
    [
        (200, SERVER, "ok", "JupyterLab 4.6"),
        (404, None, "missing", "pip install emb_opt_widgets, in the server's environment"),
        (403, {"message": "Forbidden"}, "absent", "password"),
        (200, {**SERVER, "version": "0.0.1"}, "missing", "/sp -m pip install emb_opt_widgets=="),
        (
            200,
            {**SERVER, "labextensions": {**SERVER["labextensions"], "anywidget": None}},
            "missing",
            "pip install anywidget",
        ),
    ],
)
def test_a_server(status: int, body: Any, state: str, says: str) -> None:
    found = judge_server("http://here/", status, body)
    assert found.state == state
    assert says in f"{found.found} {found.todo}"


class OldServer(BaseHTTPRequestHandler):
    """A Jupyter server that has never heard of us."""

    asked: list[tuple[str, str | None]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def old_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), OldServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/user/x/"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(os.name == "nt", reason="a kernel that is a shell script")
def test_it_asks_the_kernels_and_the_servers_there_are(tmp_path: Path, old_server: str) -> None:
    pytest.importorskip("jupyter_client")
    python = tmp_path / "old-python"
    python.write_text(f"#!/bin/sh\necho '{json.dumps({**WHOLE, 'emb_opt_widgets': '0.0.1'})}'\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    kernel = tmp_path / "data" / "kernels" / "old" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": [str(python), "-m", "x"], "display_name": "old", "language": "python"}))
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "jpserver-1.json").write_text(json.dumps({"url": old_server, "token": "abc", "pid": 1}))
    (runtime / "jpserver-2.json").write_text(json.dumps({"url": "http://127.0.0.1:9/", "token": ""}))
    (runtime / "jpserver-3.json").write_text("{")
    where = {"JUPYTER_DATA_DIR": str(tmp_path / "data"), "JUPYTER_RUNTIME_DIR": str(runtime)}
    ran = subprocess.run(
        [sys.executable, "-m", "emb_opt_widgets", "doctor", "--json"],
        env={**os.environ, **where}, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    found = {one["what"]: one for one in json.loads(ran.stdout)}
    assert ran.returncode == 1
    assert found["kernel old"]["state"] == "missing" and "0.0.1" in found["kernel old"]["found"]
    assert found[f"running server {old_server}"]["state"] == "missing"
    assert not any("127.0.0.1:9/" in what for what in found)
    assert OldServer.asked == [("/user/x/emb-opt-widgets/api/info", "token abc")]
