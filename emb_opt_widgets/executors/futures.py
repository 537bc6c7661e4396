"""Any `concurrent.futures.Executor` as workers: threads, processes, loky, MPI, or one of a person's own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emb_opt_widgets.errors import StateError, WorkerDied, describe_error
from emb_opt_widgets.executors.call import Call, Reply
from emb_opt_widgets.executors.carried import FileAnnounce, Parcel, Sealed, Task, opened
from emb_opt_widgets.executors.threads import Threads

__all__ = ["FutureWorkers", "Spool"]

GRACE = 2.0


class Spool:
    """A folder that the workers of this machine see: which calls run, and functions too heavy to be sent each time."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="eow-"))
        self._number = itertools.count()
        self.close = weakref.finalize(self, _remove, self.folder, os.getpid())

    def announce(self) -> FileAnnounce:
        """For one more call."""
        return FileAnnounce(str(self.folder / f"{next(self._number)}.call"))


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class FutureWorkers:
    """An executor whose `submit` gives futures.

    Args:
        executor: Any.
        again: Made it, and makes another when it broke; both are ours to close. None: it was handed in, and another
            is made as its kind is known to be made, if it is.
    """

    def __init__(self, executor: Executor, again: Callable[[], Executor] | None = None) -> None:
        self._executor = executor
        self._again = again or _maker(executor)
        self._made: list[Executor] = [] if again is None else [executor]
        self._spool = Spool()
        self._parcel: Parcel | None = None
        self._threads = isinstance(executor, ThreadPoolExecutor)
        self._processes = hasattr(executor, "_processes")
        self._left: set[Call] = set()
        self._spare: Threads | None = None
        self._ending = threading.Event()

    @property
    def workers(self) -> int | None:
        if self._spare is not None:
            return self._spare.workers
        most = getattr(self._executor, "_max_workers", getattr(self._executor, "num_workers", None))
        return max(1, most - len(self._left)) if isinstance(most, int) else None

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        if self._spare is not None:
            return self._spare.submit(function, argument, limit)
        if self._parcel is None or self._parcel.function is not function:
            self._parcel = Parcel(function, self._spool.folder)
        announce = self._spool.announce()
        call = Call(
            peek=None if self._threads else announce.seen,
            take_back=lambda: future.cancel(),
            give_up=lambda: self._leave(call, future, announce),
            grace=0.0 if self._threads else GRACE,
        )
        task = Task(self._parcel, argument, call, announce, limit)
        future: Future[Any] = self._executor.submit(task.packed() if self._processes else task)
        future.add_done_callback(lambda done: self._ended(call, done, task, announce))
        return call

    def remake(self) -> None:
        if self._again is None:
            raise StateError(
                f"The workers of this {type(self._executor).__name__} are gone, and how to make another is not known",
                hint="Pass a function that makes the executor: executor=lambda: …",
            )
        broken, self._executor = self._executor, self._again()
        self._made.append(self._executor)
        self._left.clear()
        self._ending.clear()
        if broken in self._made:
            self._made.remove(broken)
        broken.shutdown(wait=False)

    def close(self) -> None:
        for executor in self._made:
            executor.shutdown(wait=False)
        self._made.clear()
        self._spool.close()

    def _ended(self, call: Call, future: Future[Any], task: Task, announce: FileAnnounce) -> None:
        self._left.discard(call)
        if future.cancelled():
            call.end(Reply(error=WorkerDied("the executor dropped the call", suspect=False)))
            return
        error = future.exception()
        if isinstance(error, (BrokenExecutor, CancelledError)):
            suspect = not self._ending.is_set() and (announce.seen() or not (self._processes or self._threads))
            announce.ended()
            call.end(Reply(error=WorkerDied(f"its worker died ({describe_error(error)})", suspect)))
        elif error is not None:
            call.end(Reply(error=error))
        else:
            self._answered(call, future.result(), task)

    def _answered(self, call: Call, answer: Any, task: Task) -> None:
        if isinstance(answer, Sealed) and answer.missing and not task.whole:
            task.whole = True
            future = self._executor.submit(task)
            future.add_done_callback(lambda done: self._ended(call, done, task, FileAnnounce("")))
            return
        call.end(opened(answer) if isinstance(answer, Sealed) else answer)

    def _leave(self, call: Call, future: Future[Any], announce: FileAnnounce) -> None:
        if future.cancel():
            return
        process = announce.process()
        ours = getattr(self._executor, "_processes", None) or ()
        if process is not None and self._processes and process in ours:
            self._ending.set()
            os.kill(process, signal.SIGKILL)
            return
        self._left.add(call)
        most = getattr(self._executor, "_max_workers", None)
        if self._threads and most is not None and len(self._left) >= most:
            self._spare = Threads(most)


def _maker(executor: Executor) -> Callable[[], Executor] | None:
    """How to make another of a kind that is known."""
    of: dict[str, Any] = vars(executor)
    if type(executor) is ProcessPoolExecutor:
        more = {"max_tasks_per_child": of["_max_tasks_per_child"]} if of.get("_max_tasks_per_child") else {}
        return lambda: ProcessPoolExecutor(
            of["_max_workers"], of["_mp_context"], of["_initializer"], of["_initargs"], **more
        )
    if not type(executor).__module__.startswith("loky."):
        return None
    kind: Any = type(executor)
    same = {"context": of["_context"], "timeout": of["_timeout"], "env": of["_env"]}
    if kind.__name__ == "_ReusablePoolExecutor":
        import loky

        return lambda: loky.get_reusable_executor(of["_max_workers"], **same)
    return lambda: kind(of["_max_workers"], initializer=of["_initializer"], initargs=of["_initargs"], **same)
