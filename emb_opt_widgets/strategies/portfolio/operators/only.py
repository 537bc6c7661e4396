"""What some of the surrogates expect most of, the others not asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Prior

if TYPE_CHECKING:
    from emb_opt_widgets.strategies.portfolio.board import Board

__all__ = ["Only"]


@dataclass(frozen=True, slots=True)
class Only:
    """What some of the surrogates expect most of, the others not asked.

    Args:
        surrogates: The name of one, or the names of several.
        name: Under which its calls are credited; by default the first surrogate's name.
        prior: Hits and misses it begins with.
        caution: As in `Blend`.
    """

    surrogates: tuple[str, ...]
    name: str = ""
    prior: Prior = (2.0, 2.0)
    caution: float | None = None

    learning: ClassVar[bool] = False

    def __post_init__(self) -> None:
        given = self.surrogates
        names = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        if not names or not all(isinstance(name, str) and name for name in names):
            raise InputError("surrogates is not usable", expected="names of surrogates", got=repr(given))
        object.__setattr__(self, "surrogates", names)
        object.__setattr__(self, "name", self.name or names[0])

    @property
    def said(self) -> str:
        """The models it asks."""
        return f"{self.name} model"

    def propose(self, board: Board, n: int) -> Candidates:
        """Their most promising rows, as a batch."""
        return board.promising(n, board.caution if self.caution is None else self.caution, self.surrogates)
