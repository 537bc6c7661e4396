"""How often a query's own item is among the first k of all. Knows embeddings, ids and sources, not towers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from emb_opt_widgets.engine.protocols import Source
from emb_opt_widgets.errors import InputError, StateError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.ids import as_codes, check_alike
from emb_opt_widgets.training.ranking import Tally, blocks_of, coarser, finite_rows, pair_scores, pair_slack

__all__ = ["TopKAccuracy"]

_LEAST_HITS = 50
_NOWHERE = torch.iinfo(torch.int64).max


class TopKAccuracy(torch.nn.Module):
    """The share of queries whose own item is among the k highest-scoring candidates; a weighted mean over all batches.

    By scores: a hit at k where fewer than k candidates score strictly more than the positive. By ids: a hit where any
    of the first k candidates has the positive's id, equal scores going by column. A score is the inner product, the
    largest over a query's heads. Both ways go through one computation (see `ranking`), so that a vector that is
    looked for among candidates that hold it is always found first, or beside its equals. Where positives and
    candidates differ in precision, both are rounded to the coarser one before they are scored: what was one vector
    is one again.

    `update` counts a batch, `compute` gives the mean of all counted, `reset` begins anew; called, it counts a batch and
    returns that batch's own mean.

    Args:
        ks: Places to count at, or one.

    Raises:
        InputError: A k that is not a whole number of at least 1, or none.
    """

    hits: torch.Tensor
    weight: torch.Tensor

    def __init__(self, ks: int | Sequence[int] = (1, 5, 10, 50, 100)) -> None:
        super().__init__()
        given = list(ks) if isinstance(ks, (Sequence, np.ndarray)) else [ks]
        self.ks = tuple(k for k in map(as_whole, given) if k is not None)
        if not given or len(self.ks) < len(given):
            raise InputError("ks is not usable", expected="whole numbers, at least 1", got=repr(ks))
        self.register_buffer("hits", torch.zeros(len(self.ks), dtype=torch.float64))
        self.register_buffer("weight", torch.zeros((), dtype=torch.float64))

    def update(
        self,
        queries: torch.Tensor,
        candidates: Any,
        positives: torch.Tensor | None = None,
        *,
        positive_ids: Any = None,
        candidate_ids: Any = None,
        sample_weight: Any = None,
    ) -> None:
        """Count a batch.

        Args:
            queries: `(B, D)`, or `(B, H, D)` where the candidates are a tensor or an array.
            candidates: What is searched: `(N, D)`, a tensor or an array (a memory map, too), or a `Source`. The
                candidates of a source are its first `max(ks)` hits (at least 50, by scores); by scores it must rank
                by the inner product (metric "ip").
            positives: `(B, D)` embeddings of the queries' own items: count by scores.
            positive_ids: `(B,)` their ids: count by ids instead.
            candidate_ids: `(N,)` ids of the candidates, with `positive_ids`. None: the row numbers. A source has its
                own.
            sample_weight: `(B,)` weights of the queries, at least 0.

        Raises:
            InputError: Shapes that do not fit, vectors that are not finite, neither or both of `positives` and
                `positive_ids`, ids that nothing would look at or that cannot be equal (text and numbers), or a
                source that ranks otherwise.
        """
        places = self._places(queries, candidates, positives, positive_ids, candidate_ids).to(self.hits.device)
        weight = _weights(sample_weight, len(places)).to(self.hits.device)
        within = places[None, :] < torch.tensor(self.ks, device=places.device)[:, None]
        self.hits += (within * weight).sum(1)
        self.weight += weight.sum()

    def forward(self, queries: torch.Tensor, candidates: Any, *arguments: Any, **options: Any) -> dict[int, float]:
        """Count a batch as `update` does, and return its own mean as `compute` does."""
        before = self.hits.clone(), self.weight.clone()
        self.update(queries, candidates, *arguments, **options)
        return self._mean(self.hits - before[0], self.weight - before[1])

    def compute(self) -> dict[int, float]:
        """The share of hits at each k, over everything counted since the last `reset`.

        Raises:
            StateError: Nothing was counted, or only weights of 0.
        """
        return self._mean(self.hits, self.weight)

    def reset(self) -> None:
        """Forget what was counted."""
        self.hits.zero_()
        self.weight.zero_()

    def _mean(self, hits: torch.Tensor, weight: torch.Tensor) -> dict[int, float]:
        if not float(weight) > 0:
            raise StateError("Nothing was counted yet, or only weights of 0", hint="update(…) counts a batch")
        return dict(zip(self.ks, (hits / weight).tolist()))

    @torch.no_grad()
    def _places(
        self, queries: torch.Tensor, candidates: Any, positives: Any, positive_ids: Any, candidate_ids: Any
    ) -> torch.Tensor:
        """`(B,)` how many candidates come before each query's own; a huge number where it is not among them."""
        if (positives is None) == (positive_ids is None):
            raise InputError(
                "A batch is counted by scores or by ids",
                expected="positives, or positive_ids",
                got="neither" if positives is None else "both",
            )
        heads = _with_heads(queries)
        searched = isinstance(candidates, Source) and not isinstance(candidates, (torch.Tensor, np.ndarray))
        if candidate_ids is not None and (searched or positives is not None):
            raise InputError(
                "candidate_ids would not be looked at",
                expected="candidate_ids with positive_ids, and candidates that are a tensor or an array",
                got="a source, which has its own ids" if searched else "positives",
            )
        if positives is not None:
            _check_positives(positives, heads)
        if searched:
            return self._in_source(heads, candidates, positives, positive_ids)
        array = _as_rows(candidates, heads.shape[-1])
        if positives is not None:
            return _placed(heads, array, positives.detach(), None)
        wanted = as_codes(positive_ids, len(heads), "positive_ids").to(heads.device)
        numbers = np.arange(len(array)) if candidate_ids is None else candidate_ids
        check_alike("positive_ids", positive_ids, "candidate_ids, or the row numbers without them,", numbers)
        codes = as_codes(numbers, len(array), "candidate_ids")
        return _placed_by_id(heads, array, wanted, codes.to(heads.device))

    def _in_source(self, heads: torch.Tensor, source: Source, positives: Any, positive_ids: Any) -> torch.Tensor:
        if heads.shape[1] != 1:
            raise InputError(
                "A source is searched by one vector a query", expected="queries (B, D)", got="several heads"
            )
        if positives is not None:
            _check_metric(source)
        finite_rows("queries", heads)
        queries = heads[:, 0].cpu()
        most = max(self.ks) if positives is None else max(*self.ks, _LEAST_HITS)
        hits = source.search(queries.to(torch.promote_types(queries.dtype, torch.float32)).numpy(), most)
        counts = torch.from_numpy(np.diff(hits.offsets))
        rows = torch.repeat_interleave(torch.arange(len(queries)), counts)
        if positive_ids is not None:
            wanted = as_codes(positive_ids, len(queries), "positive_ids").cpu()
            check_alike("positive_ids", positive_ids, "the source's ids", hits.ids)
            place = torch.arange(len(rows)) - torch.from_numpy(hits.offsets[:-1].copy())[rows]
            place = torch.where(as_codes(hits.ids) == wanted[rows], place, _NOWHERE)
            return torch.full((len(queries),), _NOWHERE).scatter_reduce(0, rows, place, "amin")
        names, which = np.unique(hits.ids, return_inverse=True)
        vectors = torch.tensor(source.fetch(names).embeddings)[torch.from_numpy(which)]
        positives = positives.detach().cpu()
        dtype = coarser(vectors.dtype, positives.dtype)
        return _placed_among_hits(queries, rows, vectors.to(dtype), positives.to(dtype))


