"""A runner's filter and score modules as the engine's callers: each gets a batch of one query, of the unjudged items.

Knows nothing of rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.build import bare_query, lineage, query_id
from emb_opt_widgets.compat.schemas import Batch, Item
from emb_opt_widgets.engine.answers import Answer
from emb_opt_widgets.engine.caller import Caller
from emb_opt_widgets.engine.calls import Calls
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.state import State

__all__ = ["filter_caller", "score_caller"]


def filter_caller(module: Any, state: State, item: Callable[[int], Item]) -> Caller | None:
    """The filter module's caller; None where it has no function.

    Args:
        module: Puts its verdicts into the items of a batch.
        state: Whose rows are asked for.
        item: The item of an id.
    """
    return None if module.function is None else _caller("filter", module, state, item, _verdicts)


def score_caller(module: Any, state: State, item: Callable[[int], Item]) -> Caller:
    """The score module's caller."""
    return _caller("score", module, state, item, _scores)


def _caller(
    name: str, module: Any, state: State, item: Callable[[int], Item], read: Callable[[Sequence[Item]], Answer]
) -> Caller:
    def ask(items: Items) -> Answer:
        asked = [item(key) for key in items.ids.tolist()]
        before = [dict(one.data) for one in asked]
        module(Batch(queries=[bare_query(query_id(), None, [], {}, asked, lineage())]))
        answer = read(asked)
        data = [_added(one.data, old) for one, old in zip(asked, before)]
        return Answer(answer.values, answer.reasons, data if any(data) else None)

    def named(rows: npt.NDArray[Any]) -> Items:
        return Items(state.ids.take(rows), np.empty((len(rows), 0)))

    return Caller(name, ask, lambda answer, n: answer, named, Calls(on_error="raise"))


def _verdicts(items: Sequence[Item]) -> Answer:
    reasons = _reasons(items)
    return Answer(np.array([not item.internal.removed for item in items], np.bool_), reasons)


def _scores(items: Sequence[Item]) -> Answer:
    values = np.array([np.nan if item.score is None else item.score for item in items], np.float64)
    for item, value in zip(items, values):
        if not item.internal.removed and not np.isfinite(value):
            item.update_internal(removed=True, removal_reason=f"non-finite score ({value})")
    removed = np.array([item.internal.removed for item in items], np.bool_)
    return Answer(np.where(removed, np.nan, values), _reasons(items))


def _reasons(items: Sequence[Item]) -> dict[str, str]:
    return {str(i): item.internal.removal_reason or "removed" for i, item in enumerate(items) if item.internal.removed}


def _added(data: dict[Any, Any], before: dict[Any, Any]) -> dict[Any, Any] | None:
    new = {name: value for name, value in data.items() if name not in before or before[name] is not value}
    return new or None
