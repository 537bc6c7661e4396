"""The file: what is in it comes out again, one writer, and clear errors for all that can be wrong with it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import emb_opt_widgets as eow
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.live.store import SQLiteStore, decode, encode
from emb_opt_widgets.live.store.lock import WriterLock

from ...conftest import smooth

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ROWS = hnp.arrays(np.int32, st.integers(0, 20))
FLOATS = hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=5))


@given(
    rows=ROWS, values=FLOATS, reasons=st.dictionaries(st.text(max_size=4), st.text(max_size=20)), data=st.lists(JSON)
)
def test_what_is_encoded_comes_back_equal(rows: Any, values: Any, reasons: Any, data: Any) -> None:
    body = ev.Scored(rows, values, reasons, data)
    coded = encode(body)
    again = decode("scored", coded)
    assert isinstance(again, ev.Scored) and encode(again) == coded
    np.testing.assert_array_equal(again.rows, rows)
    np.testing.assert_array_equal(again.values, values)
    assert dict(again.reasons) == reasons and again.values.shape == values.shape


@settings(max_examples=200)
@given(junk=st.binary(max_size=200), kind=st.sampled_from(sorted(ev.BODIES)))
def test_junk_is_damage_and_nothing_else(junk: bytes, kind: str) -> None:
    with pytest.raises(eow.DamagedFileError):
        decode(kind, junk)


def test_what_json_cannot_hold_is_kept_as_text_and_nothing_is_pickled() -> None:
    body = ev.Scored(np.array([1]), np.array([2.0]), {}, [{"x": object(), "y": np.float32(1), "z": {1, 2}}])
    again = decode("scored", encode(body))
    assert isinstance(again, ev.Scored) and again.data is not None
    assert "$repr" in again.data[0]["x"] and again.data[0]["y"] == 1.0


@pytest.fixture
def path(tmp_path: Path, library: np.ndarray) -> Path:
    path = tmp_path / "search.eow"
    with eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=5, path=path) as search:
        search.run(rounds=2, progress=False)
    return path


def test_load_goes_on_where_it_stopped(path: Path, library: np.ndarray) -> None:
    memory = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=5)
    memory.run(rounds=2, progress=False)
    memory.run(rounds=3, progress=False)
    with eow.load(path, library, smooth) as search:
        assert search.n_rounds == 2 and search.status is eow.SearchStatus.FINISHED
        search.run(rounds=3, progress=False)
        assert search.events.to_bytes() == memory.events.to_bytes()
    assert sorted(p.name for p in path.parent.iterdir()) == ["search.eow"]


def test_one_writer(path: Path, library: np.ndarray) -> None:
    with eow.load(path, library, smooth):
        code = f"import emb_opt_widgets as e, numpy as n; e.load({str(path)!r}, n.zeros((2, 8)), print)"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "FileInUseError" in other.stderr and f"process {os.getpid()} on this machine (since 20" in other.stderr
        assert eow.replay(path, library).n_rounds == 2, "reading is free"
    eow.load(path, library, smooth).close()


def test_a_file_is_never_overwritten(path: Path, library: np.ndarray) -> None:
    before = path.read_bytes()
    with pytest.raises(eow.FileError, match=r"exists already.*load"):
        eow.Search(library, smooth, path=path)
    assert path.read_bytes() == before


def test_the_wrong_source_or_a_missing_function(path: Path, library: np.ndarray, tmp_path: Path) -> None:
    for other in (library[: len(library) // 2], library * 2, library[:, :4]):
        with pytest.raises(eow.InputError, match="not the source"):
            eow.load(path, other, smooth)
    with pytest.raises(eow.InputError, match="score=tests.conftest.smooth"):
        eow.load(path, library)
    own = tmp_path / "own.eow"

    def keep(items: Any) -> Any:
        return np.ones(len(items), bool)

    eow.Search(library, smooth, filter=keep, update=lambda q: q.embeddings * 0.9, path=own).close()
    with pytest.raises(eow.InputError, match="filter=.*keep"):
        eow.load(own, library, smooth, update=lambda q: q.embeddings)
    with pytest.raises(eow.InputError, match="update=.*lambda"):
        eow.load(own, library, smooth, filter=keep)
    with eow.load(own, library, smooth, filter=keep, update=lambda q: q.embeddings) as search:
        search.run(rounds=2, progress=False)
        assert search.n_rounds == 2


def test_damaged_foreign_newer_and_missing_files(path: Path, library: np.ndarray, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.eow"
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE t (x)")
    db.commit()
    db.close()
    text = tmp_path / "text.eow"
    text.write_text("not a database at all, but long enough to have a header " * 40)
    empty = tmp_path / "empty.eow"
    empty.touch()
    newer = tmp_path / "newer.eow"
    newer.write_bytes(path.read_bytes())
    db = sqlite3.connect(newer)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    torn = tmp_path / "torn.eow"
    torn.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    gap = tmp_path / "gap.eow"
    gap.write_bytes(path.read_bytes())
    db = sqlite3.connect(gap)
    db.execute("DELETE FROM events WHERE seq = 3")
    db.commit()
    db.close()
    for file, error in [
        (foreign, eow.DamagedFileError), (text, eow.DamagedFileError), (empty, eow.DamagedFileError),
        (newer, eow.NewerFileError), (torn, eow.DamagedFileError), (gap, eow.DamagedFileError),
        (tmp_path / "missing.eow", eow.FileError), (tmp_path, eow.FileError),
    ]:  # fmt: skip
        before = file.read_bytes() if file.is_file() else None
        for opened in (lambda f=file: eow.load(f, library, smooth), lambda f=file: eow.replay(f, library)):
            with pytest.raises(error):
                opened()
        assert before is None or file.read_bytes() == before
    with pytest.raises(eow.FileError, match="folder"):
        eow.Search(library, smooth, path=tmp_path / "nowhere" / "x.eow")


def test_no_flipped_bit_goes_unnoticed(path: Path, library: np.ndarray, tmp_path: Path) -> None:
    whole = path.read_bytes()
    truth = eow.replay(path, library).events.digest()
    chance = np.random.default_rng(0)
    outcomes = {"damaged": 0, "unharmed": 0}
    for _ in range(150):
        broken = bytearray(whole)
        place = int(chance.integers(len(broken)))
        broken[place] ^= 1 << int(chance.integers(8))
        file = tmp_path / "flipped.eow"
        file.write_bytes(broken)
        try:
            assert eow.replay(file, library).events.digest() == truth
            outcomes["unharmed"] += 1
        except eow.FileError:
            outcomes["damaged"] += 1
    assert outcomes["damaged"] > 20


def test_a_copy_in_a_read_only_folder_can_be_replayed(path: Path, library: np.ndarray, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert eow.replay(path, library).n_rounds == 2


def test_the_file_says_what_it_is_from_its_first_moment(tmp_path: Path, library: np.ndarray) -> None:
    with eow.Search(library, smooth, path=tmp_path / "s.eow"):
        copy = tmp_path / "copy.eow"
        copy.write_bytes((tmp_path / "s.eow").read_bytes())
        assert eow.replay(copy, library).n_rounds == 0


def test_a_strategy_that_the_file_does_not_need_is_refused(path: Path, library: np.ndarray) -> None:
    with pytest.raises(eow.InputError, match=r"search\.set\(update="):
        eow.load(path, library, smooth, update=eow.RLUpdate([9.0]))
    eow.load(path, library, smooth, update=eow.RLUpdate([0.5])).close()


def test_read_only_places(path: Path, library: np.ndarray) -> None:
    if os.geteuid() == 0:
        with pytest.raises(eow.FileError):
            eow.Search(library, smooth, path="/proc/search.eow")
        return
    path.parent.chmod(0o500)
    try:
        with pytest.raises(eow.FileError, match="read-only"):
            eow.load(path, library, smooth)
    finally:
        path.parent.chmod(0o700)


FULL = """
import resource, sys
import numpy as np
import emb_opt_widgets as eow
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = sys.argv[1]
library = np.random.default_rng(0).standard_normal((4000, 64)).astype(np.float32)
score = lambda items: -np.linalg.norm(items.embeddings - 0.75, axis=1)
search = eow.Search(library, score, update=eow.RLUpdate([0.5]), k=50, queries=20, path=path)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, hard))
try:
    search.run(rounds=30, progress=False)
