"""Answers that name their items, brought to them: frames, series and mappings are aligned by id, never by luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.answers import to_array
from emb_opt_widgets.errors import FunctionError
from emb_opt_widgets.tables import Frame, frame_of

__all__ = ["aligned", "answered", "names_items"]


def names_items(value: Any) -> bool:
    """Whether an answer may say which value is whose: a frame, a series, a mapping."""
    return isinstance(value, Mapping) or frame_of(value) is not None


def aligned(value: Any, ids: npt.NDArray[Any], name: str = "score") -> Any:
    """What a function answered for these items, in their order.

    A series, or a frame of one column (or with a column of that `name`), is brought into it by its index, or by its
    column `id`; a mapping by its keys, or it holds columns, one of them of that `name`. One whose index
    says nothing (0, 1, 2, … beside other ids) is taken as it stands. Anything else comes back as it is.

    Args:
        value: The answer.
        ids: `(n,)` of the items asked about.
        name: Of the column.

    Raises:
        FunctionError: Its index names other items, or could be meant both ways.
    """
    frame = frame_of(value)
    if frame is None:
        return _of_mapping(value, ids.tolist(), name) if isinstance(value, Mapping) else value
    order, column = _order(frame, ids, name), _column(frame, name)
    return column if order is None else [column[at] for at in order]


def answered(value: Any, ids: npt.NDArray[Any], name: str = "score") -> Any:
    """As `aligned`; of a frame the other columns too, as what was answered beside each value (`cost`, …).

    Raises:
        FunctionError: As in `aligned`.
    """
    frame, values = frame_of(value), aligned(value, ids, name)
    beside = [] if frame is None or name not in frame.columns else [c for c in frame.columns if c not in ("id", name)]
    if frame is None or not beside:
        return values
    order = _order(frame, ids, name)
    rows = range(len(values)) if order is None else order
    data = [{column: _plain(frame.columns[column][at]) for column in beside} for at in rows]
    return [one if isinstance(one, BaseException) else {name: one, "data": more} for one, more in zip(values, data)]


def _order(frame: Frame, ids: npt.NDArray[Any], name: str) -> list[int] | None:
    """The frame's rows in the order of the ids; None: as they stand."""
    labels = list(frame.columns["id"]) if "id" in frame.columns else frame.index
    if labels is None:
        return None
    place = {label: at for at, label in enumerate(labels)}
    wanted = ids.tolist()
    missing = [i for i in wanted if i not in place]
    if frame.plain and "id" not in frame.columns:
        if missing or labels == wanted:
            return None
        raise FunctionError(
            f"The {name}s stand in an order that can be meant both ways: 0, 1, 2, … are ids here",
            expected="a series with the items' ids as its index, or an array in the batch's order",
            got="a default index",
            hint=f"Return pd.Series({name}s, index=items.ids), or {name}s.to_numpy()",
        )
    if missing or len(place) < len(labels) or len(labels) != len(wanted):
        what = f"none for {missing[:5]}" if missing else f"{len(labels)} values, {len(place)} of them of distinct ids"
        raise FunctionError(
            f"The {name}s name other items", expected=f"one {name} for each of {len(wanted)} ids", got=what
        )
    return [place[i] for i in wanted]


def _of_mapping(value: Mapping[Any, Any], ids: list[int | str], name: str) -> Any:
    """Its values by id, or its column, with the others as data; a mapping that is neither as it is."""
    if value and len(value) == len(ids) and all(i in value for i in ids):
        return [value[i] for i in ids]
    columns = {key: to_array(column) for key, column in value.items()}
    if name not in columns or {_length(column) for column in columns.values()} != {len(ids)}:
        return value
    column = columns.pop(name)
    if not columns:
        return column
    return [{name: one, "data": {key: c[i] for key, c in columns.items()}} for i, one in enumerate(column)]


def _length(column: Any) -> int:
    """How many values a column has; -1: it is none."""
    if isinstance(column, (str, bytes, Mapping)):
        return -1
    try:
        return len(column)
    except TypeError:
        return -1


def _column(frame: Frame, name: str) -> Any:
    if frame.series:
        return frame.columns[""]
    values = [column for column in frame.columns if column != "id"]
    if name not in frame.columns and len(values) != 1:
        raise FunctionError(
            f"The frame has no column {name!r}", expected=f"a column named {name!r}", got=list(frame.columns)
        )
    return frame.columns[name if name in frame.columns else values[0]]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
