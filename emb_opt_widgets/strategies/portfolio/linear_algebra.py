"""What the surrogates compute with: numpy on the processor, or torch on the device where the library lives.

Both forms offer the same few operations. Knows nothing of libraries or scores; torch is loaded by who asks for it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.protocols import PlacedSource

__all__ = ["NUMPY", "Algebra", "Factor", "NumpyAlgebra", "TorchAlgebra", "algebra_for"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_BLOCK = 64
_ON_THE_PROCESSOR = ("cpu", "mps", "meta")
"""Devices whose vectors are computed with by numpy."""


class Factor(Protocol):
    """A positive definite matrix by its Cholesky factor."""

    @property
    def lower(self) -> Any:
        """`(n, n)`; above the diagonal zeros."""

    @property
    def inverse(self) -> Any:
        """`(n, n)` of the lower factor, itself lower; only what needs variances asks for it."""

    def solve(self, targets: Any) -> Any:
        """The matrix's inverse times `targets (n,)`."""


class Algebra(Protocol):
    """Operations on arrays of its own kind.

    Attributes:
        pairs: Covariances that are best made at a time.
    """

    pairs: int

    def place(self, values: Array, wide: bool = False) -> Any:
        """A numpy array as its own, float32, or float64 where `wide`."""

    def host(self, values: Any) -> Array:
        """One of its arrays as numpy's."""

    def matern(self, squared: Any) -> Any:
        """Matérn 5/2 of five times the scaled squared distances, which are overwritten (Rasmussen and Williams,
        "Gaussian Processes for Machine Learning", 2006, eq. 4.17); what rounding left below 0 counts by its size."""

    def factor(self, gram: Any) -> Factor:
        """Of a symmetric positive definite float64 matrix, of which the lower half is read.

        Raises:
            np.linalg.LinAlgError: It is not positive definite.
        """


class NumpyFactor:
    """Implements `Factor`; what a library of triangular solves would do, by blocks."""

    def __init__(self, lower: Float64) -> None:
        self.lower = lower

    @cached_property
    def inverse(self) -> Float64:
        """Of the lower factor."""
        out = np.zeros_like(self.lower)
        _invert(self.lower, out)
        return out

    def solve(self, targets: Float64) -> Float64:
        """Forward, then backward."""
        lower, out = self.lower, np.array(targets, np.float64)
        starts = range(0, len(out), _BLOCK)
        corners = [np.linalg.inv(lower[i : i + _BLOCK, i : i + _BLOCK]) for i in starts]
        for i, corner in zip(starts, corners):
            part = slice(i, i + _BLOCK)
            out[part] = corner @ (out[part] - lower[part, :i] @ out[:i])
        for i, corner in zip(reversed(starts), reversed(corners)):
            part = slice(i, i + _BLOCK)
            out[part] = corner.T @ (out[part] - lower[i + _BLOCK :, part].T @ out[i + _BLOCK :])
        return out


def _invert(lower: Float64, out: Float64) -> None:
    """A lower factor's inverse, by halves."""
    n = len(lower)
    if n <= _BLOCK:
        out[...] = np.tril(np.linalg.inv(lower))
        return
    half = n // 2
    _invert(lower[:half, :half], out[:half, :half])
    _invert(lower[half:, half:], out[half:, half:])
    out[half:, :half] = -(out[half:, half:] @ (lower[half:, :half] @ out[:half, :half]))


class NumpyAlgebra:
    """Implements `Algebra` on the processor."""

    pairs = 1 << 17

    def place(self, values: Array, wide: bool = False) -> Array:
        return np.asarray(values, np.float64 if wide else np.float32)

    def host(self, values: Array) -> Array:
        return values

    def matern(self, squared: Array) -> Array:
        np.abs(squared, out=squared)
        root = np.sqrt(squared, out=squared)
        out: Array = root * root.dtype.type(1 / 3)
        out += 1
        out *= root
        out += 1
        np.negative(root, out=root)
        out *= np.exp(root, out=root)
        return out

    def factor(self, gram: Float64) -> NumpyFactor:
        n = len(gram)
        if n % 512:
            return NumpyFactor(np.asarray(np.linalg.cholesky(gram), np.float64))
        odd = np.eye(n + 1)  # rows that lie a power of two apart share cache lines: half as fast
        odd[:n, :n] = gram
        return NumpyFactor(np.asarray(np.linalg.cholesky(odd)[:n, :n], np.float64))


class TorchFactor:
    """Implements `Factor` by torch's own solvers."""

    def __init__(self, torch: Any, lower: Any) -> None:
        self._torch = torch
        self.lower = lower

    @cached_property
    def inverse(self) -> Any:
        """Of the lower factor."""
        one = self._torch.eye(len(self.lower), dtype=self.lower.dtype, device=self.lower.device)
        return self._torch.linalg.solve_triangular(self.lower, one, upper=False)

    def solve(self, targets: Any) -> Any:
        """Forward, then backward."""
        return self._torch.cholesky_solve(targets[:, None], self.lower)[:, 0]


class TorchAlgebra:
    """Implements `Algebra` on a torch device.

    Args:
        device: As torch names it: "cuda", "cuda:1", "cpu".
    """

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self.device = device
        self.pairs = 1 << (17 if device == "cpu" else 25)

    def place(self, values: Any, wide: bool = False) -> Any:
        torch = self._torch
        own = values if isinstance(values, torch.Tensor) else torch.from_numpy(np.array(values))
        return own.to(self.device, torch.float64 if wide else torch.float32)

    def host(self, values: Any) -> Array:
        out: Array = values.cpu().numpy()
        return out

    def matern(self, squared: Any) -> Any:
        root = squared.abs_().sqrt_()
        out = root * (1 / 3)
        out.add_(1).mul_(root).add_(1)
        return out.mul_(root.neg_().exp_())

    def factor(self, gram: Any) -> TorchFactor:
        lower, bad = self._torch.linalg.cholesky_ex(gram)
        if int(bad):
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        return TorchFactor(self._torch, lower)


NUMPY = NumpyAlgebra()


def algebra_for(source: object) -> Algebra:
    """The form that computes where a source's vectors live: torch for a `PlacedSource` on a device that computes in
    double precision, else numpy."""
    device = source.device if isinstance(source, PlacedSource) else "cpu"
    return NUMPY if device.split(":")[0] in _ON_THE_PROCESSOR else TorchAlgebra(device)
