"""Threads that do what pages ask, one thing after the other: one for commands, which are quick, one for questions."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["ASKS", "COMMANDS", "Worker"]

_log = logging.getLogger(__name__)
_IDLE = 5.0
_MOST_WAITING = 1_000


class Worker:
    """Runs jobs in order, in a thread that ends when there have been none for a while.

    Args:
        name: The thread's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[Callable[[], None]] = deque()
        self._woken = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, job: Callable[[], None], always: bool = False) -> bool:
        """Have a job done; False: too many wait already. `always`: it is ours, and not to be refused.

        No lock is held while the thread starts; see `Publisher.wake`.
        """
        fresh: threading.Thread | None = None
        with self._woken:
            if len(self._jobs) >= _MOST_WAITING and not always:
                return False
            self._jobs.append(job)
            if self._thread is None:
                fresh = self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._woken.notify()
        if fresh is not None:
            fresh.start()
        return True

    def _work(self) -> None:
        while True:
            with self._woken:
                if not self._jobs:
                    self._woken.wait(_IDLE)
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception:
                _log.exception("%s failed", self._name)
            del job


COMMANDS = Worker("eow-commands")
ASKS = Worker("eow-asks")
