"""A runner's prune module as the engine's pruner: ours in columns, a user's on the round's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.prune import PruneModule
from emb_opt_widgets.compat.rounds import Round
from emb_opt_widgets.compat.strategies import as_pruner
from emb_opt_widgets.engine.queries import Queries

if TYPE_CHECKING:
    from emb_opt_widgets.compat.session import Session

__all__ = ["ModulePrune"]


class ModulePrune:
    """Implements `Prune`.

    Args:
        session: Whose nodes are judged.
        round: The round.
        module: Puts its verdicts into the queries of a batch.
    """

    def __init__(self, session: Session, round: Round, module: Any) -> None:
        self._session = session
        self._round = round
        self._module = module

    def keep(self, queries: Queries) -> npt.NDArray[np.bool_]:
        ours = as_pruner(self._module.function) if type(self._module) is PruneModule else None
        if ours is not None and not self._round.touched:
            self._round.judged(queries.ids, ours.told)
            return ours.keep(queries, self._groups(ours.by, queries.ids.tolist()))
        self._round.touched = True
        self._round.settle()
        self._module(self._round.batch)
        assert self._round.queries is not None
        removed = {
            node for node, query in zip(self._round.nodes.tolist(), self._round.queries) if query.internal.removed
        }
        return np.array([node not in removed for node in queries.ids.tolist()], np.bool_)

    def _groups(self, by: str | None, nodes: list[int]) -> npt.NDArray[np.int64]:
        session = self._session
        codes: dict[Any, int] = {}
        names: list[Any] = [None] * len(nodes)
        if by == "collection_id":
            names = [session.collections[node] for node in nodes]
        elif by == "parent_id":
            names = [session.parent_of(node) for node in nodes]
        return np.array([codes.setdefault(name, len(codes)) for name in names], np.int64)