def _with_heads(queries: Any) -> torch.Tensor:
    """`(B, H, D)`, detached."""
    fits = isinstance(queries, torch.Tensor) and queries.is_floating_point() and queries.ndim in (2, 3)
    if not fits or not queries.numel():
        got = f"{queries.dtype} {tuple(queries.shape)}" if isinstance(queries, torch.Tensor) else type(queries).__name__
        raise InputError("queries are not usable", expected="a float tensor (B, D) or (B, H, D), not empty", got=got)
    found: torch.Tensor = queries.detach()
    return found if found.ndim == 3 else found[:, None]


def _check_positives(positives: Any, heads: torch.Tensor) -> None:
    wanted = (len(heads), heads.shape[-1])
    if not isinstance(positives, torch.Tensor) or tuple(positives.shape) != wanted:
        got = tuple(positives.shape) if isinstance(positives, torch.Tensor) else type(positives).__name__
        raise InputError("positives have the wrong shape", expected=f"a tensor of shape {wanted}", got=got)


def _as_rows(candidates: Any, dim: int) -> Any:
    if not isinstance(candidates, (torch.Tensor, np.ndarray)):
        raise InputError(
            "candidates are not usable",
            expected=f"a tensor or an array (N, {dim}), or a Source",
            got=type(candidates).__name__,
        )
    if candidates.ndim != 2 or candidates.shape[1] != dim or not len(candidates):
        raise InputError("candidates have the wrong shape", expected=f"(N, {dim})", got=tuple(candidates.shape))
    return candidates


