"""What a batch is worth: its loss, and what its caches learn from it. Knows one batch, not steps or optimisers.

Two contracts: that of `RetrievalLoss` (queries against candidates), and that of `CacheLoss` where there are caches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.batches import Batch
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.cache_loss import CacheLoss
from emb_opt_widgets.training.frequency import FrequencyEstimator
from emb_opt_widgets.training.negatives import flat_ids, flat_negatives
from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
from emb_opt_widgets.training.sharded import ShardedCacheLoss
from emb_opt_widgets.training.together import Together
from emb_opt_widgets.training.towers import evaluating
from emb_opt_widgets.training.trouble import Trouble

__all__ = ["CacheObjective", "InBatchObjective", "Objective", "Outcome", "embed", "fitting_cache", "has_ids", "takes"]

_DOCUMENT = "document"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a batch gave.

    Attributes:
        loss: Scalar, with a gradient. interpretable_loss, staleness: Scalars, or None.
        settle: To be called when the step is sure: it brings the caches up to date.
    """

    loss: Tensor
    interpretable_loss: Tensor | None = None
    staleness: Tensor | None = None
    settle: Callable[[], None] | None = None


class Objective(Protocol):
    """A batch to its outcome.

    Attributes:
        loss: What it is called with.
    """

    @property
    def loss(self) -> Callable[..., Any]: ...

    def sit_out(self, error: Exception) -> None:
        """There is no batch here: tell the processes that this one's batch would have met."""

    def __call__(self, query_net: nn.Module, doc_net: nn.Module, batch: Batch) -> Outcome:
        """The loss of a batch that is on the towers' device."""


