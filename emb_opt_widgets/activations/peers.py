"""To and from the form of the package steering-vectors, which need not be installed to read it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from emb_opt_widgets.activations.model_layers import number_of
from emb_opt_widgets.activations.tap import Tap, as_vector
from emb_opt_widgets.errors import InputError, MissingDependencyError

__all__ = ["from_steering_vector", "to_steering_vector"]


def to_steering_vector(tap: Tap, vector: Any) -> Any:
    """A vector as a `steering_vectors.SteeringVector`, whose `apply(model)` does what `tap.patch(vector)` does.

    Args:
        tap: Where it belongs: a layer that has a kind and a number.
        vector: `(d,)`.

    Raises:
        InputError: The layer has no kind and number, or the vector is not `(d,)`.
        MissingDependencyError: The package is not installed.
    """
    told, place = as_vector(vector), number_of(tap.model, tap.name)
    if told.ndim != 1:
        raise InputError("A steering vector is one vector", expected="(d,)", got=tuple(told.shape))
    if place is None:
        raise InputError(
            f"The layer {tap.name!r} has no place in a SteeringVector",
            expected="a decoder block, or the attention, MLP or norm of one",
            got=repr(tap.name),
        )
    try:
        from steering_vectors import SteeringVector
    except ImportError as error:
        raise MissingDependencyError(
            "to_steering_vector() needs steering-vectors", hint="pip install steering-vectors"
        ) from error
    kind, number = place
    return SteeringVector({number: told.detach().float().cpu()}, kind)


def from_steering_vector(
    model: nn.Module, steering_vector: Any, tokenizer: Any = None
) -> list[tuple[Tap, npt.NDArray[np.float32]]]:
    """The taps and vectors of a `steering_vectors.SteeringVector`, one pair a layer.

    Args:
        model: What it steers.
        steering_vector: Has `layer_activations`, a number to a `(d,)`, and `layer_type`.
        tokenizer: Of the taps.

    Raises:
        InputError: It has not, or the model has no such layer.
    """
    activations = getattr(steering_vector, "layer_activations", None)
    kind = getattr(steering_vector, "layer_type", None)
    if not isinstance(activations, dict) or not isinstance(kind, str):
        raise InputError(
            "This is no SteeringVector",
            expected="an object with layer_activations and layer_type",
            got=type(steering_vector).__name__,
        )
    return [
        (
            Tap(model, (kind, int(number)), tokenizer=tokenizer),
            as_vector(vector).detach().float().cpu().numpy().reshape(-1),
        )
        for number, vector in activations.items()
    ]
