"""A model's inside as a space to search: layers, what they hold, and what happens when it is changed.

Importing this package does not load torch yet.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emb_opt_widgets.errors import needing

if TYPE_CHECKING:
    from emb_opt_widgets.activations.directions import contrastive_mean, logistic_direction, principal_direction, starts
    from emb_opt_widgets.activations.model_layers import layers
    from emb_opt_widgets.activations.peers import from_steering_vector, to_steering_vector
    from emb_opt_widgets.activations.space import Space, Steered
    from emb_opt_widgets.activations.tap import Tap

__all__ = [
    "Space",
    "Steered",
    "Tap",
    "contrastive_mean",
    "from_steering_vector",
    "layers",
    "logistic_direction",
    "principal_direction",
    "starts",
    "to_steering_vector",
]

_HOMES = {
    "Space": "space",
    "Steered": "space",
    "Tap": "tap",
    "contrastive_mean": "directions",
    "from_steering_vector": "peers",
    "layers": "model_layers",
    "logistic_direction": "directions",
    "principal_direction": "directions",
    "starts": "directions",
    "to_steering_vector": "peers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needing("emb_opt_widgets.activations", "torch"):
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
