from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emb_opt_widgets as eow
from emb_opt_widgets.strategies import LatentUpdate
from emb_opt_widgets.strategies.portfolio.latent.ascent import direction, steps
from emb_opt_widgets.strategies.portfolio.latent.surface import fitted, within

RNG = np.random.default_rng(5)


def words(points):
    return [hashlib.blake2b(p.tobytes(), digest_size=8).hexdigest() for p in points]


def bowl(at):
    at = np.asarray(at)
    return lambda items: -np.square(items.embeddings.astype(np.float64) - at).sum(axis=1)


def search(score, dim=12, source=None, **options):
    given = eow.sources.GenerativeSource(words, dim=dim, scale=0.3) if source is None else source
    return eow.Search(given, score, **{"budget": 120, "k": 4, "queries": 4, **options})


def best_by_chance(dim, n, score, spread=1.0):
    points = np.random.default_rng(0).standard_normal((n, dim)) * spread
    return float(score(eow.Items(range(n), points)).max())


def test_it_is_what_a_latent_space_gets():
    far = np.full(12, 1.5)
    found = search(bowl(far))
    found.run(progress=False)
    assert found.n_scored == 120 and found.best.score > best_by_chance(12, 120, bowl(far)) / 4
    assert set(found.tree.operator) <= {"climb", "random start", "spread", "start"} and "climb" in found.tree.operator
    np.testing.assert_array_equal(found.best.embedding, found.results(1).embeddings[0])
    id, score, item = found.best
    assert (id, score, item) == found.best


def test_a_surrogate_of_ones_own_is_asked():
    own = search(bowl(np.ones(6)), dim=6, update=eow.strategies.Portfolio(surrogates="linear"), budget=30)
    own.run(progress=False)
    assert "climb" not in own.tree.operator and own.n_scored == 30


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_gradients_are_followed(direction):
    torch = pytest.importorskip("torch")
    scales = torch.arange(1.0, 13.0)
    sign = 1 if direction == "maximize" else -1
    score = eow.sources.differentiable(lambda x: -sign * (scales * (x - 1) ** 2).sum(dim=1))
    found = search(score, direction=direction, budget=40)
    found.run(progress=False)
    assert abs(found.best.score) < 1e-4 and "gradient" in found.tree.operator
    row = found.results(1).data["gradient"][0]
    np.testing.assert_allclose(row, -2 * sign * scales.numpy() * (found.best.embedding - 1), atol=1e-4)


def test_a_climb_that_ends_begins_elsewhere():
    torch = pytest.importorskip("torch")
    tops = torch.tensor([[3.0, 0, 0], [-3.0, 0, 0]])
    score = eow.sources.differentiable(
        lambda x: (torch.tensor([1.0, 2.0]) * torch.exp(-((x[:, None] - tops) ** 2).sum(-1) / 2)).sum(1)
    )
    starts = np.array([[2.5, 0, 0], [3.2, 0.5, 0]])
    found = search(score, dim=3, queries=starts, budget=150)
    found.run(progress=False)
    assert "spread" in found.tree.operator and found.best.score > 1.9


def test_a_gradient_that_leads_to_what_is_known_does_not_stall():
    pytest.importorskip("torch")
    source = eow.sources.GenerativeSource(lambda points: words(points.round(1) + 0.0), dim=3, scale=0.5, around=0)
    found = search(eow.sources.differentiable(lambda x: -(x**2).sum(dim=1)), source=source, budget=60)
    found.run(progress=False)
    assert found.n_scored == 60 and found.best.score > -0.02


def test_the_norm_is_bounded():
    source = eow.sources.GenerativeSource(words, dim=12, scale=0.3, max_norm=2.0)
    found = search(lambda items: items.embeddings.sum(axis=1), source=source)
    found.run(progress=False)
    norms = np.linalg.norm(found.results().embeddings.astype(np.float64), axis=1)
    assert norms.max() <= 2.0 and found.best.score > 0.95 * 2 * np.sqrt(12)


