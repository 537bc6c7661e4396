"""Where a training keeps what is too large for its event file: checkpoints beside it, or nothing, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from emb_opt_widgets.live.store import FileForm
from emb_opt_widgets.training.checkpoint import pack, read_checkpoint, unpack, write_checkpoint
from emb_opt_widgets.training.events import BODIES, DURABLE, Checkpointed

__all__ = ["TRAINING_FILE", "FileShelf", "MemoryShelf", "Shelf"]

TRAINING_FILE = FileForm(
    whose="training",
    made_by="Training(path=…)",
    opened_by="emb_opt_widgets.training.load(path, …)",
    application_id=0x656F7774,
    bodies=BODIES,
    durable=DURABLE,
)


class Shelf(Protocol):
    """Keeps states."""

    def keep(self, step: int, number: int, state: Mapping[str, Any]) -> Checkpointed | None:
        """Keep a whole state; what to note in the events, or None where states are not kept."""

    def tidy(self, current: Checkpointed) -> None:
        """Let go of all checkpoints but this one, which the events have now."""

    def fetch(self, checkpoint: Checkpointed) -> Any:
        """The state of a checkpoint."""

    def keep_best(self, towers: Mapping[str, Any]) -> None:
        """Keep the best towers so far."""

    def fetch_best(self) -> Any:
        """The best towers so far; None where none were kept."""


class MemoryShelf:
    """Keeps the best towers, and no checkpoints: what is lost with the process needs none."""

    def __init__(self) -> None:
        self._best: tuple[Any, dict[str, torch.Tensor]] | None = None

    def keep(self, step: int, number: int, state: Mapping[str, Any]) -> Checkpointed | None:
        """Nothing."""
        return None

    def tidy(self, current: Checkpointed) -> None:
        """Nothing."""

    def fetch(self, checkpoint: Checkpointed) -> Any:
        """There is none."""
        raise KeyError(checkpoint.number)

    def keep_best(self, towers: Mapping[str, Any]) -> None:
        """Copies."""
        tensors: dict[str, torch.Tensor] = {}
        self._best = pack(towers, tensors), tensors

    def fetch_best(self) -> Any:
        """As in `Shelf`."""
        return None if self._best is None else unpack(*self._best)


class FileShelf:
    """Files beside a training's own: `run.eow` has `run.eow.3.safetensors`, the newest checkpoint, and
    `run.eow.best.safetensors`.

    Args:
        path: The training's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def _named(self, what: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{what}.safetensors")

    def keep(self, step: int, number: int, state: Mapping[str, Any]) -> Checkpointed | None:
        """A file of its own."""
        return Checkpointed(step, number, write_checkpoint(self._named(str(number)), state))

    def tidy(self, current: Checkpointed) -> None:
        """Remove the others."""
        for path in self._path.parent.iterdir():
            middle = path.name.removeprefix(self._path.name + ".").removesuffix(".safetensors")
            if middle.isdecimal() and int(middle) != current.number and path == self._named(middle):
                path.unlink(missing_ok=True)

    def fetch(self, checkpoint: Checkpointed) -> Any:
        """As in `Shelf`."""
        return read_checkpoint(self._named(str(checkpoint.number)), checkpoint.crc)

    def keep_best(self, towers: Mapping[str, Any]) -> None:
        """In place of the best before."""
        write_checkpoint(self._named("best"), towers)

    def fetch_best(self) -> Any:
        """As in `Shelf`."""
        path = self._named("best")
        return read_checkpoint(path) if path.exists() else None
