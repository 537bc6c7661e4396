"""Opening a file that may come from anywhere: it is data, never a program, and as long as it says that it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from emb_opt_widgets.errors import DamagedFileError, FileError

__all__ = ["check_length", "check_tables", "connect", "copied", "identity", "journaled", "rolled_back"]

_LARGEST = 1 << 29
"""Bytes of one value; more is refused before it is read."""
_TABLES = ("events", "times", "payload", "kept")
_PATIENCE = 5.0
"""Seconds to wait for another's commit, or for another's look."""


def connect(path: Path, readonly: bool) -> sqlite3.Connection:
    """A connection that runs nothing that the file brings along (https://www.sqlite.org/security.html)."""
    target: str | Path = path
    if readonly:
        left = path.with_name(path.name + "-wal").exists()
        whole = not left and (_has_log(path) or not os.access(path.parent, os.W_OK))
        target = f"{path.resolve().as_uri()}?{'immutable=1' if whole else 'mode=ro'}"
    db = sqlite3.connect(target, uri=readonly, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    if hasattr(db, "setlimit"):  # Python 3.11
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
    return db


def _has_log(path: Path) -> bool:
    """Whether changes go to a write-ahead log (https://www.sqlite.org/fileformat2.html, section 1.3.3), as in files of
    0.1. Where it is not there, nobody has the file open, and what only reads it must not make one."""
    return _header(path)[18:20] == b"\2\2"


def _header(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(100)
    except OSError:  # SQLite's own words for it are translated
        return b""


def check_length(path: Path) -> None:
    """Hold a file to be as long as its first page says; one with a log beside it may be longer or shorter.

    Raises:
        DamagedFileError: It was cut.
    """
    head, beside = _header(path), ("-wal", "-journal")
    if len(head) < 100 or any(path.with_name(path.name + end).exists() for end in beside):
        return
    page = int.from_bytes(head[16:18], "big")
    size = (65_536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
    if head[24:28] == head[92:96] and path.stat().st_size < size:
        raise DamagedFileError(
            f"{path.name} was cut: its end is missing",
            expected=f"{size:,} bytes, as its first page says",
            got=f"{path.stat().st_size:,}",
            hint="Restore a copy; nothing of it was changed",
        )


def check_tables(db: sqlite3.Connection, name: str) -> None:
    """Hold what the file is made of to be tables, and nothing that runs when it is read or written.

    Raises:
        DamagedFileError: It holds something else.
    """
    for kind, called in db.execute("SELECT type, name FROM sqlite_master"):
        plain = (kind == "table" and called in _TABLES) or (kind == "index" and str(called).startswith("sqlite_"))
        if not plain:
            raise DamagedFileError(
                f"{name} holds what no file of ours does",
                expected=f"tables: {', '.join(_TABLES)}",
                got=f"a {kind!s:.20} {str(called)!r:.60}",
                hint="It was made or changed by something else; nothing of it was run",
            )


def rolled_back(path: Path) -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """A copy of a file whose last writer was killed while it wrote, for those who may only read: what was not written
    whole is taken back in the copy, when it is opened."""
    folder = tempfile.TemporaryDirectory()
    for end in ("", "-journal"):
        shutil.copyfile(path.with_name(path.name + end), Path(folder.name) / (path.name + end))
    return Path(folder.name) / path.name, folder


def identity(path: Path) -> tuple[int, int] | None:
    """What tells the file of this name from another; None where there is none, or the system does not tell."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def journaled(db: sqlite3.Connection, path: Path) -> tuple[sqlite3.Connection, str]:
    """The connection, perhaps made anew, with a rollback journal, and which: the file alone is whole after every write,
    so that a copy of it is, too. The journal is emptied rather than removed where that works, which is quicker."""
    for mode in ("truncate", "delete"):
        try:
            got = str(db.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0])
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if mode == "delete" or "locked" in str(error):
                raise
            db.close()
            db = connect(path, readonly=False)
            continue
        if got == mode:
            break
    return db, got


def copied(db: sqlite3.Connection, target: Path) -> None:
    """Write what a connection sees to a new file, whole or not at all.

    Raises:
        FileError: It cannot be written.
    """
    part = target.with_name(target.name + ".part")
    try:
        kept = sqlite3.connect(part)
        try:
            db.backup(kept)
            kept.execute("PRAGMA journal_mode = delete")
        finally:
            kept.close()
        os.replace(part, target)
    except OSError as error:
        raise FileError(f"{target.name} cannot be written ({error.strerror})", hint="Check its folder") from error
    finally:
        part.unlink(missing_ok=True)
