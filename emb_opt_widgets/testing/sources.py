"""Is it a source? One function a promise, each against the slow, obvious loop.

    case = SourceCase(make=lambda vectors: MySource(vectors))

    @pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
    def test_my_source(check):
        check(case)

or all of them at once: `check_source(case)`. A promise that is not kept raises `AssertionError`.

Knows nothing of pytest. Sources that make items up (`VolatileSource`) have no brute force to equal; of these checks
only `shapes`, `nearest_first`, `bad_queries`, `determinism` and `batch_invariance` are for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import ReadableSource, Source
from emb_opt_widgets.errors import InputError

__all__ = ["SOURCE_CHECKS", "VOLATILE_CHECKS", "SourceCase", "check_source"]

Array = npt.NDArray[Any]
Metric = Literal["l2", "ip", "cosine"]


def _vectors() -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(20240901)
    spread = rng.standard_normal((200, 8))
    return np.concatenate([spread, spread[:20] * 0.5, spread[:7]]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SourceCase:
    """A way to make the source under test, and what it promises.

    Attributes:
        make: `(n, d)` float32 -> a source of these vectors.
        metric: What "nearest" means there.
        id_of: Row number -> the id that the source gives it.
        stored: `(n, d)` -> the vectors as the source keeps them (scaled, compressed); None: as they are.
        ties_by_row: Whether equal distances come in the order of the rows.
        tolerance: How far vectors and distances may be off, relative to their size.
        vectors: `(n, d)` to test with; by default 227 in 8 dimensions, some of them equal.
    """

    make: Callable[[npt.NDArray[np.float32]], Source]
    metric: Metric = "l2"
    id_of: Callable[[int], int | str] = int
    stored: Callable[[Array], Array] | None = None
    ties_by_row: bool = False
    tolerance: float = 1e-4
    vectors: npt.NDArray[np.float32] = field(default_factory=_vectors)

    def kept(self) -> npt.NDArray[np.float64]:
        """`(n, d)`: the vectors as the source keeps them, in float64."""
        kept = self.vectors if self.stored is None else self.stored(self.vectors)
        return np.asarray(kept, dtype=np.float64)

    def queries(self) -> npt.NDArray[np.float32]:
        """`(25, d)`: some near vectors, some on them, some apart."""
        rng = np.random.default_rng(7)
        near = self.vectors[:10] + rng.normal(0, 0.1, (10, self.vectors.shape[1]))
        apart = rng.standard_normal((12, self.vectors.shape[1]))
        return np.concatenate([near, apart, self.vectors[:3]]).astype(np.float32)


def _expect(holds: Any, promise: str, got: object = None) -> None:
    if not holds:
        raise AssertionError(f"{promise}{'' if got is None else f'; got {got}'}")


def _brute(case: SourceCase, queries: Array) -> npt.NDArray[np.float64]:
    """`(q, n)` distances, one pair at a time."""
    kept = case.kept()
    out = np.empty((len(queries), len(kept)))
    for i, query in enumerate(np.asarray(queries, dtype=np.float64)):
        for j, vector in enumerate(kept):
            if case.metric == "l2":
                out[i, j] = sum((query - vector) ** 2)
            elif case.metric == "ip":
                out[i, j] = -sum(query * vector)
            else:
                lengths = np.sqrt(sum(query**2)) * np.sqrt(sum(vector**2))
                out[i, j] = 1 - (sum(query * vector) / lengths if lengths else 0)
    return out


def _of_query(hits: Hits, i: int) -> list[Any]:
    found: list[Any] = hits.ids[hits.offsets[i] : hits.offsets[i + 1]].tolist()
    return found


def _ids(case: SourceCase, rows: Any) -> npt.NDArray[Any]:
    values = [case.id_of(int(row)) for row in rows]
    out = np.empty(len(values), dtype=object if any(isinstance(v, str) for v in values) else np.int64)
    out[:] = values
    return out


def _same_items(case: SourceCase, items: Items, rows: list[int], where: str) -> None:
    _expect(items.ids.tolist() == _ids(case, rows).tolist(), f"{where} gives the ids asked for, in order", items.ids)
    kept = case.kept()[rows]
    off = np.abs(items.embeddings - kept).max(initial=0)
    _expect(off <= case.tolerance * max(1.0, np.abs(kept).max(initial=0)), f"{where} gives the vectors", f"{off} off")


def protocol(case: SourceCase) -> None:
    """It has the methods, the length and the width."""
    source = case.make(case.vectors)
    _expect(isinstance(source, Source), "a source has search, fetch, dim and len")
    _expect(len(source) == len(case.vectors), "len is the number of items", len(source))
    _expect(source.dim in (None, case.vectors.shape[1]), "dim is the length of a vector", source.dim)


def brute_force(case: SourceCase) -> None:
    """For several k the hits are as near as any can be."""
    source, queries = case.make(case.vectors), case.queries()
    far = _brute(case, queries)
    row_of = {case.id_of(row): row for row in range(len(case.vectors))}
    for k in (1, 2, 10, 100):
        hits = source.search(queries, k)
        best = np.sort(far, axis=1)[:, :k]
        for i in range(len(queries)):
            rows = [row_of[value] for value in _of_query(hits, i)]
            _expect(len(rows) == k, f"query {i} has k={k} hits", len(rows))
            _expect(len(set(rows)) == k, f"the hits of query {i} are all different", rows)
            slack = case.tolerance * max(1.0, np.abs(best[i]).max())
            off = np.abs(far[i, rows] - best[i]).max()
            _expect(off <= slack, f"query {i}, k={k}: the nearest {k} in order", f"{off} off")
            if case.ties_by_row:
                order = np.lexsort((np.arange(far.shape[1]), np.round(far[i], 9)))[:k]
                _expect(rows == order.tolist(), f"query {i}, k={k}: equal distances by row", rows)


def shapes(case: SourceCase) -> None:
    """Ids, distances and offsets fit together, and have the right types."""
    source, queries = case.make(case.vectors), case.queries()
    hits = source.search(queries, 4)
    _expect(len(hits) == len(queries), "one answer for each query", len(hits))
    _expect(hits.offsets.dtype == np.int64 and hits.offsets.shape == (len(queries) + 1,), "offsets are (q + 1,) int64")
    _expect(hits.offsets[0] == 0 and bool((np.diff(hits.offsets) >= 0).all()), "offsets rise from 0", hits.offsets)
    _expect(hits.ids.shape == hits.distances.shape == (hits.offsets[-1],), "one id and one distance for each hit")
    _expect(hits.ids.dtype in (np.int64, object), "ids are int64 or object", hits.ids.dtype)
    _expect(np.asarray(hits.distances).dtype.kind == "f", "distances are floats", hits.distances.dtype)
    none = source.search(queries[:0], 4)
    _expect(len(none) == 0 and len(none.ids) == 0, "no queries, no hits")


def nearest_first(case: SourceCase) -> None:
    """Distances never fall along a query's hits."""
    source, queries = case.make(case.vectors), case.queries()
    hits = source.search(queries, 20)
    for i in range(len(queries)):
        steps = np.diff(hits.distances[hits.offsets[i] : hits.offsets[i + 1]])
        _expect(bool((steps >= 0).all()), f"the hits of query {i} come nearest first", steps)


