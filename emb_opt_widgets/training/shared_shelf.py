"""Where several processes keep what they train together: the first has the files, the others hear of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from emb_opt_widgets.live.store import MemoryStore, SQLiteStore, Store, decode, encode
from emb_opt_widgets.training.checkpoint import safetensors
from emb_opt_widgets.training.events import Checkpointed
from emb_opt_widgets.training.shelf import TRAINING_FILE, FileShelf, Shelf
from emb_opt_widgets.training.together import Together

__all__ = ["SharedShelf", "in_first", "kept_at", "opened_at"]

T = TypeVar("T")


def kept_at(path: str | Path, together: Together | None) -> tuple[Store, Shelf]:
    """The new file of a training and its shelf.

    Raises:
        FileError: It cannot be made; with several processes all raise.
    """
    safetensors()
    if together is None:
        return SQLiteStore(path, create=True, form=TRAINING_FILE), FileShelf(Path(path))
    store = in_first(together, lambda: SQLiteStore(path, create=True, form=TRAINING_FILE))
    return MemoryStore() if store is None else store, SharedShelf(Path(path), together)


def opened_at(path: str | Path, together: Together | None) -> Store:
    """The file of a training that is there; the others get its events from process 0.

    Raises:
        FileError: It cannot be opened; with several processes all raise.
    """
    safetensors()
    if together is None:
        return SQLiteStore(path, form=TRAINING_FILE)
    store = in_first(together, lambda: SQLiteStore(path, form=TRAINING_FILE))
    told = (
        [] if store is None else [[e.body.kind, np.frombuffer(encode(e.body), np.uint8).copy()] for e in store.read()]
    )
    told = together.from_first(told)
    if store is not None:
        return store
    heard = MemoryStore()
    heard.append([decode(kind, raw.tobytes(), TRAINING_FILE.bodies) for kind, raw in told])
    return heard


def in_first(together: Together, work: Callable[[], T]) -> T | None:
    """Do something in process 0, and nothing in the others; where it fails, all raise."""
    out, error = None, None
    if together.first:
        try:
            out = work()
        except Exception as raised:
            error = raised
    together.sure(error)
    return out


class SharedShelf:
    """`FileShelf` in process 0; the others get from it what they ask for. All ask at the same time.

    Args:
        path: The training's file. together: The processes.
    """

    def __init__(self, path: Path, together: Together) -> None:
        self._files = FileShelf(path)
        self._together = together

    def keep(self, step: int, number: int, state: Mapping[str, Any]) -> Checkpointed | None:
        """In process 0; the others note a checkpoint, too."""
        kept = in_first(self._together, lambda: self._files.keep(step, number, state))
        return Checkpointed(step, number, 0) if kept is None else kept

    def tidy(self, current: Checkpointed) -> None:
        """In process 0."""
        if self._together.first:
            self._files.tidy(current)

    def fetch(self, checkpoint: Checkpointed) -> Any:
        """What process 0 reads, in all."""
        read = in_first(self._together, lambda: self._files.fetch(checkpoint))
        return self._together.from_first(read)

    def keep_best(self, towers: Mapping[str, Any]) -> None:
        """In process 0."""
        in_first(self._together, lambda: self._files.keep_best(towers))

    def fetch_best(self) -> Any:
        """What process 0 reads, in all."""
        return self._together.from_first(in_first(self._together, self._files.fetch_best))