except eow.FileError as error:
    print("full:", error)
print(search.status, "|", search.reason)
kept = search.n_scored
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
search.run(rounds=3, progress=False)
assert search.n_scored > kept
print("went on", search.n_rounds)
search.close()
again = eow.replay(path, library)
assert again.n_scored == search.n_scored
import sqlite3
assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
print("whole")
"""


def test_a_full_disk_is_a_clear_error_and_the_search_goes_on_when_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "s.eow")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "full:" in done.stdout and "failed |" in done.stdout and "whole" in done.stdout


def test_works_where_a_journal_cannot_be_emptied(
    tmp_path: Path, library: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = sqlite3.connect

    class Stubborn(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> Any:
            if "journal_mode = truncate" in sql:
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *more)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: plain(*a, **k, factory=Stubborn))
    path = tmp_path / "s.eow"
    with eow.Search(library, smooth, update=eow.RLUpdate([0.5]), path=path) as search:
        search.run(rounds=2, progress=False)
        assert isinstance(search.controller.store, SQLiteStore) and search.controller.store.mode == "delete"
    assert eow.replay(path, library).n_scored == search.n_scored


def test_reading_leaves_nothing_beside_a_file_that_nobody_has_open(tmp_path: Path) -> None:
    path = tmp_path / "kept.eow"
    library = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    with eow.Search(library, smooth, budget=20, path=path) as search:
        search.run(progress=False)
        live = SQLiteStore(path, readonly=True)  # the writer's log is read too
        assert sum(1 for _ in live.read()) == len(search.events)
        live.close()
    assert [one.name for one in tmp_path.iterdir()] == ["kept.eow"]
    whole = path.read_bytes()
    for damage in (whole, whole[: len(whole) // 2], whole[:100] + b"x" * 400 + whole[500:]):
        path.write_bytes(damage)
        try:
            kept = SQLiteStore(path, readonly=True)
            sum(1 for _ in kept.read())
            kept.close()
        except eow.EmbOptError:
            assert damage != whole
        assert [one.name for one in tmp_path.iterdir()] == ["kept.eow"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_worker_that_outlives_the_program_does_not_hold_its_file(tmp_path: Path) -> None:
    owner = """if True:
        import os, sys, time
        from pathlib import Path
        from emb_opt_widgets.live.store.lock import WriterLock
        held = WriterLock(Path(sys.argv[1]))
        worker = os.fork()
        if worker == 0:
            time.sleep(30)
            os._exit(0)
        print(worker, flush=True)
        os.kill(os.getpid(), 9)
    """
    path = tmp_path / "a.eow"
    program = subprocess.Popen([sys.executable, "-c", owner, str(path)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    worker = int(program.stdout.readline())
    program.wait()
    try:
        os.kill(worker, 0)
        end = time.monotonic() + 10
        while time.monotonic() < end:  # the worker may not have run yet since it was forked
            try:
                WriterLock(path).release()
                break
            except eow.FileInUseError:
                time.sleep(0.05)
        else:
            raise AssertionError("the worker holds the file")
        os.kill(worker, 0)
    finally:
        os.kill(worker, 9)
        program.stdout.close()
