"""What a source answers: for every query its hits, nearest first, as one ragged batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.errors import InputError

__all__ = ["Hits"]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Hits of `q` queries, concatenated: those of query `i` are `[offsets[i]:offsets[i + 1]]`.

    Attributes:
        ids: `(m,)` item ids, int64 or object.
        distances: `(m,)` float, in the source's own measure.
        offsets: `(q + 1,)` int64, rising from 0 to `m`.
        items: The hits' payload where the source has it at hand, one for each distinct id; else None
            and the engine fetches what is new.
    """

    ids: npt.NDArray[Any]
    distances: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    items: Items | None = None

    @classmethod
    def from_matrix(
        cls,
        ids: Any,
        distances: Any,
        valid: npt.NDArray[np.bool_] | None = None,
        items: Items | None = None,
    ) -> Hits:
        """Hits from the usual `(q, k)` matrices.

        Args:
            ids: `(q, k)` item ids.
            distances: `(q, k)`.
            valid: `(q, k)`, False where there is no hit (an index that found fewer than `k`, a distance
                cutoff). None: all are hits.
            items: Payload, one for each distinct id.

        Raises:
            InputError: The shapes differ or are not two-dimensional.
        """
        ids = np.asarray(ids)
        distances = np.asarray(distances)
        if ids.ndim != 2 or ids.shape != distances.shape:
            raise InputError(
                "A source's answer has the wrong shape",
                expected="ids and distances, both (queries, k)",
                got=f"{ids.shape} and {distances.shape}",
            )
        q, k = ids.shape
        if valid is None or bool(valid.all()):
            offsets = np.arange(q + 1, dtype=np.int64) * k
            return cls(as_ids(ids.ravel()), distances.ravel(), offsets, items)
        offsets = np.concatenate([[0], np.cumsum(valid.sum(axis=1))]).astype(np.int64)
        return cls(as_ids(ids[valid]), distances[valid], offsets, items)

    def __len__(self) -> int:
        return len(self.offsets) - 1