def fetch_order(case: SourceCase) -> None:
    """`fetch` gives what is asked for in the order of asking, repeats included."""
    source = case.make(case.vectors)
    dtype = np.dtype(getattr(source, "dtype", np.float32))
    for rows in ([5], [9, 3, 4, 100, 0], [7, 7, 2, 7], list(range(len(case.vectors)))[::-1], []):
        items = source.fetch(_ids(case, rows))
        _same_items(case, items, rows, "fetch")
        _expect(items.embeddings.shape == (len(rows), case.vectors.shape[1]), "embeddings are (n, d)")
        _expect(items.embeddings.dtype == dtype, f"embeddings are {dtype}", items.embeddings.dtype)


def unknown_ids(case: SourceCase) -> None:
    """An id that is not there is an `InputError`, also among known ones."""
    source = case.make(case.vectors)
    known = case.id_of(0)
    for wrong in (len(case.vectors) + 10_000, -1, "no such id"):
        for ids in ([wrong], [known, wrong]):
            try:
                source.fetch(np.array(ids, dtype=object))
            except InputError:
                continue
            raise AssertionError(f"an unknown id is an InputError; fetch({ids!r}) answered")


def bad_queries(case: SourceCase) -> None:
    """Queries of the wrong width, NaN and a `k` of 0 are `InputError`s."""
    source, queries = case.make(case.vectors), case.queries()
    wrong: list[tuple[str, Array, int]] = [
        ("too wide", np.zeros((2, case.vectors.shape[1] + 1), np.float32), 3),
        ("one-dimensional", queries[0], 3),
        ("NaN", np.full_like(queries, np.nan), 3),
        ("k = 0", queries, 0),
    ]
    for what, array, k in wrong:
        try:
            source.search(array, k)
        except InputError:
            continue
        raise AssertionError(f"{what} is an InputError; search answered")


