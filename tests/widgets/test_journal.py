"""The events a person reads: the same whether they are heard as they happen or read from the log."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import emb_opt_widgets as eow
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.widgets.journal import Journal

from ..conftest import smooth


def lines(journal: Journal, table: Any) -> list[tuple[Any, ...]]:
    while journal.fold(table):
        pass
    columns = ("seq", "kind", "node", "text", "who", "note", "n_scored")
    return list(zip(*[list(table[name]) for name in columns]))


def meddled(search: eow.Search) -> eow.Search:
    search.run(rounds=2, progress=False)
    search.branch(0, note="again")
    search.branch(item=3)
    search.branch(embedding=np.full(8, 0.5))
    search.steering.branch_all(nodes=[0, 1]).result()
    search.steering.branch_all(items=[1, 2, 3]).result()
    search.prune_node(0)
    search.restore(0)
    search.undo()
    search.redo()
    search.set(k=5)
    search.step(2)
    search.wait()
    search.stop("enough")
    return search


def failing(items: Any) -> Any:
    scores = smooth(items)
    scores[items.ids % 3 == 0] = np.nan
    return [
        {"valid": bool(np.isfinite(score)), "score": None if np.isnan(score) else float(score), "data": {}}
        for score in scores
    ]


def test_live_and_read_lines_are_the_same(library: np.ndarray, tmp_path: Path) -> None:
    for path in (None, tmp_path / "one.eow"):
        search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=6, queries=3, path=path)
        live = Journal(search.controller)
        with search.controller.lock:
            table = live.begin()
            end = search.controller.listen(live.hear)
        meddled(search)
        heard = lines(live, table)
        end()
        live.end()
        late = Journal(search.controller)
        read = lines(late, late.begin())
        assert heard == read and len(heard) > 15
        assert lines(live, live.begin()) == heard, "what was known is not read again"
        search.close()


def test_lines_say_what_happened_and_who_asked(search: eow.Search) -> None:
    meddled(search)
    journal = Journal(search.controller)
    read = lines(journal, journal.begin())
    said = {kind: text for _, kind, _, text, _, _, _ in read}
    assert said["created"] == "The search was made, with seed 0."
    assert said["prune"].startswith("Pruned query 0 and ") and said["undo"] == said["redo"].replace("Redid", "Undid")
    assert said["undo"].startswith("Undid the restore of query 0")
    assert said["set"] == "Set k = 5." and said["step"] == "2 rounds asked for."
    branches = [line for line in read if line[1] == "branch"]
    assert [line[3].partition(":")[0] for line in branches] == [
        "Branched from query 0", "Branched at item 3", "Branched at a given vector", "Branched from 2 queries",
        "Branched at item 1 and 2 more",
    ]  # fmt: skip
    assert branches[0][4:6] == ("python", "again") and branches[0][2] == 0
    assert all(a[6] <= b[6] for a, b in pairwise(read)) and read[-1][6] == search.n_scored
    assert read[-1][1] == "stopped" and not any(line[1] == "round_ended" for line in read)


def test_failures_and_fresh_starts_are_one_line_while_they_go_on(library: np.ndarray) -> None:
    search = eow.Search(library[:60], failing, update=eow.RLUpdate([1e-9]), k=4, queries=2, budget=40, batch_size=2)
    live = Journal(search.controller)
    with search.controller.lock:
        table = live.begin()
        search.controller.listen(live.hear)
    search.run(progress=False)
    heard = lines(live, table)
    late = Journal(search.controller)
    assert lines(late, late.begin()) == heard
    kinds = [line[1] for line in heard]
    assert "failed" in kinds and "fresh start" in kinds
    assert not any(a == b in ("failed", "fresh start") for a, b in pairwise(kinds))
    failures = [line[3] for line in heard if line[1] == "failed"]
    assert (
        sum(int(text.split()[0]) if text[0].isdigit() else 1 for text in failures) == search.controller.state.n_failed
    )


def test_many_events_are_read_a_slice_at_a_time(search: eow.Search) -> None:
    search.run(rounds=1, progress=False)
    for _ in range(300):
        search.controller.emit([ev.Paused("")] * 100)
    journal = Journal(search.controller)
    table = journal.begin()
    slices = 1
    while journal.fold(table):
        slices += 1
    assert slices > 1 and len(table) > 30_000
    journal.end()
    assert len(journal.begin()) == 5_000


def test_text_of_strangers_is_plain(search: eow.Search) -> None:
    search.run(rounds=1, progress=False)
    search.prune_node(0, note="<script>\u202e\x00" + "x" * 5_000)
    journal = Journal(search.controller)
    note = lines(journal, journal.begin())[-1][5]
    assert note.startswith("<script>\ufffd\ufffd") and len(note) < 700


def test_a_closed_file_ends_the_reading(library: np.ndarray, tmp_path: Path) -> None:
    search = eow.Search(library, smooth, update=eow.RLUpdate([0.5]), k=6, queries=3, path=tmp_path / "x.eow")
    search.run(rounds=1, progress=False)
    journal = Journal(search.controller)
    search.close()
    assert lines(journal, journal.begin()) == []
