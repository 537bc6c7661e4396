"""A package's own parts: registered where a test registers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from emb_opt_widgets.protocols import Hits, Items, Proposals, Queries, SearchView


@dataclass(frozen=True)
class Drift:
    """Moves every query.

    Args:
        step: How far.
        way: Which way.
        bold: Whether twice as far.
        table: By dimension.
    """

    step: float
    way: Literal["up", "down"] = "up"
    bold: bool = False
    table: tuple[tuple[str, float], ...] = ()

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        far = self.step * (1 if self.way == "up" else -1) * (2 if self.bold else 1)
        return Proposals(queries.embeddings + far, queries.ids, "drift")


@dataclass(frozen=True)
class First:
    """Keeps the first.

    Args:
        n: How many.
    """

    n: int = 2

    def keep(self, queries: Queries) -> np.ndarray:
        return np.arange(len(queries)) < self.n


@dataclass(frozen=True)
class Line:
    """Points on a line, 1 apart.

    Args:
        n: How many.
    """

    n: int
    dim = 1

    def __len__(self) -> int:
        return self.n

    def search(self, queries, k):
        far = np.abs(queries - np.arange(self.n)[None])
        ids = np.argsort(far, axis=1, kind="stable")[:, :k]
        return Hits.from_matrix(ids, np.take_along_axis(far, ids, 1))

    def fetch(self, ids):
        if unknown := [i for i in np.asarray(ids).tolist() if i not in range(self.n)]:
            raise KeyError(unknown)
        return Items(np.asarray(ids), np.asarray(ids, np.float32)[:, None])
