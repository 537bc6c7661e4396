"""A search of many nodes and of very many events, whose log is not kept: for tests of what a long run costs."""

from __future__ import annotations

from typing import Any

import numpy as np

import emb_opt_widgets as eow
from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.live.store import MemoryStore
from emb_opt_widgets.search.engine import SearchRun, driven
from emb_opt_widgets.search.settings import Functions
from emb_opt_widgets.sources import as_source

from ..conftest import smooth

__all__ = ["N_NODES", "big_search", "burst", "grow"]

N_NODES = 5_000


class Counting(MemoryStore):
    """A store that keeps only how many events there were."""

    n = 0

    def append(self, bodies: Any, payload: Any = ()) -> None:
        self.n += len(bodies)

    def read(self, start: int = 0, stop: int | None = None) -> Any:
        return iter(())

    def __len__(self) -> int:
        return self.n


def big_search(room: int = 0) -> eow.Search:
    """A tree of `N_NODES` nodes with an item each.

    Args:
        room: How many more it may `grow` by.
    """
    library = np.random.default_rng(0).standard_normal((N_NODES + room, 8)).astype(np.float32)
    made = eow.Search(library, smooth, k=1)
    bound = BoundSource(as_source(library))
    store: Any = Counting()
    controller = driven(bound, Functions(), None, store, State(bound.vectors))
    controller.emit([ev.Created(made.settings, bound.fingerprint(), 0)])
    search = eow.Search.driven_by(controller)
    grow(search, library, N_NODES)
    return search


def grow(search: eow.Search, library: np.ndarray, n: int) -> None:
    """So many new nodes, each with a new item, in one round."""
    first = search.controller.state.n_nodes
    nodes = np.arange(first, first + n, dtype=np.int32)
    words = ["step"] * n
    search.controller.emit(
        [
            ev.QueriesMade(0, (nodes - 1) // 3, library[nodes].astype(np.float64), words, words, np.ones(n)),
            ev.Looked(0, nodes, np.arange(n + 1), nodes, nodes.astype(np.int64), filtered=False),
            ev.Chosen(0, nodes),
            ev.Scored(nodes, np.linalg.norm(library[nodes], axis=1), {}),
        ]
    )


def burst(controller: SearchRun, chance: np.random.Generator, n: int) -> None:
    """So many events, a few at a time."""
    for _ in range(n // 10):
        nodes = chance.integers(0, N_NODES, (10, 3)).astype(np.int32)
        controller.emit([ev.Pruned(few, "pruner" if i % 2 else "search", "why") for i, few in enumerate(nodes)])
