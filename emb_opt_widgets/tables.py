"""Columns as people keep them: written as CSV, made into a DataFrame, read from the frames of other libraries.

Imports none of these libraries until it is given something of theirs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import FileError, InputError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Frame", "frame_of", "numbers", "to_frame", "write_csv", "writing"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A DataFrame or a Series of pandas or polars, or a table of pyarrow.

    Attributes:
        columns: By name; a series is one column of the name "".
        index: `(n,)` labels of the rows; None where the library has none.
        plain: The index is only 0, 1, 2, … as a library makes it where nobody named the rows.
        series: It is one.
    """

    columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]
    index: list[Any] | None = None
    plain: bool = False
    series: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def frame_of(value: Any) -> Frame | None:
    """A frame or series as columns; None where it is neither.

    Raises:
        InputError: Two of its columns have one name.
    """
    library, kind = type(value).__module__.split(".")[0], type(value).__name__
    if library == "pandas" and kind in ("DataFrame", "Series"):
        return _of_pandas(value, kind == "Series")
    if library == "polars" and kind in ("DataFrame", "Series"):
        return Frame({"": value.to_list()}, series=True) if kind == "Series" else Frame(value.to_dict(as_series=False))
    return Frame(value.to_pydict()) if library == "pyarrow" and kind == "Table" else None


def _of_pandas(value: Any, series: bool) -> Frame:
    plain = type(value.index).__name__ == "RangeIndex" and value.index.start == 0 and value.index.step == 1
    columns = [("", value)] if series else [(str(name), value.iloc[:, i]) for i, name in enumerate(value.columns)]
    names = [name for name, _ in columns]
    if len(set(names)) < len(names):
        raise InputError("Two columns of the frame have one name", expected="distinct names", got=names)
    return Frame({name: column.to_numpy() for name, column in columns}, value.index.tolist(), plain, series)


def numbers(column: Any, name: str) -> npt.NDArray[np.float64]:
    """A column as float64, NaN where a value is missing.

    Raises:
        InputError: A value is not a number.
    """
    try:
        return np.asarray(column, np.float64)
    except (TypeError, ValueError):
        pass
    out = np.empty(len(column))
    for i, value in enumerate(column):
        try:
            out[i] = np.nan if value is None or type(value).__name__ in ("NAType", "NaTType") else float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"The column {name!r} holds something else", expected="numbers", got=f"{value!r:.40}"
            ) from None
    return out


def to_frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns as a DataFrame."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("to_pandas() needs pandas", hint="pip install pandas") from error
    return pd.DataFrame(columns)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Have what the disk refuses come out as an error of ours."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{path} cannot be written ({error.strerror})", hint="Check that its folder exists") from error


def write_csv(columns: Mapping[str, Any], path: str | Path) -> None:
    """Write a CSV file, UTF-8. Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    with writing(path), open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow([_cell(name) for name in columns])
        for row in zip(*columns.values()):
            writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    if (
        value is None
        or isinstance(value, (int, float))
        or (isinstance(value, np.generic) and not isinstance(value, str))
    ):
        return 0.0 if isinstance(value, (float, np.floating)) and value == 0 else value  # and never "-0.0"
    text = str(value)
    return "'" + text if text.startswith(_FORMULA) else text