def _weights(sample_weight: Any, n: int) -> torch.Tensor:
    if sample_weight is None:
        return torch.ones(n, dtype=torch.float64)
    weight = torch.as_tensor(sample_weight, dtype=torch.float64).detach()
    if weight.shape not in ((n,), (n, 1)) or not bool((torch.isfinite(weight) & (weight >= 0)).all()):
        raise InputError(
            "sample_weight is not usable",
            expected=f"finite numbers of at least 0, of shape ({n},)",
            got=f"shape {tuple(weight.shape)}" if weight.shape != (n,) else "a negative number, NaN or infinity",
        )
    return weight.reshape(-1)


def _placed(
    heads: torch.Tensor, candidates: Any, positives: torch.Tensor, columns: torch.Tensor | None
) -> torch.Tensor:
    dtype = coarser(torch.as_tensor(candidates[:1]).dtype, positives.dtype)
    tally = Tally(heads, positives.to(heads.device, dtype), columns)
    for first, block in blocks_of(candidates, len(heads), heads):
        tally.add(block.to(dtype), first)
    return tally.before


def _placed_by_id(heads: torch.Tensor, candidates: Any, wanted: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Places of each query's best candidate with the wanted id."""
    n, dim = len(heads), heads.shape[-1]
    best = torch.full((n,), -torch.inf, dtype=torch.float64, device=heads.device)
    column = torch.full((n,), -1, dtype=torch.int64, device=heads.device)
    vectors = torch.zeros(n, dim, dtype=torch.float64, device=heads.device)
    reach = finite_rows("queries", heads).amax(1)
    for first, block in blocks_of(candidates, n, heads):
        lengths = finite_rows("candidates", block)
        rows, found = torch.nonzero(wanted[:, None] == codes[None, first : first + len(block)], as_tuple=True)
        scores = pair_scores(heads[rows], block[found])
        slack = pair_slack(reach, lengths.amax(), dim)
        top = torch.full_like(best, -torch.inf).scatter_reduce(0, rows, scores, "amax")
        level = scores >= (top - slack)[rows]
        lowest = torch.full_like(column, _NOWHERE).scatter_reduce(0, rows[level], found[level], "amin")
        better = top > best + slack
        best[better], column[better] = top[better], lowest[better] + first
        vectors[better] = block[lowest[better]].double()
    places = _placed(heads, candidates, vectors, column)
    return torch.where(column >= 0, places, _NOWHERE)


def _placed_among_hits(
    queries: torch.Tensor, rows: torch.Tensor, vectors: torch.Tensor, positives: torch.Tensor
) -> torch.Tensor:
    """How many of a source's hits score strictly more than the positive."""
    dim = queries.shape[1]
    reach, lengths, own_length = (
        finite_rows(what, value)
        for what, value in (("queries", queries), ("candidates", vectors), ("positives", positives))
    )
    heads = queries[:, None]
    scores, own = pair_scores(heads[rows], vectors), pair_scores(heads, positives)
    _check_ranking(rows, scores, reach[rows] * lengths)
    slack = pair_slack(reach[rows], torch.maximum(lengths, own_length[rows]), dim)
    before = (scores - own[rows] > slack).to(torch.int64)
    return torch.zeros(len(queries), dtype=torch.int64).index_add_(0, rows, before)


def _check_metric(source: Any) -> None:
    """A source that says how it ranks is taken at its word."""
    metric = getattr(source, "metric", "ip")
    if metric != "ip":
        raise InputError(
            "The source does not rank by the inner product", expected="metric='ip'", got=f"metric={metric!r}",
            hint="Make it with metric='ip', or count by positive_ids",
        )  # fmt: skip


def _check_ranking(rows: torch.Tensor, scores: torch.Tensor, scale: torch.Tensor) -> None:
    """A source that ranks by another measure would give a wrong count without a sign of it."""
    rise = torch.where(rows[1:] == rows[:-1], scores[1:] - scores[:-1], -torch.inf)
    if len(rise) and bool((rise > 0.05 * torch.maximum(scale[1:], scale[:-1])).any()):
        raise InputError(
            "The source does not rank by the inner product",
            expected="hits in falling order of their inner product with the query",
            got="another order",
            hint="Make it with metric='ip', or count by positive_ids",
        )
