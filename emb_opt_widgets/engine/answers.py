"""What a user's filter or score function answered, read into columns.

Accepts an array-like of numbers, or one response for each item: an object or mapping with `valid`, and
`score` and `data` where they apply (the reference library's `FilterResponse` and `ScoreResponse`). An exception may
stand in place of an item's value, as `asyncio.gather(…, return_exceptions=True)` leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import FunctionError, describe_error
from emb_opt_widgets.tables import is_gap

__all__ = ["SCORE_NOT_FINITE", "Answer", "read_filter", "read_scores", "to_array"]

FILTER_INVALID = "filter response invalid"
SCORE_INVALID = "score response invalid"
SCORE_NULL = "null score"
SCORE_NOT_FINITE = "non-finite score"
_NO_BATCH = (str, bytes, bytearray, set, frozenset, Mapping)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One batch's answer.

    Attributes:
        values: `(n,)` float64 scores (NaN: none), or bool verdicts.
        reasons: Place in the batch, as text, to why it has no score or is filtered out.
        data: What else was answered, one mapping or None for each item; None when nothing was.
        errors: Place in the batch to the exception that was answered instead of a value.
    """

    values: npt.NDArray[Any]
    reasons: Mapping[str, str]
    data: Sequence[Mapping[str, Any] | None] | None = None
    errors: Mapping[int, BaseException] = field(default_factory=dict)

    def take(self, places: npt.NDArray[np.intp]) -> Answer:
        """What was answered at these places, which have no errors."""
        reasons = {str(i): self.reasons[str(at)] for i, at in enumerate(places.tolist()) if str(at) in self.reasons}
        return Answer(self.values[places], reasons, None if self.data is None else [self.data[at] for at in places])

    def in_words(self, name: str) -> Answer:
        """With the exceptions as reasons, for answers that nobody could be asked for again."""
        told = {str(at): f"{name} failed: {describe_error(error)}" for at, error in self.errors.items()}
        return Answer(self.values, {**self.reasons, **told}, self.data)


