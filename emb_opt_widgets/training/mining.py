"""Hard negatives: what the towers of today rank high for a query and what is not right for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.batches import take_rows
from emb_opt_widgets.training.ranking import blocks_of

__all__ = ["HardNegatives", "mine_hard_negatives"]


@dataclass(frozen=True, slots=True, eq=False)
class HardNegatives:
    """What was mined.

    Attributes:
        rows: `(B, n)` int64 rows of the corpus, the hardest first; −1 where no more are allowed.
        scores: `(B, n)` float32, their inner products; −inf there.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    @property
    def full(self) -> npt.NDArray[np.bool_]:
        """`(B,)`, which queries have all n."""
        return np.asarray((self.rows >= 0).all(axis=1))

    def column(self, corpus: Any) -> Any:
        """The "negative" column for `Training`: n of the corpus' rows for each query.

        Args:
            corpus: What the document tower takes, `N` rows: a tensor, an array, a list.

        Raises:
            InputError: A query has fewer than n.
        """
        if not self.full.all():
            raise InputError(
                "Some queries have fewer negatives", expected=f"{self.rows.shape[1]} for each",
                got=f"{int((~self.full).sum())} queries with fewer",
                hint="Train on the queries that .full says, ask for fewer, or allow more (margin, skip)",
            )  # fmt: skip
        flat = take_rows(corpus, self.rows.reshape(-1))
        n = self.rows.shape[1]
        if isinstance(flat, torch.Tensor):
            return flat.reshape(len(self.rows), n, *flat.shape[1:])
        return [list(flat[start : start + n]) for start in range(0, len(flat), n)]


def mine_hard_negatives(
    queries: Any, corpus: Any, positives: Any, n: int = 4, *, skip: int = 0, margin: float | None = None
) -> HardNegatives:
    """The corpus' rows that score highest with each query, without those that are right for it. Exact, block by block.

    Args:
        queries: `(B, D)` vectors by the query tower, a tensor or an array.
        corpus: `(N, D)` vectors by the document tower; a memory map, too (`encode` makes both).
        positives: `(B,)` rows of the corpus that are right, `(B, P)`, or a list of such lists; −1 stands for none.
        n: Negatives of each query.
        skip: Leave out so many of the highest: what ranks above all is often right, and only not known to be.
        margin: Leave out what scores more than `(1 − margin)` of the query's best positive; 0.05 is a usual value.
            None: nothing.

    Raises:
        InputError: Shapes that do not fit, rows that are not there, or numbers that are not usable.
    """
    asked = torch.as_tensor(queries).float()
    own = _own_rows(positives, len(asked), len(corpus)).to(asked.device)
    count, away = as_whole(n), as_whole(skip, 0)
    if count is None or away is None or (margin is not None and not 0 <= margin < 1):
        raise InputError(
            "These are no usable numbers", expected="n ≥ 1, skip ≥ 0 and 0 ≤ margin < 1",
            got=f"n={n!r}, skip={skip!r}, margin={margin!r}",
        )  # fmt: skip
    if asked.ndim != 2 or corpus.ndim != 2 or asked.shape[1] != corpus.shape[1]:
        got = f"{tuple(asked.shape)} and {tuple(corpus.shape)}"
        raise InputError("queries and corpus do not fit", expected="(B, D) and (N, D)", got=got)
    limit = None if margin is None else _limit(asked, corpus, own, margin)
    scores, rows = _highest(asked, corpus, own, count + away, limit)
    short = count + away - scores.shape[1]
    scores = torch.nn.functional.pad(scores, (0, max(0, short)), value=-math.inf)[:, away:]
    rows = torch.nn.functional.pad(rows, (0, max(0, short)), value=-1)[:, away:]
    rows = rows.masked_fill(scores == -math.inf, -1)
    return HardNegatives(rows.cpu().numpy(), scores.cpu().numpy())


def _own_rows(positives: Any, b: int, n: int) -> torch.Tensor:
    """`(B, P)`, padded with −1."""
    ragged = isinstance(positives, (list, tuple)) and any(isinstance(row, Sequence) for row in positives)
    if ragged:
        width = max([1, *(len(row) for row in positives)])
        positives = [list(row) + [-1] * (width - len(row)) for row in positives]
    own = torch.as_tensor(positives)
    whole = not (own.is_floating_point() or own.is_complex() or own.dtype == torch.bool)
    if own.ndim not in (1, 2) or len(own) != b or not whole or bool(((own < -1) | (own >= n)).any()):
        raise InputError(
            "positives are not usable", expected=f"({b},) or ({b}, P) rows of the corpus, −1 to {n - 1}",
            got=f"{tuple(own.shape)} {own.dtype}" + (f" up to {int(own.max())}" if whole and own.numel() else ""),
        )  # fmt: skip
    return own.reshape(b, -1).long()


def _limit(queries: torch.Tensor, corpus: Any, own: torch.Tensor, margin: float) -> torch.Tensor:
    """`(B, 1)` the highest score a negative may have."""
    best = queries.new_full((len(queries),), -math.inf)
    for column in own.unbind(1):
        vectors = take_rows(corpus, column.clamp(min=0).cpu().numpy()).to(queries)
        best = torch.maximum(best, (queries * vectors).sum(1).masked_fill(column < 0, -math.inf))
    best = best.masked_fill(best == -math.inf, math.inf)
    return (best - margin * best.abs())[:, None].nan_to_num(posinf=math.inf, nan=math.inf)


def _highest(
    queries: torch.Tensor, corpus: Any, own: torch.Tensor, k: int, limit: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    scores = queries.new_empty(len(queries), 0)
    rows = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    for first, block in blocks_of(corpus, len(queries), queries):
        found = queries @ block.to(queries.dtype).T
        if not bool(found.isfinite().all()):
            raise InputError("A vector is not finite", expected="finite numbers", got="NaN or infinity")
        here = own - first
        inside = (here >= 0) & (here < len(block))
        which = inside.nonzero()
        found[which[:, 0], here[inside]] = -math.inf
        if limit is not None:
            found = found.masked_fill(found > limit, -math.inf)
        columns = torch.arange(first, first + len(block), device=queries.device).expand(len(queries), -1)
        scores, rows = torch.cat([scores, found], dim=1), torch.cat([rows, columns], dim=1)
        scores, at = torch.topk(scores, min(k, scores.shape[1]), dim=1)
        rows = rows.gather(1, at)
    return scores, rows
