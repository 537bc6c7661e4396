"""What learns: towers, optimiser, caches; one step after the other, each a function of the state before it.

Knows no threads, files or events on disk. A step that fails leaves the learner in need of `restore`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from emb_opt_widgets.engine.events import Body
from emb_opt_widgets.errors import FunctionError, InputError
from emb_opt_widgets.training.accuracy import TopKAccuracy
from emb_opt_widgets.training.advice import has_temperature_1, warn_of_unit_lengths
from emb_opt_widgets.training.batches import Batch, Batches, Cursor, placed, rows_in, take_rows
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.chunks import InChunks
from emb_opt_widgets.training.events import CacheAged, Evaluated, Stepped
from emb_opt_widgets.training.objective import Objective, Outcome
from emb_opt_widgets.training.randomness import drawing
from emb_opt_widgets.training.together import Together
from emb_opt_widgets.training.towers import DTYPES, encoded

__all__ = ["HeldOut", "Learner", "Parts", "Settings"]

_AGE_BINS = 20
_MOST_SKIPS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a training is made of.

    Attributes:
        query_net, doc_net: The towers, on the device; may be one.
        objective: A batch to its outcome.
        optimizer, scheduler: What changes the parameters, and their learning rate.
        scaler: Of gradients in float16.
        kept: Everything else that has state, by name.
        caches: Name to cache.
    """

    query_net: nn.Module
    doc_net: nn.Module
    objective: Objective
    optimizer: Optimizer
    scheduler: LRScheduler | ReduceLROnPlateau | None
    scaler: torch.amp.GradScaler
    kept: Mapping[str, nn.Module] = field(default_factory=dict)
    caches: Mapping[str, NegativeCache] = field(default_factory=dict)

    def stateful(self) -> dict[str, Any]:
        """All parts with state, by name."""
        towers = {"query_net": self.query_net}
        if self.doc_net is not self.query_net:
            towers["doc_net"] = self.doc_net
        caches = {f"cache {name}": cache for name, cache in self.caches.items()}
        rest = {"optimizer": self.optimizer, "scaler": self.scaler}
        if self.scheduler is not None:
            rest["scheduler"] = self.scheduler
        return {**towers, **self.kept, **caches, **rest}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a step is made.

    Attributes:
        seed: Of every random choice. batch_size: Also of encoding. accumulate: Batches of a step.
        clip_norm: Longest gradient, or None. precision: "float32", "bf16" or "fp16".
        device: Where. chunk_size: Rows at a time through a tower with a gradient; None: all.
    """

    seed: int
    batch_size: int
    accumulate: int
    clip_norm: float | None
    precision: str
    device: torch.device
    chunk_size: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Pairs to evaluate on.

    Attributes:
        query, document: Columns; row i belongs to row i. corpus: Further documents to rank among, or None.
        ks: Places to count at.
    """

    query: Any
    document: Any
    corpus: Any
    ks: tuple[int, ...]


