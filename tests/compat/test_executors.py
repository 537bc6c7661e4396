"""Executors, and one behind a real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.compat.data_source import NumpyDataPlugin
from emb_opt_widgets.compat.executor import APIExecutor, Executor, ProcessExecutor, ThreadExecutor
from emb_opt_widgets.compat.runner import Runner
from emb_opt_widgets.compat.schemas import Item
from emb_opt_widgets.compat.update import RLUpdate
from emb_opt_widgets.compat.utils import build_batch_from_embeddings


def double(value: int) -> int:
    return 2 * value


def doubles(values: list[int]) -> list[int]:
    return [2 * value for value in values]


def first(item: Any) -> dict[str, Any]:
    return {"valid": True, "score": float(item.embedding[0]), "data": None}


@pytest.mark.parametrize("kind", [Executor, ThreadExecutor, ProcessExecutor])
@pytest.mark.parametrize(("batched", "size"), [(False, 1), (True, 1), (True, 3), (True, 0)])
def test_outputs_are_in_order(kind: Any, batched: bool, size: int) -> None:
    more = {} if kind is Executor else {"concurrency": 2}
    executor = kind(doubles if batched else double, batched=batched, batch_size=size, **more)
    assert executor(list(range(7))) == [2 * i for i in range(7)]
    if size:
        assert executor([]) == []


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.sizes.append(len(asked))  # type: ignore[attr-defined]
        answer = [{"valid": True, "score": item["embedding"][0], "data": {"name": item["item"]}} for item in asked]
        body = json.dumps(answer).encode()
        self.send_response(200 if self.path == "/score" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.sizes = []  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def things(n: int = 5) -> list[Item]:
    return [Item.from_minimal(i, f"thing {i}", [float(i), 0.0]) for i in range(n)]


def test_api_posts_models_and_dictionaries(server: Any) -> None:
    executor = APIExecutor(f"{server.url}/score", batch_size=2, concurrency=2)
    answers = executor(things())
    assert [answer["score"] for answer in answers] == [0, 1, 2, 3, 4]
    assert sorted(server.sizes) == [1, 2, 2]
    assert executor([item.model_dump() for item in things()]) == answers


def test_api_inside_a_running_loop(server: Any) -> None:
    async def notebook() -> Any:
        return APIExecutor(f"{server.url}/score")(things(2))

    assert len(asyncio.run(notebook())) == 2


def test_api_errors_are_errors(server: Any) -> None:
    with pytest.raises(eow.FunctionError, match="HTTP 500"):
        APIExecutor(f"{server.url}/nothing")(things())


@pytest.mark.parametrize("make", ["threads", "processes", "api"])
def test_as_score_function(server: Any, make: str) -> None:
    score: Any = {
        "threads": lambda: ThreadExecutor(first, batched=False, concurrency=2),
        "processes": lambda: ProcessExecutor(first, batched=False, concurrency=2),
        "api": lambda: APIExecutor(f"{server.url}/score", batch_size=4),
    }[make]()
    vectors = np.random.default_rng(0).standard_normal((30, 2))
    rows = [{"id": i, "name": str(i)} for i in range(30)]
    data = NumpyDataPlugin(5, vectors, rows, "id", "name")
    _, log = Runner(data, None, score, None, RLUpdate([0.5], 0)).search(
        build_batch_from_embeddings(vectors[:2]), 3, verbose=False
    )
    results = log.compile_results()
    assert results and all(result["score"] == pytest.approx(vectors[result["id"], 0]) for result in results)
    search = eow.Search(vectors, score, k=5, queries=2, update=eow.RLUpdate([0.5]))
    assert len(search.run(2, progress=False)) > 5


def test_dataset_executor() -> None:
    datasets = pytest.importorskip("datasets")
    from emb_opt_widgets.compat.plugins.huggingface import DatasetExecutor

    datasets.disable_progress_bars()

    def row(item: dict[str, Any]) -> dict[str, Any]:
        return {"valid": True, "score": item["embedding"][0], "data": None}

    answers = DatasetExecutor(row, batched=False, concurrency=None)(things())
    assert [answer["score"] for answer in answers] == [0, 1, 2, 3, 4]
