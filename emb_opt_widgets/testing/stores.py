"""Is it a store of events? One function a promise; a promise that is not kept raises `AssertionError`.

    check_store(StoreCase(make=MyStore))

Knows nothing of pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.live.store import Store, encode
from emb_opt_widgets.testing.expecting import expect

__all__ = ["STORE_CHECKS", "StoreCase", "check_store"]


@dataclass(frozen=True, slots=True)
class StoreCase:
    """A way to make the store under test.

    Attributes:
        make: An empty store, another one at each call.
        reopen: A store, closed, to the same one opened again; None where it lives in memory.
    """

    make: Callable[[], Store]
    reopen: Callable[[Store], Store] | None = None


def _bodies(n: int = 3) -> list[ev.Body]:
    return [
        ev.Scored(np.arange(i, i + 2, dtype=np.int32), np.array([i / 3, np.nan]), {"1": f"why {i}"}) for i in range(n)
    ]


def _written(bodies: list[ev.Body]) -> list[bytes]:
    return [encode(body) for body in bodies]


def _held(store: Store, start: int = 0, stop: int | None = None) -> list[bytes]:
    return [encode(event.body) for event in store.read(start, stop)]


def begins_empty(case: StoreCase) -> None:
    """Nothing is in a new one."""
    store = case.make()
    expect(len(store) == 0 and _held(store) == [], "a new store is empty", len(store))
    store.append([])
    expect(len(store) == 0, "appending nothing keeps nothing", len(store))
    store.close()


def gives_back_what_was_kept(case: StoreCase) -> None:
    """Events come out in order, numbered from 0, with a time that does not fall, bodies as they went in."""
    store, bodies = case.make(), _bodies(5)
    store.append(bodies[:2])
    store.append(bodies[2:], payload=[(0, {"name": "zero"})])
    events = list(store.read())
    expect(len(store) == 5, "len is the number of events", len(store))
    expect([event.seq for event in events] == list(range(5)), "events are numbered from 0", [e.seq for e in events])
    expect(_held(store) == _written(bodies), "bodies come out as they went in")
    times = [event.time for event in events]
    expect(times == sorted(times) and min(times) > 0, "times are there and do not fall", times)
    store.close()


def reads_parts(case: StoreCase) -> None:
    """`read(start, stop)` gives what a slice of the list gives."""
    store, bodies = case.make(), _bodies(6)
    store.append(bodies)
    for start, stop in ((0, 0), (2, None), (1, 3), (5, 6), (6, None), (3, 100)):
        wanted = _written(bodies)[start:stop]
        expect(_held(store, start, stop) == wanted, f"read({start}, {stop}) is the slice")
    store.close()


def keeps_all_or_none(case: StoreCase) -> None:
    """Where one of several bodies cannot be kept, none is."""
    store, bodies = case.make(), _bodies(1)
    store.append(bodies)
    try:
        store.append([*_bodies(1), cast(ev.Body, object())])
    except Exception:
        expect(_held(store) == _written(bodies), "an append that fails keeps nothing of it", len(store))
    else:
        raise AssertionError("what is no event is refused; append took it")
    store.append(bodies)
    expect(len(store) == 2, "it can be appended to after a failure", len(store))
    store.close()


def outlives_its_process(case: StoreCase) -> None:
    """Opened again, a file holds what was kept, and goes on from there."""
    if case.reopen is None:
        return
    store = case.make()
    store.append(_bodies(2))
    store.close()
    store = case.reopen(store)
    expect(_held(store) == _written(_bodies(2)), "opened again it holds what was kept")
    store.append(_bodies(1))
    expect(len(store) == 3, "opened again it goes on where it was", len(store))
    store.close()


STORE_CHECKS: tuple[Callable[[StoreCase], None], ...] = (
    begins_empty,
    gives_back_what_was_kept,
    reads_parts,
    keeps_all_or_none,
    outlives_its_process,
)


def check_store(case: StoreCase) -> None:
    """Every check of the suite.

    Raises:
        AssertionError: The first promise that is not kept.
    """
    for check in STORE_CHECKS:
        check(case)
