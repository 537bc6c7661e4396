"""What a person should be told before the first step. Changes nothing."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from emb_opt_widgets.training.cache_loss import CacheLoss
from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
from emb_opt_widgets.training.sharded import ShardedCacheLoss
from emb_opt_widgets.training.towers import evaluating

__all__ = ["has_temperature_1", "warn_of_unit_lengths"]

_NEAR = 1e-3


def has_temperature_1(loss: Any) -> bool:
    """Whether a loss of ours takes inner products as they are, and cannot learn otherwise."""
    if isinstance(loss, RetrievalLoss):
        given = loss.temperature
        return given is None or (not isinstance(given, Tensor) and float(given) == 1.0)
    return isinstance(loss, (CacheLoss, ShardedCacheLoss)) and loss.score_transform is None


def warn_of_unit_lengths(query_net: nn.Module, doc_net: nn.Module, query: Any, document: Any) -> None:
    """Warn where both towers give vectors of length 1: scores within −1 and 1 make a softmax that is nearly flat.

    Args:
        query_net, doc_net: The towers. query, document: What they take, some rows.
    """
    with torch.no_grad(), evaluating(query_net, doc_net):
        found = [net(value) for net, value in ((query_net, query), (doc_net, document))]
    for out in found:
        if not isinstance(out, Tensor) or not out.is_floating_point() or not out.numel():
            return
        if not bool(((out.float().norm(dim=-1) - 1).abs() < _NEAR).all()):
            return
    warnings.warn(
        "Both towers give vectors of length 1 and the temperature is 1, so all scores lie between -1 and 1 and the "
        "softmax is nearly flat. Pass loss=RetrievalLoss(temperature=0.05, reduction='mean'), or "
        "CacheLoss(score_transform=Temperature(0.05)) with caches.",
        UserWarning,
        stacklevel=2,
    )
