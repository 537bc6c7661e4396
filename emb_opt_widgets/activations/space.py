"""The vectors that may be put into a model at a tap, as a space to search: what each does, and how well."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from emb_opt_widgets.activations.continuing import continued
from emb_opt_widgets.activations.inputs import check_at_rest, device_of, encoded, mask_of, numbers_of, run
from emb_opt_widgets.activations.operators import Operator, operator_of
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import FunctionError, InputError
from emb_opt_widgets.sources.differentiable_score import differentiable
from emb_opt_widgets.sources.generative import GenerativeSource

if TYPE_CHECKING:
    from emb_opt_widgets.activations.tap import Tap

__all__ = ["Space", "Steered", "SteeredText"]

Array = npt.NDArray[Any]
_REMEMBERED = 512
_RADIUS = 0.5


@dataclass(frozen=True, eq=False)
class Steered:
    """What a model answers to the prompts under each of `n` vectors.

    Attributes:
        vectors: `(n, d)`. logits: `(n, p, t, v)` float32, or what else the model answers, `(n, p, …)`.
        mask: `(p, t)` 1 for a token, 0 for padding; None: all are tokens.
    """

    vectors: torch.Tensor
    logits: torch.Tensor
    mask: torch.Tensor | None = None

    @cached_property
    def last(self) -> torch.Tensor:
        """`(n, p, v)`: the logits at each prompt's last token."""
        if self.mask is None:
            return self.logits[:, :, -1]
        end = self.mask.shape[1] - 1 - (self.mask != 0).flip(1).int().argmax(dim=1)
        return self.logits[:, torch.arange(len(end)), end]

    @cached_property
    def log_probabilities(self) -> torch.Tensor:
        """`(n, p, v)`: of the next token after each prompt."""
        return self.last.log_softmax(dim=-1)


class SteeredText:
    """What a vector does, as text, made when somebody looks: the prompts, continued under it."""

    __slots__ = ("_space", "_vector")

    def __init__(self, space: Space, vector: Array) -> None:
        self._space, self._vector = space, vector

    def __str__(self) -> str:
        return self._space.text(self._vector)

    __repr__ = __str__

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)

    def model_dump(self) -> None:
        """What a search's file keeps of it: nothing; the vector beside it tells all."""


