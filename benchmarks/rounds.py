"""What a round costs: against the bare faiss search, against emb_opt, in memory, and after a long history."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Measure, timed
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.sources import FaissSource
from emb_opt_widgets.strategies import RLUpdate

__all__ = ["measure_rounds"]

_DIM = 64
_QUERIES = 100
_K = 100
_STEP = 0.1
_IMPORT = "import time; t = time.perf_counter(); import emb_opt_widgets; print(time.perf_counter() - t)"


def measure_rounds(quick: bool = False, say: Callable[[str], None] = lambda _: None) -> Iterator[Measure]:
    """All of them, one after the other.

    Args:
        quick: Smaller sizes, for tests; the numbers then mean little.
        say: Told what is under way.
    """
    say("one round against the bare faiss search")
    yield against_faiss(10_000 if quick else 100_000, rounds=4 if quick else 15)
    say("one round against emb_opt's")
    yield against_emb_opt(2_000 if quick else 10_000, rounds=2 if quick else 5)
    history = 100_000 if quick else 1_000_000
    say(f"rounds while {history:,} items are scored")
    yield after_history(history)
    say("memory of scored items")
    yield memory(50_000 if quick else 300_000)
    say("import")
    yield import_time(2 if quick else 7)


def _round(search: Search) -> None:
    search.start(1)
    search.wait()


def _data(n: int, seed: int = 0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    x = np.random.default_rng(seed).standard_normal((n, _DIM)).astype(np.float32)
    return x, np.exp(-0.5 * np.linalg.norm(x - 0.75, axis=1) / np.sqrt(_DIM))


def against_faiss(n: int, rounds: int) -> Measure:
    """A whole round over the bare search of its queries in the same index, pair by pair."""
    import faiss

    x, truth = _data(n)
    index = faiss.IndexFlatL2(_DIM)
    index.add(x)
    starts = np.random.default_rng(1).standard_normal((_QUERIES, _DIM))
    search = Search(FaissSource(index), lambda b: truth[b.ids], queries=starts, k=_K, update=RLUpdate((_STEP,)))
    index.search(starts.astype(np.float32), _K)
    whole, bare = [], []
    for number in range(rounds):
        whole.append(timed(lambda: _round(search)))
        points = search.tree.embedding[search.tree.round == number].astype(np.float32)
        bare.append(timed(partial(index.search, points, _K)))
    ratio = statistics.median(w / b for w, b in zip(whole, bare))
    return Measure(
        f"a round over the bare faiss search, N = {n:,}", ratio, "×", 1.5, "at most",
        f"{_ms(whole)} against {_ms(bare)} ms, d = {_DIM}, {_QUERIES} queries, k = {_K}, "
        f"{search.n_scored:,} items scored in {rounds} rounds, {faiss.omp_get_max_threads()} threads",
    )  # fmt: skip


def against_emb_opt(n: int, rounds: int) -> Measure:
    """A round of emb_opt over one of ours: same index, same queries, same scores."""
    name = f"emb_opt’s round over ours, N = {n:,}"
    try:
        import emb_opt  # noqa: F401
    except ImportError:
        return Measure(name, float("nan"), "×", 30, "at least", "emb_opt is not installed: pip install emb_opt==1.0.2")
    import faiss

    x, truth = _data(n)
    index = faiss.IndexFlatL2(_DIM)
    index.add(x)
    starts = np.random.default_rng(1).standard_normal((_QUERIES, _DIM))
    search = Search(FaissSource(index), lambda b: truth[b.ids], queries=starts, k=_K, update=RLUpdate((_STEP,)))
    ours = [timed(lambda: _round(search)) for _ in range(3 * rounds)]
    points = search.tree.embedding[-_QUERIES:].astype(np.float32)
    bare = [timed(lambda: index.search(points, _K)) for _ in ours]
    theirs = _emb_opt_rounds(index, truth, starts)
    next(theirs)
    other = [timed(lambda: next(theirs)) for _ in range(rounds)]
    ratio = statistics.median(other) / statistics.median(ours)
    return Measure(
        name, ratio, "×", 30, "at least",
        f"{_ms(other)} against {_ms(ours)} ms, of which the bare faiss search {_ms(bare)}; d = {_DIM}, "
        f"{_QUERIES} queries, k = {_K}, {faiss.omp_get_max_threads()} threads",
    )  # fmt: skip


def _emb_opt_rounds(index: Any, truth: Any, starts: Any) -> Iterator[None]:
    from emb_opt.log import Log
    from emb_opt.plugins.faiss import FaissDataPlugin
    from emb_opt.runner import Runner
    from emb_opt.update import RLUpdate as TheirUpdate
    from emb_opt.utils import build_batch_from_embeddings

    def score(items: Any) -> list[dict[str, Any]]:
        return [{"valid": True, "score": float(truth[item.id]), "data": None} for item in items]

    runner = Runner(FaissDataPlugin(_K, index), None, score, None, TheirUpdate([_STEP], 0.0))
    batch, log = build_batch_from_embeddings(starts.astype(np.float32)), Log()
    yield
    round_number = 0
    while batch is not None:
        batch = runner.step(batch, log, round_number, verbose=False)
        round_number += 1
        yield


class _Belt:
    """A source that hands out its items one after the other: what remains of a round is the engine's own cost."""

    def __init__(self, n: int, dim: int) -> None:
        self._x = np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
        self._at = 0

    @property
    def dim(self) -> int:
        return int(self._x.shape[1])

    def __len__(self) -> int:
        return len(self._x)

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        ids = (self._at + np.arange(len(queries) * k)) % len(self._x)
        self._at += len(ids)
        return Hits.from_matrix(ids.reshape(-1, k), np.zeros((len(queries), k)))

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        return Items(ids, self._x[np.asarray(ids, np.int64)])


