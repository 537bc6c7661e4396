"""How many candidates come before a query's own: exact places, whatever the order in which a device sums.

A block of candidates is scored by one matrix product. Where its rounding cannot tell a candidate from the positive,
both are scored again in float64, pair by pair. A score is greater only where it is so by more than float64's rounding,
so a vector never outranks its equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from emb_opt_widgets.errors import InputError

__all__ = ["Tally", "blocks_of", "coarser", "finite_rows", "pair_scores", "pair_slack"]

_PAIR_ELEMENTS = 1 << 22
_BLOCK_ELEMENTS = 1 << 24


def finite_rows(what: str, rows: torch.Tensor) -> torch.Tensor:
    """`(...,)` lengths of the vectors, in float64.

    Raises:
        InputError: One is not finite.
    """
    lengths: torch.Tensor = torch.linalg.vector_norm(rows, dim=-1, dtype=torch.float64)
    if not bool(torch.isfinite(lengths).all()):
        raise InputError(f"An embedding of the {what} is not finite", expected="finite numbers", got="NaN or infinity")
    return lengths


def coarser(first: torch.dtype, second: torch.dtype) -> torch.dtype:
    """Of two kinds of floats the one with fewer digits: a vector that was rounded to either, and then to it, is the
    same again.

    Raises:
        InputError: bfloat16 and float16, of which neither holds what the other does.
    """
    if {first, second} == {torch.bfloat16, torch.float16}:
        raise InputError(
            "Positives and candidates were rounded in two ways", expected="one kind of half precision",
            got=f"{first} and {second}", hint="Encode both in the same precision, or count by positive_ids",
        )  # fmt: skip
    if not (first.is_floating_point and second.is_floating_point):
        return torch.promote_types(first, second)
    return max(first, second, key=lambda dtype: torch.finfo(dtype).eps)


def blocks_of(candidates: Any, n_queries: int, like: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Candidates, a tensor or an array (on disk, too), block by block as tensors where the queries are."""
    size = max(1, _BLOCK_ELEMENTS // max(n_queries, candidates.shape[1]))
    for start in range(0, len(candidates), size):
        block = candidates[start : start + size]
        if not isinstance(block, torch.Tensor):
            block = torch.tensor(block)
        yield start, block.detach().to(like.device)


def pair_scores(queries: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Inner products pair by pair in float64; the largest over a query's heads.

    Args:
        queries: `(n, H, D)`.
        vectors: `(n, D)`.

    Returns:
        `(n,)`.
    """
    out = torch.empty(len(queries), dtype=torch.float64, device=queries.device)
    size = max(1, _PAIR_ELEMENTS // max(1, queries[:1].numel()))
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        out[part] = (queries[part].double() * vectors[part, None].double()).sum(-1).amax(1)
    return out


def pair_slack(lengths: torch.Tensor, other: torch.Tensor, dim: int) -> torch.Tensor:
    """By how much `pair_scores` of these lengths may differ between two orders of summing."""
    return lengths * other * (2 * (dim + 8) * 2.0**-53)


class Tally:
    """Counts, over blocks of candidates, those that come before each query's positive.

    Args:
        queries: `(B, H, D)`.
        positives: `(B, D)`, the vectors to be placed.
        columns: `(B,)` the positives' own columns; of equal scores the lower column comes first. None: equal scores
            never come first.
    """

    def __init__(self, queries: torch.Tensor, positives: torch.Tensor, columns: torch.Tensor | None = None) -> None:
        self.before = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        self._queries = queries
        self._columns = columns
        self._dim = queries.shape[-1]
        self._lengths = finite_rows("queries", queries).amax(1)
        self._own = pair_scores(queries, positives)
        self._own_length = finite_rows("positives", positives)

    def add(self, block: torch.Tensor, first: int = 0) -> None:
        """Count a block.

        Args:
            block: `(n, D)` candidates. first: The column of its first row.
        """
        lengths = finite_rows("candidates", block)
        wide = torch.promote_types(torch.promote_types(self._queries.dtype, block.dtype), torch.float32)
        with torch.autocast(block.device.type, enabled=False):
            scores = torch.einsum("bhd,nd->bhn", self._queries.to(wide), block.to(wide)).amax(1).double()
        longest = torch.maximum(lengths[None, :], self._own_length[:, None])
        margin = self._lengths[:, None] * longest * (2 * (self._dim + 8) * _rounding(wide, block.device))
        ahead = scores - self._own[:, None]
        self.before += (ahead > margin).sum(1)
        rows, columns = torch.nonzero(ahead.abs() <= margin, as_tuple=True)
        self._add_close(rows, columns, block, lengths, first)

    def _add_close(
        self, rows: torch.Tensor, columns: torch.Tensor, block: torch.Tensor, lengths: torch.Tensor, first: int
    ) -> None:
        size = max(1, _PAIR_ELEMENTS // max(1, self._queries[:1].numel()))
        for start in range(0, len(rows), size):
            row, column = rows[start : start + size], columns[start : start + size]
            ahead = pair_scores(self._queries[row], block[column]) - self._own[row]
            slack = pair_slack(self._lengths[row], torch.maximum(lengths[column], self._own_length[row]), self._dim)
            before = ahead > slack
            if self._columns is not None:
                before |= (ahead.abs() <= slack) & (column + first < self._columns[row])
            self.before.index_add_(0, row, before.to(torch.int64))


def _rounding(dtype: torch.dtype, device: torch.device) -> float:
    """The unit roundoff of a product's inputs; TF32 keeps 10 bits of a float32, bfloat16 splitting fewer."""
    if dtype == torch.float64:
        return 2.0**-53
    exact = device.type == "cpu" or torch.get_float32_matmul_precision() == "highest"
    return 2.0**-24 if exact else 2.0**-7
