"""What crosses to a worker of another process and back, so that nothing on the way can break a pool.

A function is pickled once and unpickled once in each worker; arguments, answers and errors travel as bytes that are
opened where a failure costs one call only. Inside this process everything is passed as it is.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emb_opt_widgets.errors import RemoteError, WorkerDied, describe_error
from emb_opt_widgets.executors.call import Call, Reply

__all__ = ["Announce", "FileAnnounce", "NotHere", "Parcel", "RemoteTask", "Sealed", "Task", "dumps", "hold", "opened"]

_held: dict[str, Any] = {}
_HELD_AT_MOST = 8
_SMALL = 32_768


class NotHere(Exception):
    """The worker lacks the function: it has to be sent with the call."""


class _OutOfTime(BaseException):
    pass


class Announce(Protocol):
    """Tells, from a worker, that a call has begun and ended."""

    def begun(self) -> bool:
        """Tell that it begins; False: it has begun before, and is not to run again."""

    def ended(self) -> None:
        """Tell that it has ended."""


@dataclass(frozen=True, slots=True)
class FileAnnounce:
    """By a file that is there while the call runs; it holds the worker's process number.

    Args:
        path: In a folder that both sides see; where they do not, nothing is told.
    """

    path: str

    def begun(self) -> bool:
        try:
            Path(self.path).write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")
        except OSError:
            return True
        return True

    def ended(self) -> None:
        try:
            Path(self.path).unlink(missing_ok=True)
        except OSError:
            return

    def seen(self) -> bool:
        """Whether it has begun and not ended."""
        return Path(self.path).exists()

    def process(self) -> int | None:
        """The process that runs it on this machine."""
        try:
            number, host = Path(self.path).read_text(encoding="utf-8").split(" ", 1)
        except (OSError, ValueError):
            return None
        return int(number) if host == socket.gethostname() else None


def dumps(value: Any) -> bytes:
    """Pickled; by cloudpickle where it is installed, so that functions of a notebook can be sent too."""
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(value)
    data: bytes = cloudpickle.dumps(value)
    return data


class Parcel:
    """A function on its way to workers.

    Args:
        function: Any that can be pickled; inside this process any at all.
        folder: Where heavy ones are kept for workers to fetch; None: they are sent.
        held: Workers are given it before the first call (`hold`).
    """

    def __init__(self, function: Callable[[Any], Any], folder: Path | None = None, held: bool = False) -> None:
        self.function = function
        self.token = uuid.uuid4().hex
        self.held = held
        self._folder = folder
        self._lock = threading.Lock()
        self._data: bytes | None = None
        self._path: str | None = None

    @property
    def data(self) -> bytes:
        """The function, pickled once."""
        with self._lock:
            if self._data is None:
                self._data = dumps(self.function)
            return self._data

    def route(self, whole: bool = False) -> bytes | str | None:
        """How a worker comes by it: the bytes, the path of a file with them, or None: it holds it already."""
        data = self.data
        if whole or (len(data) <= _SMALL and not self.held):
            return data
        if self.held:
            return None
        with self._lock:
            if self._path is None and self._folder is not None:
                path = self._folder / f"{self.token}.function"
                path.write_bytes(data)
                self._path = str(path)
        return self._path or data


def hold(token: str, data: bytes) -> Any:
    """A function by its token, unpickled once in this process."""
    if token not in _held:
        while len(_held) >= _HELD_AT_MOST:
            _held.pop(next(iter(_held)), None)
        _held[token] = pickle.loads(data)
    return _held[token]


def _fetched(token: str, route: bytes | str | None) -> Any:
    if token in _held:
        return _held[token]
    if route is None:
        raise NotHere
    try:
        data = route if isinstance(route, bytes) else Path(route).read_bytes()
    except OSError:
        raise NotHere from None
    return hold(token, data)


@dataclass(slots=True, eq=False)
class Task:
    """A call as it is handed to an executor: runs here as it is; where it is pickled, a `RemoteTask` arrives."""

    parcel: Parcel
    argument: Any
    call: Call
    announce: Announce | None = None
    limit: float | None = None
    whole: bool = False

    def __call__(self) -> Reply:
        self.call.begin()
        try:
            return Reply(_finished(self.parcel.function(self.argument)))
        except BaseException as error:
            return Reply(error=error)

    def packed(self) -> RemoteTask:
        """As it crosses.

        Raises:
            Exception: Its function or argument cannot be pickled.
        """
        return RemoteTask(
            self.parcel.token, self.parcel.route(self.whole), dumps(self.argument), self.announce, self.limit
        )

    def __reduce__(self) -> tuple[Any, ...]:
        sent = self.packed()
        return RemoteTask, (sent.token, sent.route, sent.argument, sent.announce, sent.limit)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A reply on its way back.

    Attributes:
        data: The pickled value or error.
        failed: Which of the two it is.
        text: The error in words. missing: the worker lacks the function.
    """

    data: bytes | None
    failed: bool = False
    text: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A call as it arrives in a worker."""

    token: str
    route: bytes | str | None
    argument: bytes
    announce: Announce | None = None
    limit: float | None = None

    def __call__(self) -> Sealed:
        try:
            if self.announce is not None and not self.announce.begun():
                raise WorkerDied("its worker died")
            function = _fetched(self.token, self.route)
            argument = pickle.loads(self.argument)
            return _sealed(_within(lambda: _finished(function(argument)), self.limit))
        except NotHere:
            return Sealed(None, True, "the worker lacks the function", missing=True)
        except BaseException as error:
            return _sealed_error(error)
        finally:
            if self.announce is not None:
                self.announce.ended()


def opened(sealed: Sealed) -> Reply:
    """A reply that came back; what cannot be read is an error of this call alone."""
    try:
        value = None if sealed.data is None else pickle.loads(sealed.data)
    except Exception as error:
        text = sealed.text or f"the answer cannot be read here: {describe_error(error)}"
        return Reply(error=RemoteError(text))
    if not sealed.failed:
        return Reply(value)
    return Reply(error=value if isinstance(value, BaseException) else RemoteError(sealed.text))


def _sealed(value: Any) -> Sealed:
    try:
        return Sealed(pickle.dumps(value))
    except Exception:
        return Sealed(dumps(value))


def _sealed_error(error: BaseException) -> Sealed:
    text = describe_error(error)
    for pack in (pickle.dumps, dumps):
        try:
            data = pack(error)
            pickle.loads(data)
        except BaseException:
            continue
        return Sealed(data, True, text)
    return Sealed(None, True, text)


def _finished(result: Any) -> Any:
    if not inspect.isawaitable(result):
        return result

    async def finish() -> Any:
        return await result

    return asyncio.run(finish())


def _within(work: Callable[[], Any], limit: float | None) -> Any:
    """What `work` returns, or `TimeoutError`: by an alarm in a main thread, else by leaving a thread behind."""
    if limit is None:
        return work()
    late = TimeoutError(f"timed out after {limit:g} s")
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return _left_behind(work, limit, late)

    def ring(*_: object) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        return work()
    except _OutOfTime:
        raise late from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _left_behind(work: Callable[[], Any], limit: float, late: TimeoutError) -> Any:
    out: list[Reply] = []

    def run() -> None:
        try:
            out.append(Reply(work()))
        except BaseException as error:
            out.append(Reply(error=error))

    thread = threading.Thread(target=run, name="eow-call", daemon=True)
    thread.start()
    thread.join(limit)
    if not out:
        raise late
    if out[0].error is not None:
        raise out[0].error
    return out[0].value
