"""Vectors in a torch tensor that stays where it is (a GPU); blocks of distances are made there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError, needing
from emb_opt_widgets.sources.nearest import Metric
from emb_opt_widgets.sources.rows import not_finite

__all__ = ["TorchRows", "load_torch"]

Array = npt.NDArray[Any]

_BLOCK_ELEMENTS = 1 << 25
_EXTREME = 1e18


def load_torch() -> Any:
    """The torch module, or the line that installs it."""
    with needing("device=", "torch"):
        import torch
    return torch


class TorchRows:
    """Implements `nearest.Rows` over a tensor on any device.

    Args:
        tensor: `(n, d)` of a real type.
        metric: How rows are compared.
    """

    def __init__(self, tensor: Any, metric: Metric) -> None:
        torch = load_torch()
        if tensor.is_complex() or tensor.dtype == torch.bool or tensor.layout != torch.strided:
            raise InputError(
                "The embeddings are not numbers",
                expected="a dense tensor (n, d) of floats",
                got=f"{tensor.dtype}, {tensor.layout}",
            )
        self._torch = torch
        self._tensor = tensor.detach()
        self.n: int = tensor.shape[0]
        self.dim: int = tensor.shape[1]
        self.metric: Metric = metric
        self.dtype: Any = np.float64 if tensor.dtype == torch.float64 else np.float32
        self.deviation = 0.0
        self.norm = 0.0
        self._scale = None if metric != "cosine" else torch.zeros(self.n, device=tensor.device)
        self._size: int = max(1, _BLOCK_ELEMENTS // self.dim)
        for start in range(0, self.n, self._size):
            self._check(start)

    def extended(self, vectors: Array) -> TorchRows:
        """These rows, and others after them."""
        more = self._torch.as_tensor(vectors).to(device=self._tensor.device, dtype=self._tensor.dtype)
        return TorchRows(self._torch.cat([self._tensor, more]), self.metric)

    @property
    def rounding(self) -> float:
        """TF32 and the like round inputs to as few as 8 bits; the process may switch them at any time."""
        exact = self._torch.get_float32_matmul_precision() == "highest" or self._tensor.device.type == "cpu"
        return 2.0**-24 if exact else 2.0**-7

    def _check(self, start: int) -> None:
        torch = self._torch
        block = self._tensor[start : start + self._size]
        wide = torch.float32 if self._tensor.device.type == "mps" else torch.float64
        lengths = torch.linalg.vector_norm(block if block.is_floating_point() else block.to(wide), dim=1, dtype=wide)
        good = torch.isfinite(lengths)
        if not bool(good.all()):
            raise not_finite(start + int(torch.nonzero(~good)[0]))
        self.norm = max(self.norm, float(lengths.max()) * 1.001)
        if self._scale is not None:
            inverse = torch.where(lengths > 0, 1.0 / lengths, torch.zeros_like(lengths))
            if max(float(lengths.max()), float(inverse.max())) > _EXTREME:
                self.deviation = np.inf
            self._scale[start : start + self._size] = inverse.to(torch.float32)

    def _distances(self, queries: Any, size: int) -> Iterator[tuple[int, Any]]:
        for start in range(0, self.n, size):
            block = self._tensor[start : start + size].to(self._torch.float32)
            if self._scale is not None:
                block = block * self._scale[start : start + size, None]
            far = queries @ block.T
            if self.metric == "l2":
                far = (queries * queries).sum(1, keepdim=True) - 2 * far + (block * block).sum(1)
            else:
                far = -far if self.metric == "ip" else 1 - far
            yield start, far

    def _block(self, queries: Any) -> int:
        return max(1, min(self._size, _BLOCK_ELEMENTS // max(1, len(queries))))

    def candidates(self, queries: npt.NDArray[np.float32], k: int) -> tuple[Array, npt.NDArray[np.int64]]:
        torch = self._torch
        with torch.inference_mode():
            wanted = torch.from_numpy(queries).to(self._tensor.device)
            far = torch.empty((len(queries), 0), device=wanted.device)
            rows = torch.empty((len(queries), 0), dtype=torch.int64, device=wanted.device)
            for start, block in self._distances(wanted, self._block(queries)):
                block = torch.nan_to_num(block, nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)
                near, where = torch.topk(block, min(k, block.shape[1]), dim=1, largest=False, sorted=False)
                far, rows = torch.cat([far, near], 1), torch.cat([rows, where + start], 1)
                if far.shape[1] > k:
                    far, chosen = torch.topk(far, k, dim=1, largest=False, sorted=False)
                    rows = torch.gather(rows, 1, chosen)
            return far.cpu().numpy(), rows.cpu().numpy()

    def within(
        self, queries: npt.NDArray[np.float32], limits: npt.NDArray[np.float64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        torch = self._torch
        above = np.nextafter(limits.astype(np.float32), np.float32(np.inf))
        with torch.inference_mode():
            wanted = torch.from_numpy(queries).to(self._tensor.device)
            edge = torch.from_numpy(above).to(wanted.device)[:, None]
            for start, far in self._distances(wanted, self._block(queries)):
                pairs = torch.nonzero(~(far > edge)).cpu().numpy()
                yield pairs[:, 0], pairs[:, 1] + start

    @property
    def device(self) -> str:
        """Of the tensor."""
        return str(self._tensor.device)

    def placed(self, rows: npt.NDArray[np.int64]) -> Any:
        """These rows as a tensor on the device."""
        return self._tensor[self._torch.from_numpy(np.array(rows, np.int64)).to(self._tensor.device)]

    def take(self, rows: npt.NDArray[np.int64]) -> Array:
        return self._to_numpy(self.placed(rows))

    def read(self, part: slice) -> Array:
        """Consecutive rows, brought to the processor."""
        return self._to_numpy(self._tensor[part])

    def _to_numpy(self, tensor: Any) -> Array:
        kind = self._torch.float64 if self.dtype is np.float64 else self._torch.float32
        array: Array = tensor.to(kind).cpu().numpy()
        return array

    def check_read(self, block: Array, rows: npt.NDArray[np.int64]) -> None:
        """All was checked at the start."""
