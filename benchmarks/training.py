"""What a training step with the negative cache costs, against the full softmax and a straightforward port."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Measure

__all__ = ["measure_training"]

_CHECKOUT = Path(__file__).parents[1]
_BATCH, _DIM, _HIDDEN = 64, 128, 256
_WARMED = (
    "peak resident memory of a process of its own above that of a step over a few items: the items, the cache, the "
    "steps and filling the cache"
)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one candidate: seconds of the median step, and megabytes at the peak."""

    seconds: float
    megabytes: float


def measure_training(quick: bool = False, say: Callable[[str], None] = lambda _: None) -> Iterator[Measure]:
    """Time and memory at two sizes; all candidates take turns, each in a new process with one thread.

    Args:
        quick: Smaller sizes, for tests; the numbers then mean little.
        say: Told what is under way.
    """
    for rows in (1_000, 2_000) if quick else (10_000, 100_000):
        costs: dict[str, list[_Cost]] = {"ours": [], "full softmax": [], "port": []}
        for turn in range(1 if quick else 3):
            for name, seen in costs.items():
                say(f"{name}, N = {rows:,}, turn {turn + 1}")
                seen.append(_cost(name, rows, 2 if quick else 8))
        yield from _ratios(rows, {name: _middle(seen) for name, seen in costs.items()}, goal=rows == 100_000)


def _ratios(rows: int, costs: dict[str, _Cost], goal: bool) -> Iterator[Measure]:
    size = f"N = {rows:,}"
    ours, full, port = costs["ours"], costs["full softmax"], costs["port"]
    yield _time(f"the full softmax’s step over ours, {size}", full, ours, 4 if goal else 1)
    yield _memory(f"our memory over the full softmax’s, {size}", ours, full, 0.5 if goal else 1)
    yield _time(f"a straightforward port’s step over ours, {size}", port, ours, 1)
    yield _memory(f"our memory over a straightforward port’s, {size}", ours, port, 1)


def _time(name: str, other: _Cost, ours: _Cost, limit: float) -> Measure:
    detail = (
        f"{other.seconds * 1e3:.1f} against {ours.seconds * 1e3:.1f} ms, batch {_BATCH}, d = {_DIM}, towers "
        f"{_DIM}–{_HIDDEN}–{_DIM}, one thread"
    )
    return Measure(name, other.seconds / ours.seconds, "×", limit, "at least", detail)


def _memory(name: str, ours: _Cost, other: _Cost, limit: float) -> Measure:
    detail = f"{ours.megabytes:.0f} against {other.megabytes:.0f} MB, {_WARMED}"
    return Measure(name, ours.megabytes / other.megabytes, "×", limit, "at most", detail)


def _cost(name: str, rows: int, steps: int) -> _Cost:
    command = [sys.executable, "-m", "benchmarks.training_steps", name, str(rows), str(steps)]
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=_CHECKOUT).stdout)
    return _Cost(statistics.median(done["seconds"]), done["bytes"] / 1e6)


def _middle(costs: list[_Cost]) -> _Cost:
    return _Cost(statistics.median(c.seconds for c in costs), statistics.median(c.megabytes for c in costs))
