"""The loss over a cache that is spread over processes: each holds a shard, and queries meet all of them.

Knows the exchange; the terms are those of the loss in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.approximate import check_top_k
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.cache_loss import CacheLossOutput
from emb_opt_widgets.training.collectives import Peers
from emb_opt_widgets.training.columns import Columns, exclude, freshest_of_each
from emb_opt_widgets.training.retrieval import GumbelMax, Retrieval
from emb_opt_widgets.training.terms import (
    Contest,
    Transform,
    check_finite,
    check_reduction,
    check_towers,
    contest,
    draw,
    encode,
    exact,
    losses,
    own_ids,
    pair_scores,
    transformed,
    working_dtype,
)

__all__ = ["ShardedCacheLoss"]


@dataclass(frozen=True, slots=True)
class _Local:
    """What this process brings: caches, ids of the queries' own positives, the type of the scores, s⁺ `(B,)`."""

    columns: Columns
    own: Tensor | None
    dtype: torch.dtype
    positive: Tensor


@dataclass(frozen=True, slots=True)
class _Batch:
    """All processes' queries: how many of each, where each process' begin, and where each shard's rows begin."""

    peers: Peers
    counts: list[int]
    begins: list[int]
    row_begins: list[int]

    @classmethod
    def of(cls, peers: Peers, queries: Tensor, columns: Columns) -> _Batch:
        sizes = peers.facts((len(queries), columns.n))
        counts, rows = [size[0] for size in sizes], [size[1] for size in sizes]
        return cls(peers, counts, [0, *accumulate(counts)], [0, *accumulate(rows)])

    @property
    def mine(self) -> slice:
        return slice(self.begins[self.peers.rank], self.begins[self.peers.rank + 1])

    def gather(self, rows: Tensor) -> Tensor:
        """`(ΣB, …)` of everyone's `(B, …)`."""
        return torch.cat(self.peers.gather(rows, self.counts))


@dataclass(frozen=True, slots=True)
class _Choice:
    """What was drawn: for all queries the shard (−1: none) and this shard's own column; log-sum-exp for local ones."""

    shard: Tensor
    column: Tensor
    logsum: Tensor


