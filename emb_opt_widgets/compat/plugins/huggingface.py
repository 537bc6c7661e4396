"""A `datasets.Dataset` with a faiss index as a data plugin, and as a way to run functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.data_source import DataSourcePlugin
from emb_opt_widgets.compat.executor import Executor, plain
from emb_opt_widgets.compat.found import Found, Payload, in_columns, responses
from emb_opt_widgets.compat.schemas import DataSourceResponse, Query
from emb_opt_widgets.errors import MissingDependencyError

__all__ = ["DatasetExecutor", "HugggingfaceDataPlugin"]


class DatasetExecutor(Executor):
    """Runs `function` with `Dataset.map`.

    Args:
        function: From a row to new columns of it, or from a batch of columns to new columns.
        batched: Whether it takes batches.
        batch_size: Rows per batch.
        concurrency: Processes.
        map_kwargs: For `Dataset.map`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        batched: bool,
        batch_size: int = 1,
        concurrency: int | None = 1,
        map_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(function, batched, batch_size)
        self.concurrency = concurrency
        self.map_kwargs = map_kwargs or {}

    def batch_inputs(self, inputs: Any) -> Any:
        """The inputs as a dataset."""
        try:
            import datasets
        except ImportError as error:
            raise MissingDependencyError(
                "DatasetExecutor needs datasets", hint="pip install 'emb_opt_widgets[huggingface]'"
            ) from error
        return datasets.Dataset.from_list([plain(i) for i in inputs])

    def unbatch_inputs(self, dataset: Any) -> Any:
        """The dataset's rows."""
        return dataset.to_list()

    def execute(self, dataset: Any) -> Any:
        """The dataset with the function's columns."""
        function = self.function
        return dataset.map(
            lambda row: function(row),
            batched=self.batched,
            batch_size=self.batch_size,
            num_proc=self.concurrency,
            **self.map_kwargs,
        )


@in_columns
class HugggingfaceDataPlugin(DataSourcePlugin):
    """What a dataset's faiss index finds; the dataset's columns are the items' data.

    Args:
        k: Hits per query. Where the index finds fewer, it fills up with the dataset's last row, as emb_opt does.
        dataset: On which `add_faiss_index` was called.
        index_name: The index, and the column of the vectors.
        item_key: Column of what the vectors stand for.
        id_key: Column of ids; without one, every hit is an item of its own.
        distance_cutoff: Only hits with a distance below this, as the index gives it.
    """

    empty_is_valid = True

    def __init__(
        self,
        k: int,
        dataset: Any,
        index_name: str,
        item_key: str | None = None,
        id_key: str | None = None,
        distance_cutoff: float | None = None,
    ) -> None:
        self.k = k
        self.dataset = dataset
        self.index_name = index_name
        self.index = dataset.get_index(index_name)
        self.item_key = item_key
        self.id_key = id_key
        self.distance_cutoff = float("inf") if distance_cutoff is None else distance_cutoff

    def lookup(self, points: npt.NDArray[np.float64]) -> Found:
        """Hits of the points `(q, d)`; the index casts them to float32."""
        found = self.index.search_batch(points, k=self.k)
        distances = np.asarray(found.total_scores)
        rows = np.asarray(found.total_indices)
        rows = np.where(rows < 0, rows + len(self.dataset), rows)
        return Found.from_matrix(rows, distances, distances < self.distance_cutoff)

    def read(self, rows: list[int]) -> list[Payload]:
        """What stands in these rows."""
        if not rows:
            return []
        return [self._describe(row) for row in self._rows(rows)]

    def _rows(self, rows: list[int]) -> list[dict[str, Any]]:
        if self.dataset.format["type"] is not None:
            return [dict(self.dataset[row]) for row in rows]
        columns = self.dataset[rows]
        return [dict(zip(columns, values)) for values in zip(*columns.values())]

    def _describe(self, data: dict[str, Any]) -> Payload:
        embedding = data.pop(self.index_name)
        item = data.pop(self.item_key) if self.item_key else None
        return Payload(data.pop(self.id_key) if self.id_key else None, item, data, embedding)

    def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
        """What each query finds, with `query_distance` in its data."""
        return responses(self, inputs)
