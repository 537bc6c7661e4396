"""Opening a search's file: to go on with it, or to replay it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.config import adopt, rebuild
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import (
    FilterFunction,
    PruneLike,
    ScoreFunction,
    SourceLike,
    UpdateLike,
    VolatileSource,
)
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.executors import as_workers
from emb_opt_widgets.live.folding import check_whole, fold
from emb_opt_widgets.live.store import MemoryStore, SQLiteStore, Store
from emb_opt_widgets.search.engine import driven, note_weakness
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.search.settings import Functions, check_own, check_score, check_setting
from emb_opt_widgets.sources import as_source

__all__ = ["load", "replay"]


def load(
    path: str | Path,
    source: SourceLike | None = None,
    score: ScoreFunction | None = None,
    *,
    filter: FilterFunction | None = None,
    update: UpdateLike | None = None,
    prune: PruneLike | None = None,
    executor: object = None,
) -> Search:
    """Open a search's file and go on exactly where it stopped.

    Args:
        path: The file.
        source: The source it searched. None: made again from the file, where its class is registered.
        score: The score function.
        filter, update, prune: Functions of your own that it uses; our own strategies and registered ones come from
            the file.
        executor: Where score calls run, as `Search` takes it.

    Raises:
        InputError: Another source, a function of yours is missing, a class that the file names is not registered, or
            a part has other parameters than the file says.
        FileError: The file is in use, damaged, foreign, or of a newer version.
    """
    given = None if source is None else BoundSource(as_source(source))
    check_score(score)
    workers = None if executor is None else as_workers(executor)
    own = {
        role: check_setting(role, part, given)
        for role, part in {"filter": filter, "update": update, "prune": prune}.items()
    }
    store = SQLiteStore(path)
    try:
        bound = given or _stored_source(store, path)
        state = _fold(store, bound, Path(path).name)
        functions = _own_functions(state, own, score)
    except BaseException:
        store.close()
        raise
    run = driven(bound, score, functions, workers, store, state)
    note_weakness(run)
    return Search.driven_by(run)


def _own_functions(state: State, own: Mapping[str, Any], score: ScoreFunction | None) -> Functions:
    """What was passed, compared with what the file says."""
    functions = Functions()
    for role, part in own.items():
        functions.note(role, part)
        check_own(role, part, state.config[role])
        functions.find(role, state.config[role])
    functions.note("score", score)
    kept = state.config["score"]
    if kept is not None:
        check_own("score", score, kept)
    if score is None and kept is not None:
        raise InputError(
            "The search has a score function that was not passed",
            expected=f"score={kept.get('function', 'the same composite')}",
            got="nothing",
            hint="Pass it again: load(path, source=…, score=…)",
        )
    return functions


def _stored_source(store: Store, path: str | Path) -> BoundSource:
    """The source of a file that says how it was made."""
    created = next((event.body for event in store.read(0, 1)), None)
    part = created.source.get("part") if isinstance(created, ev.Created) else None
    if part is None:
        raise InputError(
            f"{Path(path).name} does not hold the source that it searched",
            expected="source=…",
            got="nothing",
            hint="Pass the source; one whose class is registered (eow.register) is made again from the file",
        )
    return BoundSource(as_source(rebuild(part, {}, _unknown)))


def _unknown(name: str) -> NoReturn:
    raise InputError(
        f"The file's source was made with a function, {name}",
        expected="source=…",
        got="nothing",
        hint="Pass the source",
    )


def replay(path: str | Path, source: SourceLike | None = None) -> Search:
    """The search of a file, rebuilt from its events, without scoring; the file is only read.

    The search returned lives in memory. It can be looked at, and steered where that needs no function.

    Args:
        path: The file.
        source: As in `load`.

    Raises:
        InputError: Another source.
        FileError: As in `load`.
    """
    given = None if source is None else BoundSource(as_source(source))
    kept = SQLiteStore(path, readonly=True)
    store = MemoryStore()
    try:
        bound = given or _stored_source(kept, path)
        state = _fold(kept, bound, Path(path).name, store)
    finally:
        kept.close()
    return Search.driven_by(driven(bound, None, Functions(), None, store, state))


def _fold(store: Store, source: BoundSource, name: str, copy: Store | None = None) -> State:
    state = State(source.vectors)
    for event in store.read():
        if copy is not None:
            copy.append([event.body])
        if isinstance(event.body, ev.Created):
            _check_source(event.body, source)
        fold(state, event, name)
        if isinstance(event.body, (ev.Looked, ev.Added)) and event.body.payload is not None:
            _remember(event.body, source)
    check_whole(state.config, name, "search")
    return state


def _remember(body: ev.Looked | ev.Added, source: BoundSource) -> None:
    if not isinstance(source.source, VolatileSource) or body.vectors is None or body.payload is None:
        return
    names = sorted({name for _, data in body.payload for name in data})
    data = {name: [row.get(name) for _, row in body.payload] for name in names}
    whole = [item for item, _ in body.payload]
    source.source.remember(Items(body.new_ids, np.asarray(body.vectors), whole, data))


def _check_source(created: ev.Created, source: BoundSource) -> None:
    adopt(source.source, created.source.get("part"))
    was, now = dict(created.source), dict(source.fingerprint())
    if source.size is None:
        was.pop("dim", None), now.pop("dim", None)
    differing = [key for key in was if was[key] != now.get(key)]
    if differing:
        raise InputError(
            "This is not the source that the search was made with",
            expected=", ".join(f"{key} {was[key]}" for key in differing),
            got=", ".join(f"{key} {now.get(key)}" for key in differing),
            hint="Pass the same source; item ids and vectors must not change",
        )
