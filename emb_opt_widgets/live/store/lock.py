"""One writer for each file: an advisory lock beside it, which the system lets go of when the process ends.

Processes that are forked of it (a pool's workers) hold nothing: they may outlive it.
"""

from __future__ import annotations

import json
import os
import platform
import time
import weakref
from datetime import datetime
from pathlib import Path
from typing import IO

from emb_opt_widgets.errors import FileInUseError

__all__ = ["WriterLock"]

_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


class WriterLock:
    """Holds `<file>.lock` for as long as it is not released; where the path is a link, beside what it leads to.

    It says who holds it. Where the file system knows no such locks (some network drives), SQLite's own lock is what is
    left.

    Raises:
        FileInUseError: Somebody else holds it.
    """

    def __init__(self, path: Path) -> None:
        whole = path.resolve()
        self._path = whole.with_name(whole.name + ".lock")
        self._file: IO[str] | None = None
        try:
            self._file = open(self._path, "a+")  # noqa: SIM115 - held until release
            while _try_lock(self._file) and not self._current():
                self._file.close()
                self._file = open(self._path, "a+")  # noqa: SIM115
        except OSError:
            return
        if not _try_lock(self._file):
            holder = _holder(self._file)
            self._file.close()
            self._file = None
            raise FileInUseError(
                f"{path.name} is in use",
                expected="a file that no other search writes to",
                got=f"one that {holder} holds open",
                hint="Close the other search (close(), or end its process), or open a copy: save_copy(path) makes one",
            )
        self._sign()
        _held.add(self)

    def _sign(self) -> None:
        """Write down who holds it."""
        if self._file is None:
            return
        try:
            self._file.truncate(0)
            self._file.write(json.dumps({"pid": os.getpid(), "host": platform.node(), "since": time.time()}))
            self._file.flush()
        except OSError:  # a full disk: it is held all the same
            return

    def _current(self) -> bool:
        """Whether the locked file is still the one of that name, and not one that its last holder removed."""
        if self._file is None or not self._path.exists():
            return False
        return os.fstat(self._file.fileno()).st_ino == self._path.stat().st_ino

    def forget(self) -> None:
        """Hold it no more in this process, a fork of the one that does."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def release(self) -> None:
        """Let another writer in."""
        if self._file is not None:
            if os.name != "nt":
                self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def _holder(file: IO[str]) -> str:
    """Who holds a lock, as far as it says."""
    try:
        file.seek(0)
        told = json.loads(file.read(1000))
        since = datetime.fromtimestamp(float(told["since"])).strftime("%Y-%m-%d %H:%M:%S")
        here = told["host"] == platform.node()
        if here and told["pid"] == os.getpid():
            return f"another search of this process (since {since})"
        return f"process {int(told['pid'])} on {'this machine' if here else str(told['host'])[:80]} (since {since})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return "another process, or another search of this one,"


def _forked() -> None:
    for lock in tuple(_held):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _try_lock(file: IO[str]) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
