"""A submitit executor as workers: a job a call, on a cluster or on this machine. Needs `submitit`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from submitit import Executor, Job
from submitit.core.utils import FailedJobError, UncompletedJobError

from emb_opt_widgets.errors import WorkerDied, describe_error
from emb_opt_widgets.executors.call import Call, Reply
from emb_opt_widgets.executors.carried import FileAnnounce, Parcel, Task, opened

__all__ = ["SubmititWorkers"]

_LOOK = 0.1
_GRACE = 10.0
_ELSEWHERE = 64


class SubmititWorkers:
    """Jobs of a submitit executor. What workers need lies in the executor's own folder, which its jobs see.

    Args:
        executor: A `LocalExecutor`, `SlurmExecutor` or `AutoExecutor`.
        again: Makes another; not needed, since jobs do not share a process that could die.
    """

    def __init__(self, executor: Executor, again: Callable[[], Executor] | None = None) -> None:
        self._executor = executor
        given = Path(executor.folder)
        self._folder = next(path for path in (given, *given.parents) if "%" not in str(path)) / "eow"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._local = getattr(executor, "cluster", type(executor).__name__.lower()).startswith(("local", "debug"))
        self._parcel: Parcel | None = None
        self._lock = threading.Lock()
        self._jobs: dict[Job[Any], tuple[Call, FileAnnounce]] = {}
        self._watching = False

    @property
    def workers(self) -> int:
        return os.cpu_count() or 1 if self._local else _ELSEWHERE

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        if self._parcel is None or self._parcel.function is not function:
            self._parcel = Parcel(function, self._folder)
        announce = FileAnnounce(str(self._folder / f"{self._parcel.token}-{time.time_ns()}.call"))
        call = Call(
            peek=announce.seen,
            take_back=lambda: not announce.seen() and self._stop(job),
            give_up=lambda: self._stop(job),
            grace=_GRACE,
        )
        job: Job[Any] = self._executor.submit(Task(self._parcel, argument, call, announce, limit).packed())
        with self._lock:
            self._jobs[job] = (call, announce)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="eow-submitit", daemon=True).start()
        return call

    def remake(self) -> None:
        """Jobs share no process that could die."""

    def close(self) -> None:
        for job in tuple(self._jobs):
            self._stop(job)

    def _stop(self, job: Job[Any]) -> bool:
        with self._lock:
            known = self._jobs.pop(job, None)
        if known is not None:
            job.cancel()
        return known is not None

    def _watch(self) -> None:
        while True:
            for job in tuple(self._jobs):
                if job.done():
                    self._ended(job)
            with self._lock:
                if not self._jobs:
                    self._watching = False
                    return
            time.sleep(_LOOK)

    def _ended(self, job: Job[Any]) -> None:
        with self._lock:
            call, announce = self._jobs.pop(job, (None, None))
        if call is None or announce is None:
            return
        announce.ended()
        try:
            call.end(opened(job.result()))
        except (UncompletedJobError, FailedJobError) as error:
            call.end(Reply(error=WorkerDied(f"its job died ({describe_error(error)})")))
        except Exception as error:
            call.end(Reply(error=error))
