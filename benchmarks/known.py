"""What measurements from before are worth: what a search finds that starts with them, beside one that does not."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Measure
from benchmarks.tasks import load_task, recall
from emb_opt_widgets.search import Search

__all__ = ["measure_known"]


_KNOWN, _CALLS = 300, 100


def measure_known(name: str, seeds: int) -> Measure:
    """What 100 calls find of the top 1 % beside what was known, with and without 300 measurements from before.

    Args:
        name: As `load_task` takes it.
        seeds: How many pairs of searches, each with other measurements, of items drawn by chance.
    """
    task = load_task(name)
    top = max(1, round(0.01 * len(task.truth)))
    pairs = []
    for seed in range(seeds):
        before = np.random.default_rng(seed).choice(len(task.truth), _KNOWN, replace=False)
        found = []
        for told in (before, None):
            given = None if told is None else (told, task.truth[told])
            search = Search(task.vectors, lambda items: task.truth[items.ids], budget=_CALLS, seed=seed, known=given)
            search.run(progress=False)
            ids = search.results().ids
            assert search.controller.state.spent == _CALLS
            found.append(recall(task, ids[~np.isin(ids, before)], top))
        pairs.append(found)
    more = np.diff(np.array(pairs)[:, ::-1], axis=1).ravel()
    error = more.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else float("nan")
    means = np.mean(pairs, axis=0)
    return Measure(
        f"{task.name}: recall with {_KNOWN} known measurements, less that without", float(more.mean()), "", 0.0,
        "at least", f"{means[0]:.3f} against {means[1]:.3f} in {_CALLS} calls; paired standard error {error:.3f}",
    )  # fmt: skip
