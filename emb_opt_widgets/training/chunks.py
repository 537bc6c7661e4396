"""Batches larger than memory: a tower goes over them in chunks, and keeps of each only what it gave.

Gao, Zhang, Han, Callan: Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (GradCache), 2021. Here
by recomputation in the backward pass: the same gradient, a second forward pass of each chunk, and the memory of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from emb_opt_widgets.training.batches import rows_in, take_rows

__all__ = ["InChunks"]


class InChunks(nn.Module):
    """A tower that takes so many rows at a time. What it draws (dropout) is drawn alike when it is done again.

    Args:
        net: The tower. size: Rows of a chunk. Batch statistics are those of a chunk.
    """

    def __init__(self, net: nn.Module, size: int) -> None:
        super().__init__()
        self.net, self.size = net, size

    def forward(self, value: Any) -> Tensor:
        """Embeddings of all rows."""
        n = rows_in(value)
        if n <= self.size or not torch.is_grad_enabled():
            whole: Tensor = self.net(value)
            return whole
        rows = np.arange(n)
        chunks = [take_rows(value, rows[start : start + self.size]) for start in range(0, n, self.size)]
        return torch.cat([checkpoint(self.net, chunk, use_reentrant=False) for chunk in chunks])
