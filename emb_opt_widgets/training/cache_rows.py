"""What a cache's step is given, checked whole before anything changes. Knows shapes and types; not ages, not losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole

__all__ = ["Asked", "Field", "Rows", "check_add", "check_fields", "check_refresh", "resolved"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Field:
    """What one field of a row looks like.

    Attributes:
        shape: Of a single row. dtype: Of its numbers.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class Asked:
    """What an update asks for, masked rows included.

    Attributes:
        data: Field to `(m, …)`, as given. count: m. at: `(m,)` int64, the rows they go to; None: the cache chooses.
        mask: `(m,)` bool, which of them to take; None: all.
    """

    data: dict[str, Tensor]
    count: int
    at: Tensor | None = None
    mask: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The unmasked rows of an update.

    Attributes:
        data: Field to `(m, …)`, in the cache's types. count: m.
        at: `(m,)` int64, the rows they go to, each once; None where the cache chooses.
    """

    data: dict[str, Tensor]
    count: int
    at: Tensor | None = None


def check_fields(fields: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Field]:
    """Declared fields in one form.

    Args:
        fields: Name to shape, or to `(shape, dtype)`.
        dtype: Of fields that do not say.
    """
    if not isinstance(fields, Mapping) or not fields:
        raise InputError("A cache needs fields", expected='a mapping such as {"embedding": (128,)}', got=repr(fields))
    out = {}
    for name, given in fields.items():
        if not isinstance(name, str) or not name or "." in name:
            raise InputError("This is no name for a field", expected="a text without a dot", got=repr(name))
        out[name] = _field(name, given, dtype)
    return out


def _field(name: str, given: Any, dtype: torch.dtype) -> Field:
    shape = given
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], torch.dtype):
        shape, dtype = given
    given_sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    sizes = [size for size in map(as_whole, given_sizes) if size is not None]
    if len(sizes) < len(given_sizes):
        raise InputError(
            f"The field {name!r} has no usable shape",
            expected="a tuple of positive sizes for one row, (128,) or (), or (shape, dtype)", got=repr(given),
        )  # fmt: skip
    return Field(tuple(sizes), dtype)


def check_add(
    fields: Mapping[str, Field], device: torch.device, add: Mapping[str, Any] | None, mask: Any
) -> Asked | None:
    """New items, or None where nothing is to be added."""
    if add is None:
        if mask is not None:
            raise InputError("add_mask came without items", hint="Pass add= too, or leave both out")
        return None
    if not isinstance(add, Mapping) or set(add) != set(fields):
        raise InputError("New items need every field", expected=_names(fields), got=_names(add))
    values, count = _values(fields, device, add)
    return Asked(values, count, None, _mask("add_mask", mask, count, device))


def check_refresh(fields: Mapping[str, Field], device: torch.device, refresh: Any, at: Any, mask: Any) -> Asked | None:
    """New values for rows, or None where nothing is to be refreshed."""
    if (refresh is None) != (at is None):
        raise InputError("refresh and refresh_rows belong together", hint="Pass both, or neither")
    if refresh is None:
        if mask is not None:
            raise InputError("refresh_mask came without rows", hint="Pass refresh= and refresh_rows= too")
        return None
    if not isinstance(refresh, Mapping) or not refresh or not set(refresh) <= set(fields):
        raise InputError(
            "A refresh writes fields that the cache has", expected=f"some of {_names(fields)}", got=_names(refresh),
            hint="What a loss returns is unpacked: cache.step(**output.refresh[name])",
        )  # fmt: skip
    values, count = _values(fields, device, refresh)
    rows = torch.as_tensor(at, device=device)
    if rows.shape != (count,) or (rows.numel() and not _integral(rows)):
        raise InputError("Wrong refresh_rows", expected=f"({count},) integers", got=f"{tuple(rows.shape)} {rows.dtype}")
    return Asked(values, count, rows.long(), _mask("refresh_mask", mask, count, device))


def resolved(
    fields: Mapping[str, Field], capacity: int, refresh: Asked | None, add: Asked | None, valid: Tensor
) -> tuple[Rows | None, Rows | None, bool]:
    """The rows that are meant, of both, and whether all rows are valid: one read from the device.

    Args:
        fields: The cache's. capacity: Its rows. refresh, add: What is asked for. valid: `()` bool.

    Raises:
        InputError: Unmasked rows lie outside, are more than there are, or do not fit into the fields' types.
    """
    parts = [valid.reshape(1).long()]
    for asked in (refresh, add):
        if asked is not None:
            parts += [part.long() for part in (asked.at, asked.mask) if part is not None]
    read = torch.cat(parts).cpu().numpy()
    full, read = bool(read[0]), read[1:]
    old = new = None
    if refresh is not None:
        at, read = read[: refresh.count], read[refresh.count :]
        keep, read = _kept_of(refresh, read)
        old = _refreshed(fields, capacity, refresh, at, keep)
    if add is not None:
        keep, _ = _kept_of(add, read)
        new = _taken(fields, add, np.flatnonzero(keep))
        if new.count > capacity:
            raise InputError(
                "More new items than the cache has rows", expected=f"at most {capacity}", got=new.count,
                hint="Make the cache larger, or mask some items",
            )  # fmt: skip
    return old, new, full


def _kept_of(asked: Asked, read: Array) -> tuple[Array, Array]:
    """Which rows are unmasked, and what is left of what was read."""
    if asked.mask is None:
        return np.ones(asked.count, np.bool_), read
    return read[: asked.count].astype(np.bool_), read[asked.count :]


def _refreshed(fields: Mapping[str, Field], capacity: int, asked: Asked, at: Array, keep: Array) -> Rows:
    chosen = np.flatnonzero(keep)
    meant = at[chosen]
    if len(meant) and (meant.min() < 0 or meant.max() >= capacity):
        raise InputError(
            "refresh_rows that are not masked lie outside the cache", expected=f"0 to {capacity - 1}",
            got=f"{meant.min()} to {meant.max()}",
        )  # fmt: skip
    _, last = np.unique(meant[::-1], return_index=True)
    chosen = np.sort(chosen[::-1][last])
    rows = _taken(fields, asked, chosen)
    assert asked.at is not None
    return Rows(rows.data, rows.count, torch.from_numpy(at[chosen]).to(asked.at.device))


def _taken(fields: Mapping[str, Field], asked: Asked, chosen: Array) -> Rows:
    device = next(iter(asked.data.values())).device
    at = None if len(chosen) == asked.count else torch.from_numpy(chosen).to(device)
    data = {
        name: _converted(name, value if at is None else value[at], fields[name].dtype)
        for name, value in asked.data.items()
    }
    return Rows(data, len(chosen))


def _names(given: Any) -> str:
    return ", ".join(map(repr, given)) if isinstance(given, Mapping) else f"a {type(given).__name__}"


def _integral(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)


def _values(
    fields: Mapping[str, Field], device: torch.device, given: Mapping[str, Any]
) -> tuple[dict[str, Tensor], int]:
    values: dict[str, Tensor] = {}
    for name, value in given.items():
        tensor = torch.as_tensor(value, device=device).detach()
        shape = fields[name].shape
        if tensor.dim() != len(shape) + 1 or tensor.shape[1:] != shape:
            expected = f"(m, {', '.join(map(str, shape))})" if shape else "(m,)"
            raise InputError(f"Rows of {name!r} have the wrong shape", expected=expected, got=tuple(tensor.shape))
        values[name] = tensor
    counts = {name: len(value) for name, value in values.items()}
    if len(set(counts.values())) != 1:
        raise InputError("The fields differ in their number of rows", expected="as many in each", got=counts)
    return values, next(iter(counts.values()))


def _mask(name: str, mask: Any, count: int, device: torch.device) -> Tensor | None:
    if mask is None:
        return None
    out = torch.as_tensor(mask, device=device)
    if out.shape != (count,) or (out.dtype != torch.bool and count):
        raise InputError(f"Wrong {name}", expected=f"({count},) booleans", got=f"{tuple(out.shape)} {out.dtype}")
    return out.bool()


def _converted(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.numel() or torch.promote_types(value.dtype, dtype) == dtype:
        return value.to(dtype)
    if not torch.can_cast(value.dtype, dtype):
        raise InputError(f"Rows of {name!r} have the wrong type", expected=str(dtype), got=value.dtype)
    out = value.to(dtype)
    exact = not value.is_floating_point() and not value.is_complex()
    lost = (out.to(value.dtype) != value) if exact else (out.isfinite() != value.isfinite())
    if bool(lost.any()):
        raise InputError(
            f"Rows of {name!r} do not fit into {dtype}", expected=f"numbers that {dtype} holds", got=value.dtype,
            hint=f'Declare the field with a wider type: fields={{"{name}": (shape, dtype)}}',
        )  # fmt: skip
    return out
