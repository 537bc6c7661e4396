"""What turns dot products into scores. Knows no towers and no caches."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError

__all__ = ["Temperature"]


class Temperature(nn.Module):
    """Scores divided by a temperature that is learned, and stays positive.

    Args:
        initial: The temperature to begin with.

    Attributes:
        log_temperature: `()`, its natural logarithm, the parameter.

    Raises:
        InputError: The temperature is not a positive number.
    """

    def __init__(self, initial: float = 1.0) -> None:
        super().__init__()
        if isinstance(initial, bool) or not (math.isfinite(initial) and initial > 0):
            raise InputError("Wrong temperature", expected="a positive number", got=repr(initial))
        self.log_temperature = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self, scores: Tensor) -> Tensor:
        """Scores of any shape, divided."""
        return scores * torch.exp(-self.log_temperature)
