"""What goes wrong in one of several processes: kept until all are told, so that nobody waits for one that left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emb_opt_widgets.training.checks import Checks
from emb_opt_widgets.training.collectives import as_words, from_words, raise_for

__all__ = ["TEXT", "Trouble"]

TEXT = 512


@dataclass(slots=True)
class Trouble:
    """What went wrong here: kept, until everyone has been told."""

    device: torch.device
    checks: Checks = field(default_factory=Checks)
    error: Exception | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what is raised inside, the first of it."""
        try:
            yield
        except Exception as raised:
            self.error = self.error or raised

    def told(self) -> Tensor:
        """`(1 + 512,)` uint8: whether something that was noted is so, and what was raised."""
        text = "" if self.error is None else f"{type(self.error).__name__}: {self.error}"
        wrong = self.checks.wrong(self.device)
        return torch.cat([wrong.reshape(1).to(torch.uint8), as_words(text, TEXT).to(self.device)])

    def settle(self, everyone: npt.NDArray[np.uint8], rank: int) -> None:
        """Raise what went wrong here, or that something did elsewhere, by what everyone `told`."""
        if self.error is not None:
            raise self.error
        if everyone[rank][0]:
            self.checks.settle()
        said = [from_words(one[1:]) or ("numbers that are not finite" if one[0] else "") for one in everyone]
        raise_for(said, rank)