def _belt_search(n: int, dim: int) -> Search:
    starts = np.random.default_rng(1).standard_normal((_QUERIES, dim))
    truth = np.random.default_rng(2).standard_normal(n)
    return Search(_Belt(n, dim), lambda b: truth[b.ids], queries=starts, k=_K, update=RLUpdate((_STEP,)))


def after_history(n: int) -> Measure:
    """A round's own cost with a long history behind it, over its cost at the beginning."""
    search = _belt_search(n, 16)
    rounds = n // (_QUERIES * _K)
    times = [timed(lambda: _round(search)) for _ in range(rounds)]
    part = max(2, rounds // 10)
    early, late = times[1 : 1 + part], times[-part:]
    return Measure(
        f"a round after {search.n_scored:,} scored items over one of the first",
        statistics.median(late) / statistics.median(early), "×", 1.5, "at most",
        f"{_ms(late)} against {_ms(early)} ms for {_QUERIES * _K:,} new items, without the source’s own cost",
    )  # fmt: skip


def memory(n: int) -> Measure:
    """What a scored item costs in memory beside its embedding, log and tree included; the largest seen on the way."""
    dim = 16
    search = _belt_search(n, dim)
    gc.collect()
    tracemalloc.start()
    worst = 0.0
    try:
        begin, _ = tracemalloc.get_traced_memory()
        for _ in range(n // (_QUERIES * _K)):
            _round(search)
            gc.collect()
            used = tracemalloc.get_traced_memory()[0] - begin
            if search.n_scored >= n // 10:
                worst = max(worst, used / search.n_scored - 4 * dim)
    finally:
        tracemalloc.stop()
    return Measure(
        "memory of a scored item beside its embedding", worst, "bytes", 300, "at most",
        f"the most seen while {search.n_scored:,} items were scored; {used / search.n_scored - 4 * dim:.0f} at the end",
    )  # fmt: skip


def import_time(runs: int) -> Measure:
    """`import emb_opt_widgets` in a new process, the fastest of several."""
    times = [
        float(subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return Measure("import emb_opt_widgets", min(times), "s", 0.3, "at most", f"the fastest of {runs} new processes")


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1e3:.1f}"
