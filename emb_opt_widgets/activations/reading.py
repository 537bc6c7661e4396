"""From inputs to a source of activations, batch by batch; on disk, what is known is not computed again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from emb_opt_widgets.activations.inputs import device_of, encoded, mask_of, run
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources.array import ArraySource
from emb_opt_widgets.training import encode

__all__ = ["read"]


class Reader(nn.Module):
    """A model that answers with what stands at a tap, as a tower does with its vectors.

    Args:
        tap: Where.
    """

    def __init__(self, tap: Any) -> None:
        super().__init__()
        self.model = tap.model
        self._tap = tap
        place = hashlib.blake2b(f"{tap.name} {tap.position}".encode(), digest_size=16).digest()
        self.register_buffer("place", torch.frombuffer(bytearray(place), dtype=torch.uint8))
        self.eval()

    def forward(self, inputs: Any) -> torch.Tensor:
        with self._tap.captured() as found:
            run(self.model, encoded(self.model, self._tap.tokenizer, inputs))
        if not found:
            raise InputError(
                f"The layer {self._tap.name!r} takes no part in the forward pass",
                expected="a layer that the model runs",
                got="no output",
            )
        vectors: torch.Tensor = found[-1].float().flatten(1)
        return vectors


def read(
    tap: Any, inputs: Any, path: str | Path | None, ids: Any, items: Any, data: Any, metric: Any, batch_size: int,
    progress: bool,
) -> ArraySource:  # fmt: skip
    """As `Tap.read`."""
    texts = isinstance(inputs, Sequence) and not isinstance(inputs, str)
    if items is None and texts and all(isinstance(text, str) for text in inputs):
        items = list(inputs)
    tokens = tap.position == "all"
    given = encoded(tap.model, tap.tokenizer, inputs) if tokens or not texts else list(inputs)
    vectors = _vectors(tap, given, path, batch_size, progress)
    if not tokens:
        return ArraySource(vectors, ids=ids, items=items, data=data, metric=metric)
    if ids is not None or data is not None:
        raise InputError(
            "A token has no id or column of its own",
            expected='ids=None and data=None where position is "all"',
            got="one for each input",
            hint="The columns `input` and `token` say which token a vector is of",
        )
    return _by_token(tap, given, vectors, items, metric)


def _vectors(tap: Any, given: Any, path: str | Path | None, batch_size: int, progress: bool) -> Any:
    try:
        return encode(given, Reader(tap), path, batch_size=batch_size, device=device_of(tap.model), progress=progress)
    except InputError as error:
        if "not finite" not in str(error):
            raise
        raise InputError(
            f"An activation of the layer {tap.name!r} is not finite ({error})",
            hint="In half precision large activations overflow: use model.float() or bfloat16",
        ) from error


def _by_token(tap: Any, given: Any, vectors: Any, items: Any, metric: Any) -> ArraySource:
    n, mask = len(vectors), mask_of(given)
    first = next(iter(given.values())) if isinstance(given, Mapping) else given
    with tap.captured() as found, torch.no_grad():
        one = {name: column[:1] for name, column in given.items()} if isinstance(given, Mapping) else first[:1]
        run(tap.model, one)
    t, d = found[-1].shape[1:] if found[-1].ndim == 3 else (1, found[-1].shape[1])
    rows = vectors.reshape(n * t, d)
    real = np.ones(n * t, bool) if mask is None else (mask.cpu().numpy() != 0).ravel()
    number, token = np.divmod(np.arange(n * t), t)
    if not real.all():
        rows, number, token = rows[real], number[real], token[real]
    shown = None if items is None else [items[i] for i in number.tolist()]
    return ArraySource(rows, items=shown, data={"input": number, "token": token}, metric=metric)
