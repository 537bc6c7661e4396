"""Is it an operator, is it a surrogate? One function a promise; a promise that is not kept raises `AssertionError`.

    check_operator(MyOperator())
    check_surrogate(MySurrogate())

or one by one, with pytest: `@pytest.mark.parametrize("check", OPERATOR_CHECKS)`. Knows nothing of pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.search import Search
from emb_opt_widgets.strategies.portfolio import Portfolio
from emb_opt_widgets.strategies.portfolio.board import Board
from emb_opt_widgets.strategies.portfolio.ensemble import Ensemble, Scored, fit_ensemble
from emb_opt_widgets.strategies.portfolio.library import Library
from emb_opt_widgets.strategies.portfolio.operators import Candidates, Operator
from emb_opt_widgets.strategies.portfolio.rows import HeldRows
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import SURROGATES, Observed, Surrogate
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import SurrogateError
from emb_opt_widgets.strategies.portfolio.target import rank_correlation
from emb_opt_widgets.strategies.portfolio.troubles import Troubles, asked
from emb_opt_widgets.testing.expecting import expect

__all__ = ["OPERATOR_CHECKS", "SURROGATE_CHECKS", "check_operator", "check_surrogate"]

_N = 300


def _library(d: int = 4) -> Library:
    return Library(HeldRows([np.random.default_rng(5).standard_normal((_N, d)).astype(np.float32)], _N))


def _truth(library: Library) -> npt.NDArray[np.float64]:
    out: npt.NDArray[np.float64] = -np.linalg.norm(library.block(np.arange(library.n)) - 0.5, axis=1).astype(float)
    return out


def _board(scored: int = 60, free: int | None = None, failed: bool = False) -> Board:
    """A round after `scored` calls, of which some may have failed, with `free` rows left."""
    library = _library()
    rows = np.random.default_rng(3).permutation(_N)[:scored]
    gains = _truth(library)[rows]
    gains[::7] = np.nan if failed else gains[::7]
    blocked = np.zeros(_N, bool)
    blocked[rows] = True
    if free is not None:
        blocked[np.flatnonzero(~blocked)[free:]] = True
    ensemble, _, _ = fit_ensemble(Scored(library, rows, gains), tuple(SURROGATES.values()), Memory())
    for array in (rows, gains, blocked):
        array.flags.writeable = False
    return Board(library, rows, gains, np.ones(len(rows), bool), blocked, np.random.default_rng(11), ensemble)


def _proposed(operator: Operator, board: Board, n: int) -> Candidates:
    """What it proposes, if a search can use it."""
    told: list[str] = []
    listed = asked(operator, board, n, Troubles(told.append))
    if listed is None:
        raise AssertionError(told[0])
    return listed


def is_an_operator(operator: Operator) -> None:
    """It has a name, a prior and words for a person, and is a frozen dataclass."""
    expect(isinstance(operator, Operator), "an operator has name, prior, learning, said and propose(board, n)")
    expect(is_dataclass(operator) and not isinstance(operator, type), "an operator is a dataclass", type(operator))
    expect(type(operator).__dataclass_params__.frozen, "it is frozen: nothing is kept between rounds")  # type: ignore[attr-defined]
    expect(isinstance(operator.name, str) and operator.name, "its name is a text", operator.name)
    expect(isinstance(operator.said, str) and operator.said, "what is said of it is a text", operator.said)
    expect(isinstance(operator.learning, bool), "learning is True or False", operator.learning)
    expect(len(operator.prior) == 2 and min(operator.prior) > 0, "its prior is two numbers above 0", operator.prior)


def proposes_free_rows(operator: Operator) -> None:
    """Rows of the library that are free, each once, with chances above 0, also where scores failed or few are left."""
    for board in (_board(), _board(failed=True), _board(scored=12), _board(free=3)):
        _proposed(operator, board, 10)


def stops_when_nothing_is_left(operator: Operator) -> None:
    """Where every row is blocked it proposes none, and raises nothing."""
    expect(len(_proposed(operator, _board(free=0), 5).rows) == 0, "it proposes nothing where nothing is free")


def proposes_no_more(operator: Operator) -> None:
    """At most as many as it was asked for, down to one."""
    for n in (1, 7, 40):
        got = len(_proposed(operator, _board(), n).rows)
        expect(got <= n, f"it proposes at most {n} rows", got)


def proposes_the_same_again(operator: Operator) -> None:
    """The same board and stream, the same rows: a resumed search goes on as it would have."""
    one, two = (_proposed(operator, _board(), 8).rows for _ in range(2))
    expect(np.array_equal(one, two), "it proposes the same again", two)


def works_in_a_search(operator: Operator) -> None:
    """A search in which it takes part spends its budget and leaves nothing out."""
    others = tuple(name for name in ("blend", "random") if name != operator.name)
    _searched(Portfolio((operator, *others)))


def _searched(update: Portfolio) -> None:
    library = np.random.default_rng(5).standard_normal((_N, 4)).astype(np.float32)
    search = Search(library, lambda items: -np.linalg.norm(items.embeddings - 0.5, axis=1), update=update, budget=24)
    search.run(progress=False)
    memory = Memory.read(search.controller.state.memory)
    expect(not memory.troubles, "it is never left out of a round", memory.troubles)
    expect(search.n_scored == 24, "a search with it spends its budget", search.n_scored)


def _observed(d: int = 4, n: int = 80, constant: bool = False) -> Observed:
    library = _library(d)
    rows = np.random.default_rng(3).permutation(_N)[:n]
    gains = np.ones(n) if constant else _truth(library)[rows]
    for array in (rows, gains):
        array.flags.writeable = False
    return Observed(library, rows, gains)


def _answers(surrogate: Surrogate, observed: Observed) -> dict[str, tuple[npt.NDArray[np.float64], float | None]]:
    """Every model's mean of the whole library, and what it says of itself, if a search can use it."""
    scored = Scored(observed.library, observed.rows, observed.gains, None, observed.rng, observed.checkpoint)
    ensemble, _, failed = fit_ensemble(scored, (surrogate,), Memory())
    if failed or ensemble is None:
        raise AssertionError(str(failed[0]) if failed else "it fitted no model")
    try:
        return _told(ensemble, observed)
    except SurrogateError as problem:
        raise AssertionError(str(problem)) from problem


