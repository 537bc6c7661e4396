"""Events of a training as numbers for a logger. Knows no logger."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from emb_opt_widgets.engine.events import Body
from emb_opt_widgets.training.events import Evaluated, Stepped

__all__ = ["numbers_of"]

_TOLD = ("loss", "interpretable_loss", "staleness", "lr")


def numbers_of(bodies: Sequence[Body]) -> Iterator[tuple[int, dict[str, float]]]:
    """Each step with what is known after it, finite numbers only.

    Args:
        bodies: Events in order.
    """
    known: dict[int, dict[str, float]] = {}
    for body in bodies:
        if isinstance(body, Stepped):
            known.setdefault(body.step, {}).update((name, float(getattr(body, name))) for name in _TOLD)
        elif isinstance(body, Evaluated):
            pairs = zip(body.ks, body.accuracy.tolist())
            known.setdefault(body.step, {}).update((f"accuracy@{k}", value) for k, value in pairs)
    for step, values in known.items():
        yield step, {name: value for name, value in values.items() if math.isfinite(value)}
