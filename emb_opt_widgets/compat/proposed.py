"""New queries that have not looked yet: columns, and `Query` objects when somebody looks at them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.build import bare_query, lineage, query_id
from emb_opt_widgets.compat.schemas import Batch, Query
from emb_opt_widgets.compat.strategies import picked_hits, step_gradients
from emb_opt_widgets.engine.protocols import Update
from emb_opt_widgets.engine.queries import Proposals
from emb_opt_widgets.strategies.gradient_queries import GradientQueries
from emb_opt_widgets.strategies.rl import RLUpdate
from emb_opt_widgets.strategies.topk import TopKDiscreteUpdate

if TYPE_CHECKING:
    from emb_opt_widgets.compat.session import Session

__all__ = ["Proposed"]


class Proposed:
    """What one of our updates made of a round.

    Args:
        session: The search it belongs to.
        strategy: The update.
        nodes: The scored queries that it was given.
        made: What it made of them.
    """

    def __init__(self, session: Session, strategy: Update, nodes: npt.NDArray[np.int64], made: Proposals) -> None:
        self.session = session
        self.made = made
        self.parents: list[int] = made.parents.tolist()
        self._strategy: Any = strategy.update if isinstance(strategy, GradientQueries) else strategy
        self._nodes = nodes

    @cached_property
    def _gradients(self) -> dict[int, npt.NDArray[np.float64]]:
        gradients = step_gradients(self._strategy, self.session.queries(self._nodes))
        return dict(zip(self._nodes.tolist(), gradients))

    @cached_property
    def _sources(self) -> list[int]:
        queries = self.session.queries(self._nodes)
        keys: list[int] = queries.hits.ids[picked_hits(self._strategy, queries)].tolist()
        return keys

    def item(self, place: int) -> Any:
        """What a query looks from, where that is an item."""
        if isinstance(self._strategy, TopKDiscreteUpdate):
            return self.session.item(self._sources[place]).item
        return None

    def data(self, place: int) -> dict[Any, Any]:
        """What the update told about a query."""
        data: dict[Any, Any] = {}
        if isinstance(self._strategy, TopKDiscreteUpdate):
            item = self.session.item(self._sources[place])
            data = {**(item.data or {}), "_source_item_id": item.id}
        elif isinstance(self._strategy, RLUpdate):
            data["rl_update_details"] = self._details(place, np.array(self._strategy.lrs))
        if self.made.gradients is not None:
            data["_score_grad"] = self.made.gradients[place]
        return data

    def _details(self, place: int, lrs: npt.NDArray[np.float64]) -> dict[str, Any]:
        parent = self.parents[place]
        return {
            "parent_embedding": self.session.embedding(parent),
            "lr": lrs[place % len(lrs)],
            "grad": np.squeeze(self._gradients[parent]).tolist(),
        }

    def fill(self, batch: Batch) -> None:
        """Make the batch's queries."""
        batch.__dict__["queries"] = [self._query(place) for place in range(len(self.made))]

    def _query(self, place: int) -> Query:
        parent = self.parents[place]
        internal = lineage(parent=self.session.id_of(parent), collection=self.session.collections[parent])
        embedding = self.made.embeddings[place].tolist()
        return bare_query(query_id(), self.item(place), embedding, self.data(place), [], internal)
