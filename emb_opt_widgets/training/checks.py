"""Conditions on tensors, read from their device together: a read waits for all that a device has yet to do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from emb_opt_widgets.errors import InputError

__all__ = ["Checks"]


class Checks:
    """Notes what would be wrong, and looks at all of it at once."""

    def __init__(self) -> None:
        self._wrong: list[Tensor] = []
        self._errors: list[Callable[[], InputError]] = []

    def note(self, wrong: Tensor, error: Callable[[], InputError]) -> None:
        """Have an error raised at the next `settle`, should this be True then.

        Args:
            wrong: `()` bool. error: Makes the error; of several the one noted first is raised.
        """
        self._wrong.append(wrong)
        self._errors.append(error)

    def finite(self, what: str, value: Tensor, hint: str) -> None:
        """Note that a tensor has to be finite."""
        self.note(~value.isfinite().all(), lambda: InputError(f"The {what} are not all finite", hint=hint))

    def wrong(self, device: torch.device) -> Tensor:
        """`()` bool on the device: whether something that was noted is so. Reads nothing."""
        return torch.stack(self._wrong).any() if self._wrong else torch.zeros((), dtype=torch.bool, device=device)

    def settle(self, *values: Tensor) -> list[bool]:
        """Look: one read.

        Args:
            values: `()` bools to be read along.

        Returns:
            The values.

        Raises:
            InputError: What was noted is so.
        """
        if not self._wrong and not values:
            return []
        read: list[bool] = torch.stack([*self._wrong, *values]).tolist()
        errors, self._wrong, self._errors = self._errors, [], []
        for wrong, error in zip(read, errors):
            if wrong:
                raise error()
        return read[len(errors) :]
