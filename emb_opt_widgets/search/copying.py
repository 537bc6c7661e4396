"""Writing a search to another file."""

from __future__ import annotations

import os
from pathlib import Path

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.store import SQLiteStore
from emb_opt_widgets.search.engine import SearchRun

__all__ = ["save_copy"]


def save_copy(run: SearchRun, path: str | Path) -> None:
    """As `Search.save_copy`."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError("path is not usable", expected="a str or a Path", got=type(path).__name__)
    target = Path(path).expanduser()
    with run.lock:
        if isinstance(run.store, SQLiteStore):
            if run.store.save_copy(target):
                run.flush()
            return
        kept = SQLiteStore(target, create=True)
        try:
            for event in run.store.read():
                kept.append([event.body], run.engine.payload([event.body]), event.time)
        except BaseException:
            kept.close()
            target.unlink(missing_ok=True)
            raise
        kept.close()
