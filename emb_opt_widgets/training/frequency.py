"""How often each item comes in a stream of batches, from the gaps between its appearances.

Knows ids only. For the logQ correction of `RetrievalLoss`.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.ids import as_codes

__all__ = ["FrequencyEstimator"]


class FrequencyEstimator(torch.nn.Module):
    """The streaming frequency estimator of Yi et al. (RecSys 2019), algorithms 2 and 3.

    For every slot of a hash table: `A`, the step at which it was last hit, and `B`, a moving average of the steps
    between hits. At step t, once for each distinct slot h of the batch: B[h] ← (1 - α) B[h] + α (t - A[h]) and
    A[h] ← t. An item's probability of being in a batch is 1 / B, with several tables 1 / max B (a collision only
    shortens a gap), at most 1. All of it is in `state_dict`.

    Called as a module it counts the batch (in training mode only) and returns its probabilities.

    The first table holds id modulo `num_buckets`, so whole numbers below `num_buckets` never collide there; further
    tables mix the bits, each in its own way.

    Args:
        num_buckets: Slots of each table.
        alpha: Weight of the newest gap, within (0, 1].
        num_tables: Hash tables.
        initial_gap: What B starts from, in steps: the gap believed of an item never seen. None: `num_buckets`.

    Attributes:
        step: How many batches were counted.
        last_hit: `(num_tables, num_buckets)` int64, A.
        gap: `(num_tables, num_buckets)` float64, B.

    Raises:
        InputError: An argument is not usable.
    """

    step: torch.Tensor
    last_hit: torch.Tensor
    gap: torch.Tensor

    def __init__(self, num_buckets: int, alpha: float, num_tables: int = 1, initial_gap: float | None = None) -> None:
        super().__init__()
        for name, count in (("num_buckets", num_buckets), ("num_tables", num_tables)):
            if as_whole(count) is None:
                raise InputError(f"{name} is not usable", expected="a whole number, at least 1", got=repr(count))
        if not isinstance(alpha, (int, float)) or not 0 < alpha <= 1:
            raise InputError("alpha is not usable", expected="a number above 0, at most 1", got=repr(alpha))
        gap = int(num_buckets) if initial_gap is None else initial_gap
        if not isinstance(gap, (int, float)) or not 0 < gap < math.inf:
            raise InputError("initial_gap is not usable", expected="a finite number of steps above 0", got=repr(gap))
        self.alpha = float(alpha)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("last_hit", torch.zeros(int(num_tables), int(num_buckets), dtype=torch.int64))
        self.register_buffer("gap", torch.full((int(num_tables), int(num_buckets)), float(gap), dtype=torch.float64))

    @torch.no_grad()
    def update(self, ids: Any) -> None:
        """Count one batch: a step, whatever its size.

        Args:
            ids: `(n,)` or `(n, 1)` whole numbers or text; one that comes several times counts once.

        Raises:
            InputError: Not ids, or none.
        """
        codes = self._codes(ids)
        if not len(codes):
            raise InputError("The batch is empty", expected="at least one id", got="none")
        self.step += 1
        for table, slots in enumerate(self._slots(codes)):
            hit = slots.unique()
            newest = (self.step - self.last_hit[table, hit]).to(torch.float64)
            self.gap[table, hit] = (1 - self.alpha) * self.gap[table, hit] + self.alpha * newest
            self.last_hit[table, hit] = self.step

    @torch.no_grad()
    def probability(self, ids: Any) -> torch.Tensor:
        """The chance of each item to be in a batch, within (0, 1].

        Args:
            ids: `(n,)` or `(n, 1)`.

        Returns:
            `(n,)` float64.
        """
        slots = self._slots(self._codes(ids))
        return self.gap.gather(1, slots).amax(0).clamp(min=1.0).reciprocal()

    def forward(self, ids: Any) -> torch.Tensor:
        """Count the batch, in training mode, and return its `probability`, `(n,)` float64."""
        if self.training:
            self.update(ids)
        return self.probability(ids)

    def _codes(self, ids: Any) -> torch.Tensor:
        return as_codes(ids).to(self.gap.device)

    def _slots(self, codes: torch.Tensor) -> torch.Tensor:
        """`(num_tables, n)`: where each id is in each table."""
        tables = [codes if table == 0 else _mixed(codes, table) for table in range(len(self.gap))]
        return torch.stack(tables).remainder(self.gap.shape[1])

    def extra_repr(self) -> str:
        """The arguments, for `repr`."""
        tables, buckets = self.gap.shape
        return f"num_buckets={buckets}, alpha={self.alpha}, num_tables={tables}"


def _signed(value: int) -> int:
    value %= 2**64
    return value - 2**64 if value >= 2**63 else value


def _shifted(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """A shift to the right that brings in zeros."""
    return (codes >> bits) & ((1 << (64 - bits)) - 1)


def _mixed(codes: torch.Tensor, table: int) -> torch.Tensor:
    """The bits of each id, mixed as SplitMix64 does, from another start for every table."""
    codes = codes + _signed(table * 0x9E3779B97F4A7C15)
    codes = (codes ^ _shifted(codes, 30)) * _signed(0xBF58476D1CE4E5B9)
    codes = (codes ^ _shifted(codes, 27)) * _signed(0x94D049BB133111EB)
    return codes ^ _shifted(codes, 31)
