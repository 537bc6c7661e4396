"""Columns as people keep them: written as CSV, made into a DataFrame, read from the frames of other libraries.

Imports none of these libraries until it is given something of theirs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import is_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import FileError, InputError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Frame", "frame_of", "is_gap", "numbers", "to_frame", "values_of", "write_csv", "write_parquet", "writing"]

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
    return Frame({name: values_of(column) for name, column in columns}, value.index.tolist(), plain, series)


def values_of(column: Any) -> npt.NDArray[Any]:
    """The values of a pandas column; whole numbers with gaps keep their digits, None in the gaps."""
    nullable = getattr(getattr(column, "dtype", None), "numpy_dtype", np.dtype(float))
    if nullable.kind in "iu" and column.isna().any():
        return np.array([None if gap else value for value, gap in zip(column.tolist(), column.isna())], object)
    values: npt.NDArray[Any] = column.to_numpy()
    return values


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
            out[i] = np.nan if is_gap(value) else float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"The column {name!r} holds something else", expected="numbers", got=f"{value!r:.40}"
            ) from None
    return out


def is_gap(value: Any) -> bool:
    """Whether a value stands for one that is missing: None, pandas' NA and NaT, numpy's NaT and `masked`."""
    if value is None or type(value).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return True
    return isinstance(value, (np.datetime64, np.timedelta64)) and bool(np.isnat(value))


def to_frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns as a DataFrame; whole numbers beyond int64 as uint64, text that no file can hold escaped."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("to_pandas() needs pandas", hint="pip install pandas") from error
    return pd.DataFrame({_whole_text(name): _held(column) for name, column in columns.items()})


def _held(column: Any) -> Any:
    """A column as pandas can hold it."""
    if isinstance(column, np.ndarray) and column.dtype != object:
        return column
    values = [_whole_text(value) for value in column]
    if values and all(type(value) is int and 0 <= value < 2**64 for value in values):
        return np.array(values, np.uint64 if max(values) >= 2**63 else np.int64)
    return column if all(map(is_, values, column)) else values


def _whole_text(value: Any) -> Any:
    """Text with its lone surrogates escaped, within lists and mappings too; anything else as it is."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if type(value) in (list, tuple):
        return [_whole_text(one) for one in value]
    if type(value) is dict:
        return {_whole_text(key): _whole_text(one) for key, one in value.items()}
    return value


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Have what the disk refuses come out as an error of ours."""
    try:
        if "\0" in str(path):
            raise FileError("The path cannot be used", expected="a path without NUL", got=f"{str(path)!r:.80}")
        yield
    except OSError as error:
        if isinstance(error, FileError):
            raise
        why = error.strerror or str(error).rpartition("Detail: ")[2] or type(error).__name__
        raise FileError(
            f"{path!s:.200} cannot be written ({why:.200})", hint="Check its name, and that its folder exists"
        ) from error


def write_csv(columns: Mapping[str, Any], path: str | Path) -> None:
    """Write a CSV file, UTF-8. Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    with writing(path), open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow([_cell(name) for name in columns])
        for row in zip(*columns.values()):
            writer.writerow([_cell(value) for value in row])


def write_parquet(columns: Mapping[str, Any], path: str | Path) -> None:
    """Write a Parquet file. Dates stay dates; a column of several kinds becomes text."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError("to_parquet() needs pyarrow", hint="pip install pyarrow") from error
    table = pa.table({_whole_text(str(name)): _arrow(column) for name, column in columns.items()})
    with writing(path):
        pq.write_table(table, str(path))


def _arrow(column: Any) -> Any:
    import pyarrow as pa

    if isinstance(column, np.ndarray) and column.dtype.kind in "mM":
        values: Any = _stamps(column)
    elif isinstance(column, np.ndarray) and column.dtype.kind in "iufb" and column.ndim == 1:
        values = column
    else:
        values = [None if is_gap(v) else _whole_text(v) for v in column]
        kinds = {type(value) for value in values if value is not None}
        if kinds and kinds <= {np.datetime64, np.timedelta64} and len(kinds) == 1:
            values = _stamps(np.array([next(iter(kinds))("NaT") if v is None else v for v in values]))
        else:
            values = [v.tolist() if isinstance(v, (np.ndarray, np.generic)) else v for v in values]
    whole = isinstance(values, list) and all(v is None or type(v) is int for v in values)
    large = whole and any(v is not None and v >= 2**63 for v in values)
    try:
        array = pa.array(values, pa.uint64()) if large else pa.array(values)
        if _fits(array.type):
            return array
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    return pa.array([None if v is None else _whole_text(str(v)) for v in values])


def _fits(kind: Any) -> bool:
    """Whether Parquet has a place for it: it has none for a mapping without keys."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return _fits(kind.value_type)
    return not pa.types.is_struct(kind) or (kind.num_fields > 0 and all(_fits(field.type) for field in kind))


def _stamps(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Dates or durations in a unit that Parquet has; what does not fit its years stays in seconds."""
    unit = np.datetime_data(column.dtype)[0]
    if unit in ("s", "ms", "us", "ns") or (unit == "D" and column.dtype.kind == "M"):
        return column
    return column.astype(f"{column.dtype.kind}8[{'us' if unit in ('ps', 'fs', 'as') else 's'}]")


def _cell(value: Any) -> Any:
    if (
        value is None
        or isinstance(value, (int, float))
        or (isinstance(value, np.generic) and not isinstance(value, str))
    ):
        return 0.0 if isinstance(value, (float, np.floating)) and value == 0 else value  # and never "-0.0"
    text = str(value)
    return "'" + text if text.startswith(_FORMULA) else text
