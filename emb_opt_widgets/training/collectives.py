"""Exchange between the processes of a group: facts, ragged batches, rows. Knows no losses; gloo and NCCL alike.

Tensors travel as bytes, so every type arrives bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from emb_opt_widgets.errors import InputError, StateError

__all__ = ["Peers"]

T = TypeVar("T")


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

    def facts(self, mine: Any) -> list[Any]:
        """What each process says, by rank."""
        out: list[Any] = [None] * self.size
        dist.all_gather_object(out, mine, group=self.group)
        return out

    def together(self, work: Callable[[], T]) -> T:
        """Do local work that may fail; where it fails in one process, all raise, and nobody waits for it.

        Raises:
            Exception: What was raised here.
            InputError: It failed elsewhere only.
        """
        error: Exception | None = None
        try:
            out = work()
        except Exception as raised:
            error = raised
        problems = self.facts(None if error is None else f"{type(error).__name__}: {error}")
        if error is not None:
            raise error
        for rank, problem in enumerate(problems):
            if problem is not None:
                raise InputError(
                    f"Process {rank} failed: {problem}", hint="The processes go on together, or not at all"
                )
        return out

    def gather(self, mine: Tensor, counts: list[int]) -> list[Tensor]:
        """Every process' rows, by rank.

        Args:
            mine: `(counts[rank], …)`; all but the first size is the same everywhere.
            counts: Rows of each process.
        """
        padded = mine.new_zeros(max(counts), *mine.shape[1:])
        padded[: len(mine)] = mine
        sent = _bytes(padded)
        received = [torch.empty_like(sent) for _ in counts]
        dist.all_gather(received, sent, group=self.group)
        return [_values(part, padded)[:count] for part, count in zip(received, counts)]

    def merge(self, mine: Tensor, owned: Tensor) -> Tensor:
        """Rows of which each process owns some, put together everywhere.

        Args:
            mine: `(n, …)`; what is not owned is ignored. owned: `(n,)` bool; each row is owned by one process at most.

        Returns:
            `(n, …)`, zero where nobody owns a row.
        """
        kept = torch.zeros_like(mine)
        kept[owned] = mine[owned]
        sent = _bytes(kept)
        dist.all_reduce(sent, group=self.group)
        return _values(sent, kept)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _values(sent: Tensor, like: Tensor) -> Tensor:
    return sent.view(like.dtype).reshape(like.shape)
