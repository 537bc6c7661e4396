"""Several caches side by side, each row a column of the scores. Knows which columns compete; draws none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.duplicates import first_of_each

__all__ = ["Columns", "exclude", "freshest_of_each"]

_ROWS = 1 << 14


@dataclass(frozen=True, slots=True)
class Columns:
    """Caches in ascending order of their names.

    Attributes:
        names: Of the sources. caches: As many. embedding_field: The field that is scored.
    """

    names: tuple[str, ...]
    caches: tuple[NegativeCache, ...]
    embedding_field: str

    @classmethod
    def of(cls, caches: Mapping[str, NegativeCache] | nn.ModuleDict, embedding_field: str, queries: Tensor) -> Columns:
        """Caches that fit together and to the queries.

        Raises:
            InputError: They do not.
        """
        if isinstance(caches, nn.ModuleDict):
            return cls.of(dict(caches.items()), embedding_field, queries)  # type: ignore[arg-type]
        if not isinstance(caches, Mapping) or not caches:
            raise InputError("A loss needs caches", expected='{"name": NegativeCache, …}', got=type(caches).__name__)
        for name, cache in caches.items():
            if not isinstance(cache, NegativeCache):
                raise InputError(f"The source {name!r} is no cache", expected="NegativeCache", got=type(cache).__name__)
        names = tuple(sorted(caches))
        out = cls(names, tuple(caches[name] for name in names), embedding_field)
        out._check(queries)
        return out

    def _check(self, queries: Tensor) -> None:
        first = self.form(self.caches[0])
        for name, cache in zip(self.names, self.caches):
            if self.form(cache) != first:
                raise InputError(
                    "The caches differ in their fields", expected=f"{first} as in {self.names[0]!r}",
                    got=f"{self.form(cache)} in {name!r}",
                )  # fmt: skip
            if cache.age.device != queries.device:
                got = str(cache.age.device)
                raise InputError(f"The cache {name!r} lies elsewhere", expected=str(queries.device), got=got)
        field = self.caches[0].data.get(self.embedding_field)
        dim = queries.shape[1]
        if field is None or field.shape[1:] != (dim,) or not field.is_floating_point():
            got = "no such field" if field is None else f"{tuple(field.shape[1:])} {field.dtype}"
            expected = f"a field {self.embedding_field!r} of ({dim},) floats"
            raise InputError("The caches have no embeddings that fit", expected=expected, got=got)

    @staticmethod
    def form(cache: NegativeCache) -> dict[str, tuple[tuple[int, ...], str]]:
        """Field to the shape and type of a row, in ascending order."""
        return {name: (tuple(value.shape[1:]), str(value.dtype)) for name, value in sorted(cache.data.items())}

    @property
    def n(self) -> int:
        """How many columns there are."""
        return sum(cache.capacity for cache in self.caches)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first column of each source."""
        sizes = [cache.capacity for cache in self.caches]
        return tuple(sum(sizes[:i]) for i in range(len(sizes)))

    @property
    def valid(self) -> Tensor:
        """`(N,)` bool: columns that hold an item."""
        return torch.cat([cache.valid for cache in self.caches])

    @property
    def full(self) -> bool:
        """Whether every column is known to hold an item, without a look at the device."""
        return all(cache.known_full for cache in self.caches)

    @property
    def age(self) -> Tensor:
        """`(N,)` int32."""
        return torch.cat([cache.age for cache in self.caches])

    def ids(self, field: str) -> Tensor:
        """`(N,)` int64, a field of whole numbers.

        Raises:
            InputError: There is no such field, or it is not one whole number for each row.
        """
        values = [cache.data.get(field) for cache in self.caches]
        out = [value.long() for value in values if value is not None and value.dim() == 1 and not _broken(value)]
        if len(out) != len(values):
            form = self.form(self.caches[0])
            raise InputError(
                "Items need an id to be told apart", expected=f"a field {field!r} of shape () and an integer type",
                got=form.get(field, f"only {list(form)}"), hint=f'fields={{…, "{field}": ((), torch.int64)}}',
            )  # fmt: skip
        return torch.cat(out)

    def scores(self, queries: Tensor) -> Tensor:
        """Dot products of queries `(B, D)` with all rows, `(B, N)` in the queries' type."""
        out = queries.new_empty(len(queries), self.n)
        for start, cache in zip(self.starts, self.caches):
            embeddings = cache.data[self.embedding_field]
            for i in range(0, cache.capacity, _ROWS):
                part = embeddings[i : i + _ROWS].to(queries.dtype)
                torch.mm(queries, part.T, out=out[:, start + i : start + i + len(part)])
        return out

    def take(self, columns: Tensor) -> dict[str, Tensor]:
        """All fields of the given columns `(m,)`, `(m, …)` each; they are copies."""
        if len(self.caches) == 1:
            return {name: value[columns] for name, value in self.caches[0].data.items()}
        out: dict[str, Tensor] = {}
        for start, cache in zip(self.starts, self.caches):
            rows, mine = (columns - start).clamp(0, cache.capacity - 1), columns >= start
            for name, value in cache.data.items():
                found = value[rows]
                shown = mine.reshape(-1, *[1] * (value.dim() - 1))
                out[name] = torch.where(shown, found, out[name]) if name in out else found
        return out

    def refresh(self, columns: Tensor, embeddings: Tensor) -> dict[str, dict[str, Any]]:
        """New embeddings for columns as each cache's `step` takes them.

        Args:
            columns: `(m,)` int64; those of no source are masked everywhere. embeddings: `(m, D)`.
        """
        return {
            name: {
                "refresh": {self.embedding_field: embeddings},
                "refresh_rows": columns - start,
                "refresh_mask": (columns >= start) & (columns < start + cache.capacity),
            }
            for name, start, cache in zip(self.names, self.starts, self.caches)
        }


def _broken(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex() or value.dtype == torch.bool


def freshest_of_each(ids: Tensor, age: Tensor, valid: Tensor) -> Tensor:
    """Which columns hold the youngest copy of their item, among equals the lowest; all `(N,)`."""
    by_age = torch.sort(age.masked_fill(~valid, torch.iinfo(age.dtype).max), stable=True).indices
    first = torch.empty_like(valid)
    first[by_age] = first_of_each(ids[by_age])
    return first & valid


def exclude(
    scores: Tensor, competing: Tensor | None, ids: Tensor | None = None, positive_ids: Tensor | None = None
) -> Tensor:
    """Set scores to −inf, in place, where a column does not compete, or has the id of the query's own positive.

    Args:
        scores: `(B, N)`. competing: `(N,)` bool; None: all. ids: `(N,)` int64. positive_ids: `(B, P)` int64.
    """
    if competing is not None:
        scores.masked_fill_(~competing, -math.inf)
    if ids is not None and positive_ids is not None:
        for own in positive_ids.unbind(1):
            scores.masked_fill_(own[:, None] == ids, -math.inf)
    return scores
