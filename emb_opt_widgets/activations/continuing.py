"""A model's answers as text: prompts continued by the likeliest tokens, or plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from emb_opt_widgets.activations.inputs import LIMITS, mask_of, numbers_of, run, tokens_of

__all__ = ["continued"]

_NUMBERS = 6


def continued(tap: Any, prompts: Any, shown: int, new_tokens: int) -> str:
    """The first prompts and what the model makes of them, a line each.

    Args:
        tap: Its model, as it is now, and its tokenizer.
        prompts: As the model takes them. shown: How many. new_tokens: How far.
    """
    tokens, mask = tokens_of(prompts), mask_of(prompts)
    with torch.no_grad():
        if tokens is None:
            return "\n".join(_numbers(tap.model, prompts, row) for row in range(min(shown, _rows(prompts))))
        return "\n".join(
            _line(tap, row if mask is None else row[mask[i] != 0], new_tokens) for i, row in enumerate(tokens[:shown])
        )


def _line(tap: Any, prompt: torch.Tensor, new_tokens: int) -> str:
    """One prompt without its padding, and its continuation."""
    config = getattr(tap.model, "config", None)
    most = next((value for name in LIMITS if isinstance(value := getattr(config, name, None), int)), None)
    sequence = prompt[None]
    for _ in range(new_tokens):
        if most is not None and sequence.shape[1] >= most:
            break
        logits = numbers_of(run(tap.model, sequence))
        sequence = torch.cat([sequence, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    return f"{_text(tap.tokenizer, prompt)} → {_text(tap.tokenizer, sequence[0, len(prompt) :])}"


def _text(tokenizer: Any, tokens: torch.Tensor) -> str:
    if tokenizer is not None and hasattr(tokenizer, "decode"):
        return str(tokenizer.decode(tokens.tolist(), skip_special_tokens=True))
    return " ".join(map(str, tokens.tolist()))


def _rows(prompts: Any) -> int:
    return len(next(iter(prompts.values())) if isinstance(prompts, Mapping) else prompts)


def _numbers(model: Any, prompts: Any, row: int) -> str:
    part = (
        {name: column[row : row + 1] for name, column in prompts.items()}
        if isinstance(prompts, Mapping)
        else prompts[row : row + 1]
    )
    numbers = numbers_of(run(model, part))
    told = numbers.reshape(-1)[:_NUMBERS].tolist()
    return " ".join(f"{value:.3g}" for value in told) + (" …" if numbers.numel() > _NUMBERS else "")
