"""Opening a search's file: to go on with it, or to replay it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.config import adopt, difference, names_in, rebuild
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
from emb_opt_widgets.live import registry
from emb_opt_widgets.live.folding import check_whole, fold
from emb_opt_widgets.live.store import MemoryStore, SQLiteStore, Store
from emb_opt_widgets.search.engine import SearchEngine, SearchRun, driven, note_weakness
from emb_opt_widgets.search.reconcile import LenientVectors, check_dim, reconciled
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
    drop_missing: bool = False,
) -> Search:
    """Open a search's file and go on exactly where it stopped.

    Args:
        path: The file.
        source: The source it searched. None: made again from the file, where its class is registered.
        score: The score function.
        filter, update, prune: Functions of your own that it uses; our own strategies and registered ones come from
            the file.
        executor: Where score calls run, as `Search` takes it.
        drop_missing: Go on without the scores of items that the source lost, or that have another vector now. A source
            that grew, or whose order changed, needs no consent: items are known by their ids and vectors.

    A file that this process has open already is opened once: a search that runs is returned as it is, one that rests is
    closed first.

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
    held = _open_here(path)
    if held is not None and held.running:
        return Search.driven_by(held)
    if held is not None:
        held.close()
    store = SQLiteStore(path)
    try:
        bound = given or _stored_source(store, path)
        vectors = LenientVectors(bound)
        state = _fold(store, bound, Path(path).name, vectors)
        was = state.source
        changed = reconciled(state, store, bound, vectors.gone, drop_missing)
        functions = _own_functions(state, own, score)
    except BaseException:
        store.close()
        raise
    run = driven(bound, functions, workers, store, state)
    _tell_missing(run, store)
    if changed is not None:
        run.emit([changed])
    note_weakness(run)
    if changed is not None and "part" in changed.source and changed.source["part"] != was.get("part"):
        run.notify("source", f"The source has other parameters than in the file: {_told(changed.source, was)}.")
    if store.copy is not None:
        run.notify(
            "file",
            f"An earlier version wrote {Path(path).name}. The next event makes it a file of this version, which the "
            f"earlier one cannot read; a copy as it was is kept as {store.copy.name}.",
        )
    return Search.driven_by(run)


def _open_here(path: str | Path) -> SearchRun | None:
    """What drives the search of this file, where this process has it open to write; also by another of its names."""
    for _, run in registry.entries():
        store = getattr(run, "store", None)
        if isinstance(run.engine, SearchEngine) and isinstance(store, SQLiteStore) and store.writes:
            with suppress(OSError):
                if store.path.samefile(path):
                    held: SearchRun = run
                    return held
    return None


def _tell_missing(run: SearchRun, store: SQLiteStore) -> None:
    """Tell the person of events that the file should hold and does not."""
    if not store.missing:
        return
    text = (
        f"{store.path.name} should hold {len(store) + store.missing} events, and holds {len(store)}: the last "
        f"{store.missing} are missing, with the scores that are in them. It goes on with what is there; where there is "
        "a whole copy, open that instead."
    )
    run.notify("file", text)
    warnings.warn(text, RuntimeWarning, stacklevel=3)


def _own_functions(state: State, own: Mapping[str, Any], score: ScoreFunction | None) -> Functions:
    """What was passed, compared with what the file says."""
    functions = Functions()
    for role, part in own.items():
        functions.note(role, part)
        check_own(role, part, state.config[role])
        functions.find(role, state.config[role])
    kept = state.config["score"]
    if score is None and kept is not None and any(names_in(kept, "function")):
        raise InputError(
            "The search has a score function that was not passed",
            expected=f"score={kept.get('function', 'the same composite')}",
            got="nothing",
            hint="Pass it again: load(path, source=…, score=…)",
        )
    if score is None and kept is not None:
        score = functions.find("score", kept)
    functions.note("score", score)
    if kept is not None:
        check_own("score", score, kept)
    return functions


def _stored_source(store: Store, path: str | Path) -> BoundSource:
    """The source of a file that says how it was made."""
    told = [one.body.source for one in store.read() if isinstance(one.body, (ev.Created, ev.SourceChanged))]
    part = told[-1].get("part") if told else None
    if part is None:
        raise InputError(
            f"{Path(path).name} does not hold the source that it searched",
            expected="source=…",
            got="nothing",
            hint="Pass the source; one whose class is registered (eow.register) is made again from the file",
        )
    return BoundSource(as_source(rebuild(part, {}, _unknown)))


def _told(now: Mapping[str, Any], was: Mapping[str, Any]) -> str:
    return difference(now["part"], was["part"]) if "part" in was else "they were not kept"


def _unknown(name: str) -> NoReturn:
    raise InputError(
        f"The file's source was made with a function, {name}",
        expected="source=…",
        got="nothing",
        hint="Pass the source",
    )


def replay(path: str | Path, source: SourceLike | None = None, *, drop_missing: bool = False) -> Search:
    """The search of a file, rebuilt from its events, without scoring; the file is only read.

    The search returned lives in memory. It can be looked at, and steered where that needs no function.

    Args:
        path: The file.
        source, drop_missing: As in `load`.

    Raises:
        InputError: Another source.
        FileError: As in `load`.
    """
    given = None if source is None else BoundSource(as_source(source))
    kept = SQLiteStore(path, readonly=True)
    store = MemoryStore()
    try:
        bound = given or _stored_source(kept, path)
        vectors = LenientVectors(bound)
        state = _fold(kept, bound, Path(path).name, vectors, store)
        changed = reconciled(state, kept, bound, vectors.gone, drop_missing)
    finally:
        kept.close()
    run = driven(bound, Functions(), None, store, state)
    _tell_missing(run, kept)
    if changed is not None:
        run.emit([changed])
    return Search.driven_by(run)


def _fold(store: Store, source: BoundSource, name: str, vectors: LenientVectors, copy: Store | None = None) -> State:
    state = State(vectors)
    for event in store.read():
        if copy is not None:
            copy.append([event.body])
        if isinstance(event.body, ev.Created):
            adopt(source.source, event.body.source.get("part"))
            check_dim(event.body.source, source)
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
