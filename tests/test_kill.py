"""kill -9 at any moment, then load and go on: nothing lost, nothing scored again, the same end."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import emb_opt_widgets as eow

PROGRAM = """
import sys, time
import numpy as np
import emb_opt_widgets as eow

path, ledger, delay = sys.argv[1], sys.argv[2], float(sys.argv[3])
library = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)

def score(items):
    time.sleep(delay)
    values = -np.linalg.norm(items.embeddings - 0.75, axis=1)
    with open(ledger, "a") as file:
        file.write("".join(f"{i}\\n" for i in items.ids.tolist()))
    return values

import os
if os.path.exists(path) and os.path.getsize(path):
    search = eow.load(path, library, score)
    print("loaded", search.n_scored, flush=True)
else:
    search = eow.Search(library, score, update=eow.RLUpdate([0.25, 1.0]), prune=eow.TopKPrune(2), k=5, queries=4,
                        batch_size=3, seed=7, budget=480, path=path)
search.run(progress=False)
print("digest", search.events.digest(), search.n_scored, flush=True)
"""


def start(tmp: Path, name: str, delay: float) -> subprocess.Popen[str]:
    program = tmp / "program.py"
    program.write_text(PROGRAM)
    arguments = [sys.executable, str(program), str(tmp / f"{name}.eow"), str(tmp / f"{name}.txt"), str(delay)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(tmp: Path, name: str) -> str:
    process = start(tmp, name, 0.0)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return next(line for line in out.splitlines() if line.startswith("digest"))


@pytest.mark.timeout(400)
def test_twenty_kills_lose_nothing_and_pay_nothing_twice(tmp_path: Path) -> None:
    whole = finish(tmp_path, "whole")
    chance = random.Random(3)
    for _ in range(20):
        process = start(tmp_path, "killed", 0.05)
        alive = wait_for_progress(process, tmp_path / "killed.txt", chance)
        process.kill()
        process.communicate()
        assert alive, "the search ended before its last kill"
    assert finish(tmp_path, "killed") == whole
    with_source = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    ledger = (tmp_path / "killed.txt").read_text().split()
    search = eow.replay(tmp_path / "killed.eow", with_source)
    assert search.n_scored == 480 == len(set(ledger))
    assert len(ledger) <= 480 + 3 * 20, "only a batch in flight at a kill may be called again"


def wait_for_progress(process: subprocess.Popen[str], ledger: Path, chance: random.Random) -> bool:
    """Until the process has called the score function a few more times; False if it ended first."""
    before = len(ledger.read_text()) if ledger.exists() else 0
    wanted = chance.choice([0, 1, 1, 2])
    calls = 0
    while process.poll() is None:
        time.sleep(chance.random() * 0.02)
        now = len(ledger.read_text()) if ledger.exists() else 0
        calls += now > before
        before = max(before, now)
        if calls > wanted:
            return True
    return False


@pytest.mark.parametrize("batch_size", [1, 4, None])
@pytest.mark.parametrize("update", [None, eow.RLUpdate([0.25, 1.0])], ids=["default", "rl"])
def test_the_log_is_the_same_across_a_kill_where_items_fail(
    tmp_path: Path, update: object, batch_size: int | None
) -> None:
    """The file as it is at every call stands for a kill there: a copy of it is what a killed program leaves."""
    library = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32)
    path, copies = tmp_path / "whole.eow", list[Path]()

    def plain(items: eow.Items) -> np.ndarray:
        if (items.ids % 17 == 3).any():
            raise ValueError("an item of this batch is bad")
        return -np.linalg.norm(items.embeddings - 0.5, axis=1)

    def copied(items: eow.Items) -> np.ndarray:
        copies.append(Path(shutil.copyfile(path, tmp_path / f"{len(copies)}.eow")))
        return plain(items)

    with eow.Search(library, copied, update=update, budget=60, batch_size=batch_size, path=path, seed=3) as search:
        search.run(progress=False)
        assert search.controller.state.n_failed >= 3
        whole = search.events.to_bytes()
    for copy in copies:
        with eow.load(copy, library, plain) as again:
            again.run(progress=False)
            assert again.events.to_bytes() == whole, copy.name


INTERRUPTED = """
import numpy as np, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have set it aside
import emb_opt_widgets as eow

def score(items):
    time.sleep(0.05)
    return -np.linalg.norm(items.embeddings, axis=1)

library = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
search = eow.Search(library, score, update=eow.RLUpdate([0.5]), k=5, batch_size=1)
print("running", flush=True)
results = search.run(rounds=1000)
print(search.status, len(results) == search.n_scored > 0, flush=True)
search.step(1)
search.wait()
print(search.status, flush=True)
"""


def test_an_interrupt_pauses_and_the_program_goes_on() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "running\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.splitlines() == ["paused True", "paused"], err
