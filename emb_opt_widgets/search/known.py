"""What was measured before a search: from a frame, from ids and scores, or from the file of an earlier search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.status import ItemStatus
from emb_opt_widgets.engine.told import Told, read_told
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.search.offline import read
from emb_opt_widgets.tables import frame_of

__all__ = ["known_events"]


def known_events(known: Any, source: BoundSource) -> Sequence[ev.Body]:
    """The `known` argument as events, to stand right after the search's creation; they cost nothing.

    Raises:
        InputError: It is not usable: unknown ids, an id twice, a score that is not finite.
        FileError: The file cannot be read.
    """
    if known is None:
        return []
    told = _told(known, source)
    if not len(told.ids):
        return []
    wrong = np.flatnonzero(~np.isfinite(told.answer.values))
    if len(wrong):
        raise InputError(
            "A known score is not finite",
            expected="finite numbers",
            got=f"{told.answer.values[wrong[0]]} for item {told.ids.tolist()[int(wrong[0])]!r}",
            hint="Leave out what was not measured",
        )
    found = source.fetch(told.ids)
    rows = np.arange(len(told.ids), dtype=np.int32)
    scored = ev.Scored(rows, told.answer.values, {}, told.answer.data, told=True, noise=told.noise, paid=False)
    return [ev.Added(0, told.ids, embeddings=found.embeddings), scored]


def _told(known: Any, source: BoundSource) -> Told:
    if isinstance(known, (str, Path)):
        return _of_file(Path(known))
    if frame_of(known) is not None:
        return read_told(known, None, None, source.id_name)
    if isinstance(known, tuple) and len(known) == 2:
        return read_told(known[0], known[1], None, source.id_name)
    raise InputError(
        "known is not usable",
        expected="a DataFrame, a pair (ids, scores), or the path of a search's file",
        got=type(known).__name__,
    )


def _of_file(path: Path) -> Told:
    """Scores of an earlier search: its items' means, with their standard errors where these are known."""
    state = read(path).state
    rows = np.flatnonzero(state.items["status"] == ItemStatus.SCORED) if len(state.items) else np.empty(0, np.int64)
    if not len(rows):
        return read_told(np.empty(0, np.int64), np.empty(0), None)
    rows = rows[np.argsort(state.items["call"][rows])]
    errors = state.errors(rows)
    return read_told(state.ids.take(rows), state.items["score"][rows], None if np.isnan(errors).all() else errors)