class ShardedCacheLoss(nn.Module):
    """`CacheLoss` over caches whose rows lie in several processes, equal to that over all of them in one.

    Every process of the group calls it at the same time with its own batch (sizes may differ) and its own caches.
    Each shard scores all queries and draws one row for each; a shard is then drawn by what it is worth, its owner sends
    the row's fields, and the query's process encodes them, so that gradients stay local: average them over processes
    as in any data-parallel training. The new embedding goes back to the owner in `refresh`, whose rows are those of
    all processes' queries. Add a batch's positives to the local cache. Seed each process differently.

    Args:
        process_group: Who takes part. None: all processes.
        embedding_field: As in `CacheLoss`.
        score_transform: As in `CacheLoss`; the same everywhere.
        top_k: For all shards together: each keeps `top_k // R`.
        retrieval: As in `CacheLoss`; used in the shard, then over the shards' worths `(B, R)`. A `Retrieval` says what
            a shard is worth; for a plain callable it is the log-sum-exp, which is right for draws from the softmax.
        reduction: "mean", "sum" or "none", over the local queries.
        id_field: As in `CacheLoss`; copies are found across shards too.

    Raises:
        InputError: `top_k` or `reduction` is not usable.
    """

    def __init__(
        self,
        process_group: dist.ProcessGroup | None = None,
        embedding_field: str = "embedding",
        score_transform: Transform | None = None,
        top_k: int | None = None,
        retrieval: Callable[[Tensor], Tensor] | None = None,
        reduction: str = "mean",
        *,
        id_field: str | None = None,
    ) -> None:
        super().__init__()
        self.process_group = process_group
        self.embedding_field = embedding_field
        self.score_transform = score_transform
        self.top_k = check_top_k(top_k)
        self.retrieval = retrieval or GumbelMax()
        self.reduction = check_reduction(reduction)
        self.id_field = id_field

    def forward(
        self,
        doc_net: Callable[[Mapping[str, Tensor]], Tensor],
        queries: Tensor,
        positives: Tensor,
        caches: Mapping[str, NegativeCache] | nn.ModuleDict,
        positive_ids: Any = None,
    ) -> CacheLossOutput:
        """The loss of the local batch; arguments as in `CacheLoss`.

        Raises:
            InputError: Something does not fit here or in another process; every process raises then.
            StateError: There is no process group.
        """
        peers = Peers.of(self.process_group)
        local = peers.together(lambda: self._local(peers, queries, positives, caches, positive_ids))
        _agree(peers.facts(self._form(local, queries, positives)))
        batch = _Batch.of(peers, queries, local.columns)
        with exact(queries):
            choice = self._choose(batch, local, queries.detach().to(local.dtype))
        found = (choice.shard >= 0)[batch.mine]
        data = {name: rows[batch.mine][found] for name, rows in _fetch(batch, local.columns, choice).items()}
        fresh = peers.together(lambda: encode(doc_net, data, queries))
        embeddings = torch.zeros_like(queries, dtype=local.dtype)
        embeddings[found] = fresh.detach().to(local.dtype)
        owned = torch.where(choice.shard == peers.rank, choice.column, -1)
        refresh = local.columns.refresh(owned, batch.gather(embeddings))
        selected = _selected(batch, choice)
        with exact(queries):
            new, stale = fresh.to(local.dtype), data[self.embedding_field].to(local.dtype)
            negative = pair_scores(queries[found].to(local.dtype), new, self.score_transform)
            out = losses(local.positive, negative, choice.logsum, stale, new, found, self.reduction)
        return CacheLossOutput(out.training, out.interpretable, out.staleness, selected, refresh)

    def _local(
        self,
        peers: Peers,
        queries: Tensor,
        positives: Tensor,
        caches: Mapping[str, NegativeCache] | nn.ModuleDict,
        positive_ids: Any,
    ) -> _Local:
        check_towers(queries, positives)
        columns = Columns.of(caches, self.embedding_field, queries)
        own = own_ids(positive_ids, queries, self.id_field)
        if self.id_field is not None:
            columns.ids(self.id_field)
        if self.top_k is not None and self.top_k < peers.size:
            what = "top_k is shared by the shards and leaves none to each"
            raise InputError(what, expected=f"at least {peers.size}, one for each process", got=self.top_k)
        dtype = working_dtype(queries, positives, columns.caches[0].data[self.embedding_field])
        with exact(queries):
            positive = pair_scores(queries.to(dtype), positives.to(dtype), self.score_transform)
        return _Local(columns, own, dtype, positive)

    def _form(self, local: _Local, queries: Tensor, positives: Tensor) -> dict[str, Any]:
        """What has to be the same in every process."""
        return {
            "sources": local.columns.names,
            "fields": local.columns.form(local.columns.caches[0]),
            "embedding_field": self.embedding_field,
            "size and type of queries": (queries.shape[1], str(queries.dtype), str(positives.dtype)),
            "number of own ids": None if local.own is None else local.own.shape[1],
            "top_k": self.top_k,
            "retrieval": type(self.retrieval).__name__,
        }

    @torch.no_grad()
    def _choose(self, batch: _Batch, local: _Local, queries: Tensor) -> _Choice:
        """Draw in this shard for all queries, then a shard for the local ones, and tell everyone."""
        peers = batch.peers
        scores = transformed(local.columns.scores(batch.gather(queries)), self.score_transform)
        if local.own is None or self.id_field is None:
            exclude(scores, local.columns.valid)
        else:
            ids = local.columns.ids(self.id_field)
            exclude(scores, self._freshest(batch, local.columns, ids), ids, batch.gather(local.own))
        among = contest(scores, None if self.top_k is None else self.top_k // peers.size)
        everywhere = [len(scores)] * peers.size
        logsums = torch.stack(peers.gather(among.logsum, everywhere), dim=1)
        check_finite(logsums)
        column = peers.together(lambda: draw(among, self.retrieval))
        worth = peers.together(lambda: self._worth(among))
        worths = torch.stack(peers.gather(worth, everywhere), dim=1)[batch.mine]
        shard = peers.together(lambda: draw(contest(worths, None), self.retrieval))
        return _Choice(batch.gather(shard), column, torch.logsumexp(logsums[batch.mine], dim=1))

    def _worth(self, among: Contest) -> Tensor:
        return self.retrieval.worth(among.scores) if isinstance(self.retrieval, Retrieval) else among.logsum

    def _freshest(self, batch: _Batch, columns: Columns, ids: Tensor) -> Tensor:
        begins, rank = batch.row_begins, batch.peers.rank
        sizes = [end - begin for begin, end in pairwise(begins)]
        gathered = [torch.cat(batch.peers.gather(rows, sizes)) for rows in (ids, columns.age, columns.valid)]
        return freshest_of_each(*gathered)[begins[rank] : begins[rank + 1]]


def _agree(forms: list[dict[str, Any]]) -> None:
    for rank, form in enumerate(forms):
        for name, value in form.items():
            if value != forms[0][name]:
                expected = f"{forms[0][name]} as in process 0"
                raise InputError(
                    f"Processes differ in their {name}", expected=expected, got=f"{value} in process {rank}"
                )


def _fetch(batch: _Batch, columns: Columns, choice: _Choice) -> dict[str, Tensor]:
    """All fields of what was drawn for all queries, from where they lie: `(ΣB, …)` each."""
    owned = choice.shard == batch.peers.rank
    mine = columns.take(choice.column.clamp(min=0))
    return {name: batch.peers.merge(rows, owned) for name, rows in sorted(mine.items())}


def _selected(batch: _Batch, choice: _Choice) -> Tensor:
    """`(B,)`: rows drawn for local queries, counted over all shards in the order of ranks."""
    everyone = batch.peers.merge(choice.column, choice.shard == batch.peers.rank)
    begins = torch.tensor(batch.row_begins, device=choice.shard.device)
    out = torch.where(choice.shard >= 0, everyone + begins[choice.shard.clamp(min=0)], choice.shard)
    return out[batch.mine]
