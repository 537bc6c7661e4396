"""`TopKDiscreteUpdate` and `TopKContinuousUpdate`: on from a query's best hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import groups_by_length
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import InputError

__all__ = ["TopKContinuousUpdate", "TopKDiscreteUpdate", "check_k"]


def check_k(k: int) -> None:
    """Raise `InputError` unless `k` is a whole number above 0."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InputError("k is not usable", expected="a whole number of at least 1", got=repr(k))


def best_first(gains: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Order along the last axis, best first; ties as the reference breaks them."""
    return gains.argsort(axis=-1)[..., ::-1]


def best_hits(
    gains: npt.NDArray[np.float64], offsets: npt.NDArray[np.int64], k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Every query's `k` best hits, best first, from the gains of `Queries.scored`.

    Returns:
        Their places among the scored hits, concatenated, and how many each query has, `(q,)`.
    """
    lengths = np.minimum(np.diff(offsets), k)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    picked = np.empty(starts[-1], np.int64)
    for rows, flat in groups_by_length(offsets):
        order = best_first(gains[flat])[:, :k]
        picked[starts[rows][:, None] + np.arange(order.shape[1])] = np.take_along_axis(flat, order, axis=1)
    return picked, lengths


@dataclass(frozen=True, slots=True)
class TopKDiscreteUpdate:
    """Each of a query's `k` best hits becomes a query (`emb_opt.update.TopKDiscreteUpdate`)."""

    k: int

    def __post_init__(self) -> None:
        check_k(self.k)

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        gains, hits, positions, offsets = queries.scored()
        picked, lengths = best_hits(gains, offsets, self.k)
        ids = queries.hits.ids[positions[picked]]
        return Proposals(
            hits[picked].astype(np.float64),
            np.repeat(queries.ids, lengths),
            "best hits",
            [f"at item {i}" for i in ids],
        )


@dataclass(frozen=True, slots=True)
class TopKContinuousUpdate:
    """The mean of a query's `k` best hits becomes a query (`emb_opt.update.TopKContinuousUpdate`)."""

    k: int

    def __post_init__(self) -> None:
        check_k(self.k)

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        gains, hits, _, offsets = queries.scored()
        alive = np.flatnonzero(np.diff(offsets))
        means = np.zeros_like(queries.embeddings)
        for rows, flat in groups_by_length(offsets):
            order = best_first(gains[flat])[:, : self.k]
            best = np.take_along_axis(flat, order, axis=1)
            means[rows] = np.average(hits[best].astype(np.float64, copy=False), axis=1)
        return Proposals(means[alive], queries.ids[alive], "mean of best hits", f"mean of the {self.k} best hits")
