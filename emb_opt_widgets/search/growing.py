"""A library that grows while it is searched."""

from __future__ import annotations

from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.items import Items, concatenate
from emb_opt_widgets.engine.protocols import ReadableSource
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.search.engine import SearchRun
from emb_opt_widgets.sources import as_source

__all__ = ["extend"]

_BLOCK = 65_536


def extend(run: SearchRun, items: Any) -> None:
    """Add items to the source of a search at rest; an event tells of it."""
    with run.lock:
        run.need_rest("extend()")
        source = run.engine.source
        run.engine.source.extend(items if isinstance(items, Items) else _read(items, source.size or 0))
        run.engine.forget()
        run.emit([ev.SourceChanged(source.fingerprint(), np.empty(0, np.int32), [])])


def _read(items: Any, first: int) -> Items:
    """All of what was given; numbered on from `first` where it came without ids."""
    given = as_source(items)
    if not isinstance(given, ReadableSource):
        raise InputError(
            "The new items cannot be read", expected="vectors, or a source with scan", got=type(items).__name__
        )
    batch = concatenate(list(given.scan(_BLOCK)))
    if given is items or not np.array_equal(batch.ids, np.arange(len(batch))):
        return batch
    return Items(np.arange(first, first + len(batch)), batch.embeddings, batch.items, batch.data)
