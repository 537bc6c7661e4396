"""In-batch softmax: every query's own candidate against all other candidates of the batch.

Knows scores, not towers: what it is given are embeddings.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.checks import Checks
from emb_opt_widgets.training.ids import as_codes

__all__ = ["RetrievalLoss"]

_LEAST_PROBABILITY = 1e-6
_REDUCTIONS = ("sum", "mean", "none")


class RetrievalLoss(torch.nn.Module):
    """Softmax cross-entropy of each query's own candidate, row `i` of `candidates` for row `i` of `queries`.

    In this order: scores (inner products; the largest over a query's heads), over the temperature, minus the log of
    the candidates' sampling probability (the logQ correction of Yi et al., RecSys 2019), accidental hits masked,
    `score_mask` masked, all but the hardest negatives masked, cross-entropy, weights, reduction. Half-precision
    embeddings are multiplied and summed in float32, also under autocast.

    Args:
        temperature: Scores are divided by it. A number, or a tensor of one element (an `nn.Parameter` is learned).
            None: 1.
        num_hard_negatives: Keep so many highest-scoring negatives of each query, equal ones in the order of their
            columns. None or 0: all.
        remove_accidental_hits: Mask other candidates with the id of the query's own; needs `candidate_ids`.
        reduction: "sum"; "mean", the sum over the number of queries; or "none", `(B,)`.
        symmetric: The mean of this loss and of the one the other way round: each query's own candidate looks for its
            query among the queries of the batch. The sampling correction is the same for all of these, and cancels.

    Raises:
        InputError: An argument is not usable.
    """

    def __init__(
        self,
        temperature: float | torch.Tensor | None = None,
        num_hard_negatives: int | None = None,
        remove_accidental_hits: bool = False,
        reduction: str = "sum",
        *,
        symmetric: bool = False,
    ) -> None:
        super().__init__()
        if temperature is not None:
            checks = Checks()
            _check_temperature(temperature, checks)
            checks.settle()
        if num_hard_negatives is not None and as_whole(num_hard_negatives, 0) is None:
            raise InputError(
                "num_hard_negatives is not usable",
                expected="a whole number, 0 or None for all",
                got=repr(num_hard_negatives),
            )
        if reduction not in _REDUCTIONS:
            raise InputError(
                "reduction is not usable", expected=" or ".join(map(repr, _REDUCTIONS)), got=repr(reduction)
            )
        self.temperature = temperature
        self.num_hard_negatives = None if num_hard_negatives is None else int(num_hard_negatives)
        self.remove_accidental_hits = remove_accidental_hits
        self.reduction = reduction
        self.symmetric = bool(symmetric)

    def forward(
        self,
        queries: torch.Tensor,
        candidates: torch.Tensor,
        sample_weight: Any = None,
        candidate_sampling_probability: Any = None,
        candidate_ids: Any = None,
        score_mask: Any = None,
    ) -> torch.Tensor:
        """The loss of a batch.

        Args:
            queries: `(B, D)`, or `(B, H, D)` for queries of several heads.
            candidates: `(C, D)`, C ≥ B: first each query's own, then further negatives shared by all.
            sample_weight: `(B,)` or `(B, 1)`.
            candidate_sampling_probability: `(C,)`, how likely each column is to be in a batch; taken within
                [1e-6, 1].
            candidate_ids: `(C,)` or `(C, 1)` whole numbers or text.
            score_mask: `(B, C)` bool, False for a score that does not count.

        Returns:
            A scalar, or `(B,)` for reduction "none"; float32, or float64 where the embeddings are.

        Raises:
            InputError: Shapes that do not fit, an empty batch, a NaN embedding, probability or weight, a temperature
                that is not above 0, a masked positive.
        """
        checks = Checks()
        _check_embeddings(queries, candidates, checks)
        scores = _products(queries, candidates)
        if self.temperature is not None:
            _check_temperature(self.temperature, checks)
            scores = scores / self.temperature
        if candidate_sampling_probability is not None:
            scores = scores - _log_probability(candidate_sampling_probability, scores, checks)
        masked = self._masked(scores, candidate_ids, score_mask, checks)
        weight = _checked_weight(sample_weight, scores, checks)
        checks.settle()
        if masked is not None:
            scores = scores.masked_fill(masked, -math.inf)
        losses = self._own(scores)
        if self.symmetric:
            losses = (losses + self._own(scores[:, : len(scores)].T)) / 2
        losses = losses if weight is None else losses * weight
        if self.reduction == "none":
            return losses
        return losses.sum() if self.reduction == "sum" else losses.mean()

    def _own(self, scores: torch.Tensor) -> torch.Tensor:
        """`(B,)`, cross-entropy of column i in row i."""
        if self.num_hard_negatives:
            scores = _keep_hardest(scores, self.num_hard_negatives)
        own = torch.arange(len(scores), device=scores.device)
        return F.cross_entropy(scores, own, reduction="none")

    def _masked(self, scores: torch.Tensor, candidate_ids: Any, score_mask: Any, checks: Checks) -> torch.Tensor | None:
        masked = None
        ids = None if candidate_ids is None else as_codes(candidate_ids, scores.shape[1], "candidate_ids")
        if self.remove_accidental_hits:
            if ids is None:
                raise InputError(
                    "remove_accidental_hits needs to know the candidates",
                    expected=f"candidate_ids of shape ({scores.shape[1]},)",
                    got="None",
                )
            ids = ids.to(scores.device)
            masked = (ids[None, :] == ids[: len(scores), None]) & ~_own(scores)
        if score_mask is not None:
            hidden = ~_checked_mask(score_mask, scores, checks)
            masked = hidden if masked is None else masked | hidden
        return masked

    def extra_repr(self) -> str:
        """The arguments, for `repr`."""
        return (
            f"temperature={self.temperature}, num_hard_negatives={self.num_hard_negatives}, "
            f"remove_accidental_hits={self.remove_accidental_hits}, reduction={self.reduction!r}"
            f"{', symmetric=True' if self.symmetric else ''}"
        )


def _check_temperature(temperature: float | torch.Tensor, checks: Checks) -> None:
    def error() -> InputError:
        return InputError(
            "temperature is not usable",
            expected="a finite number above 0",
            got=repr(temperature),
            hint="A learned temperature stays above 0 as exp of a parameter: put it into the query tower",
        )

    if isinstance(temperature, torch.Tensor):
        if temperature.numel() != 1:
            raise error()
        value = temperature.detach().reshape(())
        checks.note(~((value > 0) & value.isfinite()), error)
        return
    try:
        fine = not isinstance(temperature, bool) and 0 < float(temperature) < math.inf
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise error()


def _check_embeddings(queries: torch.Tensor, candidates: torch.Tensor, checks: Checks) -> None:
    for name, value, ranks in (("queries", queries, (2, 3)), ("candidates", candidates, (2,))):
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.ndim not in ranks:
            wanted = "(B, D) or (B, H, D)" if name == "queries" else "(C, D)"
            got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
            raise InputError(f"{name} are not embeddings", expected=f"a float tensor of shape {wanted}", got=got)
    shapes = f"{tuple(queries.shape)} and {tuple(candidates.shape)}"
    if queries.shape[-1] != candidates.shape[1]:
        raise InputError("queries and candidates have different lengths", expected="the same D", got=shapes)
    if not queries.numel() or not len(candidates):
        raise InputError("The batch is empty", expected="at least one query and its candidate", got=shapes)
    if len(candidates) < len(queries):
        raise InputError(
            "A query has no candidate of its own",
            expected=f"at least {len(queries)} candidates, row i for query i",
            got=len(candidates),
        )
    if queries.device != candidates.device:
        got = f"{queries.device} and {candidates.device}"
        raise InputError("queries and candidates are on different devices", expected="the same device", got=got)
    for name, value in (("queries", queries), ("candidates", candidates)):
        checks.note(value.isnan().any(), partial(_not_numbers, name))


def _not_numbers(name: str) -> InputError:
    return InputError(f"The {name} are not all numbers", hint="Look at the tower and the learning rate")


def _products(queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """`(B, C)` inner products, at least in float32; the largest over a query's heads."""
    wide = torch.promote_types(torch.promote_types(queries.dtype, candidates.dtype), torch.float32)
    with torch.autocast(queries.device.type, enabled=False):
        scores = queries.to(wide) @ candidates.to(wide).T
    return scores if queries.ndim == 2 else scores.amax(1)


def _log_probability(probability: Any, scores: torch.Tensor, checks: Checks) -> torch.Tensor:
    given = torch.as_tensor(probability, dtype=scores.dtype, device=scores.device)
    if given.shape != (scores.shape[1],):
        raise InputError(
            "candidate_sampling_probability has the wrong shape",
            expected=f"({scores.shape[1]},), one for each candidate",
            got=tuple(given.shape),
        )
    checks.note(
        given.isnan().any(),
        lambda: InputError("candidate_sampling_probability is not usable", expected="numbers", got="NaN"),
    )
    return given.clamp(_LEAST_PROBABILITY, 1.0).log()


def _checked_weight(sample_weight: Any, scores: torch.Tensor, checks: Checks) -> torch.Tensor | None:
    if sample_weight is None:
        return None
    weight = torch.as_tensor(sample_weight, dtype=scores.dtype, device=scores.device)
    if weight.shape not in ((len(scores),), (len(scores), 1)):
        raise InputError("sample_weight has the wrong shape", expected=f"({len(scores)},)", got=tuple(weight.shape))
    checks.note(
        ~weight.isfinite().all(),
        lambda: InputError("sample_weight is not finite", expected="finite numbers", got="NaN or infinity"),
    )
    return weight.reshape(-1)


def _checked_mask(mask: Any, scores: torch.Tensor, checks: Checks) -> torch.Tensor:
    shown = torch.as_tensor(mask, device=scores.device)
    if shown.dtype != torch.bool or shown.shape != scores.shape:
        raise InputError(
            "score_mask is not usable",
            expected=f"bool of shape {tuple(scores.shape)}",
            got=f"{shown.dtype} of shape {tuple(shown.shape)}",
        )
    own = shown.diagonal()
    checks.note(
        ~own.all(),
        lambda: InputError(
            "score_mask hides a query's own candidate",
            expected="True at (i, i)",
            got=f"False for query {int((~own).nonzero()[0])}",
            hint="Leave such queries out of the batch",
        ),
    )
    return shown


def _own(scores: torch.Tensor) -> torch.Tensor:
    """`(B, C)` bool, True at a query's own candidate."""
    return torch.eye(*scores.shape, dtype=torch.bool, device=scores.device)


def _keep_hardest(scores: torch.Tensor, n: int) -> torch.Tensor:
    """Mask all but the own candidate and the `n` highest others; equal ones go by column."""
    if n >= scores.shape[1] - 1:
        return scores
    own = _own(scores)
    with torch.no_grad():
        negatives = scores.masked_fill(own, -math.inf)
        least = negatives.topk(n, dim=1).values[:, -1:]
        above, level = negatives > least, negatives == least
        room = n - above.sum(1, keepdim=True)
        keep = own | above | (level & (level.cumsum(1) <= room)) | scores.isnan()
    return scores.masked_fill(~keep, -math.inf)
