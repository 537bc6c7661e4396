"""Which rows are the same item: told by exact equality of key columns. Knows no ages' meaning and no losses."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["first_of_each", "key_matrix", "not_among"]

_MULTIPLIER = 0x5851F42D4C957F2D
_CHUNK = 1 << 24


def key_matrix(columns: list[Tensor]) -> Tensor:
    """Key columns side by side as whole numbers; rows are equal iff the columns are.

    Floats count by their bits, so NaN equals NaN; −0 counts as 0.

    Args:
        columns: Each `(n, …)`.

    Returns:
        `(n, w)` int64.
    """
    return torch.cat([_integers(column).reshape(len(column), column.shape[1:].numel()) for column in columns], dim=1)


def _integers(column: Tensor) -> Tensor:
    if column.is_floating_point():
        return (column.double() + 0.0).view(torch.int64)
    return column.long()


def not_among(new: Tensor, stored: Tensor) -> Tensor:
    """Which new rows equal none of the stored ones.

    Args:
        new: `(m, w)` int64. stored: `(n, w)` int64.

    Returns:
        `(m,)` bool.
    """
    out = torch.ones(len(new), dtype=torch.bool, device=new.device)
    if not len(new) or not len(stored):
        return out
    new_hash, stored_hash = _hash(new), _hash(stored)
    size = max(1, _CHUNK // len(stored))
    for start in range(0, len(new), size):
        i, j = (new_hash[start : start + size, None] == stored_hash).nonzero(as_tuple=True)
        same = (new[start + i] == stored[j]).all(1)
        out[start + i[same]] = False
    return out


def _hash(keys: Tensor) -> Tensor:
    """`(n,)` int64: equal rows have equal hashes; products and sums wrap around."""
    out = torch.zeros(len(keys), dtype=torch.int64, device=keys.device)
    for column in keys.unbind(1):
        out = (out ^ column) * _MULTIPLIER
    return out


def first_of_each(keys: Tensor) -> Tensor:
    """Which rows equal no earlier one.

    Args:
        keys: `(n,)` or `(n, w)` int64.

    Returns:
        `(n,)` bool.
    """
    out = torch.zeros(len(keys), dtype=torch.bool, device=keys.device)
    if not len(keys):
        return out
    if keys.dim() == 2:
        keys = torch.unique(keys, dim=0, return_inverse=True)[1]
    ordered, order = torch.sort(keys, stable=True)
    begins = torch.ones_like(out)
    begins[1:] = ordered[1:] != ordered[:-1]
    out[order] = begins
    return out
