"""A search's file and the source it is opened with: is every item that was measured still there, with the same vector?

The file keeps a print of each measured item's vector beside what it stands for. So a library that grew, or whose order
changed, is the same library; what vanished or stands for something else now is named.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import ItemStatus
from emb_opt_widgets.errors import DamagedFileError, FunctionError, InputError

__all__ = ["LenientVectors", "check_dim", "prints_of", "reconciled", "sealed"]

_MAY_CHANGE = ("size", "head", "part")
_GONE = "no longer in the source"
_CHANGED = "its vector is another now"


class Payloads(Protocol):
    """What keeps values of items by row."""

    def payload(self, rows: Sequence[int]) -> dict[int, Any]: ...


def sealed(row: int, print_: str) -> str:
    """A print with a check of its own, as the file keeps it."""
    return f"{print_}{zlib.crc32(f'{row} {print_}'.encode()) & 0xFFFF:04x}"


def prints_of(vectors: npt.NDArray[Any]) -> list[str]:
    """16 hexadecimal digits of each vector's content; `(n,)` of `(n, d)`."""
    lines = np.ascontiguousarray(vectors)
    lines = lines.astype(lines.dtype.newbyteorder("<"), copy=False)
    return [hashlib.blake2b(line.tobytes(), digest_size=8).hexdigest() for line in lines]


class LenientVectors:
    """Vectors by id, zeros where the source does not have an item any more.

    Args:
        source: Where they come from.

    Attributes:
        gone: Ids that it does not have.
    """

    def __init__(self, source: BoundSource) -> None:
        self._source = source
        self.gone: set[int | str] = set()

    def __call__(self, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`(n, d)`."""
        try:
            return self._source.vectors(ids)
        except (InputError, FunctionError) as error:
            unknown = isinstance(error, InputError) or isinstance(error.__cause__, LookupError)
            if self._source.dim is None or not unknown:
                raise
        if len(ids) == 1:
            self.gone.add(ids.tolist()[0])
            return np.zeros((1, self._source.dim), self._source.dtype)
        half = len(ids) // 2
        return np.concatenate([self(ids[:half]), self(ids[half:])])


def check_dim(was: Mapping[str, Any], source: BoundSource) -> None:
    """Raise `InputError` where the source cannot be the one of a file: its vectors have another form."""
    now = {"dim": source.dim, "dtype": source.dtype.name}
    differing = [key for key in ("dim", "dtype") if key in was and was[key] != now[key] and source.size is not None]
    if differing:
        raise _another(was, now, differing)


def reconciled(
    state: State, kept: Payloads, source: BoundSource, gone: set[int | str], drop_missing: bool
) -> ev.SourceChanged | None:
    """What is to be said of the source now; None where it is the same.

    Args:
        state: The fold of the file.
        kept: The file.
        source: What it is opened with.
        gone: Ids that it does not have.
        drop_missing: Whether scores of items that vanished or changed may be dropped.

    Raises:
        InputError: It is another source, or a score's item is missing or another one, without consent.
    """
    now = source.fingerprint()
    differing = [key for key in state.source if state.source[key] != now.get(key)]
    if source.size is None:
        differing = [key for key in differing if key != "dim"]
    measured = _measured(state)
    prints = _prints(kept, measured) if source.size is not None else {}
    hard = [key for key in differing if key not in _MAY_CHANGE]
    unknown = len(prints) < len(measured) or (not len(measured) and "head" in differing)
    if hard or (differing and unknown):
        raise _another(state.source, now, differing)
    ids = state.ids.take(np.arange(len(state.ids))).tolist() if gone else []
    missing = np.array([row for row, item_id in enumerate(ids) if item_id in gone], np.intp)
    if len(missing):
        missing = missing[state.items["status"][missing] != ItemStatus.DROPPED]
    changed = _changed(state, prints, set(missing.tolist()))
    lost = missing[np.isin(missing, measured)]
    if (len(lost) or len(changed)) and not drop_missing:
        raise _missing(state, lost, changed)
    if not differing and not len(missing) and not len(changed):
        return None
    reasons = [_GONE] * len(missing) + [_CHANGED] * len(changed)
    return ev.SourceChanged(now, np.concatenate([missing, changed]).astype(np.int32), reasons)


def _measured(state: State) -> npt.NDArray[np.int64]:
    if not len(state.items):
        return np.empty(0, np.int64)
    return np.flatnonzero((state.items["call"] >= 0) & (state.items["status"] != ItemStatus.DROPPED))


def _prints(kept: Payloads, rows: npt.NDArray[np.int64]) -> dict[int, str]:
    values = kept.payload(rows.tolist())
    whole = {row: value for row, value in values.items() if isinstance(value, list) and len(value) > 2}
    for row, value in whole.items():
        if value[2] != sealed(row, str(value[2])[:16]):
            raise DamagedFileError("The print of an item's vector is damaged", hint="Restore a copy")
    return {row: value[2][:16] for row, value in whole.items()}


def _changed(state: State, prints: Mapping[int, str], missing: set[int]) -> npt.NDArray[np.int64]:
    rows = np.array([row for row in prints if row not in missing], np.int64)
    if not len(rows):
        return rows
    now = prints_of(state.items["embedding"][rows])
    other = np.array([prints[row] != one for row, one in zip(rows.tolist(), now)], np.bool_)
    out: npt.NDArray[np.int64] = rows[other]
    return out


def _missing(state: State, lost: npt.NDArray[Any], changed: npt.NDArray[Any]) -> InputError:
    def named(rows: npt.NDArray[Any]) -> str:
        return ", ".join(repr(i) for i in state.ids.take(rows[:5]).tolist()) + (", …" if len(rows) > 5 else "")

    parts = [
        f"{len(rows)} {what} ({named(rows)})"
        for rows, what in ((lost, "are gone"), (changed, "have another vector"))
        if len(rows)
    ]
    return InputError(
        "This is not the source that the search was made with: items that were scored are not in it as they were",
        expected="each under its id, with its vector",
        got=f"of {len(_measured(state))} scored: {'; '.join(parts)}",
        hint="Pass the right source, or load(…, drop_missing=True) to go on without their scores",
    )


def _another(was: Mapping[str, Any], now: Mapping[str, Any], differing: Sequence[str]) -> InputError:
    return InputError(
        "This is not the source that the search was made with",
        expected=", ".join(f"{key} {was[key]}" for key in differing),
        got=", ".join(f"{key} {now.get(key)}" for key in differing),
        hint="Pass the same source; item ids and vectors must not change",
    )
