"""What a search knows of a library that can be read: which rows are paid for, what they gained, which are out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.protocols import ReadableSource, VolatileSource
from emb_opt_widgets.engine.status import ItemStatus, NodeStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio.closed import CLOSED, count_closed, count_closed_among, doubted_rows
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.linear import Sums
from emb_opt_widgets.strategies.portfolio.linear_algebra import NUMPY, algebra_for
from emb_opt_widgets.strategies.portfolio.prices import Prices, read_prices
from emb_opt_widgets.strategies.portfolio.rows import ItemIds, open_rows

__all__ = ["FAILED", "Known", "Shelf", "imputed", "is_readable", "known_rows", "nearness", "shelf_of", "would_close"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_KEY = "portfolio"
FAILED = 0.25
"""What a failed score counts as: this quantile of the others."""
_READABLE = 20_000_000


def is_readable(source: Any) -> bool:
    """Whether every round may read the source through: not where that goes over a network (`remote`), invents items,
    or takes too long."""
    if not isinstance(source, ReadableSource) or isinstance(source, VolatileSource):
        return False
    return not getattr(source, "remote", False) and len(source) <= _READABLE


class Shelf:
    """A library with its ids, and the library rows of the items that the search has seen."""

    def __init__(self, library: Library, ids: ItemIds) -> None:
        self.library = library
        self.ids = ids
        self.sums = Sums()
        self._prices: tuple[Prices | None] | None = None
        self._rows = np.empty(0, np.int64)

    def prices(self, view: SearchView) -> Prices | None:
        """What its rows cost; read once."""
        if self._prices is None:
            self._prices = (read_prices(view),)
        return self._prices[0]

    def rows(self, view: SearchView) -> npt.NDArray[np.int64]:
        """`(m,)` library rows of all items seen, -1 for one that the library does not have."""
        n = len(view.items().get("status", ()))
        if n > len(self._rows):
            fresh = self.ids.rows(view.ids(np.arange(len(self._rows), n)))
            self._rows = np.concatenate([self._rows, fresh])
        return self._rows[:n]


def shelf_of(view: SearchView) -> Shelf:
    """The search's library; read once while the engine lives."""
    shelf: Shelf | None = view.cache.get(_KEY)
    if shelf is None:
        rows, ids = open_rows(view.source, view.checkpoint)  # type: ignore[arg-type]
        algebra = algebra_for(view.source)
        placed = None if algebra is NUMPY else view.source.placed  # type: ignore[attr-defined]
        library = Library(rows, algebra=algebra, placed=placed, checkpoint=view.checkpoint)
        shelf = view.cache[_KEY] = Shelf(library, ids)
    shelf.library.checkpoint = view.checkpoint
    return shelf


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was paid for, in order, and what may not be proposed.

    Attributes:
        rows: `(n,)` library rows. gains: `(n,)`, NaN where a score failed.
        finders: `(n,)` the active node that found each, -1 where there is none.
        open: `(n,)` whether it may be built on: not where a person or the pruner dropped the node that found it.
        blocked: `(N,)` paid for, pending, filtered out, or closed by a person's prune.
        passed, rejected: How many items the filter let through, and not.
        pending: `(p,)` rows that are being scored.
        doubt: `(N,)` how far each row is closed by a person's prunes (see `closed`); None: nothing is pruned.
        errors: `(n,)` standard errors of the gains, NaN where nothing tells them.
        prices: What rows cost; None where all cost the same, as far as is known.
    """

    rows: npt.NDArray[np.int64]
    gains: Float64
    finders: npt.NDArray[np.int64]
    open: npt.NDArray[np.bool_]
    blocked: npt.NDArray[np.bool_]
    passed: int
    rejected: int
    pending: npt.NDArray[np.int64]
    doubt: npt.NDArray[np.float32] | None = None
    errors: Float64 = field(default_factory=lambda: np.empty(0))
    prices: Prices | None = None

    @property
    def n_free(self) -> int:
        """Rows that can still be proposed."""
        return len(self.blocked) - int(self.blocked.sum())

    def positions(self, rows: Array) -> npt.NDArray[np.int64]:
        """`(b,)` where library rows stand among the paid ones, -1 for one that was not paid for."""
        out = np.full(len(self.blocked), -1, np.int32)
        out[self.rows] = np.arange(len(self.rows))
        return out[rows].astype(np.int64)


def known_rows(view: SearchView, shelf: Shelf) -> Known:
    """What is known of the library by now."""
    n = shelf.library.n
    items = view.items()
    blocked = np.zeros(n, bool)
    prices = shelf.prices(view)
    if not items:
        none = np.empty(0, np.int64)
        blocked = blocked if prices is None else prices.within(view.budget_left, blocked)
        return Known(none, np.empty(0), none, np.empty(0, bool), blocked, 0, 0, none, prices=prices)
    rows, status = shelf.rows(view), items["status"]
    spent = rows[status >= ItemStatus.SCORED]
    blocked[spent[spent >= 0]] = True
    paid = view.paid()
    paid = paid[rows[paid] >= 0]
    finders = items["node"][paid].astype(np.int64)
    active = view.nodes()["status"] == NodeStatus.ACTIVE
    open_ = np.where(finders >= 0, active[finders], True)
    doubt = doubted_rows(view, shelf.library)
    if doubt is not None:
        blocked |= doubt > CLOSED
    if prices is not None:
        blocked = prices.within(view.budget_left, blocked)
    pending = rows[view.handed_out()]
    rejected = int((status == ItemStatus.FILTERED).sum())
    passed = int((status != ItemStatus.NEW).sum()) - rejected
    return Known(
        rows[paid], items["gain"][paid], np.where(open_, finders, -1), open_, blocked, passed, rejected,
        pending[pending >= 0], doubt, items["noise"][paid], prices,
    )  # fmt: skip


def would_close(nodes: Sequence[int], view: SearchView) -> tuple[int, bool]:
    """As `Closes.would_close`: rows of the library, or what was seen where the source can only be asked."""
    if not is_readable(view.source):
        return count_closed_among(nodes, view)
    shelf = view.cache.get(_KEY) or shelf_of(view)
    rows = shelf.ids.rows(view.spent_ids())
    blocked = np.zeros(shelf.library.n, np.bool_)
    blocked[rows[rows >= 0]] = True
    doubt = doubted_rows(view, shelf.library)
    return count_closed(nodes, view, shelf.library, blocked if doubt is None else blocked | (doubt > CLOSED))


def imputed(gains: Float64) -> Float64:
    """Gains with the lower quartile where a score failed: what ranks items, and what sums over all of them take."""
    fine = np.isfinite(gains)
    return gains if fine.all() else np.where(fine, gains, np.quantile(gains[fine], FAILED))


def nearness(view: SearchView, rows: Array) -> npt.NDArray[np.int64]:
    """`(c,)` each candidate's place among the candidates of the node that has it nearest, from 0.

    Args:
        rows: `(c,)` the search's rows of this round's candidates.
    """
    _, found, offsets = view.looked()
    wanted = np.isin(found, rows)
    before = np.concatenate([[0], np.cumsum(wanted)])
    place = before[:-1] - np.repeat(before[offsets[:-1]], np.diff(offsets))
    best: dict[int, int] = {}
    for row, rank in zip(found[wanted].tolist(), place[wanted].tolist()):
        best[row] = min(rank, best.get(row, rank))
    return np.array([best.get(row, 0) for row in rows.tolist()], np.int64)