class Learner:
    """Steps, evaluates, and tells and takes its whole state.

    Args:
        parts: What it is made of. batches: What it learns from. settings: How. held_out: What it is evaluated on.
        together: The processes that learn along, or None.

    Attributes:
        step_number: Steps done. broken: A step failed half-way. together: As given.
    """

    def __init__(
        self,
        parts: Parts,
        batches: Batches,
        settings: Settings,
        held_out: HeldOut | None,
        together: Together | None = None,
    ) -> None:
        self.parts = parts
        self.settings = settings
        self.held_out = held_out
        self.step_number = 0
        self.broken = False
        self.together = together
        self._batches = batches
        self._cursor = Cursor(batches, settings.seed)
        self._skips = 0
        size = settings.chunk_size
        nets = parts.query_net, parts.doc_net
        self._towers = nets if size is None else (InChunks(nets[0], size), InChunks(nets[1], size))

    @property
    def epoch(self) -> int:
        """Epochs gone through."""
        return self._cursor.epoch

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What the optimiser changes."""
        return [p for group in self.parts.optimizer.param_groups for p in group["params"]]

    def step(self) -> Stepped:
        """One step of the optimiser.

        Raises:
            FunctionError: The loss is not finite.
        """
        self.broken = True
        parts, settings = self.parts, self.settings
        place = self._cursor.epoch, self._cursor.batch
        parts.optimizer.zero_grad(set_to_none=True)
        lr = float(parts.optimizer.param_groups[0]["lr"])
        try:
            rows = [self._backward(part) for part in range(settings.accumulate)]
            self._average(None)
        except BaseException as error:
            self._cursor = Cursor(self._batches, settings.seed, *place)
            if self.together is not None and not self.together.known and isinstance(error, Exception):
                self._average(error)
            raise
        skipped = self._descend()
        self._cursor.close_epoch()
        self.step_number += 1
        self.broken = False
        loss, interpretable, staleness = (float(np.mean(column)) for column in zip(*rows))
        return Stepped(self.step_number, self._cursor.epoch, loss, interpretable, staleness, lr, skipped)

    def _backward(self, part: int) -> tuple[float, float, float]:
        """One batch forth and back; its loss, interpretable loss and staleness."""
        parts, settings = self.parts, self.settings
        rank = () if self.together is None else (self.together.peers.rank,)
        with drawing(settings.seed, "step", self.step_number, part, *rank, device=settings.device):
            out, (loss, *told) = self._forward(part)
            if not math.isfinite(loss) and not parts.scaler.is_enabled():
                raise FunctionError(
                    f"The loss of step {self.step_number + 1} is {loss}",
                    hint="Look at the learning rate and at the data; nothing was changed by this step",
                )
            parts.scaler.scale(out.loss / settings.accumulate).backward()  # type: ignore[no-untyped-call]
            if out.settle is not None:
                out.settle()
        return loss, told[0], told[1]

    def _forward(self, part: int) -> tuple[Outcome, list[float]]:
        """One batch forth; its outcome, and loss, interpretable loss and staleness, of all processes on average."""
        settings, out, error = self.settings, None, None
        try:
            batch = self._taken(part)
            dtype = DTYPES[settings.precision]
            with torch.autocast(settings.device.type, dtype, enabled=settings.precision != "float32"):
                out = self.parts.objective(*self._towers, batch)
            numbers = _numbers(out)
        except Exception as raised:
            if self.together is None:
                raise
            error = raised
        if self.together is None:
            assert out is not None
            return out, numbers.tolist()
        read = self.together.agree(error, None if error is not None else numbers, 3)
        assert out is not None
        return out, read

    def _taken(self, part: int) -> Batch:
        """The next batch, on the device."""
        try:
            given = fields_of(self._cursor.take())
            batch = Batch(**{name: placed(value, self.settings.device) for name, value in given})
            if not self.step_number and not part:
                self._advise(batch)
        except Exception as error:
            self.parts.objective.sit_out(error)
            raise
        return batch

    def _average(self, error: Exception | None) -> None:
        """Have the gradients, and what towers keep of their batches, be the means over all processes."""
        if self.together is None:
            return
        nets = {id(net): net for net in (self.parts.query_net, self.parts.doc_net)}
        buffers = {id(b): b for net in nets.values() for b in net.buffers() if b.is_floating_point() and b.numel()}
        self.together.average(self.parameters, list(buffers.values()), error)

    def _advise(self, batch: Batch) -> None:
        """Say what is likely to be wrong, once."""
        if not has_temperature_1(self.parts.objective.loss):
            return
        rows = np.arange(min(8, rows_in(batch.query)))
        with drawing(self.settings.seed, "look", device=self.settings.device):
            nets = self.parts.query_net, self.parts.doc_net
            warn_of_unit_lengths(*nets, take_rows(batch.query, rows), take_rows(batch.document, rows))

    def _descend(self) -> bool:
        """Change the parameters; whether float16 had to skip that."""
        parts, settings = self.parts, self.settings
        if settings.clip_norm is not None:
            parts.scaler.unscale_(parts.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, settings.clip_norm)
        scale = parts.scaler.get_scale()
        parts.scaler.step(parts.optimizer)
        parts.scaler.update()
        skipped = parts.scaler.get_scale() < scale
        self._skips = self._skips + 1 if skipped else 0
        if self._skips > _MOST_SKIPS:
            raise FunctionError(
                f"The gradient was not finite for {self._skips} steps", hint='Use precision="bf16" or "float32"'
            )
        if (
            isinstance(parts.scheduler, LRScheduler)
            and not isinstance(parts.scheduler, ReduceLROnPlateau)
            and not skipped
        ):
            parts.scheduler.step()
        return skipped

    def embeddings(self, which: str, column: Any) -> torch.Tensor:
        """All embeddings of a column by a tower at rest, "query" or "doc"."""
        net, settings = (self.parts.query_net if which == "query" else self.parts.doc_net), self.settings
        with drawing(settings.seed, "evaluate", self.step_number, device=settings.device):
            return encoded(net, column, settings.batch_size, settings.device, settings.precision)

    def evaluate(self) -> Evaluated | None:
        """Top-k accuracy on the held-out pairs, if there are any; leaves no trace."""
        held, settings = self.held_out, self.settings
        if held is None:
            return None
        size, device, precision = settings.batch_size, settings.device, settings.precision
        with drawing(settings.seed, "evaluate", self.step_number, device=device):
            queries = encoded(self.parts.query_net, held.query, size, device, precision)
            documents = encoded(self.parts.doc_net, held.document, size, device, precision)
            candidates = documents
            if held.corpus is not None:
                more = encoded(self.parts.doc_net, held.corpus, size, device, precision)
                candidates = torch.cat([documents, more])
            found = TopKAccuracy(held.ks).to(device)(queries, candidates, documents)
        accuracy = np.array(list(found.values()))
        if self.together is not None:
            accuracy = self.together.from_first(accuracy)
        return Evaluated(self.step_number, list(held.ks), accuracy, len(queries), len(candidates))

    def heed(self, accuracy: float) -> None:
        """Tell a scheduler that waits for it how good the towers are."""
        if isinstance(self.parts.scheduler, ReduceLROnPlateau):
            self.parts.scheduler.step(-accuracy if self.parts.scheduler.mode == "min" else accuracy)

    def ages(self) -> list[Body]:
        """How old the rows of each cache are."""
        out: list[Body] = []
        for name, cache in self.parts.caches.items():
            ages = cache.age[cache.valid].cpu().numpy()
            width = int(ages.max(initial=0)) // _AGE_BINS + 1
            edges = np.arange(0, int(ages.max(initial=0)) + width + 1, width)
            counts, _ = np.histogram(ages, edges)
            out.append(CacheAged(self.step_number, name, edges, counts, len(ages)))
        return out

    def state(self) -> dict[str, Any]:
        """Everything that the next steps depend on; tensors are not copied. With several processes all ask for it at
        the same time, and the first has what is each one's own, too."""
        own = self._own()
        everyone = None if self.together is None or not own else self.together.collected(own)
        return {
            **({} if everyone is None else {"processes": everyone}),
            "step": self.step_number,
            "epoch": self._cursor.epoch,
            "batch": self._cursor.batch,
            "skips": self._skips,
            "parts": {name: part.state_dict() for name, part in self.parts.stateful().items()},
        }

    def _own(self) -> dict[str, Any]:
        """The state of what differs between processes."""
        names = [name for name in self.parts.stateful() if name.startswith("cache ") or name == "frequency"]
        return {name: self.parts.stateful()[name].state_dict() for name in names}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or forth, to a state.

        Raises:
            InputError: It is that of other parts.
        """
        parts = self.parts.stateful()
        if set(parts) != set(state["parts"]):
            raise InputError(
                "These are not the parts of the training in the file",
                expected=", ".join(state["parts"]),
                got=", ".join(parts),
            )
        kept = dict(state["parts"])
        if self.together is not None and "processes" in state:
            kept |= state["processes"][self.together.peers.rank]
        for name, part in parts.items():
            try:
                part.load_state_dict(kept[name])
            except (RuntimeError, ValueError, KeyError) as error:
                raise InputError(
                    f"{name} is not the one of the training in the file",
                    expected="the same parameters",
                    got=" ".join(str(error).split())[:300],
                ) from error
        self.step_number, self._skips = state["step"], state["skips"]
        self._cursor = Cursor(self._batches, self.settings.seed, state["epoch"], state["batch"])
        self.broken = False

    def towers(self) -> dict[str, Any]:
        """The towers' state, for the best so far."""
        names = ("query_net", "doc_net")
        return {name: part.state_dict() for name, part in self.parts.stateful().items() if name in names}


def fields_of(batch: Batch) -> list[tuple[str, Any]]:
    """A batch's fields by name."""
    return [(name, getattr(batch, name)) for name in Batch.__slots__]


def _numbers(out: Outcome) -> torch.Tensor:
    """`(3,)` loss, interpretable loss and staleness, NaN where there are none."""
    if out.loss.ndim or not out.loss.requires_grad:
        raise InputError(
            "The loss cannot be descended on",
            expected="a scalar that depends on a tower's parameters",
            got=f"shape {tuple(out.loss.shape)}, requires_grad={out.loss.requires_grad}",
        )
    parts = [out.loss, out.interpretable_loss, out.staleness]
    there = [out.loss.new_full((), math.nan) if part is None else part.detach() for part in parts]
    return torch.stack([part.double() for part in there])
