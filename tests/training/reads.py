"""Counts what would make a device's queue be waited for: reads of values, and indexing whose size depends on them."""

from __future__ import annotations

from collections import Counter

import torch
from torch.overrides import TorchFunctionMode

READS = {
    "tolist", "item", "cpu", "nonzero", "unique", "masked_select", "equal", "__bool__", "__int__", "__float__",
    "__index__", "__contains__",
}  # fmt: skip


class Reads(TorchFunctionMode):
    """Counts while it is entered; `seen` by name."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in READS:
            self.seen[name] += 1
        if name in ("__getitem__", "__setitem__", "index_put", "index_put_"):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in index):
                self.seen[name] += 1
        return func(*args, **(kwargs or {}))

    @property
    def total(self):
        return sum(self.seen.values())
