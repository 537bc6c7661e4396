"""A Qdrant collection, on a server or in the client's local mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.errors import InputError, MissingDependencyError
from emb_opt_widgets.sources.checks import check_batch, check_k, check_queries, unknown_id

__all__ = ["QdrantSource"]

_REQUESTS = 64
_RECORDS = 1000


def _load_qdrant() -> Any:
    try:
        import qdrant_client
    except ImportError as error:
        raise MissingDependencyError(
            "QdrantSource needs qdrant-client", hint="pip install 'emb_opt_widgets[qdrant]'"
        ) from error
    return qdrant_client


class QdrantSource:
    """A Qdrant collection, asked in batches (`query_batch_points`).

    `Hits.distances`, smaller is nearer: for a Euclid or Manhattan collection Qdrant's score itself (the Euclidean
    distance, not squared), for Cosine 1 - score, for Dot the negative score. A Cosine collection stores its vectors
    scaled to length 1, and those are what `fetch` and `scan` give. Hits carry ids only; the engine fetches the payload
    of what is new. An item that lacks a payload key has None there.

    Args:
        client: A `qdrant_client.QdrantClient`.
        collection: The collection's name.
        item_key: Payload key of what the vectors stand for; None: `Items.items` is None.
        search_params: A `models.SearchParams`, for example `SearchParams(exact=True)`.
        query_filter: A `models.Filter`; the source then consists of the points that pass it.
        distance_cutoff: The largest distance of a hit, smaller is nearer.
        vector_name: Which of the collection's named vectors; needed only where there are several.

    Raises:
        InputError: Not a client, no such collection or vector, an empty collection.
    """

    remote = True
    """Reading it through goes over a network: strategies ask it instead."""

    def __init__(
        self,
        client: Any,
        collection: str,
        item_key: str | None = None,
        search_params: Any = None,
        query_filter: Any = None,
        distance_cutoff: float | None = None,
        vector_name: str | None = None,
    ) -> None:
        qdrant = _load_qdrant()
        if not isinstance(client, qdrant.QdrantClient):
            raise InputError(
                "Not a Qdrant client",
                expected="a qdrant_client.QdrantClient",
                got=type(client).__name__,
                hint='For example QdrantClient(url="http://localhost:6333"); the asynchronous client will not do',
            )
        if not client.collection_exists(collection):
            raise InputError(
                f"There is no collection {collection!r}",
                expected=f"one of {sorted(c.name for c in client.get_collections().collections)}",
                got=repr(collection),
            )
        self._request = qdrant.models.QueryRequest
        self._client, self._collection = client, collection
        self._item_key, self._filter = item_key, query_filter
        self._params, self._cutoff = search_params, distance_cutoff
        vectors = client.get_collection(collection).config.params.vectors
        self._vector, params = _vector(vectors, vector_name)
        self._dim = int(params.size)
        self._distance = str(params.distance.value)
        self._n = int(client.count(collection, count_filter=query_filter, exact=True).count)
        if self._n == 0:
            raise InputError(
                f"The collection {collection!r} is empty",
                expected="at least one point" + ("" if query_filter is None else " that passes query_filter"),
                got="none",
            )

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    @property
    def dtype(self) -> Any:
        """float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"QdrantSource({self._collection!r}, n={self._n}, dim={self._dim}, distance={self._distance!r})"

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """What the collection finds for each query, at most `k`, nearest first, equal distances by id.

        Args:
            queries: `(q, d)` finite numbers.
            k: Hits per query.
        """
        wanted = check_queries(queries, self._dim, np.float32)
        k = check_k(k)
        ids: list[Any] = []
        distances: list[float] = []
        offsets = [0]
        for start in range(0, len(wanted), _REQUESTS):
            requests = [
                self._request(
                    query=query.tolist(), using=self._vector, filter=self._filter, params=self._params, limit=k
                )
                for query in wanted[start : start + _REQUESTS]
            ]
            for answer in self._client.query_batch_points(self._collection, requests=requests):
                hits = sorted((self._far(p.score), isinstance(p.id, str), p.id) for p in answer.points)
                kept = [hit for hit in hits if self._cutoff is None or hit[0] <= self._cutoff]
                ids.extend(hit[2] for hit in kept)
                distances.extend(hit[0] for hit in kept)
                offsets.append(len(ids))
        return Hits(as_ids(ids), np.array(distances, dtype=np.float64), np.array(offsets, dtype=np.int64))

    def _far(self, score: float) -> float:
        if self._distance == "Cosine":
            return 1.0 - score
        return -score if self._distance == "Dot" else score

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """The items with these ids, in this order.

        Raises:
            InputError: An id that the collection does not have.
        """
        wanted = as_ids(ids).tolist()
        keys = [_key(value) for value in wanted]
        asked = list(dict.fromkeys(key for key in keys if key is not None))
        records: dict[Any, Any] = {}
        for start in range(0, len(asked), _RECORDS):
            found = self._client.retrieve(
                self._collection,
                ids=asked[start : start + _RECORDS],
                with_payload=True,
                with_vectors=True if self._vector is None else [self._vector],
            )
            records.update((_key(record.id), record) for record in found)
        missing = next((value for value, key in zip(wanted, keys) if key not in records), None)
        if missing is not None:
            raise unknown_id(missing, self._n, next(iter(records), "..."))
        return self._items(wanted, [records[key] for key in keys])

    def scan(self, batch: int) -> Iterator[Items]:
        """All items that pass the filter, in the collection's order of ids, at most `batch` at a time."""
        batch, offset = check_batch(batch), None
        while True:
            records, offset = self._client.scroll(
                self._collection,
                scroll_filter=self._filter,
                limit=batch,
                offset=offset,
                with_payload=True,
                with_vectors=True if self._vector is None else [self._vector],
            )
            if records:
                yield self._items([record.id for record in records], records)
            if offset is None:
                return

    def _items(self, ids: Sequence[Any], records: Sequence[Any]) -> Items:
        vectors = [r.vector if self._vector is None else (r.vector or {}).get(self._vector) for r in records]
        bare = next((str(value) for value, vector in zip(ids, vectors) if vector is None), None)
        if bare is not None:
            raise InputError(f"Point {bare} has no such vector", expected=f"a vector {self._vector!r}", got="none")
        embeddings = np.array(vectors, dtype=np.float32).reshape(len(records), self._dim)
        payloads = [record.payload or {} for record in records]
        names = sorted({name for payload in payloads for name in payload if name != self._item_key})
        items = None if self._item_key is None else [payload.get(self._item_key) for payload in payloads]
        data = {name: [payload.get(name) for payload in payloads] for name in names}
        return Items(as_ids(ids), embeddings, items, data)


def _key(value: Any) -> int | str | None:
    """One spelling for each point id; None for what cannot be one."""
    if not isinstance(value, str):
        return int(value) if 0 <= value < 2**64 else None
    try:
        return str(UUID(value))
    except ValueError:
        return None


def _vector(vectors: Any, name: str | None) -> tuple[str | None, Any]:
    named = vectors if isinstance(vectors, dict) else {}
    if name is None and named and len(named) == 1:
        name = next(iter(named))
    if named and name in named:
        chosen = named[name]
    elif not named and vectors is not None and name in (None, ""):
        name, chosen = None, vectors
    else:
        raise InputError(
            "Which of the collection's vectors is searched is not clear",
            expected=f"vector_name= one of {sorted(named)}" if named else "a collection with one dense vector",
            got=repr(name),
        )
    if chosen.multivector_config is not None:
        raise InputError("Multivectors cannot be searched", expected="one dense vector for each point", got=repr(name))
    return name, chosen
