"""The server extension: it shows search files of its root to those who may, and refuses everything else."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.live.store.sqlite import APPLICATION_ID
from tests.lab.conftest import Server


def search_file(path: Path, name: str = "kept") -> Path:
    x = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    with eow.Search(x, lambda items: items.embeddings.sum(1), budget=60, path=path, name=name) as search:
        search.run(progress=False)
    return path


@pytest.fixture(scope="module")
def kept(server: Server) -> Path:
    folder = server.root / "a folder"
    folder.mkdir(exist_ok=True)
    return search_file(folder / "kept.eow", "<b>bold</b>")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search_file(tmp_path_factory.mktemp("outside") / "secret.eow", "secret")


def test_a_file_is_shown(server: Server, kept: Path) -> None:
    status, body = server.file("a folder/kept.eow")
    assert status == 200
    assert body["n_scored"] == 60 and body["budget"] == 60 and body["status"] == "finished"
    assert body["name"] == "<b>bold</b>" and "&lt;b&gt;bold" in body["html"] and "<b>bold" not in body["html"]
    assert "<svg" in body["html"] and "<script" not in body["html"]
    assert "score" in body["functions"]


def test_it_is_not_changed_by_that(server: Server, kept: Path) -> None:
    before = kept.read_bytes(), kept.stat().st_mtime_ns
    server.file("a folder/kept.eow")
    assert (kept.read_bytes(), kept.stat().st_mtime_ns) == before


def test_a_file_that_is_being_written_is_shown_too(server: Server) -> None:
    x = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    path = server.root / "live.eow"
    with eow.Search(x, lambda items: items.embeddings.sum(1), path=path) as search:
        search.run(2, progress=False)
        status, body = server.file("live.eow")
        assert status == 200 and body["n_scored"] == search.n_scored
        search.run(1, progress=False)


@pytest.mark.parametrize("what", ["file/a%20folder/kept.eow", "info"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_strangers_are_refused(server: Server, kept: Path, what: str, token: str) -> None:
    status, body = server.get(f"emb-opt-widgets/api/{what}", token)
    assert status == 403
    assert "n_scored" not in body and "version" not in body


@pytest.mark.parametrize(
    "path",
    [
        "../outside.eow", "a folder/../../secret.eow", "/etc/passwd", "//etc/passwd.eow", "..%2Fsecret.eow",
        "a folder/%2e%2e/%2e%2e/secret.eow", "a folder/./kept.eow", "a folder//kept.eow", "a\\..\\secret.eow",
        "kept.eow\0.eow", "~/secret.eow", "a folder", "no such.eow", "a folder/kept.eow/", ".eow", ".hidden/kept.eow",
    ],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(server: Server, kept: Path, path: str) -> None:
    (server.root / ".hidden").mkdir(exist_ok=True)
    shutil.copy(kept, server.root / ".hidden" / "kept.eow")
    search_file(server.root.parent / "secret.eow") if not (server.root.parent / "secret.eow").exists() else None
    status, body = (
        server.file(path) if "%" not in path else server.get(f"emb-opt-widgets/api/file/{path.replace(' ', '%20')}")
    )
    if path == "a folder/kept.eow/":
        assert status == 200, "as the file browser names it"
        return
    assert status in (400, 404), body
    assert "secret" not in str(body)


def test_raw_traversal_is_refused(server: Server, kept: Path) -> None:
    host, port = server.url.split("/")[2].split(":")
    for path in ("../../secret.eow", "a%20folder/../../../secret.eow", "%00.eow", "x" * 5000 + ".eow"):
        with socket.create_connection((host, int(port)), timeout=20) as raw:
            raw.sendall(
                f"GET /user/x/emb-opt-widgets/api/file/{path} HTTP/1.1\r\nHost: {host}\r\n"
                f"Authorization: token {server.token}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = raw.recv(65536).split(b"\r\n")[0]
        assert answer.split()[1] in (b"400", b"404"), (path, answer)


def test_links_out_of_the_root_are_refused(server: Server, outside: Path) -> None:
    links = server.root / "links"
    links.mkdir()
    (links / "file.eow").symlink_to(outside)
    (links / "folder").symlink_to(outside.parent)
    (links / "loop.eow").symlink_to(links / "loop.eow")
    for path in ("links/file.eow", "links/folder/secret.eow", "links/loop.eow"):
        status, body = server.file(path)
        assert status == 404 and "secret" not in str(body)


def test_a_link_within_the_root_is_followed(server: Server, kept: Path) -> None:
    (server.root / "same.eow").symlink_to(kept)
    assert server.file("same.eow")[0] == 200


def test_a_link_beside_a_file_is_refused(server: Server, outside: Path, kept: Path) -> None:
    shutil.copy(kept, server.root / "copy.eow")
    target = outside.parent / "untouched"
    target.write_bytes(b"as it was")
    (server.root / "copy.eow-shm").symlink_to(target)
    assert server.file("copy.eow")[0] == 404
    assert target.read_bytes() == b"as it was"


def foreign(path: Path, mark: int = 0) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE passwords (secret TEXT)")
    database.execute("INSERT INTO passwords VALUES ('secret')")
    database.execute(f"PRAGMA application_id = {mark}")
    database.commit()
    database.close()


@pytest.mark.parametrize("kind", ["text", "empty", "folder", "fifo", "database", "marked", "cut", "changed", "pickle"])
def test_what_is_not_a_search_is_refused(server: Server, kept: Path, kind: str) -> None:
    path = server.root / f"{kind}.eow"
    match kind:
        case "text":
            path.write_text("secret")
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "database":
            foreign(path)
        case "marked":
            foreign(path, APPLICATION_ID)
        case "cut":
            path.write_bytes(kept.read_bytes()[:5000])
        case "changed":
            shutil.copy(kept, path)
            database = sqlite3.connect(path)
            database.execute("UPDATE events SET body = zeroblob(100000) WHERE seq = 2")
            database.commit()
            database.close()
        case "pickle":
            path.write_bytes(b"\x80\x04\x8c\x02os\x8c\x06system\x93.")
    start = time.monotonic()
    status, body = server.file(path.name)
    assert status in (404, 422), body
    assert "secret" not in str(body) and "Traceback" not in str(body)
    assert time.monotonic() - start < 20


def test_a_file_that_is_too_large_is_refused_at_once(server: Server, kept: Path) -> None:
    path = server.root / "large.eow"
    shutil.copy(kept, path)
    os.truncate(path, 5 * 2**30)
    status, body = server.file("large.eow")
    path.unlink()
    assert status == 422 and "too large" in body["message"]


def test_a_module_in_the_root_is_not_run(server: Server, kept: Path) -> None:
    (server.root / "numpy.py").write_text("open('ran', 'w')")
    (server.root / "sqlite3.py").write_text("open('ran', 'w')")
    try:
        assert server.file("a folder/kept.eow")[0] == 200
        assert not list(server.root.parent.rglob("ran"))
    finally:
        (server.root / "numpy.py").unlink()
        (server.root / "sqlite3.py").unlink()


def test_the_server_answers_others_while_it_reads(server: Server, kept: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        reading = [pool.submit(server.file, "a folder/kept.eow") for _ in range(6)]
        start = time.monotonic()
        assert server.get("emb-opt-widgets/api/info")[0] == 200
        assert time.monotonic() - start < 1.5
        assert all(one.result()[0] == 200 for one in reading)


def test_info(server: Server) -> None:
    status, body = server.get("emb-opt-widgets/api/info")
    assert status == 200 and body["version"] == eow.__version__
    assert set(body["labextensions"]) == {"emb_opt_widgets", "anywidget", "jupyterlab_widgets"}


def test_a_path_is_asked_for_as_the_browser_quotes_it(server: Server) -> None:
    search_file(server.root / "näme & ? #1.eow")
    assert server.get(f"emb-opt-widgets/api/file/{quote('näme & ? #1.eow')}")[0] == 200