def test_same_seed_same_search_and_a_resume_goes_on(tmp_path):
    def run(path=None, rounds=None, seed=3):
        found = search(bowl(np.ones(12)), path=path, seed=seed)
        found.run(rounds=rounds, progress=False)
        return found

    whole = run()
    np.testing.assert_array_equal(whole.tree.embedding, run().tree.embedding)
    assert not np.array_equal(whole.tree.embedding[:8], run(seed=4).tree.embedding[:8])
    run(tmp_path / "a.eow", rounds=7).close()
    fresh = eow.sources.GenerativeSource(words, dim=12, scale=0.3)
    with eow.load(tmp_path / "a.eow", fresh, score=bowl(np.ones(12))) as again:
        again.run(progress=False)
        np.testing.assert_array_equal(again.tree.embedding, whole.tree.embedding)


def test_gradients_stay_in_the_file(tmp_path):
    torch = pytest.importorskip("torch")
    score = eow.sources.differentiable(lambda x: -((x - torch.arange(12.0)) ** 2).sum(dim=1))
    whole = search(score)
    whole.run(progress=False)
    part = search(score, path=tmp_path / "g.eow")
    part.run(rounds=3, progress=False)
    part.close()
    fresh = eow.sources.GenerativeSource(words, dim=12, scale=0.3)
    with eow.load(tmp_path / "g.eow", fresh, score=score) as again:
        again.run(progress=False)
        np.testing.assert_array_equal(again.tree.embedding, whole.tree.embedding)


def test_failed_scores_are_no_place_to_be():
    def score(items):
        x = items.embeddings.astype(np.float64)
        return np.where(x[:, 0] > 0.5, np.nan, x.sum(axis=1) - np.square(x).sum(axis=1) / 8)

    found = search(score, budget=150)
    found.run(progress=False)
    assert found.best.score > best_by_chance(12, 150, lambda i: np.nan_to_num(score(i), nan=-9.0)) + 1
    nothing = search(lambda items: np.full(len(items), np.nan), budget=20)
    nothing.run(progress=False)
    assert nothing.best is None


def test_a_flat_score_ends_by_the_budget():
    found = search(lambda items: np.zeros(len(items)), budget=60)
    found.run(progress=False)
    assert found.n_scored == 60


def test_few_items_do_not_stall_it():
    """Many points decode to the same item: the region widens until others come."""

    def signs(points):
        return ["".join("+" if v > 0 else "-" for v in p) for p in points]

    source = eow.sources.GenerativeSource(signs, dim=8, scale=0.2)
    found = search(lambda items: [one.item.count("+") for one in items], source=source, budget=60)
    found.run(progress=False)
    assert found.best.score == 8


def test_a_person_steers():
    far, near = np.full(12, 2.0), np.zeros(12)
    found = search(bowl(far), budget=200)
    found.run(rounds=6, progress=False)
    (node,) = found.branch(embedding=near)
    found.run(rounds=1, progress=False)
    assert found.tree.n_hits[node] > 0
    top = int(np.flatnonzero(found.tree.max_score == np.nanmax(found.tree.max_score))[0])
    found.prune_node(int(found.tree.root[top]))
    made = len(found.tree)
    found.run(rounds=2, progress=False)
    assert not np.isin(found.tree.parent[made:], found.tree.id[found.tree.status == "pruned"]).any()


def test_bad_input():
    for caution in (-1, float("nan"), "much", True):
        with pytest.raises(eow.InputError, match="caution"):
            LatentUpdate(caution)
    for options in ({"max_norm": 0}, {"max_norm": float("inf")}, {"around": -1}, {"around": 1.5}):
        with pytest.raises(eow.InputError):
            eow.sources.GenerativeSource(words, **options)
    with pytest.raises(eow.InputError, match="no function"):
        eow.sources.differentiable(3)


