"""Pairs to train on, as batches in an order that follows from the seed and the epoch alone.

Knows no towers: what a query or a document is made of is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate
from torch.utils.data.distributed import DistributedSampler

from emb_opt_widgets.engine.arrays import stream
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.randomness import drawing
from emb_opt_widgets.training.tables import (
    as_column,
    columns_of,
    rows_of_dataset,
    side_by_side,
    stream_of_dataset,
)

__all__ = ["Batch", "Batches", "Cursor", "as_batch", "as_batches", "placed", "rows_in", "take_rows"]

_KEYS = ("query", "document", "negative", "id", "negative_id", "weight", "cache")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One batch of pairs.

    Attributes:
        query: What the query tower takes. document: What the document tower takes, row i for query i.
        negative: Further documents, or None: `(K, …)`, or n for each query, `(B, n, …)` or a list of lists.
        id: `(B,)` ids of the documents, or None. negative_id: Those of the negatives.
        weight: `(B,)`, or None.
        cache: Name of the cache that these documents go to; None where there is one.
    """

    query: Any
    document: Any
    negative: Any = None
    id: Any = None
    negative_id: Any = None
    weight: Any = None
    cache: str | None = None


def as_batch(given: Any) -> Batch:
    """A batch from a pair, a triple with ids, or a mapping with at least "query" and "document".

    Raises:
        InputError: None of these.
    """
    if isinstance(given, Mapping):
        given = columns_of(given) or given
        if {"query", "document"} <= set(given) <= set(_KEYS):
            return Batch(**given)
    if isinstance(given, (tuple, list)) and len(given) in (2, 3):
        return Batch(given[0], given[1], id=given[2] if len(given) == 3 else None)
    got = f"a mapping with {sorted(map(str, given))}" if isinstance(given, Mapping) else f"{type(given).__name__}"
    raise InputError(
        "A batch is not usable",
        expected=f"(queries, documents), (queries, documents, ids), or a mapping with some of {', '.join(_KEYS)}",
        got=got if not isinstance(given, (tuple, list)) else f"{got} of {len(given)}",
    )


def placed(value: Any, device: torch.device) -> Any:
    """The value with every tensor and array in it on the device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return torch.from_numpy(value).to(device)
    if isinstance(value, Mapping):
        return {key: placed(part, device) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(placed(part, device) for part in value)
    return value


def rows_in(value: Any) -> int:
    """How many rows a column has: a tensor, an array, a list, or a mapping of such.

    Raises:
        InputError: It is none of these, or its parts differ in length.
    """
    if isinstance(value, Mapping) and value:
        counts = {str(key): rows_in(part) for key, part in value.items()}
        if len(set(counts.values())) > 1:
            raise InputError("The columns have different lengths", expected="as many rows in each", got=counts)
        return next(iter(counts.values()))
    if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim:
        return len(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return len(value)
    raise InputError(
        "A column is not usable", expected="a tensor, an array, a list, or a mapping of these", got=type(value).__name__
    )


def take_rows(value: Any, rows: npt.NDArray[np.int64]) -> Any:
    """These rows of a column; arrays (memory maps, too) become tensors."""
    if isinstance(value, torch.Tensor):
        return value[torch.from_numpy(rows).to(value.device)]
    if isinstance(value, np.ndarray):
        part = np.asarray(value[rows])
        return torch.from_numpy(part) if part.dtype.kind in "fiub" else part
    if isinstance(value, Mapping):
        return {key: take_rows(part, rows) for key, part in value.items()}
    return [value[int(row)] for row in rows]


class Batches(Protocol):
    """Batches, epoch by epoch; an epoch always gives the same ones.

    Attributes:
        n_pairs: How many pairs an epoch is drawn from; None where nobody knows.
        jumps: Whether `epoch` begins at `start`; else from the first batch, and who asks reads over those before.
    """

    n_pairs: int | None
    jumps: bool

    def epoch(self, number: int, start: int) -> Iterator[Any]:
        """The batches of an epoch."""


class ShuffledRows:
    """Batches of rows, drawn anew for every epoch; what does not fill a batch is left out until the next.

    Args:
        n: Rows. batch_size: Rows of a batch. seed: Of the order.
        take: Rows to a batch. part: Which process this is, and how many there are; each has batches of its own.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        seed: int,
        take: Callable[[npt.NDArray[np.int64]], Any],
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if n < batch_size * part[1]:
            what = "There are fewer pairs than a batch has"
            what += "" if part[1] == 1 else f", in each of {part[1]} processes"
            raise InputError(what, expected=f"at least {batch_size * part[1]}", got=n)
        self.n_pairs: int | None = n
        self.jumps = True
        self._size, self._seed, self._take, self._part = batch_size, seed, take, part

    def epoch(self, number: int, start: int) -> Iterator[Any]:
        """As in `Batches`."""
        order = stream(self._seed, number, "order").permutation(self.n_pairs or 0)
        rank, processes = self._part
        whole = self._size * processes
        for first in range(start * whole, len(order) - whole + 1, whole):
            yield self._take(order[first + rank * self._size :][: self._size])


