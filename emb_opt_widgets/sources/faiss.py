"""A faiss index: whatever it finds are the hits. As exact, and as repeatable, as the index is.

Knows how to bring vectors back out of the kinds of index that keep them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import InputError, MissingDependencyError
from emb_opt_widgets.sources.checks import check_batch, check_k, check_queries
from emb_opt_widgets.sources.columns import Columns, IdTable

__all__ = ["FaissSource", "search_index"]


def _load_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError("FaissSource needs faiss", hint="pip install 'emb_opt_widgets[faiss]'") from error
    return faiss


def search_index(
    index: Any, queries: npt.NDArray[Any], k: int, params: Any = None, cutoff: float | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """What a faiss index finds, in this project's convention.

    Args:
        index: Any `faiss.Index`.
        queries: `(q, d)`.
        k: Hits per query.
        params: A `faiss.SearchParameters`, or None.
        cutoff: The largest distance of a hit, or None.

    Returns:
        Labels, distances (smaller is nearer; a similarity such as the inner product comes negated) and which are
        hits, each `(q, k)`; nearest first, equal distances by label, what is no hit last.
    """
    faiss = _load_faiss()
    wanted = np.ascontiguousarray(queries, dtype=np.float32)
    k = min(k, max(1, int(index.ntotal)))
    if not len(wanted):
        return np.empty((0, k), np.int64), np.empty((0, k), np.float32), np.empty((0, k), np.bool_)
    distances, labels = index.search(wanted, k) if params is None else index.search(wanted, k, params=params)
    if faiss.is_similarity_metric(index.metric_type):
        distances = -distances
    valid = (labels != -1) & ~np.isnan(distances)
    if cutoff is not None:
        valid &= distances <= cutoff
    if valid.all() and (np.diff(distances, axis=1) > 0).all():
        return labels.astype(np.int64, copy=False), distances, valid
    order = np.lexsort((labels, np.where(valid, distances, np.inf), ~valid), axis=1)
    return (
        np.take_along_axis(labels, order, 1).astype(np.int64, copy=False),
        np.take_along_axis(distances, order, 1),
        np.take_along_axis(valid, order, 1),
    )


class FaissSource:
    """A faiss index of any kind that can give its vectors back: Flat, IVF, HNSW, PQ, IndexIDMap, a pre-transform...

    `Hits.distances` are as faiss has them, smaller is nearer: "l2" indexes give the squared Euclidean distance, inner
    product indexes the negative inner product. Vectors of a compressing index (PQ, SQ) come back as it decodes them.
    Between equal distances at the k-th place faiss decides. For IVF indexes the direct map that fetching needs is
    switched on; it holds 8 to 16 bytes for each vector.

    Args:
        index: The index, filled. Vectors added later are not seen.
        ids: `(n,)` distinct int or str in the order in which vectors were added; None: faiss's own labels.
        items: `(n,)` sequence of what the vectors stand for, in the same order.
        data: Columns of length `n` by name, in the same order.
        search_params: For example `faiss.SearchParametersIVF(nprobe=16)`.
        distance_cutoff: The largest distance of a hit, smaller is nearer: for an inner product index, -0.8 keeps hits
            with an inner product of at least 0.8.

    Raises:
        InputError: Not a faiss index, empty, or it cannot give its vectors back.
    """

    def __init__(
        self,
        index: Any,
        ids: Any = None,
        items: Any = None,
        data: Any = None,
        search_params: Any = None,
        distance_cutoff: float | None = None,
    ) -> None:
        self._faiss = _load_faiss()
        if not isinstance(index, self._faiss.Index):
            raise InputError(
                "Not a faiss index of float vectors",
                expected="a faiss.Index",
                got=type(index).__name__,
                hint="Binary indexes are not supported" if "Binary" in type(index).__name__ else None,
            )
        if index.ntotal == 0:
            raise InputError(
                "The index is empty", expected="at least one vector", got="ntotal = 0", hint="index.add(x)"
            )
        self._index = index
        self._n = int(index.ntotal)
        self._params = search_params
        self._cutoff = distance_cutoff
        self._reader, self._labels = _readable(self._faiss, index)
        self._read_by_label = self._reader is index
        if self._labels is not None and (self._labels == -1).any():
            raise InputError(
                "The index holds a vector under the id -1",
                expected="other ids: faiss means by -1 that nothing was found",
                got="-1",
                hint="Add it again under another id, with add_with_ids",
            )
        given = self._labels if ids is None else ids
        self._columns = Columns(self._n, given, items, data)
        self._places = IdTable(self._n, self._labels)
        self._read(np.zeros(1, np.int64))

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    @property
    def dtype(self) -> Any:
        """float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"FaissSource({type(self._index).__name__}, n={self._n}, dim={self.dim})"

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """What the index finds for each query, at most `k`, nearest first.

        Args:
            queries: `(q, d)` finite numbers.
            k: Hits per query.
        """
        wanted = check_queries(queries, self.dim, np.float32)
        labels, distances, valid = search_index(self._index, wanted, check_k(k), self._params, self._cutoff)
        offsets = np.concatenate([[0], np.cumsum(valid.sum(axis=1))]).astype(np.int64)
        return Hits(self._columns.ids.of(self._places.rows(labels[valid])), distances[valid], offsets)

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """The items with these ids, in this order.

        Raises:
            InputError: An id that the source does not have.
        """
        rows = self._columns.ids.rows(ids)
        return self._columns.batch(rows, self._read(rows))

    def scan(self, batch: int) -> Iterator[Items]:
        """All items in the order in which they were added (IVF: by label), at most `batch` at a time."""
        batch = check_batch(batch)
        for start in range(0, self._n, batch):
            part = slice(start, min(start + batch, self._n))
            yield self._columns.batch(part, self._read(np.arange(part.start, part.stop)))

    def _read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        if not len(rows):
            return np.empty((0, self.dim), np.float32)
        keys = self._places.of(rows) if self._read_by_label else rows
        try:
            out: npt.NDArray[np.float32] = self._reader.reconstruct_batch(np.ascontiguousarray(keys))
        except RuntimeError as error:
            raise InputError(
                f"{type(self._index).__name__} cannot give its vectors back",
                expected="an index that can reconstruct",
                got=str(error).splitlines()[0][:200],
                hint="Search the vectors themselves with ArraySource(embeddings), or add them to an index that keeps "
                "them, such as one wrapped in faiss.IndexIDMap2",
            ) from error
        return out


