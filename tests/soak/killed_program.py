"""A program that is killed again and again: it opens its search's file, or makes it, and goes on with it.

    python killed_program.py FOLDER [MORE]

Without MORE it goes on without end; with it, for so many further calls, and asks again for what failed. The folder then
holds `search.eow`; `calls.txt`, to which workers append each call's begin and end; and `kept.txt`, to which the program
appends every item whose score the search told as kept.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import emb_opt_widgets as eow

WORKERS = 3
SECONDS = 0.05


def library() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((20_000, 8)).astype(np.float32)


def value_of(vectors: np.ndarray) -> np.ndarray:
    return -np.linalg.norm(vectors - 0.75, axis=1)


def append(path: Path, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


class Logged:
    """A score whose workers log what they are called on; their process group is the program's."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "calls.txt"

    def __call__(self, items: eow.Items) -> np.ndarray:
        (item,) = items.ids.tolist()
        append(self.path, f"begin {item} {os.getpgrp()} {os.getpid()} {time.time()}")
        time.sleep(SECONDS)
        append(self.path, f"end {item} {os.getpgrp()} {os.getpid()} {time.time()}")
        return value_of(items.embeddings)


def go_on(folder: Path, more: int | None) -> None:
    path, score = folder / "search.eow", Logged(folder)
    with ProcessPoolExecutor(WORKERS) as pool:
        if path.exists():
            search = eow.load(path, library(), score, executor=pool)
        else:
            search = eow.Search(library(), score, path=path, executor=pool, budget=15_000, seed=1)
        state = search.controller.state

        def acknowledge(events: Sequence[eow.engine.events.Event]) -> None:
            for event in events:
                if event.kind == "scored":
                    good = np.isfinite(event.body.values)
                    for item in state.ids.take(np.asarray(event.body.rows)[good]).tolist():
                        append(folder / "kept.txt", f"{item} {time.time()}")

        search.subscribe(acknowledge)
        if more is not None:
            search.retry()
            search.set(budget=search.n_scored + len(search.pending) + more)
        search.run(progress=False)
        print(search.status, search.reason, flush=True)
        search.close()


if __name__ == "__main__":
    go_on(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
