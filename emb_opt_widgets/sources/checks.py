"""The checks that every source makes of what it is asked. Knows nothing of any backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError

__all__ = ["check_batch", "check_k", "check_queries", "unknown_id"]


def check_queries(queries: Any, dim: int | None, dtype: Any) -> npt.NDArray[Any]:
    """Query vectors as a C-contiguous `(q, d)` array of the source's dtype.

    Raises:
        InputError: Not `(q, dim)`, not numbers, or not finite.
    """
    try:
        array = np.ascontiguousarray(queries, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InputError(
            "The queries are not numbers", expected="an array (q, d)", got=f"{type(queries).__name__} ({error})"
        ) from error
    width = "d" if dim is None else str(dim)
    if np.ndim(queries) != 2 or (dim is not None and array.shape[1] != dim):
        raise InputError(
            "The queries have the wrong shape",
            expected=f"(q, {width}), one row for each query",
            got=np.shape(queries),
            hint="A single vector v is v[None]; its length is that of the source's vectors",
        )
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(
            "A query vector is not finite",
            expected=f"finite {np.dtype(dtype).name} numbers",
            got=f"NaN or infinity in query {row}",
        )
    return array


def check_k(k: Any) -> int:
    """`k` as an int of at least 1."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InputError("k is the number of hits per query", expected="an integer of at least 1", got=repr(k))
    return int(k)


def check_batch(batch: Any) -> int:
    """The batch size of a scan as an int of at least 1."""
    if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)) or batch < 1:
        raise InputError("batch is the number of items at a time", expected="an integer of at least 1", got=repr(batch))
    return int(batch)


def unknown_id(wanted: Any, n: int, example: Any) -> InputError:
    """The error for an id that a source does not have."""
    return InputError(
        f"The source has no item with the id {wanted!r:.80}",
        expected=f"one of its {n} ids (the first is {example!r:.80})",
        got=f"{wanted!r:.80} ({type(wanted).__name__})",
        hint="An integer and its text are different ids; ids are as the source was given them",
    )
