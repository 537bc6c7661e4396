"""Ray as workers: `executor=ray`, after `ray.init`. Needs `ray`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import ModuleType
from typing import Any

from emb_opt_widgets.errors import InputError, WorkerDied, describe_error
from emb_opt_widgets.executors.call import Call, Reply
from emb_opt_widgets.executors.carried import Parcel, Task, opened
from emb_opt_widgets.executors.futures import GRACE, Spool

__all__ = ["RayWorkers"]


class RayWorkers:
    """The Ray cluster that this process is connected to. A heavy function lies in Ray's object store.

    Args:
        ray: The module.
        again: Made it. Ray starts its workers again by itself.
        options: Of each call, as `ray.remote` takes them (`num_cpus`, `num_gpus`, …).

    Raises:
        InputError: It is not connected.
    """

    def __init__(self, ray: ModuleType, again: Callable[[], ModuleType] | None = None, **options: Any) -> None:
        if not ray.is_initialized():
            raise InputError("Ray is not connected", expected="ray.init() before the search", got="no connection")
        self._ray: Any = ray
        self._spool = Spool()
        self._parcel: Parcel | None = None
        self._kept: Any = None
        self._options = {"max_retries": 0, **options}
        self._run = ray.remote(**self._options)(_run)

    @property
    def workers(self) -> int:
        each = self._options.get("num_cpus", 1) or 1
        return max(1, int(self._ray.cluster_resources().get("CPU", 1) / each))

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        if self._parcel is None or self._parcel.function is not function:
            self._parcel = Parcel(function, held=True)
            self._kept = self._ray.put(self._parcel.data)
        announce = self._spool.announce()
        call = Call(
            peek=announce.seen,
            take_back=lambda: not announce.seen() and self._cancel(made),
            give_up=lambda: self._cancel(made, force=True),
            grace=GRACE,
        )
        task = Task(self._parcel, argument, call, announce, limit)
        made = self._run.remote(self._kept, task.packed())
        future: Future[Any] = made.future()
        future.add_done_callback(lambda done: self._ended(call, done))
        return call

    def remake(self) -> None:
        """Ray starts its workers again by itself."""

    def close(self) -> None:
        self._kept = None
        self._spool.close()

    def _cancel(self, made: Any, force: bool = False) -> bool:
        self._ray.cancel(made, force=force)
        return True

    def _ended(self, call: Call, future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            call.end(opened(future.result()))
        elif isinstance(error, self._ray.exceptions.TaskCancelledError):
            call.end(Reply(error=WorkerDied("Ray dropped the call", suspect=False)))
        elif isinstance(error, (self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.OutOfMemoryError)):
            call.end(Reply(error=WorkerDied(f"its worker died ({type(error).__name__})")))
        elif isinstance(error, self._ray.exceptions.RayError):
            call.end(Reply(error=WorkerDied(describe_error(error))))
        else:
            call.end(Reply(error=error))


def _run(data: bytes, task: Any) -> Any:
    from dataclasses import replace

    return replace(task, route=data)()
