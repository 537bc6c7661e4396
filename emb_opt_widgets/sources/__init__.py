"""What can be searched: one backend a file. Importing this package loads none of them, nor their libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emb_opt_widgets.sources.array import ArraySource
    from emb_opt_widgets.sources.convert import as_source
    from emb_opt_widgets.sources.differentiable_score import differentiable
    from emb_opt_widgets.sources.faiss import FaissSource
    from emb_opt_widgets.sources.generative import GenerativeSource
    from emb_opt_widgets.sources.huggingface import HuggingFaceSource
    from emb_opt_widgets.sources.qdrant import QdrantSource

__all__ = [
    "ArraySource",
    "FaissSource",
    "GenerativeSource",
    "HuggingFaceSource",
    "QdrantSource",
    "as_source",
    "differentiable",
]

_HOMES = {
    "ArraySource": "array",
    "FaissSource": "faiss",
    "GenerativeSource": "generative",
    "HuggingFaceSource": "huggingface",
    "QdrantSource": "qdrant",
    "as_source": "convert",
    "differentiable": "differentiable_score",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
