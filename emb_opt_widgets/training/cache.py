"""The streaming negative cache: rows of past items, their ages, and how a step changes them. Knows no losses.

Lindgren, Reddi, Guo, Kumar: Efficient Training of Retrieval Models using Negative Cache. NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.cache_rows import Rows, check_add, check_fields, check_refresh, resolved
from emb_opt_widgets.training.duplicates import first_of_each, key_matrix, not_among

__all__ = ["NegativeCache"]

_PREFIX = "data_"


class NegativeCache(nn.Module):
    """Embeddings and features of past items, of a fixed number of rows; the oldest make room for the new.

    Everything is a buffer: `state_dict`, `to` and checkpoints have it all. One `step` refreshes rows, then adds items,
    then lets every row grow older by one. A row counts as valid once an item was added to it, or once a single refresh
    wrote all its fields; only valid rows compete in a loss.

    Args:
        capacity: Number of rows N.
        fields: Name to the shape of one row, or to `(shape, dtype)`: `{"embedding": (128,), "id": ((), torch.int64)}`.
        refresh_resets_age: Whether a refreshed row is young again (least recently used), or keeps its age (FIFO).
        unique_by: Fields by which items are told apart. A new item that equals a stored row, or an earlier one of the
            same step, in all of them is not added.
        dtype: Of fields that do not say; None is torch's default.
        device: Where it lives.

    Attributes:
        age: `(N,)` int32, steps since a row was written; grows from 0 for rows without an item, too.
        valid: `(N,)` bool.

    Raises:
        InputError: The capacity, a field or a name in `unique_by` is not usable.
    """

    age: Tensor
    valid: Tensor

    def __init__(
        self,
        capacity: int,
        fields: Mapping[str, Any],
        refresh_resets_age: bool = True,
        *,
        unique_by: Sequence[str] = (),
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        rows = as_whole(capacity)
        if rows is None or rows >= 1 << 31:
            raise InputError("Wrong capacity of a cache", expected="a positive number of rows", got=repr(capacity))
        declared = check_fields(fields, dtype or torch.get_default_dtype())
        keys = (unique_by,) if isinstance(unique_by, str) else tuple(unique_by)
        if not set(keys) <= set(declared):
            raise InputError("unique_by names fields that are not there", expected=", ".join(declared), got=keys)
        self.capacity = rows
        self.refresh_resets_age = refresh_resets_age
        self.unique_by = keys
        for name, field in declared.items():
            self.register_buffer(_PREFIX + name, torch.zeros(rows, *field.shape, dtype=field.dtype, device=device))
        self.register_buffer("age", torch.zeros(rows, dtype=torch.int32, device=device))
        self.register_buffer("valid", torch.zeros(rows, dtype=torch.bool, device=device))
        self._names = tuple(declared)
        self._seen_full: tuple[Tensor, int] | None = None

    @property
    def data(self) -> Mapping[str, Tensor]:
        """Field to its rows `(N, …)`: the buffers themselves, not copies."""
        return MappingProxyType({name: self.get_buffer(_PREFIX + name) for name in self._names})

    def __len__(self) -> int:
        """How many rows hold an item."""
        return int(self.valid.sum())

    def extra_repr(self) -> str:
        """What it is made of, for `print`."""
        fields = {name: tuple(value.shape[1:]) for name, value in self.data.items()}
        return f"capacity={self.capacity}, fields={fields}, refresh_resets_age={self.refresh_resets_age}"

    @torch.no_grad()
    def step(
        self,
        add: Mapping[str, Any] | None = None,
        add_mask: Any = None,
        refresh: Mapping[str, Any] | None = None,
        refresh_rows: Any = None,
        refresh_mask: Any = None,
    ) -> None:
        """Refresh rows, then add items, then let all rows grow older by one; without arguments only the last.

        The i-th item added goes to the i-th oldest row, among equals to the lowest. A row that is refreshed and
        overwritten in the same step keeps the new item. Among several refreshes of one row the last counts.
        Masked rows are ignored whatever they hold. Values are copied; no gradient is kept.

        Args:
            add: Every field to `(m, …)`, new items.
            add_mask: `(m,)` bool, which of them to take. None: all.
            refresh: Some fields to `(r, …)`, new values of rows that are there.
            refresh_rows: `(r,)` integers, which rows.
            refresh_mask: `(r,)` bool, which of them to write. None: all.

        Raises:
            InputError: Something does not fit; nothing has changed then.
        """
        fields = check_fields({n: (tuple(v.shape[1:]), v.dtype) for n, v in self.data.items()}, torch.float32)
        device = self.age.device
        asked = (
            check_refresh(fields, device, refresh, refresh_rows, refresh_mask),
            check_add(fields, device, add, add_mask),
        )
        if asked != (None, None):
            full = torch.ones((), dtype=torch.bool, device=device) if self.known_full else self.valid.all()
            old, new, all_valid = resolved(fields, self.capacity, *asked, full)
            if old is not None and old.count:
                self._refresh(old)
            if new is not None and new.count:
                self._add(new)
            self._seen_full = (self.valid, self.valid._version) if all_valid else None
        self.age += 1

    @property
    def known_full(self) -> bool:
        """Whether all rows were seen to hold an item, and nobody wrote to `valid` since; looks at no device."""
        seen = self._seen_full
        return seen is not None and seen[0] is self.valid and seen[1] == self.valid._version

    def _refresh(self, rows: Rows) -> None:
        at = rows.at
        for name, value in rows.data.items():
            self.data[name][at] = value
        if self.refresh_resets_age:
            self.age[at] = -1
        if len(rows.data) == len(self._names):
            self.valid[at] = True

    def _add(self, rows: Rows) -> None:
        if self.unique_by:
            rows = self._unlike(rows)
        at = self._oldest(rows.count)
        for name, value in rows.data.items():
            self.data[name][at] = value
        self.age[at] = -1
        self.valid[at] = True

    def _unlike(self, rows: Rows) -> Rows:
        """Those new items that are neither stored nor there twice."""
        keys = key_matrix([rows.data[name] for name in self.unique_by])
        stored = key_matrix([self.data[name][self.valid] for name in self.unique_by])
        keep = not_among(keys, stored) & first_of_each(keys)
        return Rows({name: value[keep] for name, value in rows.data.items()}, int(keep.sum()))

    def _oldest(self, count: int) -> Tensor:
        """`(count,)` rows, the oldest first, among equals the lowest."""
        back = torch.arange(self.capacity - 1, -1, -1, device=self.age.device)
        return torch.topk(self.age.long() * self.capacity + back, count).indices
