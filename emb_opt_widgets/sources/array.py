"""Vectors in an array: numpy, a memory map, or a torch tensor on any device. The search is exact.

Knows nothing of indexes; an index is a `FaissSource`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources.checks import check_batch, check_k, check_queries
from emb_opt_widgets.sources.columns import Columns
from emb_opt_widgets.sources.nearest import METRICS, Metric, nearest
from emb_opt_widgets.sources.rows import ArrayRows, kept_dtype
from emb_opt_widgets.sources.torch_rows import TorchRows, load_torch

__all__ = ["ArraySource"]


def _is_tensor(value: Any) -> bool:
    return any(cls.__module__.split(".")[0] == "torch" and cls.__name__ == "Tensor" for cls in type(value).__mro__)


class ArraySource:
    """Vectors in an array, searched exactly, without an index and without a copy of the array.

    The nearest rows are those of a direct float64 computation, ordered by distance and then by row number, so equal
    vectors always come in the same order, however many queries are asked at once. Where faiss is installed it does
    the bulk of the work for arrays on the processor; the answer is the same without it.

    `Hits.distances` are float64, smaller is nearer: "l2" the squared Euclidean distance (as faiss has it), "ip" the
    negative inner product, "cosine" 1 - cosine (1 where either vector is zero).

    Args:
        embeddings: `(n, d)` numbers: a numpy array, an `np.memmap` (stays on disk; checked for NaN as its rows are
            first read rather than here), or a torch tensor (a CUDA tensor stays on its device). float64 is searched and
            given out as float64, everything else as float32, converted block by block.
        ids: `(n,)` distinct int or str; None: the row numbers.
        items: `(n,)` sequence of what the vectors stand for.
        data: Columns of length `n` by name: a mapping or a data frame.
        metric: "l2", "ip" or "cosine".
        device: "auto" leaves the array where it is. A torch device ("cuda", "cpu", ...) moves it there once, which
            is a copy.

    Raises:
        InputError: The embeddings are not `(n, d)`, empty, not numbers or not finite; ids repeat; a column has the
            wrong length.
    """

    def __init__(
        self,
        embeddings: Any,
        ids: Any = None,
        items: Any = None,
        data: Any = None,
        metric: Metric = "l2",
        device: str = "auto",
    ) -> None:
        if metric not in METRICS:
            raise InputError("Unknown metric", expected=f"one of {', '.join(map(repr, METRICS))}", got=repr(metric))
        array = _placed(embeddings, device)
        self._columns = Columns(len(array), ids, items, data)
        self._rows: ArrayRows | TorchRows
        self._rows = ArrayRows(array, metric) if isinstance(array, np.ndarray) else TorchRows(array, metric)
        self.metric = metric

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._rows.dim

    @property
    def dtype(self) -> Any:
        """float32, or float64 where the array is float64."""
        return np.dtype(self._rows.dtype)

    @property
    def device(self) -> str:
        """Where the vectors live, as torch names it; "cpu" for arrays that numpy reads."""
        return self._rows.device if isinstance(self._rows, TorchRows) else "cpu"

    def placed(self, rows: npt.NDArray[np.int64]) -> Any:
        """Vectors `(m, d)` by row number, left where they live."""
        return self._rows.placed(rows) if isinstance(self._rows, TorchRows) else self._rows.take(rows)

    def __len__(self) -> int:
        return self._rows.n

    def __repr__(self) -> str:
        return f"ArraySource(n={len(self)}, dim={self.dim}, metric={self.metric!r}, dtype={self.dtype.name})"

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """The `k` nearest items of each query, nearest first, equal distances by row number.

        Args:
            queries: `(q, d)` finite numbers.
            k: Hits per query; where it is more than the source holds, all of it.

        Raises:
            InputError: Wrong shape, not finite, or `k` below 1.
        """
        wanted = check_queries(queries, self.dim, self._rows.dtype)
        k = min(check_k(k), len(self))
        if not len(wanted):
            return Hits(np.empty(0, np.int64), np.empty(0), np.zeros(1, np.int64))
        rows, distances = nearest(self._rows, wanted, k)
        offsets = np.arange(len(rows) + 1, dtype=np.int64) * k
        return Hits(self._columns.ids.of(rows.ravel()), distances.ravel(), offsets)

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """The items with these ids, in this order.

        Raises:
            InputError: An id that the source does not have.
        """
        rows = self._columns.ids.rows(ids)
        embeddings = self._rows.take(rows)
        self._rows.check_read(embeddings, rows)
        return self._columns.batch(rows, embeddings)

    def extend(self, items: Items) -> None:
        """Add items after all others; copies the array.

        Raises:
            InputError: An id that is there already, vectors of another width or not finite, a column that is missing,
                or an array on disk. Nothing is changed then.
        """
        vectors = np.asarray(items.embeddings)
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError("The new vectors have the wrong shape", expected=f"(n, {self.dim})", got=vectors.shape)
        columns = self._columns.extended(items)
        self._rows, self._columns = self._rows.extended(vectors), columns

    def scan(self, batch: int) -> Iterator[Items]:
        """All items in row order, at most `batch` at a time; vectors are read-only views where the type allows it."""
        batch = check_batch(batch)
        for start in range(0, len(self), batch):
            part = slice(start, min(start + batch, len(self)))
            embeddings = self._rows.read(part)
            self._rows.check_read(embeddings, np.arange(part.start, part.stop))
            yield self._columns.batch(part, embeddings)


def _placed(embeddings: Any, device: str) -> Any:
    """The array as numpy where the processor can reach it in place, else as a tensor; two-dimensional, not empty."""
    shape = tuple(getattr(embeddings, "shape", ()))
    if not isinstance(embeddings, np.ndarray) and not _is_tensor(embeddings):
        raise InputError(
            "The embeddings are not an array",
            expected="a numpy array, an np.memmap or a torch tensor, (n, d)",
            got=type(embeddings).__name__,
            hint="Convert them first: np.asarray(embeddings, dtype=np.float32)",
        )
    if len(shape) != 2 or 0 in shape:
        raise InputError(
            "The embeddings have the wrong shape",
            expected="(n, d), at least one row and one column",
            got=shape,
            hint="One vector for each item, stacked as the rows of one array",
        )
    if isinstance(embeddings, np.ndarray):
        kept_dtype(embeddings.dtype)
        return embeddings if device in ("auto", "cpu") else _numpy_or_tensor(_moved(embeddings, device))
    return _numpy_or_tensor(embeddings if device == "auto" else _moved(embeddings, device))


def _moved(embeddings: Any, device: str) -> Any:
    torch = load_torch()
    try:
        return torch.as_tensor(embeddings).to(device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"The embeddings cannot be moved to the device {device!r}",
            expected='"auto" or a torch device that this machine has',
            got=str(error).splitlines()[0],
            hint='device="auto" leaves them where they are',
        ) from error


def _numpy_or_tensor(tensor: Any) -> Any:
    plain = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")
    dense = str(tensor.layout) == "torch.strided"
    if tensor.device.type == "cpu" and dense and str(tensor.dtype).removeprefix("torch.") in plain:
        return tensor.detach().numpy()
    return tensor
