"""The searches of this process, for front ends that come later. Keeps none of them alive.

In a Jupyter kernel the front end's side is told of each.
"""

from __future__ import annotations

import sys
import time
import uuid
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from emb_opt_widgets.live import display

__all__ = ["Entry", "entries", "find", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One search.

    Attributes:
        id: Its own, in this process and after it.
        cell: Id of the notebook cell that made it, None where it was no notebook.
        created: Seconds since the epoch.
    """

    id: str
    cell: str | None
    created: float


_known: WeakKeyDictionary[Any, Entry] = WeakKeyDictionary()
_lock = Lock()


def note(controller: Any) -> Entry:
    """Remember what drives a search, for as long as it lives; once however often it is told."""
    shell = _shell()
    with _lock:
        new = controller not in _known
        if new:
            _known[controller] = Entry(uuid.uuid4().hex[:16], _cell(shell), time.time())
        entry = _known[controller]
    if new and getattr(shell, "kernel", None) is not None:
        display.announce(controller, shell)
    return entry


def entries() -> list[tuple[Entry, Any]]:
    """All that live, in the order they were made."""
    with _lock:
        listed = [(entry, controller) for controller, entry in _known.items()]
    return sorted(listed, key=lambda pair: pair[0].created)


def find(search_id: str) -> Any:
    """What drives the search of this id, None where there is none any more."""
    return next((controller for entry, controller in entries() if entry.id == search_id), None)


def _shell() -> Any:
    """IPython's shell, where this is one."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def _cell(shell: Any) -> str | None:
    """The notebook cell that runs just now, where a notebook says so."""
    parent = getattr(shell, "parent_header", None)
    metadata = parent.get("metadata") if isinstance(parent, dict) else None
    cell = metadata.get("cellId") if isinstance(metadata, dict) else None
    return cell if isinstance(cell, str) else None
