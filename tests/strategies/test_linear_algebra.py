"""The two forms of the models' algebra: the same tests for both, and both against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.engine.view import Interrupted, SearchView
from emb_opt_widgets.strategies.portfolio import known
from emb_opt_widgets.strategies.portfolio.batch import screen
from emb_opt_widgets.strategies.portfolio.ensemble import Scored, fit_ensemble
from emb_opt_widgets.strategies.portfolio.fit import fit
from emb_opt_widgets.strategies.portfolio.library import PLAIN, Library
from emb_opt_widgets.strategies.portfolio.linear_algebra import NUMPY, NumpyAlgebra, TorchAlgebra, algebra_for
from emb_opt_widgets.strategies.portfolio.rows import HeldRows
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import Kernel, LearnedMetric, Linear

FORMS = [pytest.param(NUMPY, id="numpy"), pytest.param(TorchAlgebra("cpu"), id="torch")]


def library(n: int, d: int, algebra: Any = NUMPY, seed: int = 0) -> Library:
    x = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32) * 2 + 1
    return Library(HeldRows([x], n), algebra=algebra)


def positive(n: int) -> Any:
    a = np.random.default_rng(n).standard_normal((n, n))
    return a @ a.T + n * np.eye(n)


@pytest.mark.parametrize("algebra", FORMS)
@pytest.mark.parametrize("n", [1, 63, 64, 65, 200, 512])
def test_factors_solve_and_invert(algebra: Any, n: int) -> None:
    gram, targets = positive(n), np.random.default_rng(1).standard_normal(n)
    factor = algebra.factor(algebra.place(np.tril(gram), wide=True))
    lower = algebra.host(factor.lower)
    np.testing.assert_allclose(lower @ lower.T, gram, rtol=1e-10, atol=1e-10 * n)
    np.testing.assert_allclose(algebra.host(factor.inverse) @ lower, np.eye(n), atol=1e-10)
    solved = algebra.host(factor.solve(algebra.place(targets, wide=True)))
    np.testing.assert_allclose(gram @ solved, targets, atol=1e-9)


@pytest.mark.parametrize("algebra", FORMS)
@pytest.mark.parametrize("n", [3, 512])
def test_what_is_not_positive_is_refused(algebra: Any, n: int) -> None:
    with pytest.raises(np.linalg.LinAlgError):
        algebra.factor(algebra.place(-np.eye(n), wide=True))


@pytest.mark.parametrize("algebra", FORMS)
def test_the_kernel_is_materns_in_both_precisions(algebra: Any) -> None:
    squared = np.concatenate([np.linspace(0, 900, 60), [-1e-12]])
    root = np.sqrt(5 * np.abs(squared))
    slow = (1 + root + root**2 / 3) * np.exp(-root)
    for wide, rtol in ((True, 1e-11), (False, 2e-4)):
        got = algebra.host(algebra.matern(algebra.place(5 * squared, wide)))
        np.testing.assert_allclose(got, slow, rtol=rtol, atol=1e-30)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(3, 90), d=st.integers(1, 9), seed=st.integers(0, 1000), linear=st.booleans(),
    metric=st.sampled_from(["kernel0", "kernel0.5"]),
)  # fmt: skip
def test_both_forms_expect_the_same(n: int, d: int, seed: int, linear: bool, metric: str) -> None:
    told = []
    for algebra in (NUMPY, TorchAlgebra("cpu")):
        lib = library(150, d, algebra, seed)
        rows = np.random.default_rng(seed).permutation(150)[:n]
        y = np.sin(lib.block(rows)).sum(1).astype(float)
        process = fit(lib, lib.metrics.get(metric, lib.metrics[PLAIN]), rows, y, None, "raw", linear)
        some = lib.block(np.arange(150))
        told.append((*process.posterior(some), process.everywhere(lib), process.deviation(some), process.alpha))
    (mean, covariance, fast, deviation, alpha), other = told
    scale = np.abs(mean).max() + 1e-9
    np.testing.assert_allclose(other[0], mean, rtol=1e-5, atol=1e-7 * scale)
    np.testing.assert_allclose(other[1], covariance, rtol=1e-5, atol=1e-7 * np.abs(covariance).max())
    np.testing.assert_allclose(other[4], alpha, rtol=1e-5, atol=1e-6 * np.abs(alpha).max())
    slack = 1e-5 * (np.abs(alpha).sum() + 1)
    np.testing.assert_allclose(other[2], fast, atol=slack)
    np.testing.assert_allclose(fast, mean, atol=slack)
    np.testing.assert_allclose(other[3], deviation, atol=0.05 * deviation.max())


@pytest.mark.parametrize("algebra", FORMS)
def test_each_form_repeats_itself_to_the_last_bit(algebra: Any) -> None:
    def once() -> Any:
        lib = library(3000, 7, algebra)
        rows = np.arange(0, 3000, 15)
        process = fit(lib, lib.metrics["kernel0.5"], rows, np.sin(lib.block(rows)).sum(1).astype(float), None, "raw")
        return (
            process.everywhere(lib),
            process.deviation_at(lib, np.arange(99)),
            *process.posterior(lib.block(rows[:9])),
        )

    for a, b in zip(once(), once()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("algebra", FORMS)
def test_what_was_predicted_of_a_row_is_kept(algebra: Any) -> None:
    lib = library(500, 5, algebra)
    rows = np.arange(0, 500, 7)
    process = fit(lib, lib.metrics[PLAIN], rows, np.sin(lib.block(rows)).sum(1).astype(float), None, "raw")
    part = process.at(lib, np.arange(100, 200))
    whole = process.everywhere(lib)
    np.testing.assert_allclose(whole[100:200], part, atol=1e-4)
    whole[:] = 0
    again = process.at(lib, np.arange(500))
    assert np.abs(again).max() > 0 and not np.isnan(again).any()
    np.testing.assert_array_equal(process.at(lib, np.array([7, 7, 3])), again[[7, 7, 3]])


class _Elsewhere:
    """A source whose vectors live on a device."""

    def __init__(self, device: str) -> None:
        torch = pytest.importorskip("torch")
        self.tensor = torch.from_numpy(np.random.default_rng(0).standard_normal((700, 4)).astype(np.float32))
        self._held = eow.sources.ArraySource(self.tensor)
        self.device, self.dim = device, 4
        self.search, self.fetch, self.scan = self._held.search, self._held.fetch, self._held.scan
        self.asked = 0

    def __len__(self) -> int:
        return 700

    def placed(self, rows: Any) -> Any:
        self.asked += len(rows)
        return self.tensor[rows]


def test_models_live_where_the_library_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    assert algebra_for(_Elsewhere("cpu")) is NUMPY and algebra_for(_Elsewhere("mps:0")) is NUMPY
    assert algebra_for(object()) is NUMPY
    chosen = algebra_for(_Elsewhere("cuda:1"))
    assert isinstance(chosen, TorchAlgebra) and chosen.device == "cuda:1"
    assert eow.sources.ArraySource(np.eye(3)).device == "cpu"
    monkeypatch.setattr(known, "algebra_for", lambda source: TorchAlgebra("cpu"))
    source = _Elsewhere("cuda:0")
    truth = -((source.tensor.numpy() - 0.5) ** 2).sum(1)
    search = eow.Search(source, lambda items: truth[items.ids], budget=50, seed=0)
    search.run(progress=False)
    assert source.asked and search.best.score >= np.sort(truth)[-3]


class _Counting(NumpyAlgebra):
    """Counts covariances, and the cubes of what is factored, since the last checkpoint."""

    def __init__(self) -> None:
        self.work = self.most = 0

    def checkpoint(self) -> None:
        self.most = max(self.most, self.work)
        self.work = 0

    def matern(self, squared: Any) -> Any:
        self.work += squared.size
        return super().matern(squared)

    def factor(self, gram: Any) -> Any:
        self.work += len(gram) ** 3 // 200
        return super().factor(gram)


def test_a_checkpoint_comes_after_bounded_work() -> None:
    counting = _Counting()
    lib = library(30_000, 8, counting)
    lib.checkpoint = counting.checkpoint
    rows = np.arange(0, 30_000, 25)
    gains = np.sin(lib.block(rows)).sum(1).astype(float)
    scored = Scored(lib, rows, gains, None, None, counting.checkpoint)
    ensemble, _, failed = fit_ensemble(scored, (Linear(), Kernel(), LearnedMetric()), Memory())
    assert ensemble is not None and not failed
    blocked = np.zeros(lib.n, bool)
    blocked[rows] = True
    free = screen(lib, ensemble, rows, gains, blocked)
    ensemble.at(lib, free)
    ensemble.leader().deviation_at(lib, free[:4000])
    counting.checkpoint()
    assert len(free) < 14_500 and not blocked[free].any()
    assert 1_000_000 < counting.most < 9_000_000


@pytest.mark.parametrize("at", [1, 7, 30, 90])
def test_interrupted_thinking_begins_anew_as_if_nothing_had_been(at: int) -> None:
    x = np.random.default_rng(0).standard_normal((900, 5)).astype(np.float32)
    source = eow.sources.ArraySource(x)
    search = eow.Search(source, lambda items: np.sin(x[items.ids]).sum(1), budget=200, seed=0)
    search.run(rounds=6, progress=False)
    state, update = search.controller.state, eow.strategies.Portfolio()
    left = [at]

    def checkpoint() -> None:
        left[0] -= 1
        if not left[0]:
            raise Interrupted

    cache: dict[str, Any] = {}
    with pytest.raises(Interrupted):
        update.propose(None, SearchView(state, source, cache, checkpoint=checkpoint))  # type: ignore[arg-type]
    again = update.propose(None, SearchView(state, source, cache))  # type: ignore[arg-type]
    fresh = update.propose(None, SearchView(state, source, {}))  # type: ignore[arg-type]
    assert repr(again.memory) == repr(fresh.memory)
    np.testing.assert_array_equal(again.embeddings, fresh.embeddings)