def _readable(faiss: Any, index: Any) -> tuple[Any, npt.NDArray[np.int64] | None]:
    """What to reconstruct from, and the label of each position (None: the position itself).

    An IndexIDMap cannot reconstruct, but the index inside it can, by position.
    """
    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexIDMap):
        labels = faiss.vector_to_array(inner.id_map).astype(np.int64)
        below = faiss.downcast_index(inner.index)
        reader, deeper = _readable(faiss, below)
        if deeper is None:
            return reader, labels
        raise InputError(
            "The index maps ids twice",
            expected="one IndexIDMap, or an IVF index with ids of its own",
            got=f"{type(inner).__name__} over {type(below).__name__}",
            hint="Add with add_with_ids to one of them only",
        )
    ivf = faiss.try_extract_index_ivf(inner)
    if ivf is None:
        return index, None
    labels = _ivf_labels(faiss, ivf)
    dense = len(labels) == index.ntotal and np.array_equal(labels, np.arange(len(labels)))
    if ivf.direct_map.type == faiss.DirectMap.NoMap:
        kind = faiss.DirectMap.Array if dense else faiss.DirectMap.Hashtable
        try:
            ivf.set_direct_map_type(kind)
        except RuntimeError as error:
            raise InputError(
                f"{type(index).__name__} cannot give its vectors back",
                expected="an IVF index with a direct map",
                got=str(error).splitlines()[0][:200],
                hint="Search the vectors themselves with ArraySource(embeddings)",
            ) from error
    return index, None if dense else labels


def _ivf_labels(faiss: Any, ivf: Any) -> npt.NDArray[np.int64]:
    lists = ivf.invlists
    parts = [np.empty(0, np.int64)]
    for number in range(ivf.nlist):
        size = lists.list_size(number)
        if size:
            pointer = lists.get_ids(number)
            parts.append(np.array(faiss.rev_swig_ptr(pointer, size), dtype=np.int64))
            lists.release_ids(number, pointer)
    return np.sort(np.concatenate(parts))
