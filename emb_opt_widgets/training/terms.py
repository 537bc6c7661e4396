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
from emb_opt_widgets.training.checks import Checks

__all__ = [
    "Contest", "Drawn", "Losses", "Reduction", "Transform", "check_finite", "check_reduction", "check_towers",
    "contest", "draw", "encode", "exact", "in_batch", "losses", "of_rows", "own_ids", "pair_scores", "placed",
    "settled", "transformed", "working_dtype",
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


def check_towers(queries: Tensor, positives: Tensor, checks: Checks) -> None:
    """Hold what the towers gave to `(B, D)` finite floats each; that they are finite is noted only.

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
        checks.finite(name, value, "Look at the tower and the learning rate")


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


def pair_scores(left: Tensor, right: Tensor, transform: Transform | None, checks: Checks) -> Tensor:
    """`(B,)`, t(Σ left · right) of two `(B, D)`; that they are finite is noted.

    Raises:
        InputError: The transform returned something else.
    """
    out = transformed((left * right).sum(dim=1), transform)
    checks.finite("scores of pairs", out, "Look at the score transform and the embeddings")
    return out


def in_batch(
    queries: Tensor, positives: Tensor, transform: Transform | None, own: Tensor | None, first: int, checks: Checks
) -> Tensor:
    """`(B,)`, −log P of each query's positive among those of the whole batch.

    Args:
        queries: `(B, D)`. positives: `(C, D)`, row `first + i` for query i; with those of other processes C is more.
        own: `(C, P)` ids of what is right for the query of each column, its document's first: another document that is
            right for a query does not compete. None: all do.
        first: The column of query 0's positive.
    """
    scores = transformed(queries @ positives.T, transform)
    columns = torch.arange(len(queries), device=scores.device) + first
    if own is not None:
        same = (own[first : first + len(queries), :, None] == own[None, None, :, 0]).any(1)
        scores = scores.masked_fill(same.scatter(1, columns[:, None], False), -math.inf)
    own_score = scores.gather(1, columns[:, None]).squeeze(1)
    out = torch.logsumexp(scores, dim=1) - own_score
    checks.finite("scores of the batch", out, "Look at the score transform and the embeddings")
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


def check_finite(logsum: Tensor, checks: Checks) -> None:
    """Note that log-sum-exps have to be what finite scores give; −inf is where none competes."""
    checks.note(
        (logsum.isnan() | (logsum == math.inf)).any(),
        lambda: InputError(
            "Scores against the cache are NaN or infinite", expected="finite ones",
            got=f"{int((logsum.isnan() | (logsum == math.inf)).sum())} queries with others",
            hint="Look at the cached rows and the transform",
        ),
    )  # fmt: skip


def settled(among: Contest, checks: Checks) -> Tensor | None:
    """Look at what was noted, and which queries have something to compete with.

    Returns:
        `(m,)` int64, those queries; None where it is all of them.

    Raises:
        InputError: What was noted is so.
    """
    some = among.logsum > -math.inf
    (all_of_them,) = checks.settle(some.all())
    return None if all_of_them else some.nonzero().squeeze(1)


def draw(
    among: Contest, retrieval: Callable[[Tensor], Tensor], rows: Tensor | None, checks: Checks, none: int = -1
) -> Tensor:
    """`(B,)` int64, a column for each query; that they are columns which compete is noted.

    Args:
        among: What is drawn from. retrieval: What draws. rows: As `settled` returns them. none: For the others.

    Raises:
        InputError: The retrieval returned something else than whole numbers.
    """
    out = torch.full(among.logsum.shape, none, dtype=torch.int64, device=among.logsum.device)
    if rows is not None and not len(rows):
        return out
    scores = among.scores if rows is None else among.scores[rows]
    picked = _checked(_as_columns(retrieval(scores), scores), scores, checks)
    if among.columns is not None:
        columns = among.columns if rows is None else among.columns[rows]
        picked = columns.gather(1, picked[:, None]).squeeze(1)
    return placed(picked, rows, out)


def placed(values: Tensor, rows: Tensor | None, into: Tensor) -> Tensor:
    """The values of these rows `(m, …)`, the others as they are in `into` `(B, …)`."""
    return values if rows is None else into.index_put((rows,), values)


def of_rows(values: Tensor, rows: Tensor | None) -> Tensor:
    """`(m, …)`, these rows of `(B, …)`; None is all."""
    return values if rows is None else values[rows]


def _as_columns(given: Any, scores: Tensor) -> Any:
    """What a retrieval returned, an array, a list or `(B, 1)`, as one tensor `(B,)` where it can be."""
    if isinstance(given, (np.ndarray, list)):
        with suppress(TypeError, ValueError, RuntimeError):
            given = torch.as_tensor(given, device=scores.device)
    return given[:, 0] if isinstance(given, Tensor) and given.shape == (len(scores), 1) else given


def _checked(picked: Tensor, scores: Tensor, checks: Checks) -> Tensor:
    whole = isinstance(picked, Tensor) and picked.dtype in (torch.int64, torch.int32)
    if not whole or picked.shape != scores.shape[:1]:
        got = f"{tuple(picked.shape)} {picked.dtype}" if isinstance(picked, Tensor) else type(picked).__name__
        raise InputError("The retrieval returned no columns", expected=f"({len(scores)},) integers", got=got)
    picked, last = picked.to(scores.device, torch.int64), scores.shape[1] - 1
    there = picked.clamp(0, last)
    checks.note(
        (picked != there).any(),
        lambda: InputError(
            "The retrieval returned columns that are not there", expected=f"0 to {last}",
            got=f"{int(picked.min())} to {int(picked.max())}",
        ),
    )  # fmt: skip
    checks.note(
        (scores.gather(1, there[:, None]) == -math.inf).any(),
        lambda: InputError(
            "The retrieval chose columns that do not compete", expected="scores above −inf", got="−inf"
        ),
    )  # fmt: skip
    return there


def encode(
    doc_net: Callable[[Mapping[str, Tensor]], Tensor], data: Mapping[str, Tensor], form: Tensor, checks: Checks
) -> Tensor:
    """`(m, D)` embeddings of m drawn rows by the document tower; that they are finite is noted.

    Args:
        doc_net: The tower. data: Field to `(m, …)`. form: `(B, D)`, for the size to expect.

    Raises:
        InputError: It returned something else than embeddings.
    """
    count = len(next(iter(data.values())))
    if not count:
        return form.new_zeros(0, form.shape[1])
    out = doc_net(data)
    if not isinstance(out, Tensor) or out.shape != (count, form.shape[1]) or not out.is_floating_point():
        got = f"{tuple(out.shape)} {out.dtype}" if isinstance(out, Tensor) else type(out).__name__
        raise InputError("doc_net returned no embeddings", expected=f"({count}, {form.shape[1]}) floats", got=got)
    checks.finite("embeddings of doc_net", out, "Look at the learning rate")
    return out


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn.

    Attributes:
        rows: `(m,)` the queries that drew one; None is all B. score: `(m,)`, s⁻.
        stale, fresh: `(m, D)` embeddings from the cache and made anew.
    """

    rows: Tensor | None
    score: Tensor
    stale: Tensor
    fresh: Tensor


def losses(
    positive: Tensor, logsum: Tensor, drawn: Drawn, reduction: Reduction, beside: Tensor | None = None
) -> Losses:
    """The two losses and the staleness.

    Args:
        positive: `(B,)` scores. logsum: `(B,)`. drawn: The negatives. reduction: Over B.
        beside: `(B,)`, a loss to be added to what is descended on, or None.
    """
    with torch.no_grad():
        gap = logsum - positive
        nll = torch.logaddexp(gap, torch.zeros_like(gap))
        change, size = (drawn.stale - drawn.fresh).square().sum(dim=1), drawn.fresh.square().sum(dim=1)
        away = placed(torch.where(change == 0, change, change / size), drawn.rows, torch.zeros_like(positive))
    training = -torch.expm1(-nll) * (placed(drawn.score, drawn.rows, positive) - positive)
    if beside is not None:
        training = training + beside
    return Losses(_reduced(training, reduction), _reduced(nll, reduction), _reduced(away, reduction))


def _reduced(values: Tensor, how: Reduction) -> Tensor:
    if how == "none":
        return values
    return values.mean() if how == "mean" else values.sum()
