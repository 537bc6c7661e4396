"""Columns in contiguous blocks of nearly the same size, and the best of each block. Knows scores only."""

from __future__ import annotations

import torch
from torch import Tensor

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole

__all__ = ["approximate_top_k", "block_starts", "blocks", "check_top_k"]


def check_top_k(top_k: int | None) -> int | None:
    """The number, if it is one.

    Raises:
        InputError: It is neither None nor a positive integer.
    """
    found = None if top_k is None else as_whole(top_k)
    if top_k is not None and found is None:
        raise InputError("Wrong top_k", expected="a positive integer, or None for all columns", got=repr(top_k))
    return found


def blocks(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """N columns as k contiguous blocks; the first `N % k` are longer by one.

    Args:
        scores: `(B, N)`. k: At most N.

    Returns:
        Views `(B, N % k, N // k + 1)` and `(B, k − N % k, N // k)`.
    """
    n = scores.shape[1]
    size, longer = divmod(n, k)
    cut = longer * (size + 1)
    b = len(scores)
    return scores[:, :cut].reshape(b, longer, size + 1), scores[:, cut:].reshape(b, k - longer, size)


def block_starts(n: int, k: int, device: torch.device) -> Tensor:
    """`(k + 1,)` int64: where each of `blocks` begins, and n."""
    size, longer = divmod(n, k)
    index = torch.arange(k + 1, device=device)
    return index * size + index.clamp(max=longer)


def approximate_top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The best of each of k blocks of columns; all columns where k is N or more.

    Args:
        scores: `(B, N)`. k: How many survive.

    Returns:
        Their scores and their columns, `(B, min(k, N))` each; of equal ones in a block the lowest column survives.
    """
    k = min(k, scores.shape[1])
    parts = [part.max(dim=2) for part in blocks(scores, k) if part.shape[1]]
    inside = torch.cat([part.indices for part in parts], dim=1)
    return torch.cat([part.values for part in parts], dim=1), inside + block_starts(scores.shape[1], k, scores.device)[
        :k
    ]
