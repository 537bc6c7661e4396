"""What the engine asks of its parts. Any object with these methods will do; nothing need be subclassed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, Union, runtime_checkable

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Item, Items

if TYPE_CHECKING:
    from emb_opt_widgets.engine.queries import Choice, Proposals, Queries
    from emb_opt_widgets.engine.view import SearchView

__all__ = [
    "Asynchronous",
    "Believes",
    "Choose",
    "Closes",
    "Direction",
    "Explains",
    "FilterFunction",
    "GrowingSource",
    "ItemsLike",
    "Numbers",
    "OnError",
    "Opinion",
    "PlacedSource",
    "Predicts",
    "Prune",
    "PruneLike",
    "QueriesLike",
    "ReadableSource",
    "Reasons",
    "Response",
    "Responses",
    "ScoreFunction",
    "Source",
    "SourceLike",
    "Update",
    "UpdateLike",
    "VolatileSource",
]

Direction: TypeAlias = Literal["maximize", "minimize"]
OnError: TypeAlias = Literal["record", "raise"]


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
        """The items with these ids, in this order; a `LookupError`, or our `InputError`, for an id it does not have."""


@runtime_checkable
class ReadableSource(Source, Protocol):
    """A source that can be read through, from first to last."""

    def scan(self, batch: int) -> Iterator[Items]:
        """All items, in a fixed order, at most `batch` at a time."""


@runtime_checkable
class PlacedSource(ReadableSource, Protocol):
    """A source whose vectors live on a device: where that is not the processor, models of them are computed there."""

    @property
    def device(self) -> str:
        """As torch names it: "cpu", "cuda:0"."""

    def placed(self, rows: npt.NDArray[np.int64]) -> Any:
        """Vectors `(m, d)` by their place in the scan, left where they live."""


@runtime_checkable
class GrowingSource(Source, Protocol):
    """A source that more can be added to."""

    def extend(self, items: Items) -> None:
        """Add these, after all others; `InputError` for an id that it has already. Nothing is changed then."""


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
class Believes(Protocol):
    """An update that tells what measured items are worth where measurements are not exact."""

    def believe(self, view: SearchView) -> npt.NDArray[np.float64] | None:
        """What each item of `view.paid()` is believed to gain, `(n,)`, NaN where its score failed; None where the
        measured means are all that is to be known."""


class Opinion(NamedTuple):
    """What one surrogate expects of an item.

    Attributes:
        surrogate: Its name; of one that fits several models, the model's.
        expected, deviation: What a measurement of the item would gain, and the standard deviation.
        weight: Its share in what all together expect. trust: The rank correlation of its predictions of scores that
            were left out with these.
    """

    surrogate: str
    expected: float
    deviation: float
    weight: float
    trust: float


class Reasons(NamedTuple):
    """Why an update thinks of an item as it does.

    Attributes:
        expected, deviation: What a measurement of it would gain by all surrogates, and the standard deviation.
        opinions: Of each surrogate.
        ids: `(n,)` scored items most like it. alike: `(n,)` how like, at most 1, in the most believed surrogate's eyes.
        place: By what is expected of it, from 1, among the items without a score and itself. of: How many these are.
    """

    expected: float
    deviation: float
    opinions: tuple[Opinion, ...]
    ids: npt.NDArray[Any]
    alike: npt.NDArray[np.float64]
    place: int
    of: int


@runtime_checkable
class Explains(Protocol):
    """An update that tells why it thinks of an item as it does."""

    def explain(self, item: int | str, n: int, view: SearchView) -> Reasons | None:
        """Why, with `n` scored items at most; None before anything can be said, or of an item that it does not know."""


@runtime_checkable
class Closes(Protocol):
    """An update for which a person's prune closes a region: it proposes nothing that `view.closures` tells is there."""

    def would_close(self, nodes: Sequence[int], view: SearchView) -> tuple[int, bool]:
        """How many unscored items a prune of these nodes would close, and whether that is counted rather than estimated
        from a sample."""


@runtime_checkable
class Prune(Protocol):
    """Decides which scored queries go on."""

    def keep(self, queries: Queries) -> npt.NDArray[np.bool_]:
        """`(q,)`: False for a query that is pruned."""


class Response(Protocol):
    """One item's answer with more than a number: `valid`, and `score` and `data` where they apply."""

    @property
    def valid(self) -> bool: ...


class _Tensor(Protocol):
    """A torch tensor, wherever it lies."""

    @property
    def shape(self) -> Sequence[int]: ...
    def detach(self) -> object: ...


class _Index(Protocol):
    """A `faiss.Index`."""

    @property
    def ntotal(self) -> int: ...
    @property
    def d(self) -> int: ...


class _Dataset(Protocol):
    """A `datasets.Dataset`."""

    @property
    def column_names(self) -> Sequence[str]: ...
    def list_indexes(self) -> Sequence[str]: ...


class _Frame(Protocol):
    """A DataFrame or a Series."""

    @property
    def index(self) -> object: ...


Numbers: TypeAlias = npt.ArrayLike | _Tensor | Sequence[float | None]
Responses: TypeAlias = Sequence[Response | Mapping[str, object]]

ScoreFunction: TypeAlias = Callable[[Items], Numbers | Responses | Awaitable[Numbers | Responses]]
"""`Items` to one number each, or one response each, or an awaitable of these."""
FilterFunction: TypeAlias = ScoreFunction
"""`Items` to one truth value each, or one response each, or an awaitable of these."""
UpdateLike: TypeAlias = Union[Update, "Callable[[Queries], Proposals | Numbers | Sequence[object]]"]
"""A strategy, or a function of the scored queries: to `Proposals`, `(q, d)` vectors, or update responses."""
PruneLike: TypeAlias = Union[Prune, "Callable[[Queries], Numbers | Responses]"]
"""A pruner, or a function of the scored queries: to one truth value or one response each."""
SourceLike: TypeAlias = Source | npt.NDArray[Any] | _Tensor | _Index | _Dataset
"""What `as_source` makes a source of."""
ItemsLike: TypeAlias = Items | Item | npt.ArrayLike | Sequence[int | str] | _Frame
"""Items, one of them, ids, or a frame or series with ids."""
QueriesLike: TypeAlias = int | npt.ArrayLike | _Tensor | Sequence[int | str]
"""A number of random starts, `(q, d)` vectors, or item ids."""
