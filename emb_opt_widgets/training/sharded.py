"""The loss over a cache that is spread over processes: each holds a shard, and queries meet all of them.

Knows the exchange; the terms are those of the loss in one process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.approximate import check_top_k
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.cache_loss import CacheLossOutput
from emb_opt_widgets.training.checks import Checks
from emb_opt_widgets.training.collectives import Gathered, Peers, as_words, from_words
from emb_opt_widgets.training.columns import Columns, exclude, freshest_of_each
from emb_opt_widgets.training.retrieval import GumbelMax, Retrieval
from emb_opt_widgets.training.terms import (
    Contest,
    Drawn,
    Losses,
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
from emb_opt_widgets.training.trouble import TEXT, Trouble

__all__ = ["ShardedCacheLoss"]

_FORM = 4096


@dataclass(frozen=True, slots=True)
class _Local:
    """What this process brings: caches, ids of the queries' own positives, the type of the scores, q and p `(B, D)` in
    it, s⁺ `(B,)`."""

    columns: Columns
    own: Tensor | None
    dtype: torch.dtype
    queries: Tensor
    positives: Tensor
    positive: Tensor


@dataclass(frozen=True, slots=True)
class _Batch:
    """All processes' queries: how many of each, where each process' begin, and where each shard's rows begin."""

    peers: Peers
    counts: list[int]
    begins: list[int]
    row_begins: list[int]

    @property
    def mine(self) -> slice:
        return slice(self.begins[self.peers.rank], self.begins[self.peers.rank + 1])

    @property
    def rows(self) -> list[int]:
        return [end - begin for begin, end in pairwise(self.row_begins)]


