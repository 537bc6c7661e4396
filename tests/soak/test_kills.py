"""Workers and the program are killed at random while calls fly: nothing that was kept is lost, nothing is scored again
but what was in flight at a kill."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

import emb_opt_widgets as eow

from .killed_program import WORKERS, library, value_of

PROGRAM = Path(__file__).with_name("killed_program.py")
SLACK = 1.0
"""Seconds that an answer may be on its way from a worker to the search's file, and that a pool may take to see a death
and to end its other workers."""


@dataclass
class Run:
    """One call of the score, as its worker logged it."""

    program: int
    worker: int
    begun: float
    ended: float = np.inf


@dataclass
class Kill:
    """One kill, and when; of a program also the items that its file says were in flight."""

    program: int
    at: float
    pending: set[int] | None = None


@dataclass
class Story:
    """A search whose workers and programs are killed."""

    folder: Path
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    kills: list[Kill] = field(default_factory=list)

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(PROGRAM), str(self.folder), *more]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def lines(self, name: str) -> list[list[str]]:
        path = self.folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def kept(self) -> dict[int, float]:
        """When each item's score was told as kept, first."""
        out: dict[int, float] = {}
        for item, at in self.lines("kept.txt"):
            out.setdefault(int(item), float(at))
        return out

    def calls(self) -> dict[int, list[Run]]:
        out: dict[int, list[Run]] = {}
        for what, item, program, worker, at in self.lines("calls.txt"):
            runs = out.setdefault(int(item), [])
            if what == "begin":
                runs.append(Run(int(program), int(worker), float(at)))
            else:
                next(run for run in reversed(runs) if run.worker == int(worker)).ended = float(at)
        return out

    def wait_for_more(self, process: subprocess.Popen[str]) -> None:
        before = len(self.lines("kept.txt"))
        while len(self.lines("kept.txt")) == before:
            assert process.poll() is None, "".join(process.communicate())
            time.sleep(0.02)

    def kill_a_worker(self, process: subprocess.Popen[str]) -> bool:
        """Whether there was one that had something to do."""
        lately = self.lines("calls.txt")[-40:]
        seen = {int(worker) for _, _, program, worker, _ in lately if int(program) == process.pid}
        ours = [worker for worker in seen if psutil.pid_exists(worker) and _parent(worker) == process.pid]
        if not ours:
            return False
        self.kills.append(Kill(process.pid, time.time()))
        os.kill(self.chance.choice(sorted(ours)), signal.SIGKILL)
        return True

    def kill_the_program(self, process: subprocess.Popen[str]) -> None:
        """Kill it, and look at its file; the workers that it leaves behind live on."""
        process.kill()
        process.wait()
        at, search = time.time(), eow.replay(self.folder / "search.eow", library())
        assert set(self.kept()) <= set(search.results().ids.tolist()), "a score that was kept is lost"
        self.kills.append(Kill(process.pid, at, set(search.pending.ids.tolist())))

    def end_group(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def tell(self, kills: int, programs: float) -> None:
        """So many kills, this share of them of the program; then the search comes to its end."""
        process = self.start()
        try:
            self.wait_for_more(process)
            while len(self.kills) < kills - 1:
                time.sleep(self.chance.random() * 0.4)
                if self.chance.random() >= programs:
                    self.kill_a_worker(process)
                    continue
                self.kill_the_program(process)
                killed, process = process, self.start()
                self.wait_for_more(process)
                self.end_group(killed)
            self.kill_the_program(process)
            last = self.start("60")
            out, errors = last.communicate(timeout=300)
            assert last.returncode == 0 and out.startswith("finished"), out + errors
        finally:
            self.end_group(process)

    def justified(self, item: int, before: Run, after: Run, kept: float, apart: set[int]) -> bool:
        """Whether a call on an item that was called on before is one that a kill asked for, or the last program's
        `retry` of those that were set apart."""
        ended = {kill.program: kill for kill in self.kills if kill.pending is not None}
        orphan = after.program in ended and ended[after.program].at < after.begun
        if after.begun > kept and not orphan:
            return False
        if before.program != after.program:
            return item in (ended[before.program].pending or ()) or (item in apart and after.program not in ended)
        kills = [kill.at for kill in self.kills if kill.pending is None and kill.program == after.program]
        return any(before.begun - SLACK <= at <= min(after.begun, before.ended + SLACK) for at in kills)


def _parent(worker: int) -> int | None:
    try:
        return int(psutil.Process(worker).ppid())
    except psutil.NoSuchProcess:
        return None


@pytest.mark.skipif(os.name == "nt", reason="kills process groups")
@pytest.mark.parametrize(
    ("kills", "programs"),
    [(5, 0.2), pytest.param(200, 0.5, marks=[pytest.mark.soak, pytest.mark.timeout(3_000)])],
    ids=["few", "many"],
)
def test_kills_lose_nothing_and_score_nothing_twice_but_what_was_in_flight(
    kills: int, programs: float, tmp_path: Path
) -> None:
    story = Story(tmp_path)
    story.tell(kills, programs)
    calls, kept = story.calls(), story.kept()
    search = eow.replay(tmp_path / "search.eow", library())
    results = search.results()
    assert len(search.pending) == 0 and search.n_scored == len(results) and set(kept) <= set(results.ids.tolist())
    np.testing.assert_allclose(results.scores, value_of(library()[results.ids]), rtol=1e-6)
    again = [(item, *pair) for item, runs in calls.items() for pair in pairwise(runs)]
    reopened = [event.body.rows for event in search.events if event.kind == "reopened"]
    apart = set(search.controller.state.ids.take(np.concatenate([np.empty(0, np.int64), *reopened])).tolist())
    strange = [one for one in again if not story.justified(*one, kept.get(one[0], np.inf), apart)]
    assert not strange, strange
    killed = sum(kill.pending is not None for kill in story.kills)
    print(f"{killed} programs, {len(story.kills) - killed} workers killed: {len(results)} items, {len(again)} again,")
    print(f"{len(apart)} of them since two workers of theirs died")
    in_flight = sum(WORKERS if kill.pending is None else len(kill.pending) for kill in story.kills)
    assert len(again) <= in_flight + len(apart)
