"""Any update and prune function as the engine's protocols: ours, columns, or the reference library's responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.answers import read_filter, to_array
from emb_opt_widgets.engine.boundary import check_called, check_instance, role_of
from emb_opt_widgets.engine.protocols import Prune, PruneLike, Update, UpdateLike
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import FunctionError, InputError

__all__ = ["FunctionPrune", "FunctionUpdate", "as_prune", "as_update"]

_QUERIES = ("the scored queries",)


@dataclass(frozen=True, slots=True)
class FunctionUpdate:
    """An update made of a plain function.

    Args:
        function: `Queries` to a `Proposals`; or to `(q, d)` new embeddings, one child for each query; or to a
            list of update responses (`query.embedding`, `parent_id`), as objects or mappings.
    """

    function: Callable[[Queries], Any]

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        if not len(queries):
            return Proposals.none(view.dim)
        return read_update(self.function(queries), queries, _name(self.function))


@dataclass(frozen=True, slots=True)
class FunctionPrune:
    """A pruner made of a plain function.

    Args:
        function: `Queries` to `(q,)` booleans (True: goes on), or to a list of prune responses.
    """

    function: Callable[[Queries], Any]

    def keep(self, queries: Queries) -> npt.NDArray[np.bool_]:
        verdicts: npt.NDArray[np.bool_] = read_filter(self.function(queries), len(queries), "prune").values
        return verdicts


def as_update(update: UpdateLike) -> Update:
    """An `Update` from one, or from a function.

    Raises:
        InputError: Neither, or one that could not be called: a class, a generator, a function of other arguments.
    """
    check_instance("update", update)
    if isinstance(update, Update):
        if role_of(type(update)) == "operator":
            raise InputError(
                "update is an operator",
                expected="a strategy with propose(queries, view)",
                got=f"{type(update).__name__}, one of several that share a portfolio's calls",
                hint=f"Put it into one: Portfolio(operators=({type(update).__name__}(…), …))",
            )
        check_called("update.propose", update.propose, "Proposals", ("queries", "view"), later=False)
        return update
    check_called("update", update, "new queries, or else a strategy with propose(queries, view)", _QUERIES, False)
    return FunctionUpdate(update)


def as_prune(prune: PruneLike) -> Prune:
    """A `Prune` from one, or from a function.

    Raises:
        InputError: As in `as_update`.
    """
    check_instance("prune", prune)
    if isinstance(prune, Prune):
        check_called("prune.keep", prune.keep, "booleans", ("queries",), later=False)
        return prune
    check_called("prune", prune, "booleans, or else a pruner with keep(queries)", _QUERIES, False)
    return FunctionPrune(prune)


def read_update(value: Any, queries: Queries, operator: str) -> Proposals:
    """What an update function returned, as `Proposals`."""
    if isinstance(value, Proposals):
        return value
    value = to_array(value)
    dim = queries.embeddings.shape[1]
    responses = isinstance(value, (list, tuple)) and (not value or _is_response(value[0]))
    if not responses:
        try:
            embeddings = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            embeddings = np.empty(0)
        if embeddings.shape != (len(queries), dim):
            raise FunctionError(
                "The update function returned the wrong thing",
                expected=f"Proposals, a list of update responses, or an array of shape {(len(queries), dim)}",
                got=f"{type(value).__name__} of shape {np.shape(value) if not isinstance(value, dict) else '?'}",
            )
        return Proposals(embeddings, queries.ids, operator)
    known = set(queries.ids.tolist())
    embeddings = np.empty((len(value), dim))
    parents = np.empty(len(value), np.int64)
    gradients: npt.NDArray[np.float64] | None = None
    for i, response in enumerate(value):
        query, parent = _get(response, "query"), _get(response, "parent_id")
        embeddings[i] = np.asarray(to_array(_get(query, "embedding")), np.float64)
        parents[i] = int(parent) if parent is not None and _integer(parent) in known else -1
        gradient = _get(_get(query, "data") or {}, "_score_grad")
        if gradient is not None:
            gradients = np.zeros_like(embeddings) if gradients is None else gradients
            gradients[i] = np.asarray(gradient)
    return Proposals(embeddings, parents, operator, gradients=gradients)


def _is_response(value: Any) -> bool:
    return (isinstance(value, Mapping) and "query" in value) or hasattr(value, "query")


def _get(value: Any, field: str) -> Any:
    return value.get(field) if isinstance(value, Mapping) else getattr(value, field, None)


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
