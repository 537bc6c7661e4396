"""A flat map of vectors: the two directions in which the first ones vary most, kept as still as new fits allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Projection"]

Float32 = npt.NDArray[np.float32]

LAST_FIT = 16_384
_SAMPLE = 512
_BLOCK = 16_384
_LEAST = 96
_NUMBERS = 1 << 17


class Projection:
    """Principal components of the first vectors, fitted anew whenever their number has doubled, up to a bound.

    A new fit is turned, mirrored and shifted so that what was on the map before moves as little as can be
    (orthogonal Procrustes; Schönemann 1966).

    Attributes:
        version: Counts the fits; 0 before the first.
    """

    def __init__(self) -> None:
        self.version = 0
        self._next = 1
        self._axes: Float32 | None = None
        self._origin: Float32 = np.zeros(2, np.float32)

    def grow(self, n: int, vectors: Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]]) -> bool:
        """Fit anew, if it is time.

        Args:
            n: How many vectors there are.
            vectors: Their numbers to their vectors, `(m,)` to `(m, d)`.

        Returns:
            Whether places on the map have changed.
        """
        if n < self._next:
            return False
        while self._next <= n:
            self._next *= 2
        if self._next > LAST_FIT:
            n, self._next = min(n, LAST_FIT), np.iinfo(np.int64).max
        width = vectors(np.zeros(1, np.int64)).shape[1]
        most = min(_SAMPLE, max(_LEAST, _NUMBERS // max(1, width)))
        sample = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
        points = np.asarray(vectors(sample), np.float32)
        if not width:
            self._next = np.iinfo(np.int64).max
            return False
        mean = points.mean(axis=0)
        axes = _components(points - mean)
        new = (points - mean) @ axes
        if self._axes is not None and self._axes.shape == axes.shape:
            old = self.place(points)
            center = old.mean(axis=0)
            left, _, right = np.linalg.svd(new.T.astype(np.float64) @ (old - center))
            axes = (axes @ (left @ right)).astype(np.float32)
            origin = center - mean @ axes
        else:
            origin = -(mean @ axes)
        self._axes, self._origin = axes, origin.astype(np.float32)
        self.version += 1
        return True

    def place(self, vectors: npt.NDArray[Any], rows: npt.NDArray[Any] | None = None) -> Float32:
        """Vectors on the map, `(m, 2)`; zeros before the first fit.

        Args:
            vectors: `(n, d)`. rows: `(m,)` which of them; None: all.
        """
        m = len(vectors) if rows is None else len(rows)
        out = np.zeros((m, 2), np.float32)
        if self._axes is None or vectors.shape[1:] != self._axes.shape[:1]:
            return out
        for start in range(0, m, _BLOCK):
            some = slice(start, start + _BLOCK)
            block = np.asarray(vectors[some if rows is None else rows[some]], np.float32)
            out[some] = block @ self._axes + self._origin
        return out


def _components(centred: Float32) -> Float32:
    """The first two principal directions `(d, 2)`, zeros beyond what there are; each one's largest part is positive."""
    n, d = centred.shape
    out = np.zeros((d, 2), np.float32)
    wide = d > n
    _, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    found = vectors[:, ::-1][:, :2]
    found = centred.T @ found if wide else found
    lengths = np.linalg.norm(found, axis=0)
    out[:, : found.shape[1]] = np.where(lengths > 1e-12, found / np.maximum(lengths, 1e-12), 0)
    signs = np.sign(out[np.abs(out).argmax(axis=0), [0, 1]])
    return out * np.where(signs == 0, 1, signs).astype(np.float32)
