"""One call that was handed to workers: whether it has begun, whether it has ended, and with what.

Knows neither who asked nor where it runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["Call", "Reply", "Workers"]


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """How a call ended.

    Attributes:
        value: What the function returned.
        error: What it raised instead; `WorkerDied` where its worker did not live to tell.
    """

    value: Any = None
    error: BaseException | None = None


class Call:
    """One call. Safe from any thread.

    Args:
        peek: Looks whether it has begun, where nobody tells.
        take_back: Cancels it if it has not begun; whether it did.
        give_up: Frees its worker if that can be done; the call itself is left behind.
        grace: Seconds past its limit in which its worker ends it by itself.
    """

    def __init__(
        self,
        peek: Callable[[], bool] | None = None,
        take_back: Callable[[], bool] | None = None,
        give_up: Callable[[], object] | None = None,
        grace: float = 0.0,
    ) -> None:
        self._lock = threading.Lock()
        self._begun: float | None = None
        self._reply: Reply | None = None
        self._bell: Callable[[], None] | None = None
        self._peek, self._take_back, self._give_up = peek, take_back, give_up
        self.grace = grace

    @property
    def begun(self) -> float | None:
        """When a worker began it, by `time.monotonic`; None: it waits, as far as is known."""
        if self._begun is None and self._peek is not None and self._peek():
            self.begin()
        return self._begun

    @property
    def reply(self) -> Reply | None:
        """How it ended; None: it has not."""
        return self._reply

    def begin(self) -> None:
        """A worker has begun it."""
        if self._begun is None:
            self._begun = time.monotonic()

    def end(self, reply: Reply) -> None:
        """It has ended; the first to say so is believed."""
        with self._lock:
            if self._reply is not None:
                return
            self._reply = reply
            bell = self._bell
        if bell is not None:
            bell()

    def when_ended(self, bell: Callable[[], None]) -> None:
        """Have a function called once it has ended, in whatever thread tells; now, if it has."""
        with self._lock:
            self._bell = bell
            ended = self._reply is not None
        if ended:
            bell()

    def cancel(self) -> bool:
        """Take it back if it has not begun; whether it will never run."""
        return self._reply is None and self._take_back is not None and self._take_back()

    def leave(self) -> None:
        """Wait for it no longer: free its worker if that can be done."""
        if self._give_up is not None:
            self._give_up()


@runtime_checkable
class Workers(Protocol):
    """Where calls run. What an executor of any kind looks like to the calls layer."""

    @property
    def workers(self) -> int | None:
        """How many calls run at once; None: not known."""

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        """Have `function(argument)` run; an awaitable that it returns is awaited.

        Args:
            function: Sent to each worker once, however often it is called.
            argument: Sent with every call.
            limit: Seconds it may take from its begin. A worker of another process ends it by itself.

        Raises:
            Exception: It cannot be handed over; `BrokenExecutor` where that would help after `remake`.
        """

    def remake(self) -> None:
        """Replace what died.

        Raises:
            StateError: It cannot be made again.
        """

    def close(self) -> None:
        """Let go of everything that was made here; an executor that was handed in is left as it is."""