def _told(ensemble: Ensemble, observed: Observed) -> dict[str, tuple[npt.NDArray[np.float64], float | None]]:
    block = observed.library.block(np.arange(observed.library.n))
    out = {}
    for name, member in ensemble.fits.items():
        deviation = np.asarray(member.deviation(block[:50]))
        expect(bool((deviation >= 0).all() and np.isfinite(deviation).all()), "deviations are finite, at least 0")
        mean = member.at(observed.library, np.arange(observed.library.n)).astype(np.float64)
        _, covariance = member.posterior(block[:6])
        expect(covariance.shape == (6, 6), "few vectors have a covariance", covariance.shape)
        out[name] = mean, member.left_out
    return out


def is_a_surrogate(surrogate: Surrogate) -> None:
    """It has a name and can be fitted, and is a frozen dataclass."""
    expect(isinstance(surrogate, Surrogate), "a surrogate has name and fit(observed)")
    expect(is_dataclass(surrogate) and not isinstance(surrogate, type), "a surrogate is a dataclass", type(surrogate))
    expect(type(surrogate).__dataclass_params__.frozen, "it is frozen: what it learns is in what fit returns")  # type: ignore[attr-defined]
    expect(isinstance(surrogate.name, str) and surrogate.name, "its name is a text", surrogate.name)


def learns(surrogate: Surrogate) -> None:
    """Of an easy score it predicts what it was not shown."""
    observed = _observed()
    unseen = np.setdiff1d(np.arange(_N), observed.rows)
    for name, (mean, told) in _answers(surrogate, observed).items():
        rho = rank_correlation(mean[unseen], _truth(observed.library)[unseen])
        expect(rho > 0.3, f"{name} predicts an easy score (rank correlation above .3)", round(rho, 2))
        expect(told is None or -1 <= told <= 1, "left_out is None, or a number in -1..1", told)


def predicts_the_same_again(surrogate: Surrogate) -> None:
    """Fitted to the same, it predicts the same, to the last bit."""
    one, two = (_answers(surrogate, _observed()) for _ in range(2))
    for name in one:
        expect(np.array_equal(one[name][0], two[name][0]), f"{name} predicts the same when fitted again")


def takes_little(surrogate: Surrogate) -> None:
    """Few scores, equal scores and a single dimension are nothing to raise about."""
    for observed in (_observed(n=8), _observed(constant=True), _observed(d=1)):
        _answers(surrogate, observed)


def predicts_each_alone(surrogate: Surrogate) -> None:
    """A vector is predicted alone as among others."""
    observed = _observed()
    scored = Scored(observed.library, observed.rows, observed.gains)
    ensemble, _, _ = fit_ensemble(scored, (surrogate,), Memory())
    expect(ensemble is not None, "it fits a model")
    block = observed.library.block(np.arange(9))
    for name, member in {} if ensemble is None else ensemble.fits.items():
        together, alone = member.predict(block), np.concatenate([member.predict(block[i : i + 1]) for i in range(9)])
        off = float(np.abs(together - alone).max())
        expect(off < 1e-3, f"{name} predicts a vector alone as among others", off)


def models_a_search(surrogate: Surrogate) -> None:
    """A search that it models alone spends its budget and never leaves it out."""
    _searched(Portfolio(surrogates=(surrogate,)))


OPERATOR_CHECKS: tuple[Callable[[Operator], None], ...] = (
    is_an_operator,
    proposes_free_rows,
    stops_when_nothing_is_left,
    proposes_no_more,
    proposes_the_same_again,
    works_in_a_search,
)

SURROGATE_CHECKS: tuple[Callable[[Surrogate], None], ...] = (
    is_a_surrogate,
    learns,
    predicts_the_same_again,
    takes_little,
    predicts_each_alone,
    models_a_search,
)


def check_operator(operator: Operator) -> None:
    """Every check of the suite for operators.

    Raises:
        AssertionError: The first promise that is not kept.
    """
    for check in OPERATOR_CHECKS:
        check(operator)


def check_surrogate(surrogate: Surrogate) -> None:
    """Every check of the suite for surrogates.

    Raises:
        AssertionError: The first promise that is not kept.
    """
    for check in SURROGATE_CHECKS:
        check(surrogate)
