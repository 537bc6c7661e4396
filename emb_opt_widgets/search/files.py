"""Opening a search's file: to go on with it, or to replay it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.config import describe, rebuild
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import VolatileSource
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.errors import DamagedFileError, EmbOptError, InputError
from emb_opt_widgets.executors import as_workers
from emb_opt_widgets.live.store import MemoryStore, SQLiteStore, Store
from emb_opt_widgets.search.controller import Controller
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.search.settings import Functions, check_score, check_setting
from emb_opt_widgets.sources import as_source
from emb_opt_widgets.strategies import REGISTRY

__all__ = ["load", "replay"]


def load(
    path: str | Path,
    source: Any,
    score: Callable[..., Any] | None = None,
    *,
    filter: Callable[..., Any] | None = None,
    update: Any = None,
    prune: Any = None,
    executor: object = None,
) -> Search:
    """Open a search's file and go on exactly where it stopped.

    Args:
        path: The file.
        source: The source it searched.
        score: The score function.
        filter, update, prune: Functions of your own that it uses; our own strategies come from the file.
        executor: Where score calls run, as `Search` takes it.

    Raises:
        InputError: Another source, or a function of yours is missing.
        FileError: The file is in use, damaged, foreign, or of a newer version.
    """
    bound = BoundSource(as_source(source))
    check_score(score)
    workers = None if executor is None else as_workers(executor)
    own = {"filter": filter, "update": update, "prune": prune}
    functions = Functions()
    for role, part in own.items():
        functions.note(role, check_setting(role, part, bound))
    functions.note("score", score)
    store = SQLiteStore(path)
    try:
        state = _fold(store, bound, Path(path).name)
        for role, part in own.items():
            functions.find(role, state.config[role])
            _check_own(role, part, state.config[role])
        if score is None and state.config["score"] is not None:
            raise InputError(
                "The search has a score function that was not passed",
                expected=f"score={state.config['score'].get('function', 'the same composite')}",
                got="nothing",
                hint="Pass it again: load(path, source=…, score=…)",
            )
    except BaseException:
        store.close()
        raise
    return Search.driven_by(Controller(bound, score, functions, workers, store, state))


def replay(path: str | Path, source: Any) -> Search:
    """The search of a file, rebuilt from its events, without scoring; the file is only read.

    The search returned lives in memory. It can be looked at, and steered where that needs no function.

    Raises:
        InputError: Another source.
        FileError: As in `load`.
    """
    bound = BoundSource(as_source(source))
    kept = SQLiteStore(path, readonly=True)
    store = MemoryStore()
    try:
        state = _fold(kept, bound, Path(path).name, store)
    finally:
        kept.close()
    return Search.driven_by(Controller(bound, None, Functions(), None, store, state))


def _fold(store: Store, source: BoundSource, name: str, copy: Store | None = None) -> State:
    state = State(source.vectors)
    for event in store.read():
        if copy is not None:
            copy.append([event.body])
        if isinstance(event.body, ev.Created):
            _check_source(event.body, source)
        try:
            state.apply(event.body)
        except EmbOptError:
            raise
        except Exception as error:
            raise DamagedFileError(
                f"Event {event.seq} of {name} does not fit those before", hint="Restore a copy"
            ) from error
        if isinstance(event.body, (ev.Looked, ev.Added)) and event.body.payload is not None:
            _remember(event.body, source)
    if not state.config:
        raise DamagedFileError(f"{name} holds no search", expected="a search's events", got="none")
    return state


def _remember(body: ev.Looked | ev.Added, source: BoundSource) -> None:
    if not isinstance(source.source, VolatileSource) or body.vectors is None or body.payload is None:
        return
    names = sorted({name for _, data in body.payload for name in data})
    data = {name: [row.get(name) for _, row in body.payload] for name in names}
    whole = [item for item, _ in body.payload]
    source.source.remember(Items(body.new_ids, np.asarray(body.vectors), whole, data))


def _check_own(role: str, part: Any, kept: Any) -> None:
    if part is not None and "'function'" not in repr(kept) and describe(part, REGISTRY) != _of_today(kept):
        raise InputError(
            f"The search's own {role} comes from its file",
            expected="functions of yours that the file names",
            got=f"{role}={part!r:.80}, where the file says {kept!r:.80}",
            hint=f"Leave it out, and change it afterwards: search.set({role}=…)",
        )


def _of_today(kept: Any) -> Any:
    """A part as it is described today: an earlier version's names are objects now."""
    return describe(rebuild(kept, REGISTRY, str), REGISTRY)


def _check_source(created: ev.Created, source: BoundSource) -> None:
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
