"""A source with its answers checked: whatever it is, the engine gets whole, finite, well-shaped columns."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.arrays import stream
from emb_opt_widgets.engine.config import describe, import_path, registered
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.ids import IdTable
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import GrowingSource, ReadableSource, Source, VolatileSource
from emb_opt_widgets.errors import FunctionError, InputError, failing_as

__all__ = ["BoundSource"]


class BoundSource:
    """A source at the engine's boundary.

    Args:
        source: Any `Source`.

    Raises:
        InputError: It is empty.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.volatile = isinstance(source, VolatileSource)
        self.readable = isinstance(source, ReadableSource)
        self.dtype = np.dtype(getattr(source, "dtype", np.float32))
        self.size = None if self.volatile else len(source)
        name = getattr(source, "id_name", None)
        self.id_name: str | None = name if isinstance(name, str) else None
        if self.size == 0:
            raise InputError("The source is empty", expected="at least one item", got="none")

    @property
    def dim(self) -> int | None:
        return self.source.dim

    def fingerprint(self) -> Mapping[str, Any]:
        """What tells this source from another: kind, size, dimensions, a checksum of its first vectors, and the fields
        of a registered one.
        """
        out: dict[str, Any] = {
            "kind": type(self.source).__name__, "size": self.size, "dim": self.dim, "dtype": self.dtype.name,
        }  # fmt: skip
        metric = getattr(self.source, "metric", None)
        if isinstance(metric, str):
            out["metric"] = metric
        if import_path(type(self.source)) in registered():
            out["part"] = describe(self.source, {})
        if isinstance(self.source, ReadableSource):
            head = next(iter(self.source.scan(64)), None)
            if head is not None:
                vectors = np.ascontiguousarray(head.embeddings[:64], np.float32)
                out["head"] = zlib.crc32(vectors.tobytes())
        return out

    def extend(self, items: Items) -> None:
        """Add items, where the source can grow.

        Raises:
            InputError: It cannot, or the items do not fit.
        """
        if not isinstance(self.source, GrowingSource):
            raise InputError(
                "This source cannot grow",
                expected="a source with extend(items), as ArraySource",
                got=type(self.source).__name__,
                hint="Make the larger source, and go on with it: load(path, source=…)",
            )
        with failing_as("source's extend"):
            self.source.extend(items)
        self.size = len(self.source)

    def first(self) -> Items | None:
        """Its first items, a few thousand at most; None where it cannot be read through."""
        return next(iter(self.source.scan(4096)), None) if isinstance(self.source, ReadableSource) else None

    def search(self, queries: npt.NDArray[np.float64], k: int) -> Hits:
        """Hits of float64 queries, checked."""
        k = k if self.size is None else min(k, self.size)
        with failing_as("source's search"):
            hits = self.source.search(np.ascontiguousarray(queries, self.dtype), k)
        if isinstance(hits, tuple) and len(hits) == 2:
            hits = Hits.from_matrix(*hits)
        if not isinstance(hits, Hits) or len(hits) != len(queries):
            raise FunctionError(
                "The source's search returned the wrong thing",
                expected=f"Hits of {len(queries)} queries",
                got=f"{type(hits).__name__} of {len(hits) if hasattr(hits, '__len__') else '?'}",
            )
        return hits

    def fetch(self, ids: npt.NDArray[Any]) -> Items:
        """Items by id, checked."""
        with failing_as("source's fetch"):
            items = self.source.fetch(ids)
        if len(items) != len(ids) or items.embeddings.ndim != 2:
            raise FunctionError(
                "The source's fetch returned the wrong thing",
                expected=f"{len(ids)} items with embeddings of shape ({len(ids)}, d)",
                got=f"{len(items)} items with embeddings of shape {items.embeddings.shape}",
            )
        if not np.isfinite(items.embeddings).all():
            row = int(np.flatnonzero(~np.isfinite(items.embeddings).all(axis=1))[0])
            raise InputError(
                "An embedding is not finite",
                expected="finite numbers",
                got=f"NaN or infinity in the vector of item {items.ids[row]!r}",
                hint="Remove or repair the item",
            )
        return items

    def vectors(self, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Embeddings by id."""
        return self.fetch(ids).embeddings

    def starts(self, n: int, seed: int) -> npt.NDArray[np.float64]:
        """`n` starting points drawn by `seed`: items where the source can be read, else Gaussian vectors.

        Raises:
            InputError: The source tells neither its items nor its dimensions.
        """
        rng = stream(seed, 0, "starts")
        if isinstance(self.source, ReadableSource) and self.size is not None:
            wanted = np.sort(rng.choice(self.size, min(n, self.size), replace=False))
            return rng.permutation(self._at(self.source, wanted))
        if self.dim is None:
            raise InputError(
                "Starting points cannot be drawn from this source",
                expected="queries as an array of shape (q, d), or a source that knows its dim",
                got=f"{type(self.source).__name__} with dim=None",
            )
        return rng.standard_normal((n, self.dim))

    def unseen(self, n: int, seed: int, round: int, known: IdTable) -> npt.NDArray[np.float64]:
        """`n` items that no query has found yet, drawn by seed and round; none where the source cannot be read."""
        rng = stream(seed, round, "unseen")
        if not isinstance(self.source, ReadableSource):
            return np.empty((0, self.dim or 0))
        blocks = [known.rows(block.ids) < 0 for block in self.source.scan(65_536)]
        left = np.flatnonzero(np.concatenate(blocks))
        if not len(left):
            return np.empty((0, self.dim or 0))
        return self._at(self.source, np.sort(rng.choice(left, min(n, len(left)), replace=False)))

    @staticmethod
    def _at(source: ReadableSource, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Vectors at these places of the source, which rise."""
        out, seen = [], 0
        for block in source.scan(65_536):
            here = places[(places >= seen) & (places < seen + len(block))] - seen
            if len(here):
                out.append(np.asarray(block.embeddings[here], np.float64))
            seen += len(block)
            if seen > places[-1]:
                break
        return np.concatenate(out)