@dataclass(frozen=True, slots=True)
class _Everyone:
    """What all brought: queries `(ΣB, D)`, positives where they are negatives of others, ids of own positives, and for
    ids the id, age and validity of all shards' rows."""

    queries: Tensor
    positives: Tensor | None
    own: Tensor | None
    rows: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """For the local queries: the shard (−1: none), its column, log-sum-exp over all shards, which queries drew one
    (None: all), and the fields of what they drew."""

    shard: Tensor
    column: Tensor
    logsum: Tensor
    rows: Tensor | None
    data: dict[str, Tensor]


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
        in_batch: As in `CacheLoss`, over the positives of all processes; they carry the gradient of everyone's use.

    A call takes four exchanges (one more goes back with the gradient of `in_batch`), none of them pickled.

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
        in_batch: bool = False,
    ) -> None:
        super().__init__()
        self.process_group = process_group
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
        """The loss of the local batch; arguments as in `CacheLoss`.

        Raises:
            InputError: Something does not fit here or in another process; every process raises then.
            StateError: There is no process group.
        """
        peers = Peers.of(self.process_group)
        trouble = Trouble(queries.device if isinstance(queries, Tensor) else torch.device("cpu"))
        local, batch = self._met(peers, trouble, queries, positives, caches, positive_ids)
        everyone = self._shared(batch, local)
        found = self._drawn(batch, local, everyone, trouble)
        out, fresh = None, None
        with trouble.kept():
            fresh, out = self._losses(doc_net, batch, local, everyone, found, trouble.checks)
        blank = torch.zeros_like(local.queries)
        embeddings = blank if fresh is None else placed(fresh, found.rows, blank)
        shared = peers.share(
            (embeddings, batch.counts), (found.shard, batch.counts), (found.column, batch.counts),
            (trouble.told(), None),
        )  # fmt: skip
        trouble.settle(torch.stack(shared[3]).cpu().numpy(), peers.rank)
        assert out is not None
        shards, columns = torch.cat(shared[1]), torch.cat(shared[2])
        owned = torch.where(shards == peers.rank, columns, -1)
        refresh = local.columns.refresh(owned, torch.cat(shared[0]))
        begins = torch.tensor(batch.row_begins, device=owned.device)
        selected = torch.where(found.shard >= 0, found.column + begins[found.shard.clamp(min=0)], found.shard)
        return CacheLossOutput(out.training, out.interpretable, out.staleness, selected, refresh)

    def _met(
        self,
        peers: Peers,
        trouble: Trouble,
        queries: Tensor,
        positives: Tensor,
        caches: Mapping[str, NegativeCache] | nn.ModuleDict,
        positive_ids: Any,
    ) -> tuple[_Local, _Batch]:
        """Look at what is here, tell the others how much it is, and see that all fit together."""
        local, form = None, "{}"
        sizes = torch.zeros(2, dtype=torch.int64)
        with trouble.kept():
            local = self._local(peers, queries, positives, caches, positive_ids, trouble.checks)
            form = json.dumps(self._form(local, queries, positives))
            sizes = torch.tensor([len(queries), local.columns.n])
        words = as_words(form, _FORM).to(trouble.device)
        shared = peers.share((sizes.to(trouble.device), None), (trouble.told(), None), (words, None))
        read = torch.stack([torch.cat([part.view(torch.uint8) for part in one]) for one in zip(*shared)]).cpu().numpy()
        told = slice(16, 16 + 1 + TEXT)
        trouble.settle(read[:, told], peers.rank)
        assert local is not None
        _agree([from_words(one) for one in read[:, told.stop :]])
        counts, rows = np.ascontiguousarray(read[:, :16]).view(np.int64).T.tolist()
        return local, _Batch(peers, counts, [0, *accumulate(counts)], [0, *accumulate(rows)])

    def _local(
        self,
        peers: Peers,
        queries: Tensor,
        positives: Tensor,
        caches: Mapping[str, NegativeCache] | nn.ModuleDict,
        positive_ids: Any,
        checks: Checks,
    ) -> _Local:
        check_towers(queries, positives, checks)
        columns = Columns.of(caches, self.embedding_field, queries)
        own = own_ids(positive_ids, queries, self.id_field)
        if self.id_field is not None:
            columns.ids(self.id_field)
        if self.top_k is not None and self.top_k < peers.size:
            what = "top_k is shared by the shards and leaves none to each"
            raise InputError(what, expected=f"at least {peers.size}, one for each process", got=self.top_k)
        dtype = working_dtype(queries, positives, columns.caches[0].data[self.embedding_field])
        with exact(queries):
            left, right = queries.to(dtype), positives.to(dtype)
            positive = pair_scores(left, right, self.score_transform, checks)
        return _Local(columns, own, dtype, left, right, positive)

    def _form(self, local: _Local, queries: Tensor, positives: Tensor) -> dict[str, Any]:
        """What has to be the same in every process."""
        form = local.columns.form(local.columns.caches[0])
        return {
            "sources": ", ".join(local.columns.names),
            "fields": ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in form.items()),
            "embedding_field": self.embedding_field,
            "size and type of queries": f"{queries.shape[1]} {queries.dtype} {positives.dtype}",
            "number of own ids": None if local.own is None else local.own.shape[1],
            "top_k": self.top_k,
            "retrieval": type(self.retrieval).__name__,
            "in_batch": self.in_batch,
        }

    def _shared(self, batch: _Batch, local: _Local) -> _Everyone:
        """Everyone's queries, and what else their scores need."""
        parts: list[tuple[Tensor, Sequence[int] | None]] = [(local.queries, batch.counts)]
        if self.in_batch:
            parts.append((local.positives, batch.counts))
        if local.own is not None and self.id_field is not None:
            columns = local.columns
            parts.append((local.own, batch.counts))
            parts += [(rows, batch.rows) for rows in (columns.ids(self.id_field), columns.age, columns.valid)]
        got = [torch.cat(rows) for rows in batch.peers.share(*parts)]
        positives = None
        if self.in_batch:
            apply = Gathered.apply
            positives = apply(local.positives, got[1], batch.mine, batch.peers)  # type: ignore[no-untyped-call]
        rest = got[1 + self.in_batch :]
        return _Everyone(got[0], positives, rest[0] if rest else None, tuple(rest[1:]))

    @torch.no_grad()
    def _drawn(self, batch: _Batch, local: _Local, everyone: _Everyone, trouble: Trouble) -> _Found:
        """Draw in this shard for all queries, hand each process what was drawn for its own, and draw a shard."""
        peers, n = batch.peers, batch.begins[-1]
        logsum = worth = local.queries.new_full((n,), -torch.inf)
        column = torch.zeros(n, dtype=torch.int64, device=trouble.device)
        with trouble.kept(), exact(local.queries):
            among = self._contest(batch, local, everyone, trouble.checks)
            logsum = among.logsum
            shown = among.scores.masked_fill((logsum == -torch.inf)[:, None], 0.0)
            column = draw(Contest(shown, among.columns, logsum), self.retrieval, None, trouble.checks)
            worth = self._worth(among).to(logsum.dtype)
        mine = local.columns.take(column)
        names = sorted(mine)
        got = peers.swap([logsum, worth, column, *(mine[name] for name in names)], batch.counts)
        logsums, worths, columns = (value.T for value in got[:3])
        count, rows = len(logsums), None
        shard = torch.full((count,), -1, dtype=torch.int64, device=trouble.device)
        with trouble.kept(), exact(local.queries):
            choice = contest(worths, None)
            rows = settled(choice, trouble.checks)
            shard = draw(choice, self.retrieval, rows, trouble.checks)
        at, of = torch.arange(count, device=shard.device), shard.clamp(min=0)
        data = {name: of_rows(value[of, at], rows) for name, value in zip(names, got[3:])}
        return _Found(shard, columns[at, of], torch.logsumexp(logsums, dim=1), rows, data)

    def _contest(self, batch: _Batch, local: _Local, everyone: _Everyone, checks: Checks) -> Contest:
        scores = transformed(local.columns.scores(everyone.queries), self.score_transform)
        if everyone.own is None or self.id_field is None:
            exclude(scores, None if local.columns.full else local.columns.valid)
        else:
            begins, rank = batch.row_begins, batch.peers.rank
            freshest = freshest_of_each(*everyone.rows)[begins[rank] : begins[rank + 1]]
            exclude(scores, freshest, local.columns.ids(self.id_field), everyone.own)
        among = contest(scores, None if self.top_k is None else self.top_k // batch.peers.size)
        check_finite(among.logsum, checks)
        return among

    def _worth(self, among: Contest) -> Tensor:
        return self.retrieval.worth(among.scores) if isinstance(self.retrieval, Retrieval) else among.logsum

    def _losses(
        self,
        doc_net: Callable[[Mapping[str, Tensor]], Tensor],
        batch: _Batch,
        local: _Local,
        everyone: _Everyone,
        found: _Found,
        checks: Checks,
    ) -> tuple[Tensor, Losses]:
        """What was drawn, encoded anew `(m, D)`, and the losses of the local queries."""
        fresh = encode(doc_net, found.data, local.queries, checks).to(local.dtype)
        with exact(local.queries):
            beside = None
            if everyone.positives is not None:
                first = batch.mine.start
                beside = in_batch(local.queries, everyone.positives, self.score_transform, everyone.own, first, checks)
            negative = pair_scores(of_rows(local.queries, found.rows), fresh, self.score_transform, checks)
            drawn = Drawn(found.rows, negative, found.data[self.embedding_field].to(local.dtype), fresh)
            return fresh.detach(), losses(local.positive, found.logsum, drawn, self.reduction, beside)


def _agree(forms: list[str]) -> None:
    """Hold what must be the same everywhere to be so."""
    if len(set(forms)) == 1:
        return
    known = [json.loads(form) if form.endswith("}") else {"caches": form} for form in forms]
    for rank, form in enumerate(known):
        for name, value in form.items():
            if value != known[0].get(name):
                expected = f"{known[0].get(name)} as in process 0"
                raise InputError(
                    f"Processes differ in their {name}", expected=expected, got=f"{value} in process {rank}"
                )
