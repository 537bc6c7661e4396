"""Which cached row each query draws as its negative, from scores alone. Knows no caches and no shards."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.approximate import block_starts, blocks

__all__ = ["GumbelMax", "MaxScore", "Retrieval"]

_SINGLE = 2048


class Retrieval(ABC):
    """Scores in, one column for each query out.

    A plain callable does as well. In `ShardedCacheLoss` columns lie in several places, each draws one of its own, and
    then a place is drawn by what it is worth: this class says that too.
    """

    @abstractmethod
    def __call__(self, scores: Tensor) -> Tensor:
        """Draw.

        Args:
            scores: `(B, N)` float32 or float64; −inf where a column may not be drawn, not everywhere in a row.

        Returns:
            `(B,)` int64 columns.
        """

    @abstractmethod
    def worth(self, scores: Tensor) -> Tensor:
        """`(B,)` scores, one for all columns together.

        Drawing among the worths of several parts, then inside the part drawn, is the same as drawing among all columns.
        """


class MaxScore(Retrieval):
    """The column of the highest score; of equal ones the lowest."""

    def __call__(self, scores: Tensor) -> Tensor:
        """`(B,)` columns of `(B, N)` scores."""
        return _checked(scores).max(dim=1).indices

    def worth(self, scores: Tensor) -> Tensor:
        """The highest score, `(B,)`."""
        return _checked(scores).amax(dim=1)


class GumbelMax(Retrieval):
    """A draw from softmax(inverse temperature × scores), by the highest score with Gumbel noise on it.

    Many columns are drawn from in two steps that together are the same draw: a block by the log-sum-exp of its scores,
    then a column of it. Noise is float32 at least, and finite.

    Args:
        inverse_temperature: 1 draws from the softmax that the loss is about, 0 evenly, more prefers hard negatives.
        generator: Where noise comes from, on the device of the scores; None is torch's own.

    Raises:
        InputError: The inverse temperature is negative or not finite.
    """

    def __init__(self, inverse_temperature: float = 1.0, generator: torch.Generator | None = None) -> None:
        bad = isinstance(inverse_temperature, bool) or not math.isfinite(inverse_temperature)
        if bad or inverse_temperature < 0:
            raise InputError("Wrong inverse temperature", expected="a finite number ≥ 0", got=repr(inverse_temperature))
        self.inverse_temperature = inverse_temperature
        self.generator = generator

    def __call__(self, scores: Tensor) -> Tensor:
        """`(B,)` columns of `(B, N)` scores."""
        scores = self._scaled(scores)
        n = scores.shape[1]
        if n <= _SINGLE:
            return self._noisy_best(scores)
        k = math.isqrt(n)
        starts = block_starts(n, k, scores.device)
        block = self._noisy_best(torch.cat([torch.logsumexp(part, dim=2) for part in blocks(scores, k)], dim=1))
        begin, end = starts[block, None], starts[block + 1, None]
        columns = begin + torch.arange(n // k + 1, device=scores.device)
        inside = scores.gather(1, columns.clamp(max=n - 1)).masked_fill(columns >= end, -math.inf)
        return starts[block] + self._noisy_best(inside)

    def worth(self, scores: Tensor) -> Tensor:
        """Log-sum-exp of the scaled scores, in the unit of the scores: `(B,)`."""
        if self.inverse_temperature == 0:
            raise InputError(
                "Shards cannot be drawn from evenly by their scores", expected="an inverse temperature above 0", got=0,
                hint="Take a small one",
            )  # fmt: skip
        return torch.logsumexp(self._scaled(scores), dim=1) / self.inverse_temperature

    def _scaled(self, scores: Tensor) -> Tensor:
        scores = _checked(scores).to(torch.promote_types(scores.dtype, torch.float32))
        if self.inverse_temperature == 1:
            return scores
        return torch.where(scores == -math.inf, scores, scores * self.inverse_temperature)

    def _noisy_best(self, scores: Tensor) -> Tensor:
        uniform = torch.rand(scores.shape, dtype=scores.dtype, device=scores.device, generator=self.generator)
        noise = uniform.clamp_(min=torch.finfo(scores.dtype).tiny).log_().neg_().log_().neg_()
        return (scores + noise).max(dim=1).indices


def _checked(scores: Tensor) -> Tensor:
    if not isinstance(scores, Tensor) or scores.ndim != 2 or not scores.shape[1] or not scores.is_floating_point():
        got = f"{tuple(scores.shape)} {scores.dtype}" if isinstance(scores, Tensor) else type(scores).__name__
        raise InputError("There is nothing to draw from", expected="float scores (B, N), N at least 1", got=got)
    return scores
