"""Exchange between the processes of a group: ragged rows, words, sums. Knows no losses; gloo and NCCL alike.

Tensors travel as bytes, several in one go, so every type arrives bit for bit, and nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from emb_opt_widgets.errors import InputError, StateError

__all__ = ["Gathered", "Peers", "as_words", "from_words", "raise_for"]

_ALIGNED = 8


@dataclass(frozen=True, slots=True)
class Peers:
    """The processes of a group.

    Attributes:
        group: None is all processes. rank: This one's number in the group. size: How many there are.
    """

    group: dist.ProcessGroup | None
    rank: int
    size: int

    @classmethod
    def of(cls, group: dist.ProcessGroup | None) -> Peers:
        """The group's processes.

        Raises:
            StateError: Nothing is initialised, or this process is not of the group.
        """
        if not (dist.is_available() and dist.is_initialized()):
            raise StateError(
                "There are no processes to share with",
                hint="Call torch.distributed.init_process_group, or use CacheLoss",
            )
        rank = dist.get_rank(group)
        if rank < 0:
            raise StateError("This process is not in the group", hint="Call the loss in the group's processes only")
        return cls(group, rank, dist.get_world_size(group))

    def share(self, *parts: tuple[Tensor, Sequence[int] | None]) -> list[list[Tensor]]:
        """Every process' rows of several tensors, in one exchange.

        Args:
            parts: Tensors `(counts[rank], …)`, all but the first size the same everywhere, and the rows of each
                process; None: everywhere as many as here.

        Returns:
            For each part its rows by rank.
        """
        padded = [_padded(mine, len(mine) if counts is None else max(counts)) for mine, counts in parts]
        packed = [_bytes(part) for part in padded]
        sent = torch.cat(packed)
        received = [torch.empty_like(sent) for _ in range(self.size)]
        dist.all_gather(received, sent, group=self.group)
        out: list[list[Tensor]] = []
        start = 0
        for (mine, counts), whole, each in zip(parts, padded, packed):
            rows = [len(mine)] * self.size if counts is None else counts
            values = [_values(one[start : start + len(each)], whole) for one in received]
            out.append([value[:count] for value, count in zip(values, rows)])
            start += len(each)
        return out

    def swap(self, parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
        """Send each process its rows of several tensors, and take this one's from all, in one exchange.

        Args:
            parts: `(sum(counts), …)` each, rows for process 0 first. counts: Rows meant for each process.

        Returns:
            For each part `(size, counts[rank], …)`, by the process it came from.
        """
        n = sum(counts)
        packed = [_bytes_of_rows(part, n) for part in parts]
        sent = torch.cat(packed, dim=1)
        mine = counts[self.rank]
        received = sent.new_empty(self.size * mine, sent.shape[1])
        dist.all_to_all_single(received, sent, [mine] * self.size, list(counts), group=self.group)
        out, start = [], 0
        for part, each in zip(parts, packed):
            width = each.shape[1]
            value = received[:, start : start + width].contiguous().view(part.dtype)
            out.append(value.reshape(self.size, mine, *part.shape[1:]))
            start += width
        return out

    def sum(self, values: Tensor) -> Tensor:
        """The sum of everyone's values, in place."""
        dist.all_reduce(values, group=self.group)
        return values


class Gathered(torch.autograd.Function):
    """All processes' rows, of which this one's carry the gradient of everyone's use of them."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor, everyone: Tensor, where: slice, peers: Peers) -> Tensor:
        ctx.where, ctx.peers = where, peers
        return everyone.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.peers.sum(gradient.contiguous().clone())[ctx.where], None, None, None


def as_words(text: str, size: int) -> Tensor:
    """`(size,)` uint8: a text, cut to fit."""
    raw = text.encode()[:size]
    return torch.frombuffer(bytearray(raw.ljust(size, b"\0")), dtype=torch.uint8)


def from_words(words: npt.NDArray[np.uint8]) -> str:
    """The text."""
    return words.tobytes().rstrip(b"\0").decode(errors="ignore")


def raise_for(said: Sequence[str], rank: int) -> None:
    """Raise where another process says what went wrong with it.

    Raises:
        InputError: One did.
    """
    for other, text in enumerate(said):
        if text and other != rank:
            raise InputError(f"Process {other} failed: {text}", hint="The processes go on together, or not at all")


def _padded(mine: Tensor, rows: int) -> Tensor:
    if len(mine) == rows:
        return mine
    out = mine.new_zeros(rows, *mine.shape[1:])
    out[: len(mine)] = mine
    return out


def _bytes(tensor: Tensor) -> Tensor:
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    rest = -len(flat) % _ALIGNED
    return flat if not rest else torch.cat([flat, flat.new_zeros(rest)])


def _values(sent: Tensor, like: Tensor) -> Tensor:
    size = like.numel() * like.element_size()
    return sent[:size].contiguous().view(like.dtype).reshape(like.shape)


def _bytes_of_rows(part: Tensor, n: int) -> Tensor:
    return part.detach().contiguous().reshape(n, -1).view(torch.uint8)
