"""Scores from elsewhere, as people bring them: ids and scores, items, frames, series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.alignment import aligned
from emb_opt_widgets.engine.answers import SCORE_NOT_FINITE, Answer, read_scores, to_array
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.errors import FunctionError, InputError
from emb_opt_widgets.tables import Frame, frame_of, is_gap, numbers

__all__ = ["PROPOSED", "Told", "read_told"]

PROPOSED = ("predicted", "deviation", "operator", "reason")
"""What `ask` writes beside its items; it is not kept when it comes back."""
_EXACT = 2.0**53
"""Beyond it a float does not tell neighbouring whole numbers apart."""
_INFINITE = tuple(f"{SCORE_NOT_FINITE} ({sign}inf)" for sign in ("", "-"))
_NOT_DATA = ("score", "noise", "item", *PROPOSED)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Scores from elsewhere.

    Attributes:
        ids: `(n,)` distinct. answer: Their scores, with what came beside them.
        noise: `(n,)` standard deviations, NaN where unknown; None where nothing tells.
        cost: `(n,)`, or None where nothing tells.
    """

    ids: npt.NDArray[Any]
    answer: Answer
    noise: npt.NDArray[np.float64] | None = None
    cost: npt.NDArray[np.float64] | None = None


def read_told(items: Any, scores: Any, noise: Any, id_name: str | None = None) -> Told:
    """What a person told, checked: as many scores as items, every item once, noise of at least 0.

    Args:
        items: `Items`, an `Item`, ids; or a frame or series that holds the scores too.
        scores: As a score function returns them; None where `items` holds them.
        noise: One number, or one each; None: what the frame says.
        id_name: The source's own name for its ids.

    Raises:
        InputError: None of these.
    """
    frame = frame_of(items)
    if frame is None:
        if scores is None:
            raise InputError("The scores are missing", expected="tell(items, scores), or a frame", got="no scores")
        return _told(_ids(items), _single(items), scores, noise)
    ids, used = _ids_of(frame, id_name)
    if scores is not None:
        return _told(ids, False, scores, noise)
    if not frame.series and "score" not in frame.columns:
        raise InputError("The frame has no scores", expected="a column named 'score'", got=list(frame.columns))
    values = numbers(frame.columns["" if frame.series else "score"], "score")
    names = [name for name in frame.columns if name not in (used, "", *_NOT_DATA)]
    data = [{name: _plain(frame.columns[name][i]) for name in names} for i in range(len(ids))] if names else None
    own = None if "noise" not in frame.columns else numbers(frame.columns["noise"], "noise")
    cost = None if "cost" not in frame.columns else numbers(frame.columns["cost"], "cost")
    told = _told(ids, False, values, own if noise is None else noise)
    if cost is not None and ((cost < 0) | np.isinf(cost)).any():
        raise InputError("A cost is not usable", expected="finite numbers of at least 0", got=_first(cost, ids))
    return Told(ids, Answer(told.answer.values, told.answer.reasons, data), told.noise, cost)


def _told(ids: npt.NDArray[Any], single: bool, scores: Any, noise: Any) -> Told:
    if len(set(ids.tolist())) < len(ids):
        twice = [i for i, n in zip(*np.unique(ids.astype(str), return_counts=True)) if n > 1]
        raise InputError(
            "An item is told twice in one call",
            expected="distinct ids",
            got=f"more than once: {', '.join(twice[:5])}",
            hint="Tell each measurement of an item by a call of its own, or their mean",
        )
    alone = single and (np.ndim(scores) == 0 or isinstance(scores, Mapping))
    try:
        answer = read_scores(_aligned([scores] if alone else scores, ids, "score"), len(ids)).in_words("score")
    except FunctionError as error:
        hint = "Give one score for each item, in their order, or a series with their ids as its index"
        raise InputError("The scores told cannot be used", expected=error.expected, got=error.got, hint=hint) from None
    for at, reason in answer.reasons.items():
        if reason in _INFINITE:
            raise InputError(
                "A score told is not finite",
                expected="numbers, and NaN or None where a measurement failed",
                got=f"{reason.removeprefix(SCORE_NOT_FINITE).strip(' ()')} for item {ids.tolist()[int(at)]!r}",
            )
    return Told(ids, answer, None if noise is None else _noise(noise, ids))


def _aligned(told: Any, ids: npt.NDArray[Any], name: str) -> Any:
    try:
        return aligned(told, ids, name)
    except FunctionError as error:
        raise InputError(str(error)) from None


def _noise(noise: Any, ids: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    n = len(ids)
    values = np.full(n, float(noise)) if isinstance(noise, (int, float, np.number)) else None
    if values is None:
        values = numbers(to_array(_aligned(noise, ids, "noise")), "noise")
    if values.shape != (n,):
        raise InputError("The noise told cannot be used", expected=f"one number, or {n}", got=f"shape {values.shape}")
    if (values < 0).any() or np.isinf(values).any():
        raise InputError(
            "A noise is not usable",
            expected="standard deviations of at least 0 (NaN: unknown)",
            got=_first(values, ids),
        )
    return values


def _first(values: npt.NDArray[np.float64], ids: npt.NDArray[Any]) -> str:
    at = int(np.flatnonzero((values < 0) | np.isinf(values))[0])
    return f"{values[at]:g} for item {ids.tolist()[at]!r}"


def _single(items: Any) -> bool:
    return np.ndim(items) == 0 and not isinstance(items, Items)


def _ids(items: Any) -> npt.NDArray[Any]:
    if isinstance(items, Items):
        return items.ids
    return as_ids([getattr(i, "id", i) for i in ([items] if _single(items) else items)])


def _ids_of(frame: Frame, id_name: str | None) -> tuple[npt.NDArray[Any], str | None]:
    """The ids that a frame names, and the column they stand in (None: its index)."""
    for name in (id_name, "id"):
        if name is not None and not frame.series and name in frame.columns:
            return as_ids(_whole(np.asarray(frame.columns[name], object).tolist(), name)), name
    if frame.index is None or frame.plain:
        raise InputError(
            "The frame does not name its items",
            expected=f"a column {id_name or 'id'!r}, or the ids as its index",
            got="a series without an index" if frame.series else list(frame.columns),
            hint="frame.set_index(…), or pd.Series(scores, index=items.ids)",
        )
    return as_ids(_whole(frame.index, "index")), None


def _whole(ids: list[Any], name: str) -> list[Any]:
    """Ids of a frame, with whole numbers that a column of floats made of them as such again."""
    out: list[Any] = []
    for at, one in enumerate(ids):
        is_float = isinstance(one, (float, np.floating))
        if is_gap(one) or (is_float and not (abs(one) <= _EXACT and one == int(one))):
            raise InputError(
                f"Row {at} of the frame does not name an item",
                expected=f"an id in {name!r}",
                got="nothing" if is_gap(one) or one != one else f"{one!r}",
                hint="Leave out rows without an id: frame.dropna(subset=[…])",
            )
        out.append(int(one) if is_float else one)
    return out


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
