"""From what people have to a source: told by the type's home module, so that no library is loaded to ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from emb_opt_widgets.engine.boundary import check_instance
from emb_opt_widgets.engine.protocols import Source, SourceLike
from emb_opt_widgets.errors import InputError

__all__ = ["as_source"]

_HINTS = {
    "qdrant_client": "Name the collection: QdrantSource(client, collection)",
    "pandas": "Give the vectors and the other columns apart: ArraySource(vectors, data=frame)",
    "polars": "Give the vectors and the other columns apart: ArraySource(vectors, data=frame)",
    "jax": "Convert it first: np.asarray(x)",
    "jaxlib": "Convert it first: np.asarray(x)",
}


def as_source(x: SourceLike) -> Source:
    """A source from what holds the vectors.

    Args:
        x: A source (comes back as it is); an `(n, d)` numpy array, memory map or torch tensor; a `faiss.Index`; or a
            `datasets.Dataset` with exactly one faiss index.

    Raises:
        InputError: Something else.
    """
    check_instance("source", x)
    homes = {cls.__module__.split(".")[0] for cls in type(x).__mro__}
    if isinstance(x, np.ndarray) or "torch" in homes:
        from emb_opt_widgets.sources.array import ArraySource

        return ArraySource(x)
    if "faiss" in homes:
        from emb_opt_widgets.sources.faiss import FaissSource

        return FaissSource(x)
    if "datasets" in homes:
        return _from_dataset(x)
    if isinstance(x, Source):
        return x
    hint = next((_HINTS[home] for home in sorted(homes) if home in _HINTS), None)
    if hint is None and callable(x):
        hint = "A function that makes items from vectors is GenerativeSource(decode)"
    raise InputError(
        "This cannot be searched",
        expected="a source, an array (n, d), a faiss.Index or a datasets.Dataset with a faiss index",
        got=type(x).__name__,
        hint=hint or "Any object with search, fetch, dim and len is a source (emb_opt_widgets.protocols.Source)",
    )


def _from_dataset(x: Any) -> Source:
    from emb_opt_widgets.sources.huggingface import HuggingFaceSource

    names = x.list_indexes() if hasattr(x, "list_indexes") else None
    if names is not None and len(names) == 1:
        return HuggingFaceSource(x, names[0])
    if names is None:
        got, hint = type(x).__name__, 'Take one split: dataset["train"]'
    elif names:
        got, hint = f"the indexes {names}", "Say which: HuggingFaceSource(dataset, index_name)"
    else:
        got, hint = "no index", "Make one: dataset.add_faiss_index(column=...)"
    raise InputError(
        "This dataset cannot be searched as it is",
        expected="a datasets.Dataset with exactly one faiss index",
        got=got,
        hint=hint,
    )
