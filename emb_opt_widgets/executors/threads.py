"""Calls in this process: in the thread that asks, or in threads of our own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from emb_opt_widgets.executors.call import Call
from emb_opt_widgets.executors.carried import Parcel, Task

__all__ = ["Inline", "Threads"]


class Inline:
    """Runs a call at once, in the thread that submits it."""

    workers = 1

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        call = Call()
        call.end(Task(Parcel(function), argument, call)())
        return call

    def remake(self) -> None:
        """There is nothing that could die."""

    def close(self) -> None:
        """There is nothing to let go of."""


class Threads:
    """A daemon thread for each call, at most so many at once; one that never returns is left behind.

    Args:
        workers: How many calls run at once.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._waiting: deque[Task] = deque()
        self._running: set[Call] = set()

    @property
    def workers(self) -> int:
        return self._workers

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        call = Call(take_back=lambda: self._forget(call), give_up=lambda: self._return(call))
        with self._lock:
            self._waiting.append(Task(Parcel(function), argument, call))
        self._start()
        return call

    def remake(self) -> None:
        """There is nothing that could die."""

    def close(self) -> None:
        """Calls that wait are dropped; threads end with their calls."""
        with self._lock:
            self._waiting.clear()

    def _start(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or len(self._running) >= self._workers:
                    return
                task = self._waiting.popleft()
                self._running.add(task.call)
            threading.Thread(target=self._work, args=(task,), name="eow-call", daemon=True).start()

    def _work(self, task: Task) -> None:
        reply = task()
        self._return(task.call)
        task.call.end(reply)

    def _return(self, call: Call) -> None:
        with self._lock:
            self._running.discard(call)
        self._start()

    def _forget(self, call: Call) -> bool:
        with self._lock:
            waiting = [task for task in self._waiting if task.call is call]
            for task in waiting:
                self._waiting.remove(task)
        return bool(waiting)
