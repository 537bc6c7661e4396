"""The data step: what queries find. The plugin for arrays, and the one that looks along gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.found import Found, Payload, in_columns, responses
from emb_opt_widgets.compat.module import Module
from emb_opt_widgets.compat.schemas import Batch, DataSourceFunction, DataSourceResponse, Query
from emb_opt_widgets.errors import MissingDependencyError

__all__ = ["DataPluginGradWrapper", "DataSourceModule", "DataSourcePlugin", "NumpyDataPlugin"]

Array = npt.NDArray[Any]


class DataSourceModule(Module):
    """Asks a data function about all valid queries of a batch, and appends what it finds to them."""

    def __init__(self, function: DataSourceFunction) -> None:
        super().__init__(DataSourceResponse, function)

    def gather_inputs(self, batch: Batch) -> tuple[list[Any], list[Query]]:
        return batch.flatten_queries()

    def scatter_results(self, batch: Batch, idxs: Any, results: list[DataSourceResponse]) -> None:
        for place, result in zip(idxs, results):
            query = batch.get_item(*place)
            if result.data:
                query.data.update(result.data)
            if not result.valid:
                query.update_internal(removed=True, removal_reason="invalid query")
            elif not result.query_results:
                query.update_internal(removed=True, removal_reason="query returned no results")
            else:
                query.add_query_results(result.query_results)


class DataSourcePlugin:
    """What a data function is: a list of `Query` to a list of `DataSourceResponse`, or of dictionaries like it."""

    def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
        """What each query finds."""
        raise NotImplementedError


@in_columns
class NumpyDataPlugin(DataSourcePlugin):
    """The `k` nearest rows of an array.

    Args:
        k: Hits per query.
        item_embeddings: `(n, d)`.
        item_data: A dictionary for each row.
        id_key: Its key of the item's id; without one, every hit is an item of its own.
        item_key: Its key of what the vector stands for.
        distance_metric: As in `scipy.spatial.distance.cdist`.
        distance_cutoff: Only hits nearer than this.
    """

    empty_is_valid = False

    def __init__(
        self,
        k: int,
        item_embeddings: Array,
        item_data: list[dict[Any, Any]] | None = None,
        id_key: str | None = None,
        item_key: str | None = None,
        distance_metric: Any = "euclidean",
        distance_cutoff: float | None = None,
    ) -> None:
        self.k = k
        self.item_embeddings = item_embeddings
        self.item_data = item_data
        self.id_key = id_key
        self.item_key = item_key
        self.distance_metric = distance_metric
        self.distance_cutoff = float("inf") if distance_cutoff is None else distance_cutoff

    def get_data(self, idx: int) -> tuple[dict[Any, Any] | None, Any, Any]:
        """A row's data, what it stands for, and its id."""
        if not self.item_data:
            return None, None, None
        data = dict(self.item_data[idx])
        item_id = data.pop(self.id_key) if self.id_key else None
        return data, data.pop(self.item_key) if self.item_key else None, item_id

    def lookup(self, points: npt.NDArray[np.float64]) -> Found:
        """Hits of the points `(q, d)`."""
        distances = _load_cdist()(points, self.item_embeddings, metric=self.distance_metric)
        rows = nearest_columns(distances, self.k)
        near = np.take_along_axis(distances, rows, axis=1)
        return Found.from_matrix(rows, near, near < self.distance_cutoff)

    def read(self, rows: list[int]) -> list[Payload]:
        """What stands in these rows."""
        described = ((row, *self.get_data(row)) for row in rows)
        return [Payload(item_id, item, data, self.item_embeddings[row]) for row, data, item, item_id in described]

    def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
        """What each query finds, with `query_distance` in its data."""
        return responses(self, inputs)


def nearest_columns(distances: Array, k: int) -> npt.NDArray[np.int64]:
    """`distances.argsort(-1)[:, :k]`, to the last tie, without sorting what lies beyond."""
    n = distances.shape[1]
    if not 0 < k < n - 1:
        return distances.argsort(-1)[:, :k]
    some = np.argpartition(distances, k, axis=1)[:, : k + 1]
    near = np.take_along_axis(distances, some, axis=1)
    order = near.argsort(axis=1)
    rows = np.take_along_axis(some, order, axis=1)[:, :k]
    near = np.take_along_axis(near, order, axis=1)
    tied = np.flatnonzero(~(near[:, 1:] > near[:, :-1]).all(axis=1))
    for i in tied:
        rows[i] = distances[i].argsort()[:k]
    return rows


class DataPluginGradWrapper:
    """Looks from every query, and along its gradient `data["_score_grad"]` where it has one.

    Args:
        function: The data function that is asked.
        lrs: Learning rates: the query also looks from `embedding + lr * gradient`.
    """

    def __init__(self, function: DataSourceFunction, lrs: Any) -> None:
        self.function = function
        self.lrs = np.array(lrs)

    def gather_inputs(self, inputs: list[Query]) -> tuple[list[int], list[Query]]:
        """The queries to ask, and for each the place of the query it belongs to."""
        idxs: list[int] = []
        asked: list[Query] = []
        for place, query in enumerate(inputs):
            start = np.array(query.embedding)
            points = [start]
            gradient = (query.data or {}).get("_score_grad")
            if gradient is not None:
                points.extend(start[None, :] + gradient[None, :] * self.lrs[:, None])
            asked.extend(Query.from_minimal(embedding=point) for point in points)
            idxs.extend([place] * len(points))
        return idxs, asked

    def scatter_results(
        self, inputs: list[Query], idxs: list[int], results: list[DataSourceResponse]
    ) -> list[DataSourceResponse]:
        """One answer for each query, with each item once, from the valid answers to what it asked."""
        data: list[list[Any]] = [[] for _ in inputs]
        items: list[dict[Any, Any]] = [{} for _ in inputs]
        for place, result in zip(idxs, results):
            if result.valid:
                data[place].append(result.data)
                items[place].update((item.id, item) for item in result.query_results)
        return [
            DataSourceResponse(valid=True, data={"subquery_data": each}, query_results=list(found.values()))
            for each, found in zip(data, items)
        ]

    def __call__(self, inputs: list[Query]) -> list[DataSourceResponse]:
        """What each query and its looks find, with `subquery_data` in its data."""
        idxs, asked = self.gather_inputs(inputs)
        answers = [DataSourceResponse.model_validate(answer) for answer in self.function(asked)]
        return self.scatter_results(inputs, idxs, answers)


def _load_cdist() -> Any:
    try:
        from scipy.spatial.distance import cdist
    except ImportError as error:
        raise MissingDependencyError(
            "NumpyDataPlugin needs scipy", hint="pip install 'emb_opt_widgets[compat]'"
        ) from error
    return cdist
