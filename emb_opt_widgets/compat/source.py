"""`PluginSource`: a data plugin as the source of `emb_opt_widgets.Search`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.schemas import DataSourceResponse, Item, Query
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.errors import InputError

__all__ = ["PluginSource"]


class PluginSource:
    """What a data plugin finds, searched by `emb_opt_widgets.Search`.

    An item is known by its id and is what it was when it was first found; one without an id is new each time. A plugin
    finds as many hits as it is made to; `k` of the search can only be fewer. For gradient queries use the strategy
    `GradientQueries`, not `DataPluginGradWrapper`.

    Args:
        plugin: From a list of `Query` to a list of `DataSourceResponse`, or of dictionaries like it.
        dim: Length of a vector, needed for random starts.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, plugin: Callable[..., Any], dim: int | None = None) -> None:
        self._plugin = plugin
        self._dim = dim
        self._known: dict[int | str, tuple[npt.NDArray[np.float64], Any, dict[Any, Any]]] = {}

    @property
    def dim(self) -> int | None:
        """Length of a vector, if it was told."""
        return self._dim

    def __len__(self) -> int:
        """How many items were found so far."""
        return len(self._known)

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """What the plugin finds, at most `k` for each query."""
        asked = [Query.from_minimal(embedding=point) for point in queries.tolist()]
        answers = [DataSourceResponse.model_validate(answer) for answer in self._plugin(asked)]
        found = [answer.query_results[:k] if answer.valid else [] for answer in answers]
        for item in (item for items in found for item in items):
            self._remember(item)
        offsets = np.concatenate([[0], np.cumsum([len(items) for items in found])]).astype(np.int64)
        ids = as_ids([item.id for items in found for item in items])
        return Hits(ids, np.zeros(len(ids)), offsets)

    def _remember(self, item: Item) -> None:
        known: Any = (np.array(item.embedding, np.float64), item.item, item.data)
        self._known.setdefault(item.id, known)  # type: ignore[arg-type]

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """Items that were found before.

        Raises:
            InputError: An id that was not.
        """
        names = as_ids(ids).tolist()
        missing = next((name for name in names if name not in self._known), None)
        if missing is not None:
            raise InputError("The plugin has not found this item yet", expected="an id it has found", got=repr(missing))
        known = [self._known[name] for name in names]
        columns = list(dict.fromkeys(column for _, _, data in known for column in data))
        data = {column: [data.get(column) for _, _, data in known] for column in columns}
        vectors = np.array([vector for vector, _, _ in known]).reshape(len(known), -1)
        return Items(as_ids(names), vectors, [item for _, item, _ in known], data)

    def remember(self, items: Items) -> None:
        """Make items known again, after a resume."""
        for item in items:
            self._known.setdefault(item.id, (np.asarray(item.embedding, np.float64), item.item, item.data))
