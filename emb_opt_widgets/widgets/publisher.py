"""The one thread that keeps pages up to date: what they lack, as often as they can take it; nothing when none looks.

Knows nothing of searches: a live object is watched through `Watch`, a page is a name that acknowledges.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from emb_opt_widgets.widgets.channel import Channel

__all__ = ["Publisher", "publisher"]

_log = logging.getLogger(__name__)


class Publisher:
    """Serves every channel that has pages, in one thread that ends when there is none.

    Args:
        clock: Seconds; to be replaced where time is to go faster.
        threaded: Run a thread. False: whoever made it calls `tick`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, threaded: bool = True) -> None:
        self.clock = clock
        self._threaded = threaded
        self._woken = threading.Condition()
        self._awake = False
        self._channels: dict[int, Channel] = {}
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether any channel has pages."""
        return bool(self._channels)

    def wake(self, channel: Channel) -> None:
        """Have a channel looked after soon. From any thread, and quick.

        No lock is held while the thread starts: before it has, it may collect a feed as garbage, which comes here.
        """
        fresh: threading.Thread | None = None
        with self._woken:
            self._channels[id(channel)] = channel
            self._awake = True
            if self._thread is None and self._threaded and not sys.is_finalizing():
                fresh = self._thread = threading.Thread(target=self._work, name="eow-publisher", daemon=True)
            self._woken.notify()
        if fresh is not None:
            fresh.start()

    def tick(self) -> float | None:
        """Do what is due; seconds until something is due again, None: not before `wake`."""
        now, due = self.clock(), []
        for channel in tuple(self._channels.values()):
            try:
                due.append(channel.tick(now))
            except Exception as error:
                _log.exception("the display of a live object failed")
                due.append(channel.fail(error, now))
        with self._woken:
            for key, channel in tuple(self._channels.items()):
                if channel.idle:
                    del self._channels[key]
        waits = [at - now for at in due if at is not None]
        return max(0.0, min(waits)) if waits else None

    def _work(self) -> None:
        while True:
            try:
                wait = self.tick()
            except Exception:
                _log.exception("the publisher failed")
                wait = 1.0
            with self._woken:
                if not self._awake:
                    if not self._channels:
                        self._thread = None
                        return
                    self._woken.wait(wait)
                self._awake = False


_one: Any = None
_making = threading.Lock()


def publisher() -> Publisher:
    """The kernel's publisher."""
    global _one
    with _making:
        if _one is None:
            _one = Publisher()
        made: Publisher = _one
        return made