class MadeElsewhere:
    """Batches that somebody else makes: a loader, or a function of the epoch.

    Args:
        open_epoch: Epoch to an iterable of batches.
        n_pairs: As in `Batches`.
        part: Which process this is, and how many there are: of as many batches each takes its own.
    """

    def __init__(
        self, open_epoch: Callable[[int], Iterable[Any]], n_pairs: int | None = None, part: tuple[int, int] = (0, 1)
    ) -> None:
        self.n_pairs = n_pairs
        self.jumps = False
        self._open, self._part = open_epoch, part

    def epoch(self, number: int, start: int) -> Iterator[Any]:
        """As in `Batches`."""
        rank, processes = self._part
        batches = iter(self._open(number))
        if processes == 1:
            return batches
        groups = iter(lambda: list(islice(batches, processes)), [])
        return (group[rank] for group in groups if len(group) == processes)


def as_batches(data: Any, batch_size: int, seed: int, part: tuple[int, int] = (0, 1)) -> Batches:
    """Batches from what a person has.

    Args:
        data: A tuple `(queries, documents)` or `(queries, documents, ids)` of columns, a mapping of columns (as in
            `Batch`), a `pandas.DataFrame`, a `Dataset` (torch's or `datasets`') or list of pairs: these are shuffled
            and batched here. A `DataLoader`, an `IterableDataset` (of either), or a function from the epoch's number
            to an iterable: these give batches.
        batch_size: Pairs of a batch, where they are made here. seed: Of the order.
        part: Which of how many processes this is; each gets batches of its own.

    Raises:
        InputError: None of these.
    """
    if isinstance(data, DataLoader):
        divided = isinstance(data.sampler, DistributedSampler)
        return MadeElsewhere(lambda epoch: _opened(data, epoch), _length(data.dataset), (0, 1) if divided else part)
    if (stream_of := stream_of_dataset(data, batch_size)) is not None:
        return MadeElsewhere(stream_of, part=part)
    if isinstance(data, IterableDataset):
        return MadeElsewhere(lambda epoch: DataLoader(data, batch_size), part=part)
    if (table := rows_of_dataset(data)) is not None:
        return ShuffledRows(table[0], batch_size, seed, table[1], part)
    data = data if (columns := columns_of(data)) is None else columns
    if isinstance(data, (tuple, Mapping)):
        columns = _named(data)
        return ShuffledRows(rows_in(columns), batch_size, seed, lambda rows: take_rows(columns, rows), part)
    if isinstance(data, list) and _are_columns(data):
        raise InputError(
            "A list is taken for pairs, and these look like columns", expected="a list of (query, document)",
            got=f"{len(data)} lists of {len(data[0])}", hint="Pass a tuple: (queries, documents)",
        )  # fmt: skip
    if isinstance(data, (Dataset, list)) and _length(data) is not None:
        collate = lambda rows: default_collate([data[int(row)] for row in rows])  # noqa: E731
        return ShuffledRows(_length(data) or 0, batch_size, seed, collate, part)
    if callable(data):
        return MadeElsewhere(data, part=part)
    hint = (
        "A generator can be gone through once: pass the function that makes it" if isinstance(data, Iterator) else None
    )
    raise InputError(
        "data is not usable",
        expected="(queries, documents), a mapping of columns, a DataFrame, a Dataset, a list of pairs, a DataLoader, "
        "or a function from the epoch's number to an iterable of batches",
        got=type(data).__name__,
        hint=hint,
    )


