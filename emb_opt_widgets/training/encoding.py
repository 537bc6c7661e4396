"""From a trained tower to what is searched: a corpus as vectors on disk, of which only what changed is encoded again.

Beside `corpus.npy` stands `corpus.npy.keys`: for every row a hash of its content, of the tower's parameters and of the
precision. A row whose key is known is copied; so a run that was killed goes on, an item that moved is not encoded
again, and another tower encodes everything.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from emb_opt_widgets.errors import FileError, InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.live.store.lock import WriterLock
from emb_opt_widgets.sources import ArraySource
from emb_opt_widgets.training.batches import rows_in
from emb_opt_widgets.training.keys import KEY_BYTES, row_keys, tower_key
from emb_opt_widgets.training.towers import DTYPES, chosen_device, encoded_batches, evaluating

__all__ = ["encode", "encoded_source"]

_SECONDS = 1.0
Array = npt.NDArray[Any]


def encode(
    corpus: Any,
    doc_net: nn.Module,
    path: str | Path | None = None,
    *,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    precision: str = "float32",
    again: Any = None,
    progress: bool = True,
) -> Array:
    """The vectors of a corpus by the document tower.

    Args:
        corpus: What the tower takes, `n` rows: a tensor, an array (a memory map, too), a list, or a mapping of such.
        doc_net: The document tower; it is left as it was, in its mode and on its device.
        path: A `.npy` file to keep them in; what it has of this corpus and this tower is not encoded again, in
            whatever order. It is replaced as a whole when all is done, so that who reads the old one is not disturbed.
            None: in memory.
        batch_size: Rows at a time.
        device: "auto" (a CUDA device where there is one) or a torch device.
        precision: "float32", "bf16" or "fp16": what the tower computes in.
        again: `(m,)` rows that are to be encoded again in any case (a tower that reads from elsewhere).
        progress: Show a progress bar.

    Returns:
        `(n, d)` float32; read-only and memory-mapped where there is a path.

    Raises:
        InputError: The corpus is empty or not usable, or a vector is not finite.
        FileError: The file cannot be used, or is there already and is not one that `encode` made.
    """
    n = rows_in(corpus)
    if not n or not isinstance(doc_net, nn.Module) or precision not in DTYPES:
        raise InputError(
            "There is nothing to encode, or nothing to encode with",
            expected=f"rows, a torch.nn.Module, and a precision of {', '.join(DTYPES)}",
            got=f"{n} rows, {type(doc_net).__name__}, {precision!r}",
        )
    rows_at_once = as_whole(batch_size)
    if rows_at_once is None:
        raise InputError("batch_size is not usable", expected="a whole number, at least 1", got=repr(batch_size))
    place = chosen_device(device)
    chosen = _checked_rows(again, n)
    home = next((p.device for p in doc_net.parameters()), place)
    doc_net.to(place)
    try:
        with evaluating(doc_net):
            work = _Work(corpus, doc_net, rows_at_once, place, precision, progress)
            return work.in_memory(n) if path is None else work.on_disk(Path(path), n, chosen)
    finally:
        doc_net.to(home)


def encoded_source(
    corpus: Any,
    doc_net: nn.Module,
    path: str | Path | None = None,
    *,
    ids: Any = None,
    items: Any = None,
    data: Any = None,
    metric: Any = "ip",
    **options: Any,
) -> ArraySource:
    """A source of a corpus: its vectors by the document tower, to be searched.

    Args:
        corpus, doc_net, path, options: As in `encode`.
        ids, items, data: As in `ArraySource`. `items` None: the corpus itself where it is a list.
        metric: The inner product is what the towers were trained for.
    """
    shown = corpus if items is None and isinstance(corpus, Sequence) else items
    return ArraySource(encode(corpus, doc_net, path, **options), ids=ids, items=shown, data=data, metric=metric)


class _Work:
    """One encoding of one corpus."""

    def __init__(
        self, corpus: Any, net: nn.Module, batch_size: int, device: torch.device, precision: str, progress: bool
    ) -> None:
        self._corpus, self._net = corpus, net
        self._batch_size, self._device, self._precision = batch_size, device, precision
        self._progress = progress

    def in_memory(self, n: int) -> Array:
        """All of it, in an array."""
        rows = np.arange(n)
        out = np.empty((n, self._dim()), np.float32)
        with self._bar(n, 0) as bar:
            for part, vectors in self._vectors(rows):
                out[part] = vectors
                bar.update(len(part))
        return out

    def on_disk(self, path: Path, n: int, again: npt.NDArray[np.int64]) -> Array:
        """What the file has not yet, in a new file beside it, which then takes its place."""
        if path.suffix != ".npy" or not path.parent.is_dir():
            raise FileError(
                f"{path} is not usable", expected="the name of a .npy file in a folder that is there", got=path
            )
        lock = WriterLock(path)
        try:
            _finish(path)
            if path.exists() and not _beside(path).exists():
                raise FileError(
                    f"{path.name} is there already, and encode did not make it",
                    expected=f"a file that encode made, with {_beside(path).name} beside it",
                    got="another file",
                    hint="Choose another name, or move that file away",
                )
            keys = row_keys(self._corpus, n, tower_key(self._net, self._precision))
            if len(again) or not _is_current(path, keys):
                self._fill(path, keys, again)
        finally:
            lock.release()
        vectors: Array = np.load(path, mmap_mode="r")
        return vectors

    def _fill(self, path: Path, keys: Array, again: npt.NDArray[np.int64]) -> None:
        part, dim = path.with_name(path.name + ".part"), self._dim()
        vectors, done = _opened(part, (len(keys), dim), np.float32), _opened(_beside(part), keys.shape, np.uint8)
        forced = hashlib.blake2b(again.tobytes(), digest_size=KEY_BYTES).digest()
        marks = keys.copy()
        marks[again] ^= np.frombuffer(forced, np.uint8)
        _copy_known(path, marks, vectors, done)
        rows = np.flatnonzero((done != marks).any(axis=1))
        waiting: list[npt.NDArray[np.int64]] = []
        with self._bar(len(keys), len(keys) - len(rows)) as bar:
            last = time.monotonic()
            for where, block in self._vectors(rows):
                vectors[where] = block
                waiting.append(where)
                bar.update(len(where))
                if time.monotonic() - last > _SECONDS:
                    _mark(vectors, done, marks, waiting)
                    last = time.monotonic()
        _mark(vectors, done, marks, waiting)
        done[:] = keys
        done.flush()
        del vectors, done
        _beside(path).unlink(missing_ok=True)
        os.replace(part, path)
        os.replace(_beside(part), _beside(path))

    def _vectors(self, rows: npt.NDArray[np.int64]) -> Any:
        """Rows and their vectors, batch by batch."""
        batches = encoded_batches(self._net, self._corpus, self._batch_size, self._device, self._precision, rows)
        for start, out in zip(range(0, len(rows), self._batch_size), batches):
            part = rows[start : start + self._batch_size]
            vectors = out.float().cpu().numpy()
            if vectors.ndim != 2:
                raise InputError("The tower returned no vectors", expected="one a row, (n, d)", got=vectors.shape)
            finite = np.isfinite(vectors).all(axis=1)
            if not finite.all():
                raise InputError(
                    "A vector is not finite",
                    expected="finite numbers",
                    got=f"NaN or infinity for row {part[~finite][0]}",
                )
            yield part, vectors

    def _dim(self) -> int:
        ((_, vectors),) = self._vectors(np.zeros(1, np.int64))
        return int(vectors.shape[1])

    def _bar(self, total: int, done: int) -> Any:
        from tqdm.auto import tqdm

        return tqdm(total=total, initial=done, desc="encode", unit="row", disable=not self._progress)


def _checked_rows(rows: Any, n: int) -> npt.NDArray[np.int64]:
    found = np.empty(0, np.int64) if rows is None else np.asarray(rows)
    whole = found.dtype.kind in "iu" and found.ndim == 1
    if not whole or ((found < 0) | (found >= n)).any():
        raise InputError("again is not usable", expected=f"row numbers from 0 to {n - 1}", got=f"{found!r:.80}")
    return found.astype(np.int64)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".keys")


def _finish(path: Path) -> None:
    """Make the second of the two replacements, where a kill came between them."""
    part = path.with_name(path.name + ".part")
    if path.exists() and not _beside(path).exists() and not part.exists() and _beside(part).exists():
        os.replace(_beside(part), _beside(path))


def _is_current(path: Path, keys: Array) -> bool:
    """Whether the file has just this."""
    found = _read(path)
    return found is not None and found[1].shape == keys.shape and bool((found[1] == keys).all())


def _read(path: Path) -> tuple[Array, Array] | None:
    """Vectors and keys of a file, where it is one of ours and whole."""
    with suppress(OSError, ValueError):
        vectors, keys = np.load(path, mmap_mode="r"), np.load(_beside(path), mmap_mode="r")
        fits = vectors.ndim == 2 and vectors.dtype == np.float32 and keys.dtype == np.uint8
        if fits and keys.shape == (len(vectors), KEY_BYTES):
            return vectors, keys
    return None


def _opened(path: Path, shape: tuple[int, ...], dtype: Any) -> Any:
    """The array file of a run that was killed, where it is of this form, else a new one of zeros."""
    with suppress(OSError, ValueError):
        found = np.lib.format.open_memmap(path, mode="r+")
        if found.shape == shape and found.dtype == dtype:
            return found
        del found
    try:
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    except OSError as error:
        raise FileError(f"{path.name} cannot be made ({error})", hint="Make room, or choose another folder") from error


def _copy_known(path: Path, keys: Array, vectors: Any, done: Any) -> None:
    """Take over from the file of before what it has of these keys, wherever it stands there."""
    old = _read(path)
    if old is None or old[0].shape[1] != vectors.shape[1]:
        return
    form = f"V{KEY_BYTES}"
    known = np.ascontiguousarray(old[1]).view(form).ravel()
    wanted = np.ascontiguousarray(keys).view(form).ravel()
    where = {key.tobytes(): row for row, key in enumerate(known)}
    missing = np.flatnonzero((done != keys).any(axis=1))
    pairs = [(row, where[key]) for row in missing.tolist() if (key := wanted[row].tobytes()) in where]
    for start in range(0, len(pairs), 4096):
        into, out = (np.array(side) for side in zip(*pairs[start : start + 4096]))
        vectors[into] = old[0][out]
        _mark(vectors, done, keys, [into])


def _mark(vectors: Any, done: Any, keys: Array, rows: list[npt.NDArray[np.int64]]) -> None:
    """Note rows as done, once their vectors are on the disk."""
    vectors.flush()
    for part in rows:
        done[part] = keys[part]
    done.flush()
    rows.clear()
