"""Several processes that train one pair of towers: the same parameters everywhere, other pairs in each.

Knows the exchange; not steps, files or threads. gloo on processors, NCCL on CUDA devices.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.checkpoint import from_bytes, to_bytes
from emb_opt_widgets.training.collectives import Gathered, Peers, as_words, from_words, raise_for
from emb_opt_widgets.training.ids import as_codes
from emb_opt_widgets.training.trouble import TEXT, Trouble

__all__ = ["Together", "launched"]

_DESCRIBED = 1 << 14


def launched() -> bool:
    """Whether a launcher such as torchrun has made several processes of this program."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


class Together:
    """The processes of a training, as one of them sees them.

    Args:
        peers: They. device: Where the towers are.

    Attributes:
        wish: What this process asks for (0: to go on); higher ones win. asked: What they agreed on at the last step.
        known: Whether the last error has been told to all.
    """

    def __init__(self, peers: Peers, device: torch.device) -> None:
        self.peers = peers
        self.device = device
        self.wish = self.asked = 0
        self.known = False

    @classmethod
    def of(cls, group: Any, device: torch.device) -> Together | None:
        """Who trains along; None where nobody does.

        Args:
            group: A process group; "auto": all processes, where torchrun or `init_process_group` made several (it is
                initialised here where that was not done: NCCL on CUDA, else gloo); None: this process alone.

        Raises:
            InputError: It is something else.
        """
        if group is None or not dist.is_available():
            return None
        if isinstance(group, str):
            if group != "auto":
                expected = '"auto", a process group, or None for this process alone'
                raise InputError("process_group is not usable", expected=expected, got=repr(group))
            if not dist.is_initialized():
                if not launched():
                    return None
                dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            group = None
        peers = Peers.of(group)
        return cls(peers, device) if peers.size > 1 else None

    @property
    def first(self) -> bool:
        """Whether this process keeps the file and shows the progress."""
        return self.peers.rank == 0

    # -- at the start --------------------------------------------------------------------------------------

    def agree_on(self, described: Mapping[str, Any]) -> None:
        """Hold all to train the same thing.

        Raises:
            InputError: They do not, in every process.
        """
        words = as_words(json.dumps(described, default=str), _DESCRIBED).to(self.device)
        read = torch.stack(self.peers.share((words, None))[0]).cpu().numpy()
        try:
            said = [json.loads(from_words(one)) for one in read]
        except json.JSONDecodeError:
            said = [{"settings": from_words(one)} for one in read]
        for rank, one in enumerate(said):
            for name in {**said[0], **one}:
                if one.get(name) != said[0].get(name):
                    raise InputError(
                        f"Processes differ in their {name}", expected=f"{said[0].get(name)} as in process 0",
                        got=f"{one.get(name)} in process {rank}",
                        hint="Start the same program in each, or pass process_group=None to train apart",
                    )  # fmt: skip

    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors by those of process 0."""
        by_device = [tensor.detach() for tensor in tensors if tensor.numel()]
        if not by_device:
            return
        sent = torch.cat([tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in by_device])
        self._broadcast(sent)
        start = 0
        for tensor in by_device:
            size = tensor.numel() * tensor.element_size()
            tensor.copy_(sent[start : start + size].clone().view(tensor.dtype).reshape(tensor.shape))
            start += size

    # -- in a step -----------------------------------------------------------------------------------------

    def widened(self, candidates: Tensor | None, ids: Any, trouble: Trouble) -> tuple[Tensor, Tensor | None]:
        """Candidates and ids with those of the other processes after them.

        Args:
            candidates: `(C, D)`, None where they failed. ids: Of them, or None. trouble: What went wrong so far.

        Raises:
            InputError: Something went wrong somewhere, or they do not fit together.
        """
        codes = None
        form = torch.zeros(3, dtype=torch.int64)
        with trouble.kept():
            if candidates is not None:
                codes = None if ids is None else as_codes(ids, len(candidates)).to(candidates.device)
                form = torch.tensor([*candidates.shape, ids is not None])
        shared = self.peers.share((form.to(self.device), None), (trouble.told(), None))
        read = torch.stack(shared[1]).cpu().numpy()
        self._settle(trouble, read)
        assert candidates is not None
        counts, dims, have = torch.stack(shared[0]).T.tolist()
        if len(set(dims)) > 1 or len(set(have)) > 1:
            raise InputError("Processes differ in their documents", expected="one size, ids in all or in none",
                             got=f"sizes {dims}, ids {have}")  # fmt: skip
        parts: list[tuple[Tensor, Sequence[int] | None]] = [(candidates, counts)]
        if codes is not None:
            parts.append((codes, counts))
        got = [torch.cat(rows) for rows in self.peers.share(*parts)]
        rank, total = self.peers.rank, sum(counts)
        begin = sum(counts[:rank])
        mine = slice(begin, begin + counts[rank])
        apply = Gathered.apply
        everyone = apply(candidates, got[0], mine, self.peers)  # type: ignore[no-untyped-call]
        order = [*range(mine.start, mine.stop), *range(mine.start), *range(mine.stop, total)]
        at = torch.tensor(order, device=candidates.device)
        return everyone[at], None if codes is None else got[1][at]

    def _settle(self, trouble: Trouble, read: npt.NDArray[np.uint8]) -> None:
        trouble.settle(read, self.peers.rank)

    def agree(self, error: BaseException | None, numbers: Tensor | None, count: int) -> list[float]:
        """Means of everyone's numbers; and what all ask for.

        Args:
            error: What went wrong here. numbers: `(count,)`; None where something did.

        Raises:
            BaseException: What went wrong here. InputError: Something went wrong elsewhere only.
        """
        self.known = False
        mine = torch.zeros(2 + count, dtype=torch.float64, device=self.device)
        mine[0] = error is not None
        wishes = torch.zeros(self.peers.size, dtype=torch.float64, device=self.device)
        wishes[self.peers.rank] = float(self.wish)
        if numbers is not None:
            mine[2:] = numbers
        read = self.peers.sum(torch.cat([mine, wishes])).tolist()
        self.asked = int(max(read[2 + count :]))
        if read[0]:
            self._tell(error)
        return [value / self.peers.size for value in read[2 : 2 + count]]

    def average(self, parameters: Sequence[Tensor], buffers: Sequence[Tensor], error: BaseException | None) -> None:
        """Average gradients and buffers, in one exchange. A parameter without a gradient anywhere keeps none.

        Raises:
            BaseException: What went wrong here. InputError: Something went wrong elsewhere only.
        """
        self.known = False
        wide = torch.float32
        for tensor in (*parameters, *buffers):
            wide = torch.promote_types(wide, tensor.dtype)
        flags = [float(error is not None), *(float(p.grad is not None) for p in parameters)]
        parts = [torch.tensor(flags, dtype=wide, device=self.device)]
        parts += [(torch.zeros_like(p) if p.grad is None else p.grad).detach().reshape(-1).to(wide) for p in parameters]
        parts += [buffer.detach().reshape(-1).to(wide) for buffer in buffers]
        total = self.peers.sum(torch.cat(parts))
        there = total[: len(flags)].tolist()
        if there[0]:
            self._tell(error)
        start = len(flags)
        for parameter, count in zip(parameters, there[1:]):
            mean = (total[start : start + parameter.numel()] / self.peers.size).reshape(parameter.shape)
            start += parameter.numel()
            if count:
                parameter.grad = mean.to(parameter.dtype)
        for buffer in buffers:
            mean = (total[start : start + buffer.numel()] / self.peers.size).reshape(buffer.shape)
            buffer.copy_(mean.to(buffer.dtype))
            start += buffer.numel()

    def _tell(self, error: BaseException | None) -> None:
        self.known = True
        text = "" if error is None else f"{type(error).__name__}: {error}"
        read = torch.stack(self.peers.share((as_words(text, TEXT).to(self.device), None))[0]).cpu().numpy()
        if error is not None:
            raise error
        raise_for([from_words(one) for one in read], self.peers.rank)

    # -- states --------------------------------------------------------------------------------------------

    def sure(self, error: BaseException | None) -> None:
        """Go on only where nothing went wrong anywhere."""
        failed = self.peers.sum(torch.tensor([float(error is not None)], device=self.device))
        if failed.item():
            self._tell(error)

    def from_first(self, value: Any) -> Any:
        """A nested state of process 0 (as `checkpoint.pack` takes it), in all."""
        raw = to_bytes(value) if self.first else torch.zeros(0, dtype=torch.uint8)
        size = torch.tensor([len(raw)], device=self.device)
        self._broadcast(size)
        sent = raw.to(self.device) if self.first else torch.empty(int(size), dtype=torch.uint8, device=self.device)
        self._broadcast(sent)
        return value if self.first else from_bytes(sent.cpu())

    def collected(self, value: Any) -> list[Any] | None:
        """Every process' nested state, by rank, in process 0; None in the others."""
        raw = to_bytes(value).to(self.device)
        sizes = [int(size) for size in self.peers.share((torch.tensor([len(raw)], device=self.device), None))[0]]
        padded = raw.new_zeros(max(sizes))
        padded[: len(raw)] = raw
        into = [torch.empty_like(padded) for _ in sizes] if self.first else None
        dist.gather(padded, into, dst=self._first_rank, group=self.peers.group)
        return None if into is None else [from_bytes(one[:size].cpu()) for one, size in zip(into, sizes)]

    @property
    def _first_rank(self) -> int:
        group = self.peers.group
        return 0 if group is None else dist.get_global_rank(group, 0)

    def _broadcast(self, values: Tensor) -> None:
        dist.broadcast(values, src=self._first_rank, group=self.peers.group)
