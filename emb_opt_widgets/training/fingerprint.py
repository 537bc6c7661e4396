"""What a loss is, as plain values, so that another one is not taken for it. Knows our own losses and their parts.

Parameters are not told: they come from the checkpoint. A person's own function is its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from emb_opt_widgets.engine.config import function_name
from emb_opt_widgets.training.cache_loss import CacheLoss
from emb_opt_widgets.training.retrieval import GumbelMax, MaxScore
from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
from emb_opt_widgets.training.sharded import ShardedCacheLoss
from emb_opt_widgets.training.transform import Temperature

__all__ = ["differences", "name_of", "options_of"]

_CACHE = ("embedding_field", "score_transform", "top_k", "retrieval", "reduction", "id_field", "in_batch")
_LATER = ("in_batch", "symmetric")  # told where they are on: files of before know nothing of them
_TOLD: dict[type, tuple[str, ...]] = {
    RetrievalLoss: ("temperature", "num_hard_negatives", "remove_accidental_hits", "reduction", "symmetric"),
    CacheLoss: _CACHE,
    ShardedCacheLoss: _CACHE,
    GumbelMax: ("inverse_temperature",),
    MaxScore: (),
    Temperature: (),
}


def name_of(part: Any) -> str:
    """The name of a function, or of a module's class."""
    return function_name(type(part) if isinstance(part, nn.Module) else part)


def options_of(part: Any) -> dict[str, Any]:
    """The options of a loss or of a part of one, by name; none where it is not ours."""
    told = next((names for kind, names in _TOLD.items() if isinstance(part, kind)), ())
    out: dict[str, Any] = {}
    for name in told:
        value = getattr(part, name)
        if name in _LATER and not value:
            continue
        out[name] = _plain(value)
        out |= {f"{name}.{inner}": plain for inner, plain in options_of(value).items()}
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, nn.Parameter):
        return "learned"
    if isinstance(value, torch.Tensor):
        return float(value.detach())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return float(value) if isinstance(value, float) else name_of(value)


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs, by name (with a dot inside a mapping), as it was and as it is. What `was` does not tell, is not
    compared."""
    out: dict[str, tuple[Any, Any]] = {}
    for name, before in was.items():
        after = now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for key in [*before, *(key for key in after if key not in before)]:
                if before.get(key) != after.get(key):
                    out[f"{name}.{key}"] = before.get(key), after.get(key)
        elif before != after:
            out[name] = before, after
    return out
