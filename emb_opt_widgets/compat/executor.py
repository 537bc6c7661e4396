"""Ways to run a function over inputs: one by one, in threads, in processes, or behind a web address."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from emb_opt_widgets.compat.utils import batch_list, unbatch_list
from emb_opt_widgets.errors import FunctionError, MissingDependencyError

__all__ = ["APIExecutor", "Executor", "ProcessExecutor", "ThreadExecutor"]


def plain(value: Any) -> Any:
    """An `Item` or `Query`, a model or one of the engine's views, as a dictionary; anything else as it is."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if hasattr(value, "embedding") and hasattr(value, "data"):
        embedding = value.embedding
        out = {"embedding": embedding.tolist() if hasattr(embedding, "tolist") else embedding, "item": value.item}
        return {"id": value.id, **out, "score": getattr(value, "score", None), "data": value.data}
    return value


class Executor:
    """Batches inputs, calls `function`, and puts the batches' outputs together.

    Args:
        function: From one input to one output, or from a batch to a batch.
        batched: Whether it takes batches.
        batch_size: Inputs per batch; 0: all at once.
    """

    def __init__(self, function: Callable[..., Any], batched: bool, batch_size: int = 1) -> None:
        self.function = function
        self.batched = batched
        self.batch_size = batch_size

    def batch_inputs(self, inputs: Any) -> Any:
        """Inputs in batches, where batches are wanted."""
        return batch_list(inputs, self.batch_size) if self.batched else inputs

    def unbatch_inputs(self, results: Any) -> Any:
        """Outputs out of their batches."""
        return unbatch_list(results) if self.batched else results

    def execute(self, inputs: Any) -> Any:
        """The function's output for each input or batch."""
        return [self.function(i) for i in inputs]

    def __call__(self, inputs: Any) -> Any:
        """Outputs, in the order of the inputs."""
        return self.unbatch_inputs(self.execute(self.batch_inputs(inputs)))


class _PoolExecutor(Executor):
    """What threads and processes have in common: `concurrency` of them, none for 1."""

    _pool: type[Any]

    def __init__(
        self, function: Callable[..., Any], batched: bool, batch_size: int = 1, concurrency: int | None = 1
    ) -> None:
        super().__init__(function, batched, batch_size)
        self.concurrency = concurrency

    def execute(self, inputs: Any) -> Any:
        if self.concurrency is None or self.concurrency == 1 or not len(inputs):
            return super().execute(inputs)
        with self._pool(min(self.concurrency, len(inputs))) as pool:
            return list(pool.map(self.function, inputs))


class ProcessExecutor(_PoolExecutor):
    """Calls `function` in `concurrency` processes; it and its inputs must be picklable."""

    _pool = ProcessPoolExecutor


class ThreadExecutor(_PoolExecutor):
    """Calls `function` in `concurrency` threads."""

    _pool = ThreadPoolExecutor


class APIExecutor(Executor):
    """Posts batches as JSON to `url`, and reads the outputs from its JSON answers.

    Args:
        url: Where a list of inputs is answered by a list of outputs.
        batch_size: Inputs per request, at least 1.
        concurrency: Requests at a time.
    """

    def __init__(self, url: str, batch_size: int = 1, concurrency: int | None = 1) -> None:
        self.url = url
        self.batched = True
        self.concurrency = concurrency
        self.batch_size = max(batch_size, 1)

    async def function(self, inputs: Sequence[Any], semaphore: asyncio.Semaphore) -> Any:
        """The answer to one batch."""
        httpx = _load_httpx()
        async with semaphore, httpx.AsyncClient(timeout=None) as client:
            response = await client.post(self.url, json=[plain(i) for i in inputs])
            if response.is_error:
                raise FunctionError(
                    f"{self.url} refused a batch",
                    expected="a JSON list of responses",
                    got=f"HTTP {response.status_code}: {response.text[:200]}",
                )
            return response.json()

    async def execute_async(self, inputs: Any) -> list[Any]:
        """The answers to all batches, `concurrency` at a time."""
        semaphore = asyncio.Semaphore(self.concurrency or 1)
        return list(await asyncio.gather(*(self.function(i, semaphore) for i in inputs)))

    def execute(self, inputs: Any) -> Any:
        """The answers to all batches; also where an event loop runs already, as in a notebook."""
        answers: list[Any] = []
        problems: list[BaseException] = []

        def work() -> None:
            try:
                answers.extend(asyncio.run(self.execute_async(inputs)))
            except BaseException as error:
                problems.append(error)

        thread = threading.Thread(target=work, name="eow-api")
        thread.start()
        thread.join()
        if problems:
            raise problems[0]
        return answers


def _load_httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingDependencyError("APIExecutor needs httpx", hint="pip install 'emb_opt_widgets[compat]'") from error
    return httpx
