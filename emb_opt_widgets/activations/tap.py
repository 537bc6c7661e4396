"""A place in a model: read what stands there, change it for a while, search it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from emb_opt_widgets.activations.inputs import check_at_rest, dtype_of, mask_of
from emb_opt_widgets.activations.model_layers import Layer, find_layer
from emb_opt_widgets.activations.operators import Operator, operator_of
from emb_opt_widgets.activations.positions import Position, check_position, hidden_of, picked, places, with_hidden
from emb_opt_widgets.errors import InputError

if TYPE_CHECKING:
    from emb_opt_widgets.activations.space import Space
    from emb_opt_widgets.sources.array import ArraySource

__all__ = ["Tap", "as_vector"]

Vector = torch.Tensor | npt.NDArray[Any] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Tap:
    """A place in a model: a layer's output, at some of its tokens.

    A layer's output is a hidden state `(n, t, d)`, `(n, d)`, or the channels of `(n, d, h, w)`. What a tap opens holds
    in the thread that opened it alone, so that a live search and a cell of the notebook do not disturb one another.

    Args:
        model: Any torch model, of any precision.
        layer: A layer's name; a decoder block's number, negative: from the end; or a kind and a number: ("mlp", 3).
        position: Which tokens: a number (negative: from the end), "first", "last", "mean" or "all". None: the last one
            is read, and all are changed. Padding does not count where an attention mask tells it; while text is
            generated, "last" is every new token.
        tokenizer: Where inputs are texts: as the package transformers has them.

    Attributes:
        name: The layer's name. module: The layer.

    Raises:
        InputError: There is no such layer (near names are offered), or no such position.
    """

    model: nn.Module
    layer: Layer
    position: Position = None
    tokenizer: Any = None
    name: str = field(init=False)
    module: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        name, module = find_layer(self.model, self.layer)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "module", module)
        check_position(self.position)

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__}, {str(dtype_of(self.model)).removeprefix('torch.')}"
        return f"Tap({self.name!r} of {model}, position={self.position!r})"

    def read(
        self,
        inputs: Any,
        path: str | Path | None = None,
        *,
        ids: Any = None,
        items: Any = None,
        data: Any = None,
        metric: Any = "l2",
        batch_size: int = 32,
        progress: bool = False,
    ) -> ArraySource:
        """A source of what stands there, float32, one vector an input (position "all": one a token).

        Args:
            inputs: A tensor or an array, `n` rows; a mapping of such (`input_ids`, `attention_mask`); or `n` texts.
            path: A `.npy` file to stream them to. What it has of these inputs and this model is not computed again, so
                that a reading that was killed goes on. None: in memory.
            ids, items, data, metric: As in `ArraySource`. `items` None: the texts, where there are any.
            batch_size: Inputs at a time.
            progress: Show a progress bar.

        Raises:
            InputError: The inputs are not usable, the model is in training mode, or an activation is not finite.
            FileError: The file cannot be used.
        """
        from emb_opt_widgets.activations.reading import read

        check_at_rest(self.model, "activations")
        return read(self, inputs, path, ids, items, data, metric, batch_size, progress)

    @contextmanager
    def patch(self, vector: Vector, operator: str | Operator = "add", scale: float = 1.0) -> Iterator[None]:
        """Within this context every forward pass of this thread is changed here; afterwards nothing of it is left.

        Args:
            vector: `(d,)`; or `(n, d)`, one for each row of the batch; or, at "all" tokens, `(n, t, d)`. A tensor that
                asks for its gradient gets it.
            operator: "add" (scale × vector), "project" (take scale × the vector's direction out), "project_add" (take
                it out, then add), "replace" (put the vector there; with no position: where it is read), or a function
                of hidden state and vector, both `(…, d)`, to the new hidden state.
            scale: Of the vector.

        Raises:
            InputError: At once: vector, operator or scale are not usable. In the forward pass: the vector is of another
                width, or no longer finite in the model's precision.
        """
        told = as_vector(vector)
        if operator in ("project", "project_add") and bool((told == 0).all(dim=-1).any()):
            raise InputError("A zero vector has no direction to take out", expected="a vector that is not 0", got="0")
        change = operator_of(operator, scale)
        position = "last" if self.position is None and operator == "replace" else self.position
        if position == "mean" and operator == "replace":
            raise InputError("The mean of the tokens cannot be replaced", expected="a token's position", got="'mean'")
        with self._hooked(lambda sequence, mask: _changed(sequence, mask, told, change, position, self.name)):
            yield

    def space(self, prompts: Any, max_norm: float | None = None, **options: Any) -> Space:
        """The vectors that may be put in here, as a source to search by what the model then does.

        Args:
            prompts: What the model is asked: a tensor, a mapping of tensors, or texts where there is a tokenizer.
            max_norm: The longest vector. None: half as long as what stands here at the prompts, by the mean.
            options: Of `Space`: operator, batch_size, shown, new_tokens, seed.

        Raises:
            InputError: The prompts are not usable, or the model is in training mode.
        """
        from emb_opt_widgets.activations.space import Space

        return Space(self, prompts, max_norm, **options)

    @contextmanager
    def captured(self) -> Iterator[list[torch.Tensor]]:
        """Within this context every forward pass of this thread leaves here what stands at the position:
        `(n, d)`, or `(n, t, d)` at "all"."""
        found: list[torch.Tensor] = []

        def note(sequence: torch.Tensor, mask: torch.Tensor | None) -> None:
            found.append(picked(sequence, self.position, mask))

        with self._hooked(note):
            yield found

    @contextmanager
    def _hooked(self, act: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor | None]) -> Iterator[None]:
        owner, masks = threading.get_ident(), list[torch.Tensor | None]([None])

        def begin(_module: Any, _args: Any, given: Mapping[str, Any]) -> None:
            if threading.get_ident() == owner:
                masks[0] = mask_of(given)

        def reached(_module: Any, _args: Any, output: Any) -> Any:
            if threading.get_ident() != owner:
                return None
            hidden = hidden_of(output, self.name)
            changed = act(hidden.sequence, masks[0])
            return None if changed is None else with_hidden(hidden, changed)

        with ExitStack() as stack:
            stack.callback(self.model.register_forward_pre_hook(begin, with_kwargs=True).remove)
            stack.callback(self.module.register_forward_hook(reached).remove)
            yield


def as_vector(vector: Any) -> torch.Tensor:
    """A vector, or several, as a tensor.

    Raises:
        InputError: Not numbers, not finite, or of no such shape.
    """
    try:
        told = vector if isinstance(vector, torch.Tensor) else torch.as_tensor(np.array(vector))
        told = told if told.is_floating_point() else told.float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            "The vector is not usable", expected="numbers, (d,) or (n, d)", got=type(vector).__name__
        ) from error
    if told.ndim not in (1, 2, 3) or not told.numel():
        raise InputError("The vector has the wrong shape", expected="(d,) or (n, d)", got=tuple(told.shape))
    if not bool(torch.isfinite(told.detach()).all()):
        raise InputError("The vector is not finite", expected="finite numbers", got="NaN or infinity")
    return told


def _changed(
    sequence: torch.Tensor, mask: torch.Tensor | None, vector: torch.Tensor, change: Operator, position: Position,
    layer: str,
) -> torch.Tensor:  # fmt: skip
    """`(n, t, d)`: the sequence with its tokens at the position changed."""
    n, t, width = sequence.shape
    shapes = [(width,), (n, width), (n, t, width)]
    if tuple(vector.shape) not in shapes:
        raise InputError(
            f"The vector does not fit the layer {layer!r}",
            expected=f"({width},), or ({n}, {width}) for this batch of {n}",
            got=tuple(vector.shape),
            hint="Was it read at another layer?",
        )
    told = vector.to(sequence.device, sequence.dtype)
    if not bool(torch.isfinite(told.detach()).all()):
        raise InputError(
            "The vector is not finite in the model's precision",
            expected=f"numbers that {sequence.dtype} can hold",
            got="an overflow",
            hint="Scale it down, or use model.float()",
        )
    told = told[:, None] if told.ndim == 2 else told
    new = change(sequence, told)
    if new.shape != sequence.shape:
        raise InputError(
            "The operator answered with the wrong shape", expected=f"{tuple(sequence.shape)}", got=tuple(new.shape)
        )
    here = places(sequence, position, mask)
    return new if bool(here.all()) else torch.where(here[..., None], new, sequence)