def test_what_is_not_differentiable():
    pytest.importorskip("torch")
    items = eow.Items([1, 2], np.ones((2, 3), np.float32))
    for wrong in (lambda x: x.detach().sum(1), lambda x: x.sum(), lambda x: [1.0, 2.0]):
        with pytest.raises(eow.errors.FunctionError, match="not differentiable"):
            eow.sources.differentiable(wrong)(items)
    steep = eow.sources.differentiable(lambda x: (x - 1).norm(dim=1).sqrt())(items)
    assert [one["data"] for one in steep] == [None, None]


# -- its parts ------------------------------------------------------------------------------------------------


def test_the_surface_is_that_of_a_gaussian_process():
    points, gains = RNG.standard_normal((30, 4)), RNG.standard_normal(30)
    found = fitted(points, gains, 1.0)
    targets = (gains - gains.mean()) / gains.std()
    kernel = found.kernel(points, points)
    noisy = found.factor @ found.factor.T
    np.testing.assert_allclose(noisy - kernel, np.eye(30) * (noisy - kernel)[0, 0], atol=1e-9)
    np.testing.assert_allclose(found.weights, np.linalg.solve(noisy, targets), rtol=1e-5, atol=1e-8)
    at, small = RNG.standard_normal(4), 1e-5
    slope = [
        float((found.kernel((at + h)[None], points) - found.kernel((at - h)[None], points))[0] @ found.weights)
        / 2
        / small
        for h in small * np.eye(4)
    ]
    np.testing.assert_allclose(found.uphill(at), slope, rtol=1e-4, atol=1e-7)


def test_choosing_is_that_of_the_slow_way():
    """One after the other, each time with a model that knows those before."""
    points, gains, pool = RNG.standard_normal((20, 3)), RNG.standard_normal(20), RNG.standard_normal((40, 3))
    pending = RNG.standard_normal((2, 3))
    found = fitted(points, gains, 1.0)
    noise = float((found.factor @ found.factor.T - found.kernel(points, points))[0, 0])
    mean, chosen, known = found.kernel(pool, points) @ found.weights, [], np.concatenate([points, pending])
    for _ in range(5):
        noisy = found.kernel(known, known)
        noisy[np.diag_indices(len(known))] += np.r_[np.full(20, noise), np.full(len(known) - 20, 1e-6)]
        across = found.kernel(pool, known)
        left = 2 - np.einsum("ij,ji->i", across, np.linalg.solve(noisy, across.T))
        worth = mean + 0.75 * found.deviation * np.sqrt(np.maximum(left, 1e-9))
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
        known = np.concatenate([known, pool[chosen[-1:]]])
    assert found.best_of(pool, 5, 0.75, pending) == chosen


@settings(max_examples=30, deadline=None)
@given(dim=st.integers(1, 6), seed=st.integers(0, 99))
def test_bfgs_finds_the_top_of_a_quadratic(dim, seed):
    rng = np.random.default_rng(seed)
    bent, top = np.diag(rng.uniform(0.2, 5, dim)), rng.standard_normal(dim)
    points = rng.standard_normal((1, dim))
    failed = 0
    for _ in range(80):
        gains = -0.5 * np.einsum("nd,de,ne->n", points - top, bent, points - top)
        step = direction(points, gains, -(points - top) @ bent, 1.0)
        best = points[np.argmax(gains)]
        failed = 0 if len(gains) - 1 == np.argmax(gains) else failed + 1
        points = np.concatenate([points, (best + steps(1, failed)[0] * step)[None]])
    assert gains.max() > -1e-6


def test_steps():
    assert steps(1, 0).tolist() == [1.0] and steps(1, 2).tolist() == [0.25]
    assert steps(5, 0).tolist() == [1, 0.5, 2, 0.25, 4] and len(set(np.r_[steps(3, 0), steps(3, 1)])) >= 5
    x = RNG.standard_normal((9, 4))
    assert np.linalg.norm(within(x, 0.5), axis=1).max() <= 0.5 + 1e-12 and np.array_equal(within(x, 1e9), x)
