"""Where along its tokens a layer is read and changed. Knows nothing of models, only of their outputs' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from emb_opt_widgets.errors import InputError

__all__ = ["Position", "Sequence3", "check_position", "hidden_of", "picked", "places", "with_hidden"]

Position = str | int | None
Sequence3 = torch.Tensor
"""`(n, t, d)`."""
_NAMES = ("first", "last", "mean", "all")


def check_position(position: Position) -> Position:
    """A position that means something.

    Raises:
        InputError: It does not.
    """
    whole = isinstance(position, int) and not isinstance(position, bool)
    if position is not None and not whole and position not in _NAMES:
        raise InputError(
            "position is not usable",
            expected=f"a token's number (negative: from the end), {', '.join(map(repr, _NAMES))}, or None",
            got=repr(position),
        )
    return position


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a layer holds, as a sequence of vectors.

    Attributes:
        sequence: `(n, t, d)`. shape: How the layer itself has it. output: All that the layer answered.
    """

    sequence: Sequence3
    shape: torch.Size
    output: Any


def hidden_of(output: Any, layer: str) -> Hidden:
    """The hidden state in a layer's answer: `(n, t, d)`, `(n, d)`, or the channels of `(n, d, h, w)`.

    Raises:
        InputError: There is no such tensor in it.
    """
    first = output
    if isinstance(output, (tuple, list)) and output:
        first = output[0]
    elif isinstance(output, Mapping) and output:
        first = next(iter(output.values()))
    if not isinstance(first, torch.Tensor) or not first.is_floating_point() or first.ndim not in (2, 3, 4):
        got = f"{first.dtype} {tuple(first.shape)}" if isinstance(first, torch.Tensor) else type(first).__name__
        raise InputError(
            f"The layer {layer!r} holds no vectors",
            expected="a float tensor (n, t, d), (n, d) or (n, d, h, w), alone or first",
            got=got,
            hint="Take another layer: layers(model) lists them",
        )
    if first.ndim == 2:
        return Hidden(first[:, None], first.shape, output)
    return Hidden(first if first.ndim == 3 else first.flatten(2).transpose(1, 2), first.shape, output)


def with_hidden(hidden: Hidden, sequence: Sequence3) -> Any:
    """The layer's answer with this in the hidden state's place."""
    if len(hidden.shape) == 2:
        sequence = sequence[:, 0]
    elif len(hidden.shape) == 4:
        sequence = sequence.transpose(1, 2).reshape(hidden.shape)
    output = hidden.output
    if isinstance(output, torch.Tensor):
        return sequence
    if isinstance(output, Mapping):
        like: Any = type(output)
        return like({**output, next(iter(output)): sequence})
    return type(output)([sequence, *output[1:]])


def _span(mask: torch.Tensor | None, n: int, t: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Where each row's tokens begin and end among the `t` at hand, `(n,)` each, and how many came before these."""
    if mask is None or mask.ndim != 2 or len(mask) != n or mask.shape[1] < t:
        return torch.zeros(n, dtype=torch.long, device=device), torch.full((n,), t, device=device), 0
    real = mask.to(device) != 0
    begin = real.int().argmax(dim=1)
    end = mask.shape[1] - real.flip(1).int().argmax(dim=1)
    before = mask.shape[1] - t
    return begin - before, end - before, before


def places(sequence: Sequence3, position: Position, mask: torch.Tensor | None) -> torch.Tensor:
    """`(n, t)` bool: the tokens at a position.

    Args:
        sequence: `(n, t, d)`.
        position: None is "all".
        mask: `(n, t)` or longer: 1 for a token, 0 for padding; None: all are tokens. Where it is longer, the model has
            seen the first ones before.

    Raises:
        InputError: A row has fewer tokens.
    """
    n, t = sequence.shape[:2]
    here = torch.arange(t, device=sequence.device)[None]
    if position is None:
        return torch.ones((n, t), dtype=torch.bool, device=sequence.device)
    begin, end, before = _span(mask, n, t, sequence.device)
    if position in ("all", "mean"):
        return (here >= begin[:, None]) & (here < end[:, None])
    number = int({"first": 0, "last": -1}.get(str(position), position))
    wanted = begin + number if number >= 0 else end + number
    short = (wanted < begin) | (wanted >= end)
    if not before and bool(short.any()):
        row = int(torch.nonzero(short)[0])
        raise InputError(
            f"Row {row} has no token at the position {position}",
            expected=f"a number below its {int(end[row] - begin[row])} tokens",
            got=position,
        )
    return here == wanted[:, None]


def picked(sequence: Sequence3, position: Position, mask: torch.Tensor | None) -> torch.Tensor:
    """`(n, d)` what stands at a position; None is "last"; "mean" over all tokens. "all": `(n, t, d)`."""
    if position == "all":
        return sequence
    if sequence.shape[1] == 1:
        return sequence[:, 0]
    chosen = places(sequence, "last" if position is None else position, mask)
    if position == "mean":
        weights = chosen.to(sequence.dtype)
        return torch.einsum("nt,ntd->nd", weights, sequence) / weights.sum(dim=1, keepdim=True)
    return sequence[chosen]
