"""What a model is given: tokens, columns of them, or texts with a tokenizer; checked before the model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from emb_opt_widgets.errors import InputError

__all__ = ["LIMITS", "check_at_rest", "device_of", "dtype_of", "encoded", "mask_of", "numbers_of", "run", "tokens_of"]

LIMITS = ("max_position_embeddings", "n_positions", "max_seq_len")


def check_at_rest(model: nn.Module, what: str) -> None:
    """Raise `InputError` where the model is in training mode."""
    if model.training:
        raise InputError(
            f"The model is in training mode, where dropout makes {what} random",
            expected="a model in evaluation mode",
            got="model.training = True",
            hint="Call model.eval() first",
        )


def device_of(model: nn.Module) -> torch.device:
    """Where the model is."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """What the model computes in."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)


def encoded(model: nn.Module, tokenizer: Any, inputs: Any) -> Any:
    """Inputs as the model takes them, on its device.

    Args:
        model: Any torch model.
        tokenizer: Texts to columns, as the package transformers has them; None: there are no texts.
        inputs: A tensor or an array, `n` rows; a mapping of such; or `n` texts.

    Raises:
        InputError: They are none of these, or more than the model takes.
    """
    if isinstance(inputs, str):
        inputs = [inputs]
    if isinstance(inputs, Sequence) and inputs and all(isinstance(text, str) for text in inputs):
        inputs = _from_texts(tokenizer, list(inputs))
    place = device_of(model)
    if isinstance(inputs, Mapping) and inputs:
        out: Any = {str(name): _tensor(column).to(place) for name, column in inputs.items()}
    elif isinstance(inputs, (torch.Tensor, np.ndarray)) and inputs.ndim:
        out = _tensor(inputs).to(place)
    else:
        raise InputError(
            "The inputs are not usable",
            expected="a tensor, a mapping of tensors, or texts where the tap has a tokenizer",
            got=type(inputs).__name__,
        )
    if not len(next(iter(out.values())) if isinstance(out, Mapping) else out):
        raise InputError("There are no inputs", expected="at least one row", got="none")
    _check_tokens(model, out)
    return out


def _tensor(column: Any) -> torch.Tensor:
    return column if isinstance(column, torch.Tensor) else torch.as_tensor(np.asarray(column))


def _from_texts(tokenizer: Any, texts: list[str]) -> Mapping[str, Any]:
    if tokenizer is None:
        raise InputError(
            "Texts need a tokenizer",
            expected="tokens, or a tap with a tokenizer",
            got="texts",
            hint="Tap(model, layer, position, tokenizer=tokenizer)",
        )
    if getattr(tokenizer, "pad_token", "") is None:
        tokenizer.pad_token = tokenizer.eos_token
    found: Mapping[str, Any] = tokenizer(texts, return_tensors="pt", padding=len(texts) > 1)
    return {name: column for name, column in found.items() if name != "token_type_ids"}


def tokens_of(inputs: Any) -> torch.Tensor | None:
    """`(n, t)` whole numbers, where the inputs have such."""
    tokens = inputs.get("input_ids") if isinstance(inputs, Mapping) else inputs
    whole = isinstance(tokens, torch.Tensor) and tokens.ndim == 2 and not tokens.is_floating_point()
    return tokens if whole else None


def _check_tokens(model: nn.Module, inputs: Any) -> None:
    tokens, config = tokens_of(inputs), getattr(model, "config", None)
    if tokens is None or config is None:
        return
    most = next((value for name in LIMITS if isinstance(value := getattr(config, name, None), int)), None)
    if most is not None and tokens.shape[1] > most:
        mask = mask_of(inputs)
        lengths = torch.full((len(tokens),), tokens.shape[1]) if mask is None else mask.sum(dim=1)
        raise InputError(
            f"Input {int(lengths.argmax())} is longer than the model takes",
            expected=f"at most {most} tokens",
            got=tokens.shape[1],
            hint="Shorten it, or let the tokenizer cut it (truncation=True, max_length=…)",
        )
    words = getattr(config, "vocab_size", None)
    if isinstance(words, int) and tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < words:
        raise InputError(
            "A token is not in the model's vocabulary",
            expected=f"numbers from 0 to {words - 1}",
            got=f"{int(tokens.min())} to {int(tokens.max())}",
            hint="Are tokenizer and model a pair?",
        )


def mask_of(inputs: Any) -> torch.Tensor | None:
    """`(n, t)`: 1 for a token, 0 for padding; None where nothing says."""
    mask = inputs.get("attention_mask") if isinstance(inputs, Mapping) else None
    return mask if isinstance(mask, torch.Tensor) and mask.ndim == 2 else None


def numbers_of(answer: Any) -> torch.Tensor:
    """The numbers in a model's answer: the answer itself, its `logits`, or what comes first in it.

    Raises:
        InputError: There are none.
    """
    first = answer[0] if isinstance(answer, (tuple, list)) and answer else answer
    numbers = getattr(answer, "logits", first)
    if not isinstance(numbers, torch.Tensor):
        raise InputError(
            "The model's answer is not usable",
            expected="a tensor, alone, first, or as `logits`",
            got=type(answer).__name__,
        )
    return numbers


def run(model: nn.Module, inputs: Any) -> Any:
    """The model's answer."""
    return model(**inputs) if isinstance(inputs, Mapping) else model(inputs)
