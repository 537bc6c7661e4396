"""The terms of a cache loss: scores of pairs, the draw, the two losses, staleness. Knows no caches and no processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.approximate import approximate_top_k

__all__ = [
    "Contest", "Losses", "Reduction", "Transform", "check_finite", "check_reduction", "check_towers", "contest", "draw",
    "encode", "exact", "losses", "own_ids", "pair_scores", "transformed", "working_dtype",
]  # fmt: skip

Reduction = Literal["mean", "sum", "none"]
Transform = Callable[[Tensor], Tensor]
"""Scores of any shape to scores of the same shape; a module's parameters are trained."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The scores that compete.

    Attributes:
        scores: `(B, k)`, −inf where one does not. columns: `(B, k)` int64, where they come from; None: from 0, 1, …
        logsum: `(B,)`, log-sum-exp of the scores.
    """

    scores: Tensor
    columns: Tensor | None
    logsum: Tensor


@dataclass(frozen=True, slots=True)
class Losses:
    """Reduced terms.

    Attributes:
        training: Carries the gradient. interpretable, staleness: Carry none.
    """

    training: Tensor
    interpretable: Tensor
    staleness: Tensor


def check_reduction(reduction: str) -> Reduction:
    """The reduction as it is.

    Raises:
        InputError: There is no such reduction.
    """
    if reduction not in ("mean", "sum", "none"):
        raise InputError("There is no such reduction", expected="'mean', 'sum' or 'none'", got=repr(reduction))
    return reduction  # type: ignore[return-value]


def check_towers(queries: Tensor, positives: Tensor) -> None:
    """Hold what the towers gave to `(B, D)` finite floats each.

    Raises:
        InputError: It is something else, or the batch is empty.
    """
    for name, value in (("queries", queries), ("positives", positives)):
        if not isinstance(value, Tensor) or value.dim() != 2 or not value.is_floating_point():
            got = f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"Wrong {name}", expected="a tensor (B, D) of floats", got=got)
    if queries.shape != positives.shape or not queries.numel():
        raise InputError(
            "Each query needs its positive", expected="two tensors of one shape (B, D), B ≥ 1",
            got=f"{tuple(queries.shape)} and {tuple(positives.shape)}",
        )  # fmt: skip
    for name, value in (("queries", queries), ("positives", positives)):
        if not bool(value.isfinite().all()):
            raise InputError(f"The {name} are not all finite", hint="Look at the tower and the learning rate")


def own_ids(positive_ids: Any, queries: Tensor, id_field: str | None) -> Tensor | None:
    """Ids of each query's own positives as `(B, P)` int64, or None where items have no ids.

    Raises:
        InputError: Ids came without a field, a field without ids, or they do not fit the queries.
    """
    if (positive_ids is None) != (id_field is None):
        raise InputError(
            "positive_ids and id_field belong together", expected="both or neither",
            got=f"id_field={id_field!r} and {'no ' if positive_ids is None else ''}positive_ids",
        )  # fmt: skip
    if positive_ids is None:
        return None
    ids = torch.as_tensor(positive_ids, device=queries.device)
    real = ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool
    if ids.dim() not in (1, 2) or len(ids) != len(queries) or real:
        expected = f"({len(queries)},) or ({len(queries)}, P) integers"
        raise InputError("Wrong positive_ids", expected=expected, got=f"{tuple(ids.shape)} {ids.dtype}")
    return ids.reshape(len(ids), -1).long()


def working_dtype(*tensors: Tensor) -> torch.dtype:
    """What scores are made in: float32, or float64 where something is."""
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32


def exact(tensor: Tensor) -> torch.autocast:
    """A context without automatic half precision: scores are differences of large numbers."""
    return torch.autocast(tensor.device.type, enabled=False)


def transformed(scores: Tensor, transform: Transform | None) -> Tensor:
    """Scores after the transform.

    Raises:
        InputError: It returned something else than as many scores.
    """
    if transform is None:
        return scores
    out = transform(scores)
    if not isinstance(out, Tensor) or out.shape != scores.shape or not out.is_floating_point():
        got = f"{tuple(out.shape)} {out.dtype}" if isinstance(out, Tensor) else type(out).__name__
        raise InputError("The score transform changed the form", expected=f"{tuple(scores.shape)} floats", got=got)
    return out.to(scores.dtype)


def pair_scores(left: Tensor, right: Tensor, transform: Transform | None) -> Tensor:
    """`(B,)`, t(Σ left · right) of two `(B, D)`.

    Raises:
        InputError: The transform returned something else, or what is not finite.
    """
    out = transformed((left * right).sum(dim=1), transform)
    if not bool(out.isfinite().all()):
        raise InputError("Scores of pairs are not finite", hint="Look at the score transform and the embeddings")
    return out


def contest(scores: Tensor, top_k: int | None) -> Contest:
    """The scores that compete.

    Args:
        scores: `(B, N)` transformed, −inf where a column does not compete.
        top_k: How many blocks of columns keep their best; None keeps all columns.
    """
    columns = None
    if top_k is not None:
        scores, columns = approximate_top_k(scores, top_k)
    return Contest(scores, columns, torch.logsumexp(scores, dim=1))


def check_finite(logsum: Tensor) -> None:
    """Hold log-sum-exps to what finite scores give; −inf is where none competes.

    Raises:
        InputError: Some are NaN or +inf.
    """
    if bool((logsum.isnan() | (logsum == math.inf)).any()):
        raise InputError(
            "Scores against the cache are NaN or infinite", expected="finite ones",
            got=f"{int((~logsum.isfinite()).sum())} such queries", hint="Look at the cached rows and the transform",
        )  # fmt: skip


def draw(among: Contest, retrieval: Callable[[Tensor], Tensor]) -> Tensor:
    """`(B,)` int64, a column for each query, −1 where none competes.

    Raises:
        InputError: The retrieval returned something else than columns that compete.
    """
    out = torch.full(among.logsum.shape, -1, dtype=torch.int64, device=among.logsum.device)
    some = among.logsum > -math.inf
    if bool(some.any()):
        scores = among.scores if bool(some.all()) else among.scores[some]
        picked = _checked(_as_columns(retrieval(scores), scores), scores)
        out[some] = picked if among.columns is None else among.columns[some].gather(1, picked[:, None]).squeeze(1)
    return out


def _as_columns(given: Any, scores: Tensor) -> Any:
    """What a retrieval returned, an array, a list or `(B, 1)`, as one tensor `(B,)` where it can be."""
    if isinstance(given, (np.ndarray, list)):
        with suppress(TypeError, ValueError, RuntimeError):
            given = torch.as_tensor(given, device=scores.device)
    return given[:, 0] if isinstance(given, Tensor) and given.shape == (len(scores), 1) else given


def _checked(picked: Tensor, scores: Tensor) -> Tensor:
    whole = isinstance(picked, Tensor) and picked.dtype in (torch.int64, torch.int32)
    if not whole or picked.shape != scores.shape[:1]:
        got = f"{tuple(picked.shape)} {picked.dtype}" if isinstance(picked, Tensor) else type(picked).__name__
        raise InputError("The retrieval returned no columns", expected=f"({len(scores)},) integers", got=got)
    picked = picked.long()
    if bool(((picked < 0) | (picked >= scores.shape[1])).any()):
        raise InputError(
            "The retrieval returned columns that are not there", expected=f"0 to {scores.shape[1] - 1}",
            got=f"{int(picked.min())} to {int(picked.max())}",
        )  # fmt: skip
    if bool((scores.gather(1, picked[:, None]) == -math.inf).any()):
        raise InputError("The retrieval chose columns that do not compete", expected="scores above −inf", got="−inf")
    return picked


def encode(doc_net: Callable[[Mapping[str, Tensor]], Tensor], data: Mapping[str, Tensor], form: Tensor) -> Tensor:
    """`(m, D)` embeddings of m drawn rows by the document tower.

    Args:
        doc_net: The tower. data: Field to `(m, …)`. form: `(B, D)`, for the size to expect.

    Raises:
        InputError: It returned something else than finite embeddings.
    """
    count = len(next(iter(data.values())))
    if not count:
        return form.new_zeros(0, form.shape[1])
    out = doc_net(data)
    if not isinstance(out, Tensor) or out.shape != (count, form.shape[1]) or not out.is_floating_point():
        got = f"{tuple(out.shape)} {out.dtype}" if isinstance(out, Tensor) else type(out).__name__
        raise InputError("doc_net returned no embeddings", expected=f"({count}, {form.shape[1]}) floats", got=got)
    if not bool(out.isfinite().all()):
        raise InputError("doc_net returned embeddings that are not finite", hint="Look at the learning rate")
    return out


def losses(
    positive: Tensor,
    negative: Tensor,
    logsum: Tensor,
    stale: Tensor,
    fresh: Tensor,
    found: Tensor,
    reduction: Reduction,
) -> Losses:
    """The two losses and the staleness.

    Args:
        positive: `(B,)` scores. negative: `(m,)` scores of the m queries that drew one. logsum: `(B,)`.
        stale, fresh: `(m, D)` embeddings of what was drawn, from the cache and made anew.
        found: `(B,)` bool, m of them True. reduction: Over B.
    """
    with torch.no_grad():
        gap = logsum - positive
        nll = torch.logaddexp(gap, torch.zeros_like(gap))
        away = torch.zeros_like(positive)
        change, size = (stale - fresh).square().sum(dim=1), fresh.square().sum(dim=1)
        away[found] = torch.where(change == 0, change, change / size)
    against = positive.clone()
    against[found] = negative
    training = -torch.expm1(-nll) * (against - positive)
    return Losses(_reduced(training, reduction), _reduced(nll, reduction), _reduced(away, reduction))


def _reduced(values: Tensor, how: Reduction) -> Tensor:
    if how == "none":
        return values
    return values.mean() if how == "mean" else values.sum()
