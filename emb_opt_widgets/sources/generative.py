"""A latent space: around a query, points are decoded into items. There is nothing to index and no end to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items, as_ids
from emb_opt_widgets.errors import FunctionError, InputError
from emb_opt_widgets.sources.checks import check_k, check_queries
from emb_opt_widgets.sources.identity import identity

__all__ = ["GenerativeSource"]

Array = npt.NDArray[Any]
Decoded = tuple[int | str, Any, Array, dict[str, Any]]


class GenerativeSource:
    """A latent space that a function decodes.

    A search looks at each query's own point and at `around` points around it, drawn from a Gaussian of standard
    deviation `scale` by a stream that depends on the seed and the query's bytes alone. So the same query finds the
    same items, alone or among others, today or after a resume. An item decoded at several points is one item; its
    first embedding stays. `Hits.distances` are squared Euclidean, from the query to the point that was decoded (to the
    item's own embedding where `encode` gives one).

    An item's id is the item itself where it is a str or an int; else a hash of its bytes or its repr.

    Args:
        decode: `(n, d)` float32 -> a list of `n`: an item, None (nothing there), or a list of several items. Or an
            `Items` of length `n`, whose ids, embeddings and data are kept.
        dim: Length of a vector; None: any.
        encode: Items (a list of `n`) -> `(n, d)`: where they lie; None: where they were decoded.
        scale: Standard deviation around a query, at least 0.
        seed: Another seed, other points.
        max_norm: Length beyond which a point is drawn back to it; None: any length.
        around: Most points to look at around a query, beside its own, where decoding is dear. None: `k - 1`.

    Raises:
        InputError: `decode` is not callable, `scale` or `around` is negative, or `max_norm` is not above 0.
    """

    def __init__(
        self,
        decode: Callable[[Array], Any],
        dim: int | None = None,
        encode: Callable[[list[Any]], Any] | None = None,
        scale: float = 0.1,
        seed: int = 0,
        max_norm: float | None = None,
        around: int | None = None,
    ) -> None:
        for name, function in (("decode", decode), ("encode", encode)):
            if not callable(function) and not (name == "encode" and function is None):
                raise InputError(f"{name} is not a function", expected="a callable", got=type(function).__name__)
        if not 0 <= scale < float("inf"):
            raise InputError("scale is a standard deviation", expected="a finite number of at least 0", got=scale)
        number = isinstance(max_norm, (int, float, np.number)) and not isinstance(max_norm, bool)
        if max_norm is not None and not (number and 0 < max_norm < float("inf")):
            raise InputError("max_norm is a length", expected="a finite number above 0, or None", got=max_norm)
        if around is not None and (isinstance(around, bool) or not isinstance(around, int) or around < 0):
            raise InputError("around is a number of points", expected="at least 0, or None", got=repr(around))
        self._decode, self._encode = decode, encode
        self._max_norm, self._most = None if max_norm is None else float(max_norm), around
        self._dim, self._scale, self._seed = dim, float(scale), int(seed)
        self._known: dict[int | str, Decoded] = {}

    @property
    def dim(self) -> int | None:
        """Length of a vector; None where only a query tells."""
        return self._dim

    @property
    def dtype(self) -> Any:
        """float32."""
        return np.dtype(np.float32)

    @property
    def scale(self) -> float:
        """Standard deviation around a query."""
        return self._scale

    @property
    def max_norm(self) -> float | None:
        """The longest that a point is; None: any."""
        return self._max_norm

    def __len__(self) -> int:
        """How many items are known so far."""
        return len(self._known)

    def __repr__(self) -> str:
        return f"GenerativeSource(dim={self._dim}, scale={self._scale}, known={len(self)})"

    def search(self, queries: npt.NDArray[Any], k: int) -> Hits:
        """At most `k` items around each query, nearest first. `Hits.items` holds them.

        Args:
            queries: `(q, d)` finite numbers.
            k: Points to look at for each query, and the most hits it can have.

        Raises:
            FunctionError: `decode` or `encode` raised, or answered with the wrong length or type.
        """
        wanted = check_queries(queries, self._dim, np.float32)
        k = check_k(k)
        k = k if self._most is None else min(k, self._most + 1)
        points = np.concatenate([self._around(query, k) for query in wanted]) if len(wanted) else wanted
        owners, found = self._decoded(points) if len(points) else ([], [])
        ids: list[Any] = []
        distances: list[float] = []
        offsets = [0]
        place = 0
        for number, query in enumerate(wanted):
            near: dict[int | str, float] = {}
            while place < len(found) and owners[place] // k == number:
                far = float(np.square(query.astype(np.float64) - found[place][2]).sum())
                near[found[place][0]] = min(far, near.get(found[place][0], np.inf))
                place += 1
            best = sorted(near.items(), key=lambda pair: pair[1])[:k]
            ids.extend(pair[0] for pair in best)
            distances.extend(pair[1] for pair in best)
            offsets.append(len(ids))
        shown = set(ids)
        for one in found:
            if one[0] in shown:
                self._known.setdefault(one[0], one)
        distinct = list(dict.fromkeys(ids))
        return Hits(as_ids(ids), np.array(distances), np.array(offsets, dtype=np.int64), self._batch(distinct, wanted))

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """The items with these ids, in this order; only those that a search found or `remember` was given.

        Raises:
            InputError: An id that is not known.
        """
        wanted = as_ids(ids).tolist()
        missing = next((value for value in wanted if value not in self._known), None)
        if missing is not None:
            raise InputError(
                f"No item with the id {missing!r:.80} was decoded so far",
                expected=f"one of the {len(self)} known ids",
                got=f"{missing!r:.80}",
                hint="A latent space cannot be asked by id; give the items of an earlier search to remember()",
            )
        return self._batch(wanted, None)

    def remember(self, items: Items) -> None:
        """Make these items known to `fetch` again. What is known already stays as it is."""
        for row, one in enumerate(items):
            embedding = np.array(one.embedding, dtype=np.float32)
            names = {name: column[row] for name, column in items.data.items()}
            self._known.setdefault(one.id, (one.id, one.item, embedding, names))

    def _around(self, query: Array, k: int) -> Array:
        key = hashlib.blake2b((query + np.float32(0)).astype("<f4").tobytes(), key=str(self._seed).encode()[:64])
        stream = np.random.Generator(np.random.PCG64(int.from_bytes(key.digest()[:16], "little")))
        offsets = stream.standard_normal((k - 1, len(query))) * self._scale
        out: Array = np.concatenate([query[None], (query + offsets).astype(np.float32)])
        return out if self._max_norm is None else _within(out, self._max_norm)

    def _decoded(self, points: Array) -> tuple[list[int], list[Decoded]]:
        """All items at these points, and of each the number of its point."""
        answer = _call("decode", self._decode, points.copy())
        if isinstance(answer, str) or not isinstance(answer, (Items, Sequence, np.ndarray)):
            raise FunctionError(
                "decode answered with the wrong type",
                expected=f"a list of {len(points)} items, or an Items",
                got=type(answer).__name__,
            )
        if len(answer) != len(points):
            raise FunctionError(
                "decode answered with the wrong length",
                expected=f"{len(points)}, one for each point",
                got=len(answer),
                hint="Put None where a point decodes to nothing, a list where it decodes to several items",
            )
        if isinstance(answer, Items):
            found = [(one.id, one.item, np.asarray(one.embedding, np.float32), one.data) for one in answer]
            self._check_vectors("decode", np.array([one[2] for one in found]), len(points), points.shape[1])
            return list(range(len(points))), found
        several = [item if isinstance(item, list) else [item] for item in answer]
        pairs = [(i, item) for i, items in enumerate(several) for item in items if item is not None]
        owners, items = [i for i, _ in pairs], [item for _, item in pairs]
        embeddings = points[owners]
        if self._encode is not None and items:
            embeddings = np.asarray(_call("encode", self._encode, items), dtype=np.float32)
            self._check_vectors("encode", embeddings, len(items), points.shape[1])
        return owners, [(identity(item), item, vector, {}) for item, vector in zip(items, embeddings)]

    @staticmethod
    def _check_vectors(name: str, vectors: Array, n: int, dim: int) -> None:
        if vectors.shape != (n, dim) or not np.isfinite(vectors).all():
            raise FunctionError(
                f"{name} answered with the wrong vectors",
                expected=f"finite numbers, {(n, dim)}",
                got=f"{vectors.shape}" if vectors.shape != (n, dim) else "NaN or infinity",
            )

    def _batch(self, ids: list[Any], queries: Array | None) -> Items:
        known = [self._known[value] for value in ids]
        width = self._dim if queries is None else queries.shape[1]
        embeddings = np.array([one[2] for one in known], np.float32).reshape(len(known), -1 if known else width or 0)
        names = sorted({name for one in known for name in one[3]})
        data = {name: [one[3].get(name) for one in known] for name in names}
        return Items(as_ids(ids), embeddings, [one[1] for one in known], data)


def _within(points: Array, most: float) -> Array:
    """Float32 points, those that are longer than this drawn back to it."""
    wide = points.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    shrunk = (wide * (most * (1 - 1e-7) / np.maximum(norms, most))).astype(np.float32)
    out: Array = np.where(norms > most, shrunk, points)
    return out


def _call(name: str, function: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return function(argument)
    except Exception as error:
        raise FunctionError(f"{name} raised {type(error).__name__}: {error}") from error
