"""What a ranking is worth by relevance judgements (qrels): MRR, NDCG, recall, average precision.

Knows rankings and embeddings, not towers. NDCG has linear gains and log2 discounts, as trec_eval's `ndcg_cut`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.ranking import blocks_of

__all__ = ["RankingMetrics"]

Id = int | str
Judged = Mapping[Id, float] | Iterable[Id]


class RankingMetrics:
    """Means over queries of how well rankings agree with judgements.

    Args:
        qrels: Query's id to its judged documents: a mapping of document's id to relevance (0 and less: not relevant),
            or the relevant ids.
        ks: Places to look to.

    Raises:
        InputError: There is a query without a relevant document, or nothing at all.
    """

    def __init__(self, qrels: Mapping[Id, Judged], ks: Sequence[int] = (1, 10, 100)) -> None:
        if not isinstance(qrels, Mapping) or not qrels:
            raise InputError("There are no judgements", expected="{query: {document: relevance}}", got=repr(qrels)[:80])
        self.qrels = {query: _judged(query, given) for query, given in qrels.items()}
        self.ks = tuple(k for k in map(as_whole, ks) if k is not None)
        if not self.ks or len(self.ks) < len(list(ks)):
            raise InputError("ks is not usable", expected="whole numbers, at least 1", got=repr(ks))

    def of_run(self, run: Mapping[Id, Sequence[Id]]) -> dict[str, float]:
        """Of rankings that are there already.

        Args:
            run: Query's id to document ids, best first. Of a judged query that is missing nothing was found.

        Returns:
            `mrr@k`, `ndcg@k`, `recall@k` and `map@k` for each k.

        Raises:
            InputError: A ranking has a document twice, or is of a query that was not judged.
        """
        unknown = [query for query in run if query not in self.qrels]
        if unknown:
            raise InputError("A ranking is of a query without judgements", expected="queries of qrels", got=unknown[:3])
        rows = [self._row(query, run.get(query, ())) for query in self.qrels]
        names = [f"{name}@{k}" for k in self.ks for name in ("mrr", "ndcg", "recall", "map")]
        return dict(zip(names, np.mean(rows, axis=0).tolist()))

    def __call__(
        self, queries: Any, candidates: Any, query_ids: Sequence[Id], candidate_ids: Sequence[Id] | None = None
    ) -> dict[str, float]:
        """Of embeddings, ranked by inner product; equal scores go by column.

        Args:
            queries: `(B, D)` tensor or array. candidates: `(N, D)`, a memory map too.
            query_ids: `(B,)`. candidate_ids: `(N,)`; None: row numbers.

        Raises:
            InputError: Lengths that do not fit, or a judged query that is not among them.
        """
        asked = torch.as_tensor(queries)
        ids = list(range(len(candidates))) if candidate_ids is None else _listed(candidate_ids)
        names = _listed(query_ids)
        if len(names) != len(asked) or len(ids) != len(candidates):
            raise InputError(
                "There are not as many ids as vectors", expected=f"{len(asked)} and {len(candidates)}",
                got=f"{len(names)} and {len(ids)}",
            )  # fmt: skip
        missing = [query for query in self.qrels if query not in set(names)]
        if missing:
            raise InputError("A judged query has no vector", expected="all queries of qrels", got=missing[:3])
        wanted = [row for row, name in enumerate(names) if name in self.qrels]
        best = ranked(asked[wanted], candidates, max(self.ks))
        return self.of_run({names[row]: [ids[i] for i in found] for row, found in zip(wanted, best.tolist())})

    def _row(self, query: Id, ranking: Sequence[Id]) -> list[float]:
        judged, found = self.qrels[query], list(ranking)
        if len(set(found)) < len(found):
            raise InputError(f"The ranking of query {query!r} has a document twice", hint="Leave copies out")
        gains = np.array([judged.get(document, 0.0) for document in found[: max(self.ks)]])
        ideal = np.sort(np.array(list(judged.values())))[::-1]
        out = []
        for k in self.ks:
            top = gains[:k]
            hits = top > 0
            places = np.flatnonzero(hits) + 1
            out += [
                float(1 / places[0]) if len(places) else 0.0,
                _discounted(top) / _discounted(ideal[:k]),
                len(places) / len(judged),
                float((np.arange(1, len(places) + 1) / places).sum()) / len(judged),
            ]
        return out


def ranked(queries: torch.Tensor, candidates: Any, k: int) -> torch.Tensor:
    """`(B, min(k, N))` columns of the highest inner products, best first; equal ones by column."""
    if queries.ndim != 2 or not queries.is_floating_point() or queries.shape[1] != candidates.shape[1]:
        raise InputError(
            "queries and candidates do not fit", expected="floats (B, D) and (N, D)",
            got=f"{tuple(queries.shape)} and {tuple(candidates.shape)}",
        )  # fmt: skip
    scores = queries.new_empty(len(queries), 0)
    columns = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    for first, block in blocks_of(candidates, len(queries), queries):
        here = torch.arange(first, first + len(block), device=queries.device).expand(len(queries), -1)
        scores = torch.cat([scores, queries @ block.to(queries.dtype).T], dim=1)
        columns = torch.cat([columns, here], dim=1)
        order = torch.sort(scores, dim=1, descending=True, stable=True).indices[:, :k]
        scores, columns = scores.gather(1, order), columns.gather(1, order)
    return columns


def _judged(query: Id, given: Judged) -> dict[Id, float]:
    judged = dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, 1.0)
    kept = {document: float(value) for document, value in judged.items() if value > 0}
    if not kept or not all(map(math.isfinite, kept.values())):
        raise InputError(
            f"Query {query!r} has no relevant document", expected="finite relevances, one above 0 at least",
            got=judged or "none", hint="Leave such queries out",
        )  # fmt: skip
    return kept


def _listed(ids: Sequence[Id]) -> list[Id]:
    plain: list[Id] = ids.tolist() if isinstance(ids, (np.ndarray, torch.Tensor)) else list(ids)
    return plain


def _discounted(gains: npt.NDArray[np.float64]) -> float:
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())
