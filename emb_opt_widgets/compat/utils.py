"""Batches of lists, batches of queries, and the estimated score gradient of one query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.compat.schemas import Batch, Item, Query
from emb_opt_widgets.errors import InputError

__all__ = [
    "batch_list",
    "build_batch_from_embeddings",
    "build_batch_from_items",
    "clip_grad",
    "compute_rl_grad",
    "query_to_rl_inputs",
    "unbatch_list",
    "whiten",
]

Array = npt.NDArray[Any]


def batch_list(inputs: Sequence[Any], batch_size: int) -> list[Any]:
    """The inputs in chunks of `batch_size`, the last one shorter; 0 makes one chunk of all."""
    if batch_size == 0:
        return [inputs]
    return [inputs[start : start + batch_size] for start in range(0, len(inputs), batch_size)]


def unbatch_list(inputs: Iterable[Iterable[Any]]) -> list[Any]:
    """The chunks as one list."""
    return [value for chunk in inputs for value in chunk]


def build_batch_from_embeddings(embeddings: Iterable[Any]) -> Batch:
    """A batch of one query for each embedding, each in a collection of its own."""
    queries = []
    for i, embedding in enumerate(embeddings):
        query = Query.from_minimal(embedding=embedding)
        query.update_internal(collection_id=i)
        queries.append(query)
    return Batch(queries=queries)


def build_batch_from_items(items: Iterable[Item], remap_collections: bool = False) -> Batch:
    """A batch of one query for each item.

    Args:
        items: To look from.
        remap_collections: Give each a collection of its own; else each stays in its item's.
    """
    queries = []
    for i, item in enumerate(items):
        query = Query.from_item(item)
        if remap_collections:
            query.update_internal(collection_id=i)
        queries.append(query)
    return Batch(queries=queries)


def whiten(scores: Array) -> Array:
    """Scores `(n,)` with mean 0 and variance 1."""
    out: Array = (scores - scores.mean()) / np.sqrt(scores.var() + 1e-8)
    return out


def clip_grad(grad: Array, max_norm: float, norm_type: Any) -> Array:
    """Gradients with norms of at most `max_norm` along the last axis; `norm_type` as in `numpy.linalg.norm`."""
    norms = np.linalg.norm(grad, ord=norm_type, axis=-1, keepdims=True)
    out: Array = grad * np.minimum(max_norm / (norms + 1e-6), 1)
    return out


def query_to_rl_inputs(query: Any) -> tuple[Array, Array, Array]:
    """A query's embedding `(d,)`, its valid results' embeddings `(n, d)`, and their scores `(n,)`."""
    results = list(query.valid_results())
    embeddings = np.array([result.embedding for result in results])
    return np.array(query.embedding), embeddings, np.array([result.score for result in results])


def compute_rl_grad(
    query_embeddings: Array,
    result_embeddings: Array,
    result_scores: Array,
    distance_penalty: float = 0,
    max_norm: float | None = None,
    norm_type: Any = 2.0,
    score_grad: bool = False,
) -> Array:
    """The gradient of `Σ (whiten(scores)ᵢ + distance_penalty) · (q − eᵢ)²` in the query.

    Args:
        query_embeddings: `(d,)` or `(q, d)`.
        result_embeddings: `(n, d)` or `(d,)`.
        result_scores: `(n,)`.
        distance_penalty: Pulls towards the results.
        max_norm: Longest gradient. None: any.
        norm_type: Its norm.
        score_grad: The other sign: the direction in which the score rises.

    Returns:
        `(d,)` or `(q, d)`, without axes of length 1.
    """
    points = query_embeddings[None] if query_embeddings.ndim == 1 else query_embeddings
    results = result_embeddings[None] if result_embeddings.ndim == 1 else result_embeddings
    advantages = whiten(result_scores) + distance_penalty
    apart = points[:, None, :] - results[None, :, :]
    grad: Array = (2 * advantages[None, :, None] * apart).mean(1)
    if max_norm is not None:
        if norm_type is None:
            raise InputError("norm_type is not usable", expected="a norm, where max_norm is given", got=None)
        grad = clip_grad(grad, max_norm, norm_type)
    return np.squeeze(-grad if score_grad else grad)
