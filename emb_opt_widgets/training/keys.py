"""What a vector depends on, as a hash: its item's content, the tower's parameters, the precision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from emb_opt_widgets.training.batches import take_rows

__all__ = ["KEY_BYTES", "row_keys", "tower_key"]

KEY_BYTES = 16
Array = npt.NDArray[Any]


def tower_key(net: nn.Module, precision: str) -> bytes:
    """What a vector depends on beside its item."""
    sha = hashlib.blake2b(f"{net!r} {precision}".encode(), digest_size=32)
    for name, value in sorted(net.state_dict().items()):
        sha.update(name.encode())
        _feed(sha, value)
    return sha.digest()


def _feed(sha: Any, value: Any) -> None:
    """Hash a value with its type and shape."""
    if isinstance(value, torch.Tensor):
        plain = value.detach().cpu().contiguous()
        sha.update(f"{plain.dtype} {tuple(plain.shape)}".encode())
        sha.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            sha.update(f"{key}:".encode())
            _feed(sha, value[key])
    elif isinstance(value, (list, tuple)):
        sha.update(f"[{len(value)}]".encode())
        for part in value:
            _feed(sha, part)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, bytes):
        sha.update(value)
    else:
        sha.update(repr(value).encode())


def row_keys(corpus: Any, n: int, tower: bytes) -> Array:
    """`(n, 16)` uint8: a hash of every row's content and of the tower."""
    keys = np.empty((n, KEY_BYTES), np.uint8)
    for start in range(0, n, 1024):
        rows = np.arange(start, min(start + 1024, n))
        block = take_rows(corpus, rows)
        for i, row in enumerate(rows):
            sha = hashlib.blake2b(tower, digest_size=KEY_BYTES)
            _feed(sha, _row(block, i))
            keys[row] = np.frombuffer(sha.digest(), np.uint8)
    return keys


def _row(block: Any, i: int) -> Any:
    return {key: _row(part, i) for key, part in block.items()} if isinstance(block, Mapping) else block[i]
