"""Events in one SQLite file. A score is on the disk before anything is made of it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emb_opt_widgets.engine.events import Body, Event
from emb_opt_widgets.errors import DamagedFileError, FileError, FileInUseError, InputError, NewerFileError
from emb_opt_widgets.live.store.codec import decode, encode, plain_json
from emb_opt_widgets.live.store.form import SEARCH_FILE, FileForm
from emb_opt_widgets.live.store.lock import WriterLock

__all__ = ["APPLICATION_ID", "FORMAT", "SQLiteStore"]

APPLICATION_ID = SEARCH_FILE.application_id
FORMAT = 2
"""1: version 0.1, which knows fewer kinds of events."""
_TEXT_LIMIT = 20_000
_SCHEMA = """
CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE times (seq INTEGER PRIMARY KEY, time REAL NOT NULL);
CREATE TABLE payload (row INTEGER PRIMARY KEY, value TEXT NOT NULL);
"""


class SQLiteStore:
    """A search's file.

    The log is table `events` (`seq`, `kind`, `body` as `codec` writes it); when each happened stands apart in
    `times`; `payload` holds what items stand for, as JSON text cut to 20,000 characters, so that the file can
    be looked at without its source.

    Args:
        path: The file. Its folder must exist.
        create: Make it anew; else it must exist.
        readonly: Only look.
        form: What the file is of.

    Attributes:
        copy: Where the file as it is will be kept, before the first event to come brings it from an earlier format to
            today's; None where it has today's.

    Raises:
        FileInUseError: Another writer holds it.
        DamagedFileError: It is not one of ours, or damaged.
        NewerFileError: A newer version wrote it.
        FileError: It cannot be opened, made or written.
    """

    def __init__(
        self, path: str | Path, *, create: bool = False, readonly: bool = False, form: FileForm = SEARCH_FILE
    ) -> None:
        try:
            self.path = Path(path)
        except TypeError:
            raise InputError("path is not usable", expected="a str or a Path", got=type(path).__name__) from None
        self.form = form
        self._lock: WriterLock | None = None
        self._buffer: list[tuple[int, str, bytes, float]] = []
        self._check_place(create)
        if not readonly:
            self._lock = WriterLock(self.path)
        try:
            self._db = self._connect(readonly)
            version = FORMAT if create else self._check_format()
            self.mode = "off" if readonly else self._journal()
            earlier = self.path.with_name(f"{self.path.stem}.format{version}{self.path.suffix}")
            self.copy = None if readonly or version == FORMAT else earlier
            if create:
                self._make()
            self._n = int(self._db.execute("SELECT COALESCE(MAX(seq) + 1, 0) FROM events").fetchone()[0])
        except sqlite3.Error as error:
            self._release()
            raise self._translated(error, "opened") from error
        except FileError:
            self._release()
            raise

    def _check_place(self, create: bool) -> None:
        if self.path.is_dir():
            raise FileError(f"{self.path} is a folder", expected="the name of a file", got="a folder")
        if create and self.path.exists() and self.path.stat().st_size:
            raise FileError(
                f"{self.path.name} exists already",
                expected="a new file",
                got="one with something in it",
                hint=f"Go on with it by {self.form.opened_by}, or choose another name",
            )
        if not create and not self.path.is_file():
            raise FileError(f"{self.path} is not there", expected=f"a {self.form.whose}'s file", got="no such file")
        if not self.path.parent.is_dir():
            raise FileError(f"The folder of {self.path} is not there", expected="a folder", got="none", hint="Make it")

    def _connect(self, readonly: bool) -> sqlite3.Connection:
        if readonly:
            left = self.path.with_name(self.path.name + "-wal").exists()
            whole = not left and (self._has_log() or not os.access(self.path.parent, os.W_OK))
            uri = f"{self.path.resolve().as_uri()}?{'immutable=1' if whole else 'mode=ro'}"
            return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        return sqlite3.connect(self.path, timeout=5.0, check_same_thread=False, isolation_level=None)

    def _has_log(self) -> bool:
        """Whether changes go to a write-ahead log (https://www.sqlite.org/fileformat2.html, section 1.3.3). Where it is
        not there, nobody has the file open, and what only reads it must not make one."""
        try:
            with open(self.path, "rb") as file:
                return file.read(20)[18:] == b"\2\2"
        except OSError:  # SQLite's own words for it are translated
            return False

    def _journal(self) -> str:
        """Write-ahead log where it works; a rollback journal where it does not (network drives)."""
        for mode in ("wal", "delete"):
            try:
                got = str(self._db.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0])
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if mode == "delete" or "locked" in str(error):
                    raise
                self._db.close()
                self._db = self._connect(readonly=False)
                continue
            if got == mode:
                break
        return got

    def _make(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {FORMAT}")
        self._db.execute(f"PRAGMA application_id = {self.form.application_id}")
        self._db.execute("COMMIT")

    def _check_format(self) -> int:
        """The format of the file, which is one of ours."""
        found = int(self._db.execute("PRAGMA application_id").fetchone()[0])
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if found != self.form.application_id:
            raise DamagedFileError(
                f"{self.path.name} is not a {self.form.whose}'s file",
                expected=f"a file made by {self.form.made_by}",
                got="another SQLite database" if found else "a database without our mark",
                hint="A copy needs the files beside it too, of the same name with -wal at its end",
            )
        if version > FORMAT:
            raise NewerFileError(
                f"{self.path.name} was written by a newer version",
                expected=f"format {FORMAT} or older",
                got=f"format {version}",
                hint="pip install --upgrade emb_opt_widgets",
            )
        return version

    def _upgrade(self, copy: Path) -> None:
        """Have a file of an earlier format take today's events, and keep a copy of it as it was."""
        if not copy.exists():
            kept = sqlite3.connect(copy)
            try:
                self._db.backup(kept)
            finally:
                kept.close()
        self._db.execute(f"PRAGMA user_version = {FORMAT}")
        self.copy = None

    def append(self, bodies: Sequence[Body], payload: Sequence[tuple[int, Any]] = ()) -> None:
        """Keep these, all or none.

        What was paid for or asked by a person is on the disk when this returns; the rest, which the engine
        would compute again, goes with the next such event.

        Raises:
            FileError: The disk is full, or the file cannot be written. Nothing of this call was kept.
        """
        now = time.time()
        first = len(self)
        added = [(first + i, body.kind, encode(body), now) for i, body in enumerate(bodies)]
        self._buffer += added
        if payload or any(body.kind in self.form.durable for body in bodies):
            try:
                self._flush(payload)
            except FileError:
                del self._buffer[len(self._buffer) - len(added) :]
                raise

    def _flush(self, payload: Sequence[tuple[int, Any]] = ()) -> None:
        if not self._buffer and not payload:
            return
        try:
            if self.copy is not None:
                self._upgrade(self.copy)
            self._db.execute("BEGIN IMMEDIATE")
            rows = [(seq, kind, body, _checksum(seq, kind, body)) for seq, kind, body, _ in self._buffer]
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO times VALUES (?, ?)", [(row[0], row[3]) for row in self._buffer])
            if payload:
                shown = [(row, _shortened(value)) for row, value in payload]
                self._db.executemany("INSERT OR IGNORE INTO payload VALUES (?, ?)", shown)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._translated(error, "written") from error
        if not self._n and self.mode == "wal":
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._n += len(self._buffer)
        self._buffer.clear()

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Event]:
        """Events in order.

        Raises:
            DamagedFileError: One is missing or cannot be read.
        """
        end = len(self) if stop is None else min(stop, len(self))
        if end > self._n:
            self._flush()
        try:
            rows = self._db.execute(
                "SELECT e.seq, e.kind, e.body, e.crc, t.time FROM events e LEFT JOIN times t USING (seq)"
                " WHERE e.seq >= ? AND e.seq < ? ORDER BY e.seq",
                (start, end),
            )
            for expected, (seq, kind, body, crc, at) in enumerate(rows, start):
                if seq != expected or crc != _checksum(seq, kind, body):
                    what = "missing" if seq != expected else "damaged"
                    raise DamagedFileError(f"Event {expected} of {self.path.name} is {what}", hint="Restore a copy")
                yield Event(seq, decode(kind, body, self.form.bodies), float("nan") if at is None else at)
        except sqlite3.Error as error:
            raise self._translated(error, "read") from error

    def payload(self, rows: Sequence[int]) -> dict[int, Any]:
        """What these items stand for, as far as it was kept."""
        out: dict[int, Any] = {}
        try:
            for row in rows:
                found = self._db.execute("SELECT value FROM payload WHERE row = ?", (int(row),)).fetchone()
                if found:
                    out[int(row)] = json.loads(found[0])
        except (sqlite3.Error, ValueError, TypeError, RecursionError) as error:
            raise DamagedFileError(
                f"What the items of {self.path.name} stand for cannot be read", hint="Restore a copy"
            ) from error
        return out

    def __len__(self) -> int:
        return self._n + len(self._buffer)

    def close(self) -> None:
        """Close the file and let another writer in."""
        try:
            if self._lock is not None:
                self._flush()
        finally:
            self._release()

    def _release(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _translated(self, error: sqlite3.Error, verb: str) -> FileError:
        text = str(error)
        name = self.path.name
        if "locked" in text or "busy" in text:
            return FileInUseError(f"{name} is in use ({text})", hint="Close the other process that has it open")
        if "malformed" in text or "not a database" in text or "no such table" in text or "corrupt" in text:
            return DamagedFileError(
                f"{name} is damaged, or not a {self.form.whose}'s file ({text})",
                expected=f"a file made by {self.form.made_by}",
                got="something else",
                hint="Restore it from a copy",
            )
        hints = {
            "full": "The disk is full: make room, then run() goes on; nothing that was scored is lost",
            "readonly": "The file or its folder is read-only: change its permissions, or choose another path",
            "unable to open": "Check that the folder exists and can be written to",
        }
        hint = next((h for word, h in hints.items() if word in text), "Check the disk, then run() goes on")
        return FileError(f"{name} cannot be {verb} ({text})", hint=hint)


def _checksum(seq: int, kind: str, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(f"{seq} {kind}".encode()))


def _shortened(value: Any) -> str:
    text = json.dumps(plain_json(value))
    if len(text) <= _TEXT_LIMIT:
        return text
    item = plain_json(value)
    shown = item[0] if isinstance(item, list) and item else None
    rest = item[2:] if isinstance(item, list) else []
    return json.dumps([shown[: _TEXT_LIMIT // 2] + "…" if isinstance(shown, str) else None, {}, *rest])
