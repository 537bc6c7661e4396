"""What the engine asks of its parts. Any object with these methods will do; nothing need be subclassed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items

if TYPE_CHECKING:
    from emb_opt_widgets.engine.queries import Choice, Proposals, Queries
    from emb_opt_widgets.engine.view import SearchView

__all__ = ["Asynchronous", "Choose", "Predicts", "Prune", "ReadableSource", "Source", "Update", "VolatileSource"]


@runtime_checkable
class Source(Protocol):
    """What is searched. It may also have `dtype` (default float32): the type its vectors are kept in."""

    @property
    def dim(self) -> int | None:
        """Length of a vector; None where only a query tells."""

    def __len__(self) -> int:
        """How many items it holds."""

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """The `k` nearest items of each query, nearest first.

        Args:
            queries: `(q, d)`, in the source's dtype.
            k: Hits per query.
        """

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """The items with these ids, in this order; `InputError` for an id it does not have."""


@runtime_checkable
class ReadableSource(Source, Protocol):
    """A source that can be read through, from first to last."""

    def scan(self, batch: int) -> Iterator[Items]:
        """All items, in a fixed order, at most `batch` at a time."""


@runtime_checkable
class VolatileSource(Source, Protocol):
    """A source that cannot find an item again by id alone (a generative model): the search's file keeps its items."""

    def remember(self, items: Items) -> None:
        """Make these items known to `fetch` again, after a resume."""


@runtime_checkable
class Update(Protocol):
    """Turns scored queries into new queries. Configuration only: no state between calls but what `view` tells."""

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        """New queries from the scored ones (`queries` may be empty)."""


@runtime_checkable
class Choose(Protocol):
    """An update that also decides what to spend score calls on."""

    def choose(self, candidates: Items, view: SearchView) -> Choice:
        """Which of a round's unscored candidates to score, in which order."""


@runtime_checkable
class Asynchronous(Protocol):
    """An update that can propose beside items that are pending: it does not wait for all of a round."""

    @property
    def asynchronous(self) -> bool:
        """Whether it does."""


@runtime_checkable
class Predicts(Protocol):
    """An update that tells what it expects of items."""

    def predict(
        self, rows: npt.NDArray[np.int32], view: SearchView
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What each of these rows is expected to gain, and the standard deviation; `(n,)` each, NaN where no model can
        be asked."""


@runtime_checkable
class Prune(Protocol):
    """Decides which scored queries go on."""

    def keep(self, queries: Queries) -> npt.NDArray[np.bool_]:
        """`(q,)`: False for a query that is pruned."""
