"""Operators and surrogates of one's own: what is asked of them, and what happens to bad ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

import emb_opt_widgets as eow
from benchmarks.methods import AskedOnly
from emb_opt_widgets.engine.view import Interrupted, SearchView
from emb_opt_widgets.strategies import (
    BoTorchSurrogate,
    Explore,
    Gradient,
    Kernel,
    LearnedMetric,
    Linear,
    Only,
    Portfolio,
    SklearnSurrogate,
)
from emb_opt_widgets.strategies.portfolio.operators import OPERATORS, Candidates, Ground, Question
from emb_opt_widgets.strategies.portfolio.surrogates import Observed
from emb_opt_widgets.testing import check_operator, check_surrogate

from ..conftest import smooth


def gaussians(n: int = 400, d: int = 5) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


@dataclass(frozen=True)
class First:
    """The first free rows."""

    name: str = "first"
    prior: tuple[float, float] = (1.0, 2.0)
    learning: bool = False
    said: str = "in order"

    def propose(self, board: Any, n: int) -> Candidates:
        return Candidates(np.flatnonzero(~board.blocked)[:n])


@dataclass(frozen=True)
class Bad(First):
    """What an operator must not do."""

    name: str = "bad"
    how: str = "scored"

    def propose(self, board: Any, n: int) -> Any:
        free = np.flatnonzero(~board.blocked)[:n]
        match self.how:
            case "scored":
                return Candidates(np.flatnonzero(board.blocked)[:n])
            case "unknown":
                return Candidates(np.arange(board.library.n, board.library.n + n))
            case "negative":
                return Candidates(np.array([-1]))
            case "twice":
                return Candidates(np.repeat(free, 2)[:n] if n > 1 else np.repeat(free, 2))
            case "floats":
                return Candidates(free + 0.5)
            case "array":
                return free
            case "chance":
                return Candidates(free, np.zeros(len(free)))
            case "seeds":
                return Candidates(free, seeds=np.zeros(len(free) + 1, int))
            case "writes":
                board.blocked[:] = False
        raise ZeroDivisionError("no luck")


@dataclass(frozen=True)
class Nearest:
    """The mean of the five nearest scored vectors."""

    name: ClassVar[str] = "nearest"
    tells: bool = True
    how: str = ""

    def fit(self, observed: Observed) -> Any:
        if self.how == "raises":
            raise ZeroDivisionError("no luck")
        if self.how == "nothing":
            return None
        return FittedNearest(observed.vectors, observed.targets, 0.4 if self.tells else None, self.how)


@dataclass
class FittedNearest:
    x: Any
    y: Any
    left_out: float | None
    how: str
    asked: list[int] = field(default_factory=list)

    def predict(self, vectors: Any) -> Any:
        self.asked.append(len(vectors))
        if self.how == "later" and len(self.asked) > 1:
            return np.full(len(vectors), np.nan)
        far = ((vectors[:, None] - self.x[None]) ** 2).sum(2)
        mean = self.y[np.argsort(far, axis=1, kind="stable")[:, :5]].mean(1)
        match self.how:
            case "nan":
                return np.where(np.arange(len(mean)) == 1, np.nan, mean)
            case "shape":
                return mean[:, None]
            case "text":
                return ["a"] * len(mean)
            case "two":
                return mean, mean
        return mean

    def deviation(self, vectors: Any) -> Any:
        return np.full(len(vectors), -1.0 if self.how == "below" else 0.5)


def ran(update: Any, budget: int = 40) -> tuple[eow.Search, Any]:
    search = eow.Search(gaussians(), smooth, update=update, budget=budget, seed=1)
    search.run(progress=False)
    return search, search.controller.state.memory


@pytest.mark.parametrize(
    "operator", [*OPERATORS.values(), First(), Explore("bolder", boldness=9.0)], ids=lambda o: o.name
)
def test_an_operator_keeps_its_promises(operator: Any) -> None:
    check_operator(operator)


HOW = ["scored", "unknown", "negative", "twice", "floats", "array", "chance", "seeds", "raises"]


@pytest.mark.parametrize("how", HOW)
def test_a_bad_operator_is_seen_and_left_out(how: str) -> None:
    with pytest.raises(AssertionError):
        check_operator(Bad(how=how))
    search, memory = ran(Portfolio((Bad(how=how, prior=(50.0, 1.0)), "blend")))
    assert search.n_scored == 40 and search.status is eow.SearchStatus.FINISHED
    assert len(memory["troubles"]) == 1 and "'bad'" in memory["troubles"][0]
    assert "goes on without it" in memory["troubles"][0]
    assert [notice.text for notice in search.notices if "'bad'" in notice.text] == memory["troubles"]
    assert "bad" not in search.controller.state.operators


def test_an_operator_that_writes_or_thaws_is_seen() -> None:
    with pytest.raises(AssertionError):
        check_operator(Bad(how="writes"))
    with pytest.raises(AssertionError, match="frozen"):
        check_operator(dataclass(Thawed)())


class Thawed:
    name = "thawed"
    prior = (1.0, 1.0)
    learning = False
    said = "not frozen"

    def propose(self, board: Any, n: int) -> Candidates:
        return Candidates(np.flatnonzero(~board.blocked)[:n])


def test_where_no_operator_is_left_calls_are_spread() -> None:
    search, memory = ran(Portfolio((Bad(),)))
    assert search.n_scored == 40 and memory["troubles"] and memory["plan"]["phase"] == "design"


def test_an_operator_of_ones_own_gets_its_calls_and_its_words() -> None:
    search, memory = ran(Portfolio((First(prior=(90.0, 1.0)), "blend")))
    assert "first" in search.results().operator and memory["credit"]["first"]
    assert any(why.startswith("in order; ") for name, why in search.controller.state.proposed if name == "first")
    assert any("by in order" in reason for reason in search.controller.state.reasons)


@dataclass(frozen=True)
class Best:
    """At the best, once more; or nowhere that there is."""

    name: str = "best"
    prior: tuple[float, float] = (20.0, 1.0)
    how: str = ""

    def ask(self, ground: Ground) -> Any:
        seed, chance = ground.draw(ground.best)
        match self.how:
            case "raises":
                raise ZeroDivisionError("no luck")
            case "array":
                return ground.vectors[seed]
            case "width":
                return Question(ground.vectors[seed][:2], "too narrow")
            case "nan":
                return Question(ground.vectors[seed] * np.nan, "nowhere")
            case "seed":
                return Question(ground.vectors[seed], "of nothing", len(ground.ids))
            case "chance":
                return Question(ground.vectors[seed], "never", seed, 0.0)
        return Question(ground.vectors[seed] + np.float32(0.1), "beside one of the best", seed, chance)


def asked_only(update: Any) -> tuple[eow.Search, Any]:
    search = eow.Search(AskedOnly(gaussians()), smooth, update=update, budget=20, seed=1)
    search.run(progress=False)
    return search, search.controller.state.memory


def test_one_list_of_operators_serves_both_kinds_of_sources() -> None:
    update = Portfolio(("blend", Best(), "around"), "linear")
    search, memory = asked_only(update)
    made = set(search.controller.state.operators)
    assert {"best", "around"} <= made <= {"best", "around", "seen before", "start", "spread"}
    assert "beside one of the best" in search.controller.state.reasons and "best" in memory["credit"]
    assert search.n_scored == 20
    assert "best" not in ran(update, 20)[0].controller.state.operators
    for alone in (Portfolio(("blend", "random"), "linear"), Portfolio(("gradient", "spread"), "linear")):
        assert ran(alone, 20)[0].n_scored == 20 == asked_only(alone)[0].n_scored
    assert Portfolio("gradient").operators == (Gradient(),)


@pytest.mark.parametrize("how", ["raises", "array", "width", "nan", "seed", "chance"])
def test_one_that_asks_badly_is_left_out(how: str) -> None:
    for others in (("around", "spread"), ()):
        search, memory = asked_only(Portfolio((Best(how=how), *others), "linear"))
        assert search.n_scored == 20 and "'best'" in memory["troubles"][0]
        assert "best" not in search.controller.state.operators


@pytest.mark.parametrize("how", ["raises", "nan", "later"])
def test_a_bad_surrogate_is_left_out_where_a_source_can_only_be_asked(how: str) -> None:
    search, memory = asked_only(Portfolio(surrogates=("linear", Nearest(how=how))))
    assert search.n_scored == 20 and memory["troubles"] and set(memory["weights"]) == {"linear"}


def surrogates() -> list[Any]:
    return [Linear(), Kernel(), LearnedMetric(), Nearest(), Nearest(tells=False)]


@pytest.mark.parametrize("surrogate", surrogates(), ids=lambda s: type(s).__name__)
def test_a_surrogate_keeps_its_promises(surrogate: Any) -> None:
    check_surrogate(surrogate)


FAULTS = {
    "nan": "NaN or infinity", "shape": "wrong shape", "text": "wrong shape", "two": "wrong shape", "below": "negative",
    "raises": "ZeroDivisionError: no luck", "nothing": "nothing usable", "later": "NaN or infinity",
}  # fmt: skip


@pytest.mark.parametrize("how", FAULTS)
def test_a_bad_surrogate_is_seen_and_left_out(how: str) -> None:
    with pytest.raises(AssertionError):
        check_surrogate(Nearest(how=how))
    search, memory = ran(Portfolio(surrogates=("linear", Nearest(how=how))))
    assert search.n_scored == 40 and search.status is eow.SearchStatus.FINISHED
    assert len(memory["troubles"]) == 1 and FAULTS[how] in memory["troubles"][0]
    assert set(memory["weights"]) == {"linear"} and memory["plan"]["phase"] == "model"


def test_where_no_surrogate_is_left_calls_are_spread() -> None:
    search, memory = ran(Portfolio(surrogates=(Nearest(how="later"),)))
    assert search.n_scored == 40 and memory["troubles"] and memory["plan"]["phase"] == "design"


def test_a_person_is_told() -> None:
    told: list[str] = []

    search, _ = ran(Portfolio(("blend", "random")), budget=30)
    search.set(budget=60)
    view = SearchView(search.controller.state, eow.as_source(gaussians()), {}, notify=told.append)
    Portfolio((Bad(), "blend")).propose(None, view)  # type: ignore[arg-type]
    assert len(told) == 1 and told[0].startswith("The operator 'bad' proposed what cannot be used. Expected")


def test_an_interruption_flies_through_everything() -> None:
    search, _ = ran(None, budget=30)
    search.set(budget=60)
    calls, stop = 0, -1

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == stop:
            raise Interrupted

    view = SearchView(search.controller.state, eow.as_source(gaussians()), {}, checkpoint=checkpoint)
    interrupted = 0
    for place in range(1, 400, 3):
        calls, stop = 0, place
        try:
            last = Portfolio().propose(None, view)  # type: ignore[arg-type]
        except Interrupted:
            interrupted += 1
            continue
        break
    assert interrupted >= 3
    fresh = SearchView(search.controller.state, view.source, {})
    assert Portfolio().propose(None, fresh).memory == last.memory  # type: ignore[arg-type]


def test_one_that_does_not_tell_is_believed_by_what_it_predicted() -> None:
    _, memory = ran(Portfolio(surrogates=("linear", Nearest(tells=False))), budget=80)
    assert memory["skill"]["nearest"][1] > 0 and 0 <= memory["weights"]["nearest"] < 1
    _, alone = ran(Portfolio(surrogates=(Nearest(tells=False),)), budget=40)
    assert alone["weights"] == {"nearest": 1.0}


def test_a_surrogates_name_stands_for_asking_it_alone() -> None:
    update = Portfolio(("blend", "nearest"), ("linear", Nearest()))
    assert update.operators[1] == Only("nearest")


def forest() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(20)


def bayes() -> Any:
    from sklearn.linear_model import BayesianRidge

    return BayesianRidge()


def boosted() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(n_estimators=20)


@pytest.mark.parametrize("make", [forest, bayes, boosted])
def test_scikit_learns_regressors_are_surrogates(make: Callable[[], Any]) -> None:
    pytest.importorskip("sklearn")
    check_surrogate(SklearnSurrogate(make()))


def observed() -> Observed:
    from emb_opt_widgets.strategies.portfolio.library import Library
    from emb_opt_widgets.strategies.portfolio.rows import HeldRows

    library = Library(HeldRows([gaussians()], 400))
    rows = np.arange(60)
    return Observed(library, rows, library.block(rows).sum(1).astype(float))


def test_deviations_come_from_the_trees_the_model_or_what_was_left_out() -> None:
    pytest.importorskip("sklearn")
    told = {make: SklearnSurrogate(make()).fit(observed()) for make in (forest, bayes, boosted)}
    block = observed().library.block(np.arange(100, 130))
    trees = np.std([tree.predict(block) for tree in told[forest].regressor.estimators_], axis=0)
    np.testing.assert_allclose(told[forest].deviation(block), np.maximum(trees, 1e-6))
    _, own = told[bayes].regressor.predict(block, return_std=True)
    np.testing.assert_allclose(told[bayes].deviation(block), own)
    assert set(told[boosted].deviation(block)) == {told[boosted].off} and 0 < told[boosted].off < 1
    assert all(0.5 < one.left_out <= 1 for one in told.values())


def test_a_botorch_and_a_gpytorch_model_are_surrogates() -> None:
    pytest.importorskip("botorch")
    fitted = BoTorchSurrogate().fit(observed())
    block = observed().library.block(np.arange(100, 130))
    mean, covariance = fitted.posterior(block)
    np.testing.assert_allclose(fitted.predict(block), mean, atol=1e-6)
    np.testing.assert_allclose(fitted.deviation(block), np.sqrt(np.diag(covariance)), rtol=1e-3, atol=1e-5)
    assert fitted.left_out > 0.9 and np.corrcoef(mean, block.sum(1))[0, 1] > 0.95
    again = BoTorchSurrogate().fit(observed())
    np.testing.assert_array_equal(again.predict(block), fitted.predict(block))
    exact = BoTorchSurrogate(exact_gp, "exact").fit(observed())
    assert exact.left_out > 0.8 and (exact.deviation(block) > 0).all()
    search, memory = ran(Portfolio(surrogates=("linear", BoTorchSurrogate())), budget=14)
    assert "troubles" not in memory and search.n_scored == 14 and "botorch" in memory["weights"]


def exact_gp(x: Any, y: Any) -> Any:
    import gpytorch

    class Exact(gpytorch.models.ExactGP):
        def __init__(self) -> None:
            super().__init__(x, y[:, 0], gpytorch.likelihoods.GaussianLikelihood().double())
            self.mean_module = gpytorch.means.ConstantMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

        def forward(self, at: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean_module(at), self.covar_module(at))

    return Exact().double()


@pytest.mark.parametrize(
    "build",
    [
        lambda: SklearnSurrogate(None), lambda: SklearnSurrogate(object), lambda: BoTorchSurrogate(3),
        lambda: BoTorchSurrogate(points=2), lambda: SklearnSurrogate(Nearest()),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused(build: Callable[[], Any]) -> None:
    with pytest.raises(eow.InputError, match="xpected"):
        build()
