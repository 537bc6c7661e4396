"""A faiss index as a data plugin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.data_source import DataSourcePlugin
from emb_opt_widgets.compat.found import Found, Payload, in_columns, responses
from emb_opt_widgets.compat.schemas import DataSourceResponse, Query

__all__ = ["FaissDataPlugin"]


@in_columns
class FaissDataPlugin(DataSourcePlugin):
    """What a faiss index finds; an item's id is its label.

    Args:
        k: Hits per query.
        faiss_index: One that can reconstruct its vectors.
        item_data: A dictionary for each label.
        item_key: Its key of what the vector stands for.
        search_params: A `faiss.SearchParameters`.
        distance_cutoff: Only hits with a distance below this, as the index gives it.
    """

    empty_is_valid = False

    def __init__(
        self,
        k: int,
        faiss_index: Any,
        item_data: list[dict[Any, Any]] | None = None,
        item_key: str | None = None,
        search_params: Any = None,
        distance_cutoff: float | None = None,
    ) -> None:
        self.k = k
        self.faiss_index = faiss_index
        self.item_data = item_data
        self.item_key = item_key
        self.search_params = search_params
        self.distance_cutoff = float("inf") if distance_cutoff is None else distance_cutoff

    def lookup(self, points: npt.NDArray[np.float64]) -> Found:
        """Hits of the points `(q, d)`; the index casts them to float32."""
        distances, labels = self.faiss_index.search(points, self.k, params=self.search_params)
        return Found.from_matrix(labels, distances, (distances < self.distance_cutoff) & (labels != -1))

    def read(self, rows: list[int]) -> list[Payload]:
        """What has these labels."""
        if not rows:
            return []
        vectors = self.faiss_index.reconstruct_batch(np.array(rows, np.int64))
        return [Payload(row, *self._describe(row), vector) for row, vector in zip(rows, vectors)]

    def _describe(self, row: int) -> tuple[Any, dict[Any, Any] | None]:
        if not self.item_data:
            return None, None
        data = dict(self.item_data[row])
        return data.pop(self.item_key) if self.item_key else None, data

    def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
        """What each query finds, with `query_distance` in its data."""
        return responses(self, inputs)
