"""Tables whose rows carry stamps, so that anybody who is behind can be told what changed since.

Knows nothing of searches, pages or messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import Columns

__all__ = ["Part", "Table"]

DTYPES: Mapping[str, np.dtype[Any]] = {kind: np.dtype(f"<{kind}") for kind in ("f8", "f4", "i4", "u1")}
_LEAST_LOG = 1024

Int64 = npt.NDArray[np.int64]
Column = npt.NDArray[Any] | list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of a table that changed after stamp `base`, oldest change first, up to stamp `to`.

    Attributes:
        base, to: Stamps. clock: The table's newest. length: The table's.
        rows: `(m,)` int64 row numbers.
        columns: Name to (column type, `(m,)` present values).
        nbytes: About what it weighs in a message.
    """

    base: int
    to: int
    clock: int
    length: int
    rows: Int64
    columns: Mapping[str, tuple[str, Column]]
    nbytes: int


class Table:
    """Columns of equal length; rows are appended or changed, never removed.

    Every change of a row gets the next number of the table's clock, its stamp, from 1. A log of (stamp, row), oldest
    first, tells what changed after any stamp; entries that a later change of their row outdated are dropped as soon
    as they are the more.

    Args:
        columns: Name to type: f8, f4, i4, u1 or json.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.columns = dict(columns)
        self.clock = 0
        kinds = {name: DTYPES[kind] for name, kind in columns.items() if kind != "json"}
        self._arrays = Columns({**{name: (dtype, ()) for name, dtype in kinds.items()}, " stamp": (np.int64, ())})
        self._lists: dict[str, list[Any]] = {name: [] for name, kind in columns.items() if kind == "json"}
        self._log = Columns({"stamp": (np.int64, ()), "row": (np.int64, ())})
        self._width = sum(dtype.itemsize for dtype in kinds.values())

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, name: str) -> Column:
        """A column: an array as a view, valid until the next `append`; a json column as its list. Not to be written."""
        return self._lists[name] if name in self._lists else self._arrays[name]

    @property
    def nbytes(self) -> int:
        """Bytes allocated for numbers."""
        return self._arrays.nbytes + self._log.nbytes

    def append(self, n: int, **columns: Any) -> None:
        """Append `n` rows.

        Args:
            n: How many.
            columns: Every column: `(n,)` values, or for numbers one value for all rows.
        """
        if not n:
            return
        first = len(self)
        stamps = np.arange(self.clock + 1, self.clock + n + 1)
        self._arrays.extend(n, **{name: columns[name] for name in self.columns if name not in self._lists},
                            **{" stamp": stamps})  # fmt: skip
        for name, values in self._lists.items():
            values.extend(columns[name])
        self._note(np.arange(first, first + n), stamps)

    def change(self, rows: npt.NDArray[Any] | Sequence[int], **columns: Any) -> None:
        """Change rows.

        Args:
            rows: `(m,)` row numbers; where one occurs twice its last values stand.
            columns: Those that change: `(m,)` values, or for numbers one value for all.
        """
        where = np.asarray(rows, np.int64)
        if not len(where):
            return
        stamps = np.arange(self.clock + 1, self.clock + len(where) + 1)
        for name, values in columns.items():
            if name in self._lists:
                column = self._lists[name]
                for row, value in zip(where.tolist(), values):
                    column[row] = value
            else:
                self._arrays[name][where] = values
        self._arrays[" stamp"][where] = stamps
        self._note(where, stamps)

    def _note(self, rows: Int64, stamps: Int64) -> None:
        self.clock = int(stamps[-1])
        self._log.extend(len(rows), stamp=stamps, row=rows)
        if len(self._log) > max(_LEAST_LOG, 2 * len(self)):
            live = self._live(0, len(self._log))
            kept = Columns({"stamp": (np.int64, ()), "row": (np.int64, ())})
            kept.extend(len(live), stamp=self._log["stamp"][live], row=self._log["row"][live])
            self._log = kept

    def _live(self, start: int, stop: int) -> Int64:
        """Places of the log, from `start` to `stop`, that no later change outdates."""
        stamps, rows = self._log["stamp"][start:stop], self._log["row"][start:stop]
        return np.flatnonzero(self._arrays[" stamp"][rows] == stamps) + start

    def behind(self, base: int) -> bool:
        """Whether anything changed after stamp `base`."""
        return base < self.clock

    def part(self, base: int, max_bytes: int) -> Part:
        """What changed after stamp `base`, as far as it fits, and at least one row.

        Args:
            base: A stamp, from 0.
            max_bytes: About how much the part may weigh.
        """
        start = int(np.searchsorted(self._log["stamp"], base, side="right"))
        wanted = max(1, max_bytes // (self._width + 4))
        places, stop, end = np.empty(0, np.int64), start, len(self._log)
        while len(places) < wanted and stop < end:
            more = min(end, stop + max(wanted - len(places), _LEAST_LOG))
            places = np.concatenate([places, self._live(stop, more)])
            stop = more
        whole = stop == end and len(places) <= wanted
        places = places[:wanted]
        rows = self._log["row"][places]
        columns, fitting, weight = self._taken(rows, max_bytes)
        if fitting < len(rows):
            whole, rows, places = False, rows[:fitting], places[:fitting]
        to = self.clock if whole else int(self._log["stamp"][places[-1]])
        return Part(base, to, self.clock, len(self), rows, columns, weight)

    def _taken(self, rows: Int64, max_bytes: int) -> tuple[dict[str, tuple[str, Column]], int, int]:
        """Values at these rows, for as many as fit; how many these are, and what they weigh."""
        n, weight = len(rows), len(rows) * (self._width + 4)
        lists = {name: [column[row] for row in rows.tolist()] for name, column in self._lists.items()}
        if lists:
            each = np.full(n, self._width + 4)
            for values in lists.values():
                each += [len(json.dumps(value)) + 1 for value in values]
            running = np.cumsum(each)
            n = max(min(n, 1), int(np.searchsorted(running, max_bytes, side="right")))
            weight = int(running[n - 1]) if n else 0
        out: dict[str, tuple[str, Column]] = {}
        for name, kind in self.columns.items():
            out[name] = (kind, lists[name][:n] if name in lists else self._arrays[name][rows[:n]])
        return out, n, weight
