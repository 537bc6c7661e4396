"""A file is whole, or says that it is not: copies, cuts, moves, links, kills and what others put into it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.live.store import SQLiteStore
from tests.conftest import smooth


@pytest.fixture
def library() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path, library: np.ndarray) -> Path:
    path = tmp_path / "search.eow"
    with eow.Search(library, smooth, budget=60, path=path) as search:
        search.run(rounds=2, progress=False)
    return path


def ids(search: eow.Search) -> list[Any]:
    return search.results().ids.tolist()


def test_a_copy_of_the_file_alone_is_whole_while_the_search_has_it_open(tmp_path: Path, library: np.ndarray) -> None:
    with eow.Search(library, smooth, budget=60, path=tmp_path / "open.eow") as search:
        search.run(rounds=3, progress=False)
        shutil.copyfile(tmp_path / "open.eow", tmp_path / "copy.eow")
        with eow.load(tmp_path / "copy.eow", library, smooth) as copy:
            assert ids(copy) == ids(search) and copy.n_rounds == 3 and not copy.notices


def test_a_file_that_was_cut_says_so(path: Path, library: np.ndarray) -> None:
    whole = path.read_bytes()
    for left in (len(whole) - 1, len(whole) - 4096, len(whole) // 2, 5000):
        path.write_bytes(whole[:left])
        with pytest.raises(eow.DamagedFileError, match=f"cut: its end is missing.*{len(whole):,} bytes"):
            eow.load(path, library, smooth)
        with pytest.raises(eow.DamagedFileError, match="cut"):
            eow.replay(path, library)
        assert path.read_bytes() == whole[:left]


def test_events_that_are_missing_at_the_end_are_told(path: Path, library: np.ndarray) -> None:
    db = sqlite3.connect(path)
    last = db.execute("SELECT MAX(seq) FROM events").fetchone()[0]
    db.execute("DELETE FROM events WHERE seq > ?", (last - 3,))
    db.commit()
    db.close()
    told = f"should hold {last + 1} events, and holds {last - 2}: the last 3 are missing"
    with pytest.warns(RuntimeWarning, match=told):
        search = eow.load(path, library, smooth)
    assert told in search.notices[0].text
    search.run(progress=False)
    search.close()
    with eow.load(path, library, smooth) as again:
        assert not again.notices and again.n_rounds == 2 and len(again.events) > last - 2


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be moved there")
@pytest.mark.parametrize("how", ["deleted", "renamed", "replaced"])
def test_a_file_that_goes_while_the_search_runs_is_noticed_and_nothing_is_lost(
    tmp_path: Path, library: np.ndarray, how: str
) -> None:
    path, calls = tmp_path / "s.eow", []

    def score(items: Any) -> Any:
        calls.extend(items.ids.tolist())
        if len(calls) == 30:
            if how == "deleted":
                path.unlink()
            elif how == "renamed":
                path.rename(tmp_path / "elsewhere.eow")
            else:
                os.replace(shutil.copyfile(path, tmp_path / "other.eow"), path)
        return smooth(items)

    search = eow.Search(library, score, budget=60, path=path, batch_size=1)
    said = "replaced" if how == "replaced" else "deleted or renamed"
    with pytest.raises(eow.FileError, match=f"{said}.*save_copy"):
        search.run(progress=False)
    assert len(calls) == 30, "it pauses at the next score"
    with pytest.raises(eow.FileError, match=said):
        search.run(progress=False)
    search.save_copy(tmp_path / "new.eow")
    search.run(progress=False)
    search.close()
    assert len(calls) == len(set(calls)) == 60 and search.n_scored == 60
    with eow.load(tmp_path / "new.eow", library, score) as again:
        assert sorted(ids(again)) == sorted(calls)


def test_a_copy_is_made_while_the_search_runs_and_never_over_something(tmp_path: Path, library: np.ndarray) -> None:
    def slow(items: Any) -> Any:
        time.sleep(0.005 * len(items))
        return smooth(items)

    with eow.Search(library, slow, budget=200, path=tmp_path / "s.eow", batch_size=4) as search:
        search.start()
        while search.n_scored < 40:
            time.sleep(0.01)
        search.save_copy(tmp_path / "c.eow")
        assert search.status is eow.SearchStatus.RUNNING
        with pytest.raises(eow.FileError, match="exists already"):
            search.save_copy(tmp_path / "c.eow")
        search.wait()
        copy = eow.replay(tmp_path / "c.eow", library)
        assert 40 <= copy.n_scored < 200 and search.n_scored == 200
        assert copy.events.to_bytes() == search.events.to_bytes()[: len(copy.events.to_bytes())]
    with pytest.raises(eow.InputError, match="got int"):
        search_in_memory(library).save_copy(5)  # type: ignore[arg-type]
    with pytest.raises(eow.FileError, match="folder of .* is not there"):
        search_in_memory(library).save_copy(tmp_path / "nowhere" / "c.eow")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c.eow", "s.eow"]


def search_in_memory(library: np.ndarray) -> eow.Search:
    search = eow.Search(library, smooth, budget=40, seed=1)
    search.run(progress=False)
    return search


def test_a_search_in_memory_is_written_whole(tmp_path: Path, library: np.ndarray) -> None:
    search = search_in_memory(library)
    search.save_copy(tmp_path / "kept.eow")
    with eow.load(tmp_path / "kept.eow", library, smooth) as kept:
        assert kept.events.to_bytes() == search.events.to_bytes() and ids(kept) == ids(search)
    store = SQLiteStore(tmp_path / "kept.eow", readonly=True)
    assert [one.time for one in store.read()] == [one.time for one in search.events] and store.payload([0])
    store.close()


def test_a_cell_that_loads_is_run_twice(path: Path, library: np.ndarray) -> None:
    first = eow.load(path, library, smooth)
    second = eow.load(path, library, smooth)
    assert second is not first and second.n_rounds == 2
    second.set(budget=100_000)
    second.start()
    again = eow.load(path, library, smooth)
    assert again is second
    second.close()


def test_a_link_is_the_same_file(path: Path, library: np.ndarray, tmp_path: Path) -> None:
    soft, hard = tmp_path / "soft.eow", tmp_path / "hard.eow"
    soft.symlink_to(path)
    os.link(path, hard)
    code = "import sys, numpy, emb_opt_widgets as e; e.load(sys.argv[1], numpy.zeros((2, 8)), print)"
    with eow.load(path, library, smooth) as search:
        other = subprocess.run([sys.executable, "-c", code, str(soft)], capture_output=True, text=True)
        assert "FileInUseError" in other.stderr
        search.start()
        assert eow.load(hard, library, smooth) is search and eow.load(soft, library, smooth) is search


def test_a_file_whose_maker_was_killed_before_its_first_event_is_made_anew(
    tmp_path: Path, library: np.ndarray, path: Path
) -> None:
    unborn = tmp_path / "unborn.eow"
    SQLiteStore(unborn, create=True).close()
    assert unborn.stat().st_size
    with pytest.raises(eow.EmbOptError):
        eow.load(unborn, library, smooth)
    with eow.Search(library, smooth, budget=30, path=unborn) as search:
        search.run(progress=False)
    assert eow.replay(unborn, library).n_scored == 30
    with pytest.raises(eow.FileError, match="exists already"):
        eow.Search(library, smooth, path=path)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM payload; END", "trigger"),
        ("CREATE VIEW v AS SELECT 1", "view"),
        ("CREATE TABLE more (x)", "table"),
        ("ALTER TABLE payload RENAME TO old; CREATE VIEW payload AS WITH RECURSIVE c(x) AS "
         "(SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS row, x AS value FROM c", "table|view"),
    ],
)  # fmt: skip
def test_what_runs_by_itself_is_refused(path: Path, library: np.ndarray, statement: str, what: str) -> None:
    db = sqlite3.connect(path)
    db.executescript(statement)
    db.close()
    before = path.read_bytes()
    for opened in (lambda: eow.load(path, library, smooth), lambda: eow.replay(path, library)):
        with pytest.raises(eow.DamagedFileError, match=f"holds what no file of ours does.*({what})"):
            opened()
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot limit sizes")
def test_a_value_of_absurd_size_is_refused_before_it_is_read(path: Path, library: np.ndarray) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET body = zeroblob(700000000) WHERE seq = 1")
    db.commit()
    db.close()
    with pytest.raises(eow.DamagedFileError, match="too big"):
        eow.load(path, library, smooth)


def test_what_was_half_written_when_the_writer_was_killed_is_taken_back_for_those_who_only_read(
    path: Path, library: np.ndarray, tmp_path: Path
) -> None:
    """A hot journal beside the file: its owner takes it back, and who only reads does so in a copy."""
    code = """if True:
        import os, sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        for i in range(3000):
            db.execute("UPDATE events SET body = zeroblob(9000) WHERE seq = ?", (i % 8,))
            db.execute("INSERT INTO payload VALUES (?, ?)", (100_000 + i, "x" * 3000))
        os.kill(os.getpid(), 9)
    """
    whole = ids(eow.replay(path, library))
    subprocess.run([sys.executable, "-c", code, str(path)])
    assert path.with_name("search.eow-journal").stat().st_size
    before = path.read_bytes()
    assert ids(eow.replay(path, library)) == whole and path.read_bytes() == before
    with eow.load(path, library, smooth) as search:
        assert ids(search) == whole
    assert not path.with_name("search.eow-journal").exists()


def test_a_reader_that_takes_its_time_keeps_no_writer_waiting(tmp_path: Path, library: np.ndarray) -> None:
    with eow.Search(library, smooth, budget=200, path=tmp_path / "s.eow", batch_size=1) as search:
        search.run(rounds=3, progress=False)
        reader = SQLiteStore(tmp_path / "s.eow", readonly=True)
        events = reader.read()
        next(events)
        search.run(progress=False)
        assert search.n_scored == 200 and next(events).seq == 1
        reader.close()


def test_a_file_of_before_is_converted_when_it_is_written_to(path: Path, library: np.ndarray) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("DROP TABLE kept")
    db.close()
    assert path.read_bytes()[18:20] == b"\2\2"
    assert eow.replay(path, library).n_rounds == 2
    with eow.load(path, library, smooth) as search:
        search.run(progress=False)
    assert path.read_bytes()[18:20] == b"\1\1"
    assert sqlite3.connect(path).execute("SELECT n FROM kept").fetchone()[0] == len(search_events(path, library))


def search_events(path: Path, library: np.ndarray) -> Any:
    return eow.replay(path, library).events
