"""What a surrogate is: fitted to scored rows, it tells what to expect of others, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import FunctionError
from emb_opt_widgets.strategies.portfolio.target import TRANSFORMS, transform

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.library import Library
    from emb_opt_widgets.strategies.portfolio.linear import Sums

__all__ = ["Fitted", "JointFitted", "Observed", "Surrogate", "SurrogateError"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]


class SurrogateError(FunctionError):
    """A surrogate raised, or what it predicts cannot be used: it is left out of this round.

    Args:
        surrogate: Its name. what, expected, got: As in every error.
    """

    def __init__(self, surrogate: str, what: str, expected: str | None = None, got: object = None) -> None:
        super().__init__(f"The surrogate {surrogate!r} {what}", expected=expected, got=got)
        self.surrogate = surrogate


def _go_on() -> None:
    """Nobody interrupts."""


def _seeded(purpose: str) -> np.random.Generator:
    return np.random.default_rng(list(purpose.encode()))


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What a surrogate is fitted to.

    Attributes:
        library: What the rows are of.
        rows: `(n,)` scored rows; in a long search the best, and a stable random rest.
        gains: `(n,)` their scores, finite; more is better.
        everything: All that was paid for, rows and gains (a failed one's imputed), where that is more than `rows`.
        fits: The members that were fitted before this surrogate, by name.
        hyper: What members were found with in the last round, by name.
        turn: Which of the targets is searched again in this round.
        sums: Of the library's scored rows, for the linear model of more rows than a Gram matrix holds.
        rng: Purpose to random stream, the same whenever this round is thought through.
        checkpoint: To be called every tenth of a second or so by a surrogate that takes long to fit.
    """

    library: Library
    rows: Array
    gains: Float64
    everything: tuple[Array, Float64] | None = None
    fits: Mapping[str, Fitted] = field(default_factory=dict)
    hyper: Mapping[str, Any] = field(default_factory=dict)
    turn: str = TRANSFORMS[0]
    sums: Sums | None = None
    rng: Callable[[str], np.random.Generator] = _seeded
    checkpoint: Callable[[], None] = _go_on

    @property
    def vectors(self) -> npt.NDArray[np.float32]:
        """`(n, d)` vectors of the rows, centred and scaled to unit mean variance."""
        block: npt.NDArray[np.float32] = self.library.block(self.rows)
        return block

    @property
    def targets(self) -> Float64:
        """`(n,)` the gains on a scale on which models do well, order kept: zero mean, unit variance."""
        mean: Float64 = np.mean([transform(self.gains, kind) for kind in TRANSFORMS], axis=0)
        scale = float(mean.std())
        return mean / scale if scale > 0 else mean


@runtime_checkable
class Fitted(Protocol):
    """A fitted surrogate. Vectors are as in `Observed.vectors`, predictions on the scale of `Observed.targets`."""

    @property
    def left_out(self) -> float | None:
        """Rank correlation of its predictions of scores that were left out (one by one, or a part of them) with these;
        None: not known, and it is believed by what it predicts from now on."""

    def predict(self, vectors: npt.NDArray[np.float32]) -> Array:
        """Mean `(m,)` of vectors `(m, d)`."""

    def deviation(self, vectors: npt.NDArray[np.float32]) -> Array:
        """Standard deviation `(m,)` of vectors `(m, d)`, at least 0."""


@runtime_checkable
class JointFitted(Fitted, Protocol):
    """One that also tells how predictions vary together; of others, it is taken that near vectors do."""

    def posterior(self, vectors: npt.NDArray[np.float32]) -> tuple[Float64, Float64]:
        """Mean `(m,)` and covariance `(m, m)` of few vectors `(m, d)`."""


@runtime_checkable
class Surrogate(Protocol):
    """A model of the scores. A frozen dataclass: configuration only; what it learns is in what `fit` returns."""

    @property
    def name(self) -> str:
        """Under which it is believed; its own in a portfolio."""

    def fit(self, observed: Observed) -> Fitted | Mapping[str, Fitted]:
        """Fit to scored rows: one model, or several by name, each believed on its own."""