def scan_complete(case: SourceCase) -> None:
    """`scan` gives every item once, in a fixed order, whatever the batch, and the same as `fetch`."""
    source = case.make(case.vectors)
    if not isinstance(source, ReadableSource):
        return
    n = len(case.vectors)
    row_of = {case.id_of(row): row for row in range(n)}
    orders = []
    for batch in (1, 7, n, n + 50):
        seen: list[Any] = []
        for items in source.scan(batch):
            _expect(0 < len(items) <= batch, f"scan({batch}) gives 1 to {batch} items at a time", len(items))
            _same_items(case, items, [row_of[value] for value in items.ids.tolist()], "scan")
            again = source.fetch(items.ids)
            _expect(np.array_equal(again.embeddings, items.embeddings), "scan and fetch give the same vectors")
            _expect(set(again.data) == set(items.data), "scan and fetch give the same columns", set(again.data))
            seen += items.ids.tolist()
        _expect(len(seen) == n and set(seen) == set(row_of), f"scan({batch}) gives every item once", len(seen))
        orders.append(seen)
    _expect(all(order == orders[0] for order in orders), "scan has one order, whatever the batch")


def _same_hits(case: SourceCase, one: Hits, i: int, other: Hits, j: int, promise: str) -> None:
    """To the last id and bit where equal distances have an order; else to within rounding, ties in any order."""
    far = one.distances[one.offsets[i] : one.offsets[i + 1]]
    far_too = other.distances[other.offsets[j] : other.offsets[j + 1]]
    same = _of_query(one, i) == _of_query(other, j)
    if case.ties_by_row:
        _expect(same and np.array_equal(far, far_too), promise, _of_query(other, j))
        return
    slack = case.tolerance * max(1.0, np.abs(far).max(initial=0))
    _expect(len(far) == len(far_too) and np.allclose(far, far_too, rtol=0, atol=slack), promise, far_too)
    _expect(same or bool((np.diff(far) <= slack).any()), promise, _of_query(other, j))


def determinism(case: SourceCase) -> None:
    """The same question, the same answer, also from a second source made alike."""
    source, queries = case.make(case.vectors), case.queries()
    first = source.search(queries, 11)
    for again in (source.search(queries.copy(), 11), case.make(case.vectors.copy()).search(queries, 11)):
        for i in range(len(queries)):
            _same_hits(case, first, i, again, i, f"query {i} finds the same every time")


def batch_invariance(case: SourceCase) -> None:
    """A query finds the same alone as among others."""
    source, queries = case.make(case.vectors), case.queries()
    together = source.search(queries, 11)
    for i in range(len(queries)):
        alone = source.search(queries[i : i + 1], 11)
        _same_hits(case, together, i, alone, 0, f"query {i} finds the same alone as among others")


def everything(case: SourceCase) -> None:
    """`k` equal to the number of items gives all of them; a larger `k` no more."""
    source, queries = case.make(case.vectors), case.queries()[:4]
    whole = {case.id_of(row) for row in range(len(case.vectors))}
    for k in (len(whole), len(whole) + 13):
        hits = source.search(queries, k)
        for i in range(len(queries)):
            found = _of_query(hits, i)
            _expect(len(found) == len(whole) and set(found) == whole, f"k={k} gives all items once", len(found))


SOURCE_CHECKS: tuple[Callable[[SourceCase], None], ...] = (
    protocol,
    brute_force,
    shapes,
    nearest_first,
    fetch_order,
    unknown_ids,
    bad_queries,
    scan_complete,
    determinism,
    batch_invariance,
    everything,
)

VOLATILE_CHECKS = (shapes, nearest_first, bad_queries, determinism, batch_invariance)


def check_source(case: SourceCase) -> None:
    """Every check of the suite.

    Raises:
        AssertionError: The first promise that is not kept.
    """
    for check in SOURCE_CHECKS:
        check(case)
