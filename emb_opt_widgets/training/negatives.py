"""Several negatives a query, as further candidates: told from one a query by what the documents look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from emb_opt_widgets.errors import InputError

__all__ = ["flat_ids", "flat_negatives"]


def flat_negatives(negatives: Any, documents: Any, what: str = "negative") -> Any:
    """A batch's negatives one after the other, those of query 0 first.

    Args:
        negatives: `(K, …)` like the documents, or `(B, n, …)`, n for each query; lists of lists where documents are a
            list; a mapping of these where documents are one.
        documents: `(B, …)`. what: The column's name, for the error.

    Returns:
        `(K, …)` or `(B · n, …)`.

    Raises:
        InputError: They are not like the documents.
    """
    if isinstance(documents, Mapping):
        if not isinstance(negatives, Mapping) or set(negatives) != set(documents):
            got = sorted(map(str, negatives)) if isinstance(negatives, Mapping) else type(negatives).__name__
            raise InputError(
                f"The {what} has other parts than the documents", expected=", ".join(map(str, documents)), got=got
            )
        return {key: flat_negatives(negatives[key], documents[key], f"{what}[{key!r}]") for key in documents}
    if isinstance(documents, torch.Tensor):
        return _flat_tensor(negatives, documents, what)
    rows = list(negatives) if isinstance(negatives, (list, tuple, np.ndarray)) else None
    if rows is None or not rows:
        raise InputError(
            f"The {what} is not like the documents", expected="a list", got=type(negatives).__name__ if rows is None
            else "an empty one",
        )  # fmt: skip
    several = [isinstance(row, (list, tuple)) and not isinstance(documents[0], (list, tuple)) for row in rows]
    if any(several) and not all(several):
        raise InputError(f"Some rows of the {what} are lists and some are not", expected="all of them, or none")
    if not any(several):
        return rows
    sizes = sorted({len(row) for row in rows})
    if len(sizes) > 1:
        got = ", ".join(map(str, sizes))
        raise InputError(f"Queries have different numbers of {what}s", expected="as many for each", got=got)
    return [one for row in rows for one in row]


def _flat_tensor(negatives: Any, documents: torch.Tensor, what: str) -> torch.Tensor:
    if isinstance(negatives, torch.Tensor):
        if negatives.ndim == documents.ndim and negatives.shape[1:] == documents.shape[1:]:
            return negatives
        fits = negatives.ndim == documents.ndim + 1 and negatives.shape[2:] == documents.shape[1:]
        if fits and len(negatives) == len(documents) and negatives.shape[1]:
            return negatives.flatten(0, 1)
    b, rest = len(documents), ", ".join(map(str, documents.shape[1:]))
    tail = f", {rest})" if rest else ")"
    raise InputError(
        f"The {what} has the wrong shape", expected=f"(K{tail} like the documents, or ({b}, n{tail}, n for each query",
        got=tuple(negatives.shape) if isinstance(negatives, torch.Tensor) else type(negatives).__name__,
    )  # fmt: skip


def flat_ids(ids: Any) -> Any:
    """Ids of negatives one after the other: `(K,)` of `(K,)`, `(B, n)` or a list of lists."""
    if isinstance(ids, (torch.Tensor, np.ndarray)):
        return ids.reshape(-1)
    return [one for row in ids for one in (row if isinstance(row, (list, tuple)) else (row,))]
