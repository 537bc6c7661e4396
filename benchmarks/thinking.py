"""What the default strategy's thinking costs: CPU a call, in units of one Matérn matrix on the same machine.

Run it from a checkout: `OMP_NUM_THREADS=1 python -m benchmarks.thinking`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Measure
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Choice, Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.search import Search
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.strategies import Portfolio

__all__ = ["thinking"]

_REACH = 4000
_POINTS = 1000


@dataclass
class _Clock:
    """CPU seconds of thought since a number of scores, and the longest stretch between two checkpoints."""

    since: int
    spent: float = 0.0
    longest: float = 0.0
    marks: list[float] = field(default_factory=list)

    def mark(self) -> None:
        self.marks.append(time.thread_time())
        if len(self.marks) > 1:
            self.longest = max(self.longest, self.marks[-1] - self.marks.pop(0))


class _Timed:
    """The default strategy with a clock."""

    def __init__(self, clock: _Clock) -> None:
        self._inner, self._clock = Portfolio(), clock

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        if view.n_scored < self._clock.since:
            return self._inner.propose(queries, view)
        begin = time.thread_time()
        self._clock.marks = []
        self._clock.mark()
        view.checkpoint = self._clock.mark
        try:
            return self._inner.propose(queries, view)
        finally:
            self._clock.mark()
            self._clock.spent += time.thread_time() - begin

    def choose(self, candidates: Items, view: SearchView) -> Choice:
        return self._inner.choose(candidates, view)


def _matrix(x: npt.NDArray[np.float32]) -> float:
    """CPU seconds of a Matérn matrix of all rows and a thousand of them, in place, four thousand rows at a time."""
    b, begin = x[:_POINTS], time.thread_time()
    for start in range(0, len(x), _REACH):
        a = x[start : start + _REACH]
        root = a @ b.T
        root *= -2
        root += np.einsum("ij,ij->i", a, a)[:, None]
        root += np.einsum("ij,ij->i", b, b)
        np.maximum(root, 0, out=root)
        root *= np.float32(5 / (2 * x.shape[1]))
        np.sqrt(root, out=root)
        out = root * np.float32(1 / 3)
        out += 1
        out *= root
        out += 1
        np.negative(root, out=root)
        out *= np.exp(root, out=root)
    return time.thread_time() - begin


def thinking(n: int = 20_000, d: int = 64, since: int = 1200, calls: int = 400) -> list[Measure]:
    """The cost of a call, and the longest stretch that a person waits, from `since` scores on."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d)).astype(np.float32)
    truth = np.exp(-0.5 * np.linalg.norm(x - 0.3, axis=1) / np.sqrt(d)) + 0.02 * rng.standard_normal(n)
    clock = _Clock(since)
    search = Search(
        ArraySource(x), lambda items: truth[items.ids], update=_Timed(clock), budget=since + calls, seed=0
    )  # fmt: skip
    search.run(progress=False)
    unit = min(_matrix(x) for _ in range(3))
    detail = f"N = {n:,}, d = {d}, from {since:,} to {since + calls:,} scored; one matrix {unit * 1e3:.0f} ms"
    cost = clock.spent / calls
    return [
        Measure("thinking a call over a Matérn matrix", cost / unit, "×", 0.068, "at most",
            f"{cost * 1e3:.1f} ms; {detail}",
        ),
        Measure("longest stretch between two checkpoints", clock.longest * 1e3, "ms", 150, "at most", detail),
    ]  # fmt: skip


if __name__ == "__main__":
    for size in (20_000, 100_000):
        for one in thinking(size):
            print(f"{one.name}: {one.value:.3f} {one.unit} ({one.detail})")
