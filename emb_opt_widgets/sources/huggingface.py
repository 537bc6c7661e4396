"""A `datasets.Dataset` with a faiss index: the index finds, the dataset's columns are the payload, read as asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import InputError, MissingDependencyError
from emb_opt_widgets.sources.checks import check_batch, check_k, check_queries
from emb_opt_widgets.sources.columns import IdTable
from emb_opt_widgets.sources.faiss import search_index

__all__ = ["HuggingFaceSource"]


def _load_datasets() -> Any:
    try:
        import datasets  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingDependencyError(
            "HuggingFaceSource needs datasets", hint="pip install 'emb_opt_widgets[huggingface]'"
        ) from error
    return datasets


class HuggingFaceSource:
    """A dataset with a faiss index. Vectors and payload are read from the dataset, the rows asked for and no others.

    `Hits.distances` are as in `FaissSource`: smaller is nearer. The payload are all columns but the embeddings, the
    ids and the items, as Python values.

    Args:
        dataset: A `datasets.Dataset` on which `add_faiss_index` was called.
        index_name: The index's name, by default that of the column it was made from.
        id_column: Column of distinct int or str; None: the row numbers.
        item_column: Column of what the vectors stand for; None: `Items.items` is None.
        distance_cutoff: The largest distance of a hit, smaller is nearer.
        embedding_column: Where the vectors are, if the index has a name of its own.
        search_params: A `faiss.SearchParameters`, or None.

    Raises:
        InputError: Not a dataset, no such index or column, or the column and the index do not fit.
    """

    def __init__(
        self,
        dataset: Any,
        index_name: str,
        id_column: str | None = None,
        item_column: str | None = None,
        distance_cutoff: float | None = None,
        embedding_column: str | None = None,
        search_params: Any = None,
    ) -> None:
        datasets = _load_datasets()
        if not isinstance(dataset, datasets.Dataset):
            raise InputError(
                "Not a dataset",
                expected="a datasets.Dataset",
                got=type(dataset).__name__,
                hint='Take one split of a DatasetDict: dataset["train"]',
            )
        self._index = _index(dataset, index_name)
        column = index_name if embedding_column is None else embedding_column
        for name in (column, id_column, item_column):
            if name is not None and name not in dataset.column_names:
                raise InputError(
                    f"The dataset has no column {name!r}",
                    expected=f"one of {dataset.column_names}",
                    got=repr(name),
                    hint="embedding_column= names the column of vectors where the index is called otherwise",
                )
        self._column, self._item_column = column, item_column
        self._params, self._cutoff = search_params, distance_cutoff
        # Formats cannot be set on a dataset without copying its indexes; this one shares its table and has none.
        plain = datasets.Dataset(dataset.data, info=dataset.info, indices_table=dataset._indices)
        self._n = len(plain)
        self._vectors = plain.with_format("arrow", columns=[column])
        names = [name for name in dataset.column_names if name not in (column, id_column)]
        self._names = [name for name in names if name != item_column]
        self._payload = plain.with_format(None, columns=names) if names else None
        self._ids = IdTable(self._n, None if id_column is None else list(plain[id_column][:]))
        self._dtype = self._check_column()

    def _check_column(self) -> Any:
        kind = self._vectors.features.arrow_schema.field(self._column).type
        inner = str(getattr(kind, "value_type", kind))
        if inner not in ("double", "float", "halffloat"):
            raise InputError(
                f"Column {self._column!r} holds no vectors",
                expected="a column of lists of floats",
                got=str(kind),
                hint="embedding_column= names the column of vectors",
            )
        if self._n != int(self._index.ntotal):
            raise InputError(
                "The index does not fit the dataset",
                expected=f"{self._n} vectors, one for each row",
                got=f"{self._index.ntotal} in the index",
                hint="Make the index again: dataset.drop_index(name); dataset.add_faiss_index(column)",
            )
        self._read(slice(0, 1))
        return np.dtype(np.float64 if inner == "double" else np.float32)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    @property
    def dtype(self) -> Any:
        """float64 where the dataset's column is float64, else float32. The index itself compares in float32."""
        return self._dtype

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"HuggingFaceSource(column={self._column!r}, n={self._n}, dim={self.dim})"

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """What the index finds for each query, at most `k`, nearest first.

        Args:
            queries: `(q, d)` finite numbers.
            k: Hits per query.
        """
        wanted = check_queries(queries, self.dim, np.float32)
        rows, distances, valid = search_index(self._index, wanted, check_k(k), self._params, self._cutoff)
        offsets = np.concatenate([[0], np.cumsum(valid.sum(axis=1))]).astype(np.int64)
        return Hits(self._ids.of(rows[valid]), distances[valid], offsets)

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """The items with these ids, in this order.

        Raises:
            InputError: An id that the source does not have.
        """
        return self._batch(self._ids.rows(ids))

    def scan(self, batch: int) -> Iterator[Items]:
        """All items in row order, at most `batch` at a time."""
        batch = check_batch(batch)
        for start in range(0, self._n, batch):
            yield self._batch(slice(start, min(start + batch, self._n)))

    def _batch(self, rows: npt.NDArray[np.int64] | slice) -> Items:
        values: dict[str, Any] = {}
        if self._payload is not None:
            values = self._payload[rows if isinstance(rows, slice) else rows.tolist()]
        items = None if self._item_column is None else values[self._item_column]
        return Items(self._ids.of(rows), self._read(rows), items, {name: values[name] for name in self._names})

    def _read(self, rows: npt.NDArray[np.int64] | slice) -> npt.NDArray[Any]:
        table = self._vectors[rows if isinstance(rows, slice) else rows.tolist()]
        column = table.column(self._column).combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        if column.null_count or len(flat) != len(column) * self.dim or flat.dtype.kind != "f":
            raise InputError(
                f"Column {self._column!r} has a row that is no vector of the index",
                expected=f"{self.dim} numbers in every row",
                got=f"{len(flat)} in {len(column)} rows, {column.null_count} of them missing",
                hint="Drop such rows and make the index again",
            )
        kind = np.float64 if flat.dtype.itemsize == 8 else np.float32
        out: npt.NDArray[Any] = flat.astype(kind, copy=False).reshape(len(column), self.dim)
        return out


def _index(dataset: Any, name: str) -> Any:
    known = dataset.list_indexes()
    if name not in known:
        raise InputError(
            f"The dataset has no index {name!r}",
            expected=f"one of its indexes {known}" if known else "a dataset with a faiss index",
            got=repr(name),
            hint="Make one: dataset.add_faiss_index(column=...)",
        )
    index = getattr(dataset.get_index(name), "faiss_index", None)
    if index is None:
        raise InputError(
            f"The index {name!r} is not a faiss index",
            expected="an index made by dataset.add_faiss_index",
            got=type(dataset.get_index(name)).__name__,
        )
    return index