def embed(net: nn.Module, what: str, value: Any) -> Tensor:
    """A tower's embeddings of a batch.

    Raises:
        InputError: It returned no embeddings.
    """
    out = net(value)
    if not isinstance(out, Tensor) or not out.is_floating_point() or out.ndim not in (2, 3):
        got = f"{out.dtype} {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise InputError(f"The {what} tower returned no embeddings", expected="a float tensor (n, d)", got=got)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class InBatchObjective:
    """Every query against the batch's documents, further negatives included.

    Attributes:
        loss: `RetrievalLoss`, or what is called like it; it is given those options that the batch has values for.
        frequency: Tells the documents' sampling probability by their ids, or None.
        together: Other processes, whose documents are further negatives; None: there are none.
    """

    loss: Callable[..., Tensor]
    frequency: FrequencyEstimator | None = None
    together: Together | None = None

    def __call__(self, query_net: nn.Module, doc_net: nn.Module, batch: Batch) -> Outcome:
        if self.together is None:
            return self._valued(batch, *self._embedded(query_net, doc_net, batch))
        trouble, found = Trouble(self.together.device), None
        with trouble.kept():
            found = self._embedded(query_net, doc_net, batch)
        queries, candidates, ids = (None, None, None) if found is None else found
        everyone, codes = self.together.widened(candidates, ids, trouble)
        assert queries is not None
        return self._valued(batch, queries, everyone, codes)

    def sit_out(self, error: Exception) -> None:
        """As in `Objective`."""
        if self.together is not None:
            self.together.widened(None, None, Trouble(self.together.device, error=error))

    def _embedded(self, query_net: nn.Module, doc_net: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Any]:
        """Queries, candidates and their ids."""
        queries = embed(query_net, "query", batch.query)
        candidates = embed(doc_net, "document", batch.document)
        ids = batch.id
        if batch.negative is not None:
            further = flat_negatives(batch.negative, batch.document)
            candidates = torch.cat([candidates, embed(doc_net, "document", further)])
            ids = None if ids is None or batch.negative_id is None else _joined(ids, flat_ids(batch.negative_id))
        if ids is not None and len(ids) != len(candidates):
            raise InputError(
                "There are not as many ids as documents", expected=f"{len(candidates)}, of the negatives too",
                got=len(ids),
            )  # fmt: skip
        return queries, candidates, ids

    def _valued(self, batch: Batch, queries: Tensor, candidates: Tensor, ids: Any) -> Outcome:
        options = {"sample_weight": batch.weight, "candidate_ids": ids}
        if self.frequency is not None:
            if ids is None:
                raise InputError(
                    "frequency needs to know the documents",
                    expected="ids in every batch (of the negatives, too)",
                    got="none",
                )
            options["candidate_sampling_probability"] = self.frequency(ids).to(candidates.device)
        loss = self.loss(queries, candidates, **self._taken(options))
        plain = None
        if isinstance(self.loss, RetrievalLoss):
            plain = loss.detach() / (len(queries) if self.loss.reduction == "sum" else 1)
        return Outcome(loss.mean(), None if plain is None else plain.mean())

    def _taken(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What there is and the loss takes; ids may be there for the record alone, what changes the loss may not."""
        given = {name: value for name, value in options.items() if value is not None}
        for name in given.keys() - {"candidate_ids"}:
            if not takes(self.loss, name):
                raise InputError(f"The loss takes no {name}", expected="a loss with this argument", got=repr(self.loss))
        return {name: value for name, value in given.items() if takes(self.loss, name)}


@dataclass(frozen=True, slots=True, eq=False)
class CacheObjective:
    """Every query against what the caches hold; then the caches take in the batch's documents.

    A document that is a tensor is the caches' only field beside the embedding and the id; one that is a mapping has
    its parts under their names. Ids are the document's own part of that name, where it has one, else the batch's; they
    go to the field that the loss tells items apart by, or to "id" where the cache has such a field for its own use.

    Attributes:
        loss: `CacheLoss`, or what is called like it.
        caches: Name to cache.
        together: Processes that a sharded loss meets; None: there are none.
    """

    loss: Callable[..., Any]
    caches: Mapping[str, NegativeCache]
    together: Together | None = None

    def __call__(self, query_net: nn.Module, doc_net: nn.Module, batch: Batch) -> Outcome:
        try:
            target, queries, positives, ids = self._embedded(query_net, doc_net, batch)
        except Exception as error:
            self.sit_out(error)
            raise
        if self._meets is not None:
            self._meets.sure(None)
        return self._valued(doc_net, batch, target, queries, positives, ids)

    @property
    def _meets(self) -> Together | None:
        return self.together if isinstance(self.loss, ShardedCacheLoss) else None

    def sit_out(self, error: Exception) -> None:
        """As in `Objective`."""
        if self._meets is not None:
            self._meets.sure(error)

    def _embedded(
        self, query_net: nn.Module, doc_net: nn.Module, batch: Batch
    ) -> tuple[str, Tensor, Tensor, dict[str, Any]]:
        """The cache that the documents go to, queries, positives, and the ids that the loss takes."""
        if batch.negative is not None or batch.weight is not None:
            raise InputError("A cache loss knows no negatives and weights of a batch", hint="Leave these columns out")
        target = self._target(batch)
        queries = embed(query_net, "query", batch.query)
        positives = embed(doc_net, "document", batch.document)
        id_field = field_of(self.loss, "id_field")
        ids = {}
        if id_field is not None:
            ids["positive_ids"] = _ids(batch, id_field)
        elif batch.id is not None and takes_ids(self.loss):
            ids["positive_ids"] = batch.id

        return target, queries, positives, ids

    def _valued(
        self, doc_net: nn.Module, batch: Batch, target: str, queries: Tensor, positives: Tensor, ids: dict[str, Any]
    ) -> Outcome:
        def document_tower(fields: Mapping[str, Tensor]) -> Tensor:
            if not isinstance(batch.document, Mapping):
                return embed(doc_net, "document", fields[self._features(target, batch)[0]])
            return embed(doc_net, "document", {name: fields[name] for name in batch.document})

        out = self.loss(document_tower, queries, positives, self.caches, **ids)
        new = self._new(target, batch, positives)

        def settle() -> None:
            for name, cache in self.caches.items():
                cache.step(**out.refresh.get(name, {}), add=new if name == target else None)

        return Outcome(out.training_loss.mean(), out.interpretable_loss.mean(), out.staleness.mean(), settle)

    def _target(self, batch: Batch) -> str:
        name = next(iter(self.caches)) if batch.cache is None and len(self.caches) == 1 else batch.cache
        if name is None or name not in self.caches:
            raise InputError(
                "A batch does not say which cache its documents go to",
                expected=f'"cache" as one of {", ".join(map(repr, self.caches))}',
                got=repr(batch.cache),
            )
        return name

    def _id_field(self, target: str, batch: Batch) -> str | None:
        """Where ids go; a cache may keep them for a loss that does not ask for them."""
        kept = batch.id is not None and "id" in self.caches[target].data
        return field_of(self.loss, "id_field") or ("id" if kept else None)

    def _features(self, target: str, batch: Batch) -> list[str]:
        beside = {field_of(self.loss, "embedding_field"), self._id_field(target, batch)}
        return [name for name in self.caches[target].data if name not in beside]

    def _new(self, target: str, batch: Batch, positives: Tensor) -> dict[str, Tensor]:
        """The batch's documents as rows of a cache."""
        embedding, id_field = field_of(self.loss, "embedding_field"), self._id_field(target, batch)
        names = self._features(target, batch)
        given = batch.document if isinstance(batch.document, Mapping) else dict.fromkeys(names[:1], batch.document)
        if set(given) - {id_field} != set(names) or not given:
            raise InputError(
                f"The cache {target!r} does not fit the documents",
                expected=f"fields {embedding!r} and {list(given) if given else [_DOCUMENT]}",
                got=list(self.caches[target].data),
            )
        kept = self.caches[target].data
        rows = {name: torch.as_tensor(given[name]) for name in names}
        rows[embedding] = positives.detach().to(kept[embedding].dtype)
        if id_field is not None:
            rows[id_field] = _ids(batch, id_field)
        return rows


def field_of(loss: Any, name: str) -> Any:
    """The name of a field that a loss looks at: "embedding_field" or "id_field"; what is called like one says none."""
    if isinstance(loss, (CacheLoss, ShardedCacheLoss)):
        return getattr(loss, name)
    return "embedding" if name == "embedding_field" else None


def takes(function: Any, name: str) -> bool:
    """Whether a loss can be given an argument of this name."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        known = signature(called).parameters
    except (TypeError, ValueError):
        return True
    return name in known or any(p.kind is Parameter.VAR_KEYWORD for p in known.values())


def takes_ids(loss: Any) -> bool:
    """Whether a person's own cache loss is to be told the ids."""
    return not isinstance(loss, (CacheLoss, ShardedCacheLoss)) and takes(loss, "positive_ids")


def has_ids(cache: NegativeCache) -> bool:
    """Whether a cache has what items can be told apart by."""
    ids = cache.data.get("id")
    return ids is not None and ids.ndim == 1 and ids.dtype in (torch.int64, torch.int32)


def _ids(batch: Batch, field: str) -> Any:
    own = batch.document.get(field) if isinstance(batch.document, Mapping) else None
    if own is None and batch.id is None:
        raise InputError("The cache loss tells items apart by id", expected="ids in every batch", got="none")
    return batch.id if own is None else own


def fitting_cache(capacity: int, doc_net: nn.Module, batch: Batch, loss: Any = None) -> NegativeCache:
    """An empty cache for documents like those of a batch, and for their ids where the loss asks for them.

    Args:
        capacity: Rows. doc_net: The document tower. batch: What it will be fed. loss: None: one that takes ids where
            there are some.
    """
    given = batch.document if isinstance(batch.document, Mapping) else {_DOCUMENT: batch.document}
    wrong = [name for name, value in given.items() if not isinstance(value, Tensor)]
    asks = loss is None or takes_ids(loss)
    id_field = ("id" if batch.id is not None else None) if asks else field_of(loss, "id_field")
    ids = None if id_field is None else _ids(batch, id_field)
    if wrong or not (ids is None or isinstance(ids, Tensor)):
        raise InputError(
            "These documents do not fit into a cache",
            expected="tensors, and ids that are whole numbers",
            got=f"{wrong or 'ids'} of another type",
            hint="Have the batches hold what the document tower takes as tensors (tokens, pixels)",
        )
    with torch.no_grad(), evaluating(doc_net):
        form = embed(doc_net, "document", batch.document)
    fields: dict[str, Any] = {
        field_of(loss, "embedding_field"): (form.shape[1:], torch.promote_types(form.dtype, torch.float32))
    }
    fields |= {name: (value.shape[1:], value.dtype) for name, value in given.items()}
    if id_field is not None:
        fields[id_field] = ((), torch.int64)
    fields = {name: (tuple(shape), dtype) for name, (shape, dtype) in fields.items()}
    return NegativeCache(capacity, fields, device=form.device)


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.cat([first.reshape(-1), second.reshape(-1)])
    return [*first, *second]