class Space:
    """A source of steering vectors, as `Tap.space` makes it. Its items' text says what each vector does.

    Args:
        tap: Where vectors are put in.
        prompts: What the model is asked: a tensor, a mapping of tensors, or texts where the tap has a tokenizer.
        max_norm: The longest vector. None: half as long as what stands there at the prompts, by the mean.
        operator: What a vector does, as in `Tap.patch`.
        batch_size: Rows, a prompt under a vector each, at a time.
        shown: Prompts in an item's text. new_tokens: How far they are continued there.
        seed: Of the points around a query.

    Raises:
        InputError: The prompts are not usable, the model is in training mode, or an argument is not usable.
    """

    def __init__(
        self, tap: Tap, prompts: Any, max_norm: float | None = None, *, operator: str | Operator = "add",
        batch_size: int = 256, shown: int = 3, new_tokens: int = 8, seed: int = 0,
    ) -> None:  # fmt: skip
        check_at_rest(tap.model, "what a vector does")
        operator_of(operator, 1.0)
        for name, value, least in (("batch_size", batch_size, 1), ("shown", shown, 1), ("new_tokens", new_tokens, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is not usable", expected=f"a whole number, at least {least}", got=repr(value))
        if max_norm is not None and not _is_length(max_norm):
            raise InputError("max_norm is not usable", expected="a finite number above 0, or None", got=repr(max_norm))
        self.tap, self.operator = tap, operator
        self._prompts = encoded(tap.model, tap.tokenizer, prompts)
        self._batch_size, self._shown, self._new_tokens = batch_size, shown, new_tokens
        with tap.captured() as found, torch.no_grad():
            run(tap.model, self._prompts)
        if not found:
            raise InputError(
                f"The layer {tap.name!r} takes no part in the forward pass",
                expected="a layer that the model runs",
                got="no output",
            )
        rows = found[-1].float().reshape(-1, found[-1].shape[-1])
        norm = _RADIUS * float(torch.linalg.vector_norm(rows, dim=1).mean()) if max_norm is None else max_norm
        width = rows.shape[1]
        scale = float(norm / (8 * np.sqrt(width)))
        self._source = GenerativeSource(self._decode, width, scale=scale, seed=seed, max_norm=norm, around=0)
        self._texts: OrderedDict[bytes, str] = OrderedDict()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._source.dim or 0)

    @property
    def dtype(self) -> Any:
        """float32."""
        return self._source.dtype

    @property
    def max_norm(self) -> float:
        """The longest vector."""
        return float(self._source.max_norm or 0.0)

    @property
    def scale(self) -> float:
        """An eighth of the longest vector, by coordinate: how far a search looks around at first."""
        return self._source.scale

    def __len__(self) -> int:
        """How many vectors were looked at so far."""
        return len(self._source)

    def __repr__(self) -> str:
        return f"Space({self.tap!r}, prompts={self.n_prompts}, dim={self.dim}, max_norm={self.max_norm:.4g})"

    @property
    def n_prompts(self) -> int:
        """How many prompts there are."""
        prompts = self._prompts
        return len(next(iter(prompts.values())) if isinstance(prompts, Mapping) else prompts)

    def search(self, queries: Array, k: int) -> Hits:
        """Each query's own vector. As `GenerativeSource.search`."""
        return self._source.search(queries, k)

    def fetch(self, ids: Array) -> Items:
        """As `GenerativeSource.fetch`."""
        return self._source.fetch(ids)

    def remember(self, items: Items) -> None:
        """As `GenerativeSource.remember`; what each does is told anew."""
        self._source.remember(self._items(np.asarray(items.embeddings, np.float32), items.ids))

    def steered(self, vectors: Any) -> Steered:
        """What the model answers to the prompts under these vectors. A tensor that asks for its gradient gets it.

        Args:
            vectors: `(n, d)`.

        Raises:
            InputError: They are of another width, or not finite.
        """
        given = vectors if isinstance(vectors, torch.Tensor) else torch.as_tensor(np.array(vectors))
        if given.ndim != 2 or given.shape[1] != self.dim or not bool(torch.isfinite(given.detach()).all()):
            raise InputError(
                "The vectors are not usable", expected=f"finite numbers (n, {self.dim})", got=tuple(given.shape)
            )
        given = given.to(device_of(self.tap.model))
        at_once = max(1, self._batch_size // self.n_prompts)
        with torch.set_grad_enabled(given.requires_grad and torch.is_grad_enabled()):
            parts = [self._answers(given[start : start + at_once]) for start in range(0, len(given), at_once)]
        return Steered(given, torch.cat(parts), mask_of(self._prompts))

    def score(self, behaviour: Callable[[Steered], torch.Tensor], gradient: bool = True) -> Callable[[Items], Any]:
        """A score for `Search` from what the model does.

        Args:
            behaviour: `Steered` to `(n,)`, higher is better: each from its own vector's answers.
            gradient: Tell its gradient, too (one backward pass); for a behaviour by torch's operations.
        """
        if not callable(behaviour):
            raise InputError("behaviour is not usable", expected="a function of Steered", got=type(behaviour).__name__)

        def of_points(points: torch.Tensor) -> torch.Tensor:
            return behaviour(self.steered(points))

        def of_items(items: Items) -> Any:
            with torch.no_grad():
                told = behaviour(self.steered(items.embeddings))
            if np.shape(told) != (len(items),):
                raise FunctionError(
                    "The behaviour answered with the wrong shape", expected=f"({len(items)},)", got=np.shape(told)
                )
            return told

        made = differentiable(of_points) if gradient else of_items
        for name in ("__name__", "__qualname__", "__module__"):
            setattr(made, name, getattr(behaviour, name, getattr(made, name)))
        return made

    def text(self, vector: Any) -> str:
        """The first prompts, each continued under a vector by the likeliest tokens, a line each; where the model is no
        language model, its answer in numbers. Remembered, and safe from any thread."""
        point = np.ascontiguousarray(np.asarray(vector, np.float32))
        key = point.tobytes()
        if key not in self._texts:
            with self.tap.patch(point, self.operator):
                self._texts[key] = continued(self.tap, self._prompts, self._shown, self._new_tokens)
            while len(self._texts) > _REMEMBERED:
                self._texts.popitem(last=False)
        return self._texts[key]

    def _answers(self, vectors: torch.Tensor) -> torch.Tensor:
        n, p, prompts = len(vectors), self.n_prompts, self._prompts
        every: Any
        if isinstance(prompts, Mapping):
            every = {name: _repeated(column, n) for name, column in prompts.items()}
        else:
            every = _repeated(prompts, n)
        with self.tap.patch(vectors.repeat_interleave(p, dim=0), self.operator):
            logits = numbers_of(run(self.tap.model, every))
        if len(logits) != n * p:
            raise InputError(
                "The model's answer is not usable", expected=f"a tensor with {n * p} rows", got=tuple(logits.shape)
            )
        return logits.float().reshape(n, p, *logits.shape[1:])

    def _decode(self, points: Array) -> Items:
        ids = [hashlib.blake2b(point.tobytes(), digest_size=16).hexdigest() for point in points]
        return self._items(points, ids)

    def _items(self, points: Array, ids: Any) -> Items:
        norms = np.linalg.norm(points.astype(np.float64), axis=1).round(6).tolist()
        return Items(ids, points, [SteeredText(self, point.copy()) for point in points], {"norm": norms})


def _is_length(value: Any) -> bool:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return number and 0 < float(value) < float("inf")


def _repeated(column: torch.Tensor, n: int) -> torch.Tensor:
    return column.repeat(n, *[1] * (column.ndim - 1))
