"""Tables of other libraries as columns of pairs: pandas' frames and Hugging Face's datasets. Imports neither."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from emb_opt_widgets.errors import InputError

__all__ = ["as_column", "columns_of", "is_sentence_model", "rows_of_dataset", "side_by_side", "stream_of_dataset"]

_ROLES = {
    "query": ("query", "anchor", "question"),
    "document": ("document", "positive", "answer"),
    "id": ("id",), "negative_id": ("negative_id",), "weight": ("weight",),
}  # fmt: skip
_NEGATIVE = re.compile(r"negative(_?\d+)?")


def _of(module: str, name: str, value: Any) -> bool:
    """Whether a value is of a class of a library, if that is loaded at all."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def is_sentence_model(net: Any) -> bool:
    """Whether this is a `sentence_transformers.SentenceTransformer`."""
    return _of("sentence_transformers", "SentenceTransformer", net)


def columns_of(data: Any) -> dict[str, Any] | None:
    """All columns of a table under the names that a batch has, in memory; None where it is no table.

    Args:
        data: A `pandas.DataFrame`, a `datasets.Dataset`, or a mapping with such names (anchor, positive …).

    Raises:
        InputError: Its columns do not say what they are.
    """
    if _of("pandas", "DataFrame", data):
        return _gathered(_roles([str(name) for name in data.columns]), lambda name: as_column(data[name]))
    if _of("datasets", "Dataset", data):
        return _gathered(_roles(data.column_names), lambda name: as_column(data[name][:]))
    if isinstance(data, Mapping) and _foreign(data):
        return _gathered(_roles(list(data)), lambda name: data[name])
    return None


def _foreign(data: Mapping[str, Any]) -> bool:
    """Whether a mapping has pairs under the names that tables have, such as anchor and positive."""
    pairs = [set(_ROLES[role]) & set(data) for role in ("query", "document")]
    return all(pairs) and not {"query", "document"} <= set(data)


def rows_of_dataset(data: Any) -> tuple[int, Callable[[npt.NDArray[np.int64]], dict[str, Any]]] | None:
    """How many rows a `datasets.Dataset` has, and what reads some of them as columns; None where it is none."""
    if not _of("datasets", "Dataset", data):
        return None
    roles = _roles(data.column_names)

    def take(rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        read = data[rows.tolist()]
        return _gathered(roles, lambda name: as_column(read[name]))

    return len(data), take


def stream_of_dataset(data: Any, batch_size: int) -> Callable[[int], Iterable[Any]] | None:
    """The batches of each epoch of a `datasets.IterableDataset`; None where it is none."""
    if not _of("datasets", "IterableDataset", data):
        return None

    def epoch(number: int) -> Iterator[Any]:
        data.set_epoch(number)
        for read in data.iter(batch_size):
            columns: Mapping[str, Any] = read
            yield _gathered(_roles(list(columns)), lambda name: as_column(columns[name]))  # noqa: B023 - used at once

    return epoch


def as_column(value: Any) -> Any:
    """A column as a batch holds it: numbers as a tensor, text and what else as a list."""
    if isinstance(value, (torch.Tensor, Mapping, np.ndarray)):
        return value
    if _of("pandas", "Series", value):
        value = value.to_numpy()
        if value.dtype.kind in "fiub":
            return torch.from_numpy(np.array(value))
    value = list(value)
    if not value or not isinstance(value[0], (int, float, list, np.ndarray, np.number)):
        return value
    try:
        array = np.stack([np.asarray(row) for row in value])
    except ValueError:
        return value
    return torch.from_numpy(array) if array.dtype.kind in "fiub" else value


def _gathered(roles: Mapping[str, str | list[str]], read: Callable[[str], Any]) -> dict[str, Any]:
    """Columns by role; several negatives as one column of as many a row."""
    return {role: read(name) if isinstance(name, str) else side_by_side(list(map(read, name))) for role, name in
            roles.items()}  # fmt: skip


def side_by_side(columns: Sequence[Any]) -> Any:
    """Columns of one negative a query each as one of several a query."""
    if len(columns) == 1:
        return columns[0]
    if all(isinstance(column, (torch.Tensor, np.ndarray)) for column in columns):
        return torch.stack([torch.as_tensor(column) for column in columns], dim=1)
    return [list(row) for row in zip(*columns)]


def _roles(names: Sequence[str]) -> dict[str, str | list[str]]:
    """Which column is what."""
    out: dict[str, str | list[str]] = {}
    for role, known in _ROLES.items():
        found = [name for name in known if name in names]
        if len(found) > 1:
            raise InputError(f"Two columns of the table are a {role}", expected=f"one of {known}", got=found)
        if found:
            out[role] = found[0]
    negatives = [name for name in names if _NEGATIVE.fullmatch(name)]
    if negatives:
        out["negative"] = negatives
    used = {*negatives, *(name for name in out.values() if isinstance(name, str))}
    if not used and len(names) == 2:
        return {"query": names[0], "document": names[1]}
    left = [name for name in names if name not in used]
    if "query" not in out or "document" not in out or left:
        raise InputError(
            "The columns of the table do not say what they are",
            expected="query (or anchor, question), document (or positive, answer) and, if there, negative or "
            "negative_1 …, id, negative_id, weight; or just two columns",
            got=", ".join(names),
            hint="Rename these columns, and leave the others out",
        )
    return out