def to_array(value: Any) -> Any:
    """A torch tensor, on whatever device, as numpy; anything else as it is."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        return value.float().numpy() if str(value.dtype) == "torch.bfloat16" else value.numpy()
    return value


def _rows(value: Any, n: int, name: str, wanted: str) -> list[Any] | npt.NDArray[Any]:
    value = to_array(value)
    if isinstance(value, np.ma.MaskedArray):
        value = _unmasked(value)
    elif isinstance(value, Iterable) and not hasattr(value, "__array__") and not isinstance(value, _NO_BATCH):
        value = value if isinstance(value, Sequence) else _listed(value, n, name, wanted)
    if not isinstance(value, (list, tuple)):
        value = _array(value, name, wanted)
    if len(value) != n:
        raise _wrong(name, wanted, f"{len(value)} values")
    return list(value) if isinstance(value, tuple) else value


def _listed(value: Iterable[Any], n: int, name: str, wanted: str) -> list[Any]:
    """What can only be gone through, which may have no end."""
    out = list(islice(value, n + 1))
    if len(out) > n:
        raise _wrong(name, wanted, f"a {type(value).__name__} of more than {n} values")
    return out


def _unmasked(value: Any) -> Any:
    """A masked array with None where it is masked; one that masks nothing as an array."""
    if value.ndim == 2 and value.shape[1] == 1:
        value = value[:, 0]
    return np.asarray(value) if value.ndim != 1 or not np.ma.getmaskarray(value).any() else value.tolist()


def _array(value: Any, name: str, wanted: str) -> npt.NDArray[Any]:
    """What is neither a list nor a tuple, as one column."""
    if isinstance(value, _NO_BATCH):
        raise _wrong(name, wanted, _named(value))
    try:
        array = np.asarray(value)
    except Exception as error:
        raise _wrong(name, wanted, type(value).__name__) from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind == "c":
        raise _wrong(name, wanted, "complex numbers")
    if array.dtype.kind in "mM":
        raise _wrong(name, wanted, f"dates ({array.dtype})")
    if array.ndim != 1:
        plain = array.ndim == 0 and array.dtype == object
        raise _wrong(name, wanted, _named(value) if plain else f"an array of shape {array.shape}")
    return array


def _named(value: Any) -> str:
    """What came instead of a batch, in words."""
    if value is None:
        return "None"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with the keys {', '.join(f'{key!r:.20}' for key in islice(value, 5))}"
    if isinstance(value, (set, frozenset)):
        return f"a {type(value).__name__}, which has no order"
    return _kind(value)


def _wrong(name: str, wanted: str, got: str) -> FunctionError:
    return FunctionError(
        f"The {name} function returned the wrong thing",
        expected=wanted,
        got=got,
        hint="Return one value for each item of the batch, in the batch's order",
    )


def _kind(value: Any) -> str:
    """A value by its type and the beginning of its text, where it has one."""
    try:
        return f"a {type(value).__name__} ({value!r:.40})"
    except Exception:
        return f"a {type(value).__name__}"


def _is_response(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "valid")


def _field(response: Any, field: str) -> Any:
    if isinstance(response, Mapping):
        return response.get(field)
    return getattr(response, field, None)


def _valid(response: Any) -> bool:
    """Whether a response says valid; one that says nothing of it is."""
    if isinstance(response, Mapping) and "valid" not in response:
        return True
    return bool(_field(response, "valid"))


def _number(value: Any, name: str, wanted: str) -> float:
    value = to_array(value)
    if is_gap(value):
        return float("nan")
    if isinstance(value, (str, bytes, complex, np.datetime64, np.timedelta64)):
        raise _wrong(name, wanted, _kind(value))
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    except (TypeError, ValueError) as error:
        raise _wrong(name, wanted, _kind(value)) from error


def read_scores(value: Any, n: int) -> Answer:
    """Scores of `n` items.

    Raises:
        FunctionError: Not one score for each item.
    """
    wanted = f"{n} scores (numbers, None, or score responses)"
    rows = _rows(value, n, "score", wanted)
    reasons: dict[str, str] = {}
    errors: dict[int, BaseException] = {}
    data: list[Mapping[str, Any] | None] | None = None
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "fiub":
        values = rows.astype(np.float64)
    else:
        values = np.empty(n, np.float64)
        for i, row in enumerate(rows):
            if isinstance(row, BaseException):
                values[i], errors[i] = np.nan, row
                continue
            if is_gap(row) or not _is_response(row):
                values[i] = _number(row, "score", wanted)
                if is_gap(row):
                    reasons[str(i)] = SCORE_NULL
                continue
            score = _field(row, "score")
            values[i] = _number(score, "score", wanted)
            if not _valid(row):
                values[i], reasons[str(i)] = np.nan, SCORE_INVALID
            elif is_gap(score):
                reasons[str(i)] = SCORE_NULL
            if extra := _field(row, "data"):
                data = data or [None] * n
                data[i] = dict(extra)
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        if i not in errors:
            reasons.setdefault(str(i), f"{SCORE_NOT_FINITE} ({values[i]})")
    return Answer(np.where(np.isfinite(values), values, np.nan), reasons, data, errors)


def read_filter(value: Any, n: int, name: str = "filter") -> Answer:
    """Verdicts on `n` items (or queries, of the prune function).

    Raises:
        FunctionError: Not one verdict for each item.
    """
    wanted = f"{n} verdicts (True or False, or {name} responses)"
    rows = _rows(value, n, name, wanted)
    errors: dict[int, BaseException] = {}
    data: list[Mapping[str, Any] | None] | None = None
    if isinstance(rows, np.ndarray) and rows.dtype == np.bool_:
        values = rows
    else:
        values = np.empty(n, np.bool_)
        for i, row in enumerate(rows):
            if isinstance(row, BaseException):
                values[i], errors[i] = False, row
            elif row is not None and _is_response(row):
                values[i] = _valid(row)
                if extra := _field(row, "data"):
                    data = data or [None] * n
                    data[i] = dict(extra)
            elif isinstance(row, (bool, np.bool_)) or (isinstance(row, (int, np.integer)) and row in (0, 1)):
                values[i] = bool(row)
            else:
                raise _wrong(name, wanted, _kind(row))
    reasons = {str(i): FILTER_INVALID for i in np.flatnonzero(~values)}
    return Answer(values, reasons, data, errors)
