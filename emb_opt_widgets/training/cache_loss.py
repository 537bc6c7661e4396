"""The loss over a negative cache in one process. Knows neither optimisers nor how caches are kept up to date.

Lindgren, Reddi, Guo, Kumar: Efficient Training of Retrieval Models using Negative Cache. NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from emb_opt_widgets.training.approximate import check_top_k
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.checks import Checks
from emb_opt_widgets.training.columns import Columns, exclude, freshest_of_each
from emb_opt_widgets.training.retrieval import GumbelMax
from emb_opt_widgets.training.terms import (
    Contest,
    Drawn,
    Transform,
    check_finite,
    check_reduction,
    check_towers,
    contest,
    draw,
    encode,
    exact,
    in_batch,
    losses,
    of_rows,
    own_ids,
    pair_scores,
    placed,
    settled,
    transformed,
    working_dtype,
)

__all__ = ["CacheLoss", "CacheLossOutput"]


@dataclass(frozen=True, slots=True)
class CacheLossOutput:
    """What a cache loss returns: attributes, no tuple. The first three are `()`, or `(B,)` with reduction "none".

    Attributes:
        training_loss: (1 − P⁺)(s⁻ − s⁺), plus the loss inside the batch where that was asked for: descend on this; its
            value means nothing, and may be negative.
        interpretable_loss: −log P⁺ against the cache as it stands; no gradient.
        staleness: ‖cached − new embedding‖² / ‖new embedding‖² of what was drawn: 0 for 0/0, inf for x/0; no gradient.
        selected: `(B,)` int64, the row drawn, counted over all sources in ascending name order; −1 where none competed.
        refresh: Source to what its cache's `step` takes: `cache.step(**output.refresh[name], add=…)`. Keys are
            `refresh`, `refresh_rows` and `refresh_mask`.
    """

    training_loss: Tensor
    interpretable_loss: Tensor
    staleness: Tensor
    selected: Tensor
    refresh: dict[str, dict[str, Any]]


class CacheLoss(nn.Module):
    """Softmax cross-entropy of each query's positive against all cached items, for the price of one re-encoding each.

    One cached item is drawn for each query and encoded anew; on a fresh cache the gradient's expectation is that of the
    full softmax. Scores are made and drawn from in float32 (float64 where an input is), under autocast too. A training
    step: this loss on the caches as they stand, then `cache.step` with `refresh[name]` and this batch's positives.
    A query with nothing to compete with has loss 0.

    Args:
        embedding_field: The caches' field that is scored.
        score_transform: t of the scores, element by element, such as `Temperature`; parameters in it get gradients.
        top_k: Only the best of each of so many contiguous blocks of rows compete. None: all rows.
        retrieval: `(B, N)` scores to `(B,)` columns, a tensor, an array or a list; −inf is what may not be
            drawn. None: `GumbelMax()`.
        reduction: "mean", "sum" or "none", over the queries.
        id_field: Field `()` of integer ids. With it a query's own positives do not compete with it, and of several
            copies of an item only the youngest competes; `positive_ids` is then needed.
        in_batch: Add the softmax cross-entropy of each query's positive among the positives of the batch, weight 1;
            with `id_field`, other documents that are right for a query do not compete there. A full gradient over
            few documents beside a drawn one over many: better than either alone.

    Raises:
        InputError: `top_k` or `reduction` is not usable.
    """

    def __init__(
        self,
        embedding_field: str = "embedding",
        score_transform: Transform | None = None,
        top_k: int | None = None,
        retrieval: Callable[[Tensor], Tensor] | None = None,
        reduction: str = "mean",
        *,
        id_field: str | None = None,
        in_batch: bool = False,
    ) -> None:
        super().__init__()
        self.embedding_field = embedding_field
        self.score_transform = score_transform
        self.top_k = check_top_k(top_k)
        self.retrieval = retrieval or GumbelMax()
        self.reduction = check_reduction(reduction)
        self.id_field = id_field
        self.in_batch = bool(in_batch)

    def forward(
        self,
        doc_net: Callable[[Mapping[str, Tensor]], Tensor],
        queries: Tensor,
        positives: Tensor,
        caches: Mapping[str, NegativeCache] | nn.ModuleDict,
        positive_ids: Any = None,
    ) -> CacheLossOutput:
        """The loss of a batch.

        Args:
            doc_net: Document tower: all fields of the drawn rows, field to `(m, …)`, to embeddings `(m, D)`.
            queries: `(B, D)`. positives: `(B, D)`, the embedding of each query's item.
            caches: Name to cache, a mapping or an `nn.ModuleDict`; all with the same fields.
            positive_ids: `(B,)` or `(B, P)` integers, ids of what is right for each query, that of its positive first.

        Raises:
            InputError: Something does not fit, is not finite, or the batch is empty.
        """
        checks = Checks()
        check_towers(queries, positives, checks)
        columns = Columns.of(caches, self.embedding_field, queries)
        own = own_ids(positive_ids, queries, self.id_field)
        dtype = working_dtype(queries, positives, columns.caches[0].data[self.embedding_field])
        with exact(queries):
            left, right = queries.to(dtype), positives.to(dtype)
            positive = pair_scores(left, right, self.score_transform, checks)
            beside = in_batch(left, right, self.score_transform, own, 0, checks) if self.in_batch else None
            among = self._contest(columns, left.detach(), own, checks)
            rows = settled(among, checks)
            selected = draw(among, self.retrieval, rows, checks)
        data = columns.take(of_rows(selected, rows))
        fresh = encode(doc_net, data, queries, checks)
        with exact(queries):
            negative = pair_scores(of_rows(left, rows), fresh.to(dtype), self.score_transform, checks)
            drawn = Drawn(rows, negative, data[self.embedding_field].to(dtype), fresh.to(dtype))
            out = losses(positive, among.logsum, drawn, self.reduction, beside)
        checks.settle()
        embeddings = placed(fresh.detach(), rows, fresh.new_zeros(queries.shape))
        refresh = columns.refresh(selected, embeddings)
        return CacheLossOutput(out.training, out.interpretable, out.staleness, selected, refresh)

    @torch.no_grad()
    def _contest(self, columns: Columns, queries: Tensor, own: Tensor | None, checks: Checks) -> Contest:
        scores = transformed(columns.scores(queries), self.score_transform)
        if own is None or self.id_field is None:
            exclude(scores, None if columns.full else columns.valid)
        else:
            ids = columns.ids(self.id_field)
            exclude(scores, freshest_of_each(ids, columns.age, columns.valid), ids, own)
        among = contest(scores, self.top_k)
        check_finite(among.logsum, checks)
        return among
