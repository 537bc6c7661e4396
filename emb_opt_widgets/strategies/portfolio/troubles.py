"""What is left out of a round because it failed: surrogates and operators, each with a text for the person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from emb_opt_widgets.strategies.portfolio.board import Board
from emb_opt_widgets.strategies.portfolio.operators import Asker, Candidates, Ground, Operator, Question
from emb_opt_widgets.strategies.portfolio.surrogates import Surrogate
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import SurrogateError

__all__ = ["Troubles", "asked", "questioned", "without"]

Made = TypeVar("Made")


class Troubles:
    """Texts about what was left out of this round, each once.

    Args:
        notify: Told each of them.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._texts: dict[str, None] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """So far, in order."""
        return tuple(self._texts)

    def add(self, what: object) -> None:
        """Tell the person."""
        text = f"{str(what).rstrip('.')}. The search goes on without it in this round."
        if text not in self._texts:
            self._texts[text] = None
            self._notify(text)

    def note(self, failed: Iterable[SurrogateError]) -> None:
        """Tell the person of each of these."""
        for problem in failed:
            self.add(problem)


def without(
    surrogates: Sequence[Surrogate], think: Callable[[Sequence[Surrogate]], Made], troubles: Troubles
) -> Made:  # fmt: skip
    """What is thought with these surrogates; anew without one that fails while it is asked."""
    while True:
        try:
            return think(surrogates)
        except SurrogateError as problem:
            troubles.add(problem)
            left = [one for one in surrogates if one.name != problem.surrogate]
            if len(left) == len(surrogates):
                raise
            surrogates = left


def asked(operator: Operator, board: Board, n: int, troubles: Troubles) -> Candidates | None:
    """What an operator proposes, checked; None, and the person is told, where that cannot be used."""
    try:
        listed = operator.propose(board, n)
    except SurrogateError:
        raise
    except Exception as problem:
        troubles.add(f"The operator {operator.name!r} raised {type(problem).__name__}: {problem}")
        return None
    wrong = _wrong(listed, board)
    if wrong is not None:
        expected, got = wrong
        troubles.add(f"The operator {operator.name!r} proposed what cannot be used. Expected {expected}; got {got}")
        return None
    return listed.as_arrays()


def questioned(asker: Asker, ground: Ground, troubles: Troubles) -> Question | None:
    """Where an operator asks, checked; None, and the person is told, where that cannot be used."""
    try:
        question: object = asker.ask(ground)
    except SurrogateError:
        raise
    except Exception as problem:
        troubles.add(f"The operator {asker.name!r} raised {type(problem).__name__}: {problem}")
        return None
    n, d = ground.vectors.shape
    fine = isinstance(question, Question) and np.shape(question.point) == (d,)
    if isinstance(question, Question) and fine:
        fine = bool(np.isfinite(question.point).all()) and -1 <= question.seed < n and 0 < question.chance <= 1
        if fine:
            return question
    troubles.add(
        f"The operator {asker.name!r} asked what cannot be used. Expected a Question with a finite point of shape "
        f"({d},), a seed that was seen (or -1), and a chance above 0, at most 1; got {question!r:.120}"
    )
    return None


def _wrong(listed: Any, board: Board) -> tuple[str, str] | None:
    """What was expected and what came; None where all is well."""
    if not isinstance(listed, Candidates):
        return "Candidates", type(listed).__name__
    try:
        rows = np.asarray(listed.rows)
    except ValueError:
        return "one-dimensional rows", "ragged ones"
    if not rows.size and rows.ndim == 1:
        rows = rows.astype(np.int64)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        return "whole row numbers of shape (m,)", f"{rows.dtype} of shape {rows.shape}"
    unknown = rows[(rows < 0) | (rows >= board.library.n)]
    if len(unknown):
        return f"rows of the library, 0 to {board.library.n - 1}", f"{unknown[:3].tolist()}, which it does not have"
    spent = rows[board.blocked[rows]]
    if len(spent):
        return "rows that are not blocked", f"{spent[:3].tolist()}, which are scored, filtered out or pruned"
    if len(np.unique(rows)) < len(rows):
        return "every row once", "rows more than once"
    return _wrong_beside(listed, len(rows))


def _wrong_beside(listed: Candidates, m: int) -> tuple[str, str] | None:
    for name in ("chance", "seeds"):
        value = getattr(listed, name)
        if value is not None and np.shape(value) != (m,):
            return f"{name} of shape ({m},), or None", f"shape {np.shape(value)}"
    if listed.chance is not None:
        chance = np.asarray(listed.chance)
        if chance.dtype.kind not in "fiu" or not ((chance > 0) & (chance <= 1)).all():
            return "chances above 0, at most 1", f"{chance[:3].tolist()}"
    return None