def _named(data: Mapping[str, Any] | tuple[Any, ...]) -> dict[str, Any]:
    """Columns by name; several columns of negatives as one."""
    columns = dict(data) if isinstance(data, Mapping) else dict(zip((*_KEYS[:2], "id"), data))
    usable = {"query", "document"} <= set(columns) <= set(_KEYS)
    if not usable or (isinstance(data, tuple) and len(data) > 3):
        as_batch(data)
    for name in ("negative", "negative_id"):
        if isinstance(columns.get(name), tuple):
            rows_in(dict(enumerate(columns[name])))
            columns[name] = side_by_side(list(map(as_column, columns[name])))
    return {name: as_column(value) if _is_series(value) else value for name, value in columns.items()}


def _are_columns(data: list[Any]) -> bool:
    """Whether a list holds two or three lists that are longer than a pair or a triple."""
    lists = len(data) in (2, 3) and all(isinstance(column, list) for column in data)
    return lists and len(data[0]) > 3 and len({len(column) for column in data}) == 1


def _is_series(value: Any) -> bool:
    """Whether this is a column of another library: it has rows, and is none of the kinds that `rows_in` knows."""
    known = isinstance(value, (torch.Tensor, np.ndarray, Mapping, Sequence, str, bytes))
    return not known and hasattr(value, "__len__") and hasattr(value, "__iter__")


def _opened(loader: DataLoader[Any], epoch: int) -> Iterable[Any]:
    if isinstance(loader.sampler, DistributedSampler):
        loader.sampler.set_epoch(epoch)
    return loader


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:
        return None


class Cursor:
    """A place in the batches: which epoch, which batch of it.

    Args:
        batches: What is gone through. seed: Of what the data draws for itself.
        epoch, batch: Where to begin.
    """

    def __init__(self, batches: Batches, seed: int, epoch: int = 0, batch: int = 0) -> None:
        self.epoch, self.batch = epoch, batch
        self._batches, self._seed = batches, seed
        self._open: Iterator[Any] | None = None
        self._ahead: list[Any] = []

    def take(self) -> Batch:
        """The next batch; from the next epoch where this one is at its end.

        Raises:
            InputError: An epoch without a batch, or no batch at all.
        """
        while not self._look():
            if self.batch == 0:
                raise InputError(f"Epoch {self.epoch} of the data has no batch", expected="at least one", got="none")
            self.epoch, self.batch, self._open = self.epoch + 1, 0, None
        self.batch += 1
        return as_batch(self._ahead.pop())

    def close_epoch(self) -> None:
        """Go over to the next epoch where this one is at its end. Data that fails now will fail at the next `take`."""
        with suppress(Exception):
            if self.batch and not self._look():
                self.epoch, self.batch, self._open = self.epoch + 1, 0, None

    def _look(self) -> bool:
        """Have one batch at hand, drawn as the seed and its place have it; whether there is one."""
        if self._ahead:
            return True
        try:
            if self._open is None:
                self._open = self._from_here()
            with drawing(self._seed, "data", self.epoch, self.batch + 1):
                self._ahead = list(islice(self._open, 1))
        except BaseException:
            self._open = None
            raise
        return bool(self._ahead)

    def _from_here(self) -> Iterator[Any]:
        with drawing(self._seed, "data", self.epoch, 0):
            found = iter(self._batches.epoch(self.epoch, self.batch))
        for passed in range(0 if self._batches.jumps else self.batch):
            with drawing(self._seed, "data", self.epoch, passed + 1):
                next(found)
        return found
