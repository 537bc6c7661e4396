"""Events in one SQLite file. A score is on the disk before anything is made of it."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from emb_opt_widgets.engine.events import Body, Event
from emb_opt_widgets.errors import DamagedFileError, FileError, InputError, NewerFileError
from emb_opt_widgets.live.store.codec import decode, encode, plain_json
from emb_opt_widgets.live.store.form import SEARCH_FILE, FileForm
from emb_opt_widgets.live.store.lock import WriterLock
from emb_opt_widgets.live.store.opening import (
    check_length,
    check_tables,
    connect,
    copied,
    identity,
    journaled,
    rolled_back,
)
from emb_opt_widgets.live.store.words import translated

__all__ = ["APPLICATION_ID", "FORMAT", "SQLiteStore"]

APPLICATION_ID = SEARCH_FILE.application_id
FORMAT = 2
"""1: version 0.1, which knows fewer kinds of events."""
_TEXT_LIMIT = 20_000
_PAGE = 512
"""Events that are read at once."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events
    (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS times (seq INTEGER PRIMARY KEY, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS payload (row INTEGER PRIMARY KEY, value TEXT NOT NULL);
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
        missing: Events at its end that it should hold, and does not.

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
        self.mode = "off"
        self._aside: tempfile.TemporaryDirectory[str] | None = None
        self._check_place(create)
        if not readonly:
            self._lock = WriterLock(self.path)
        try:
            if not create:
                check_length(self.path)
            self._db = self._open(readonly)
            version = FORMAT if create else self._check_format()
            if not readonly:
                self._db, self.mode = journaled(self._db, self.path)
            earlier = self.path.with_name(f"{self.path.stem}.format{version}{self.path.suffix}")
            self.copy = None if readonly or version == FORMAT else earlier
            if create:
                self._make()
            self._n = int(self._db.execute("SELECT COALESCE(MAX(seq) + 1, 0) FROM events").fetchone()[0])
            self.missing = max(0, self._kept() - self._n)
            if not readonly:
                self._db.execute("CREATE TABLE IF NOT EXISTS kept (n INTEGER NOT NULL)")
                if self.missing:
                    self._db.execute("DELETE FROM times WHERE seq >= ?", (self._n,))
            self._identity = identity(self.path)
        except sqlite3.Error as error:
            self._release()
            raise translated(error, self.path.name, self.form, "opened") from error
        except FileError:
            self._release()
            raise

    def _check_place(self, create: bool) -> None:
        if self.path.is_dir():
            raise FileError(f"{self.path} is a folder", expected="the name of a file", got="a folder")
        if create and self.path.exists() and self.path.stat().st_size and not self._unborn():
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

    def _unborn(self) -> bool:
        """Whether whoever began to make it was killed before its first event."""
        try:
            db = connect(self.path, readonly=True)
            try:
                mark = int(db.execute("PRAGMA application_id").fetchone()[0])
                return (
                    mark == self.form.application_id
                    and not db.execute("SELECT EXISTS (SELECT 1 FROM events)").fetchone()[0]
                )
            finally:
                db.close()
        except sqlite3.Error:
            return False

    def _open(self, readonly: bool) -> sqlite3.Connection:
        db = connect(self.path, readonly)
        if not readonly:
            return db
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise
            db.close()
            copy, self._aside = rolled_back(self.path)
            db = connect(copy, readonly=False)
        return db

    def _kept(self) -> int:
        """How many events it should hold, as it was written down apart from them; 0 where that was not done."""
        there = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone()
        row = self._db.execute("SELECT MAX(n) FROM kept").fetchone() if there else None
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def _make(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.strip().split(";"):
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
                hint="A copy of a file of 0.1 needs the file beside it too, of the same name with -wal at its end",
            )
        if version > FORMAT:
            raise NewerFileError(
                f"{self.path.name} was written by a newer version",
                expected=f"format {FORMAT} or older",
                got=f"format {version}",
                hint="pip install --upgrade emb_opt_widgets",
            )
        check_tables(self._db, self.path.name)
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

    def append(
        self, bodies: Sequence[Body], payload: Sequence[tuple[int, Any]] = (), at: float | None = None
    ) -> None:  # fmt: skip
        """Keep these, all or none; as of now, or of when they happened.

        What was paid for or asked by a person is on the disk when this returns; the rest, which the engine
        would compute again, goes with the next such event.

        Raises:
            FileError: The disk is full, or the file cannot be written. Nothing of this call was kept.
        """
        now = time.time() if at is None else at
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
        self._watch()
        self._write(payload)

    def _watch(self) -> None:
        """Hold the path to lead to the file that is written to."""
        if self._identity is None or (found := identity(self.path)) == self._identity:
            return
        raise FileError(
            f"{self.path.name} was {'deleted or renamed' if found is None else 'replaced'} while it was open",
            expected="the file that was opened",
            got="none" if found is None else "another",
            hint="Nothing is lost: save_copy(path) writes all of it anew, and run() goes on there",
        )

    def _write(self, payload: Sequence[tuple[int, Any]] = ()) -> None:
        try:
            if self.copy is not None:
                self._upgrade(self.copy)
            self._db.execute("BEGIN IMMEDIATE")
            rows = [(seq, kind, body, _checksum(seq, kind, body)) for seq, kind, body, _ in self._buffer]
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO times VALUES (?, ?)", [(row[0], row[3]) for row in self._buffer])
            if payload:
                shown = [(row, _shortened(value)) for row, value in payload]
                self._db.executemany("INSERT OR REPLACE INTO payload VALUES (?, ?)", shown)
            self._db.execute("DELETE FROM kept")
            self._db.execute("INSERT INTO kept VALUES (?)", (self._n + len(self._buffer),))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise translated(error, self.path.name, self.form, "written") from error
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
        for first in range(start, end, _PAGE):
            for seq, kind, body, crc, at in self._page(first, min(first + _PAGE, end)):
                if crc != _checksum(seq, kind, body):
                    raise DamagedFileError(f"Event {seq} of {self.path.name} is damaged", hint="Restore a copy")
                moment = float(at) if isinstance(at, (int, float)) else float("nan")
                yield Event(seq, decode(kind, body, self.form.bodies), moment)

    def _page(self, start: int, stop: int) -> list[tuple[int, str, bytes, int, Any]]:
        """Rows of events, read at once: an open cursor would keep a writer waiting.

        Raises:
            DamagedFileError: One is missing.
        """
        try:
            rows = self._db.execute(
                "SELECT e.seq, e.kind, e.body, e.crc, t.time FROM events e LEFT JOIN times t USING (seq)"
                " WHERE e.seq >= ? AND e.seq < ? ORDER BY e.seq",
                (start, stop),
            ).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self.path.name, self.form, "read") from error
        seen = {row[0] for row in rows}
        for seq in range(start, stop):
            if seq not in seen:
                raise DamagedFileError(f"Event {seq} of {self.path.name} is missing", hint="Restore a copy")
        return rows

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

    @property
    def writes(self) -> bool:
        """Whether it is open, and not only to be looked at."""
        return self._lock is not None

    def save_copy(self, path: str | Path) -> bool:
        """Write all events to another file, whole or not at all; whether this goes on there, its own file being gone.

        Raises:
            FileError: There is something of that name, or it cannot be written.
        """
        target = Path(path).expanduser()
        if target.exists():
            raise FileError(f"{target.name} exists already", expected="a new file", got="one that is there")
        lost = self._lock is not None and identity(self.path) != self._identity
        try:
            if self._buffer and not lost:
                self._write()
            copied(self._db, target)
        except sqlite3.Error as error:
            raise translated(error, target.name, self.form, "written") from error
        if lost:
            lock = WriterLock(target)
            self._release()
            self.path, self._lock, self._identity = target, lock, identity(target)
            self._db, self.mode = journaled(connect(target, readonly=False), target)
            if self._buffer:
                self._write()
        return lost

    def close(self) -> None:
        """Close the file and let another writer in."""
        try:
            if self._lock is not None:
                self._flush()
        finally:
            self._release()

    def _release(self) -> None:
        if hasattr(self, "_db"):
            with suppress(sqlite3.Error):
                if self._lock is not None and self.mode == "truncate":
                    self._db.execute("PRAGMA journal_mode = delete")
            self._db.close()
        if self._aside is not None:
            self._aside.cleanup()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


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
