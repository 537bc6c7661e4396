"""The default strategy in a search: what it finds, what its log tells, resume, filters, commands, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from benchmarks.methods import AskedOnly
from emb_opt_widgets.engine.config import describe, rebuild
from emb_opt_widgets.engine.events import Chosen, QueriesMade
from emb_opt_widgets.live.store import encode
from emb_opt_widgets.strategies import (
    DEFAULT_UPDATE,
    REGISTRY,
    Blend,
    Explore,
    Kernel,
    LearnedMetric,
    Linear,
    Neighbours,
    Only,
    Portfolio,
    SurrogateUpdate,
    Uniform,
)
from emb_opt_widgets.strategies.portfolio.operators import OPERATORS

from ..conftest import Counted, smooth

BOUNDARY = ("started", "resumed", "finished", "paused", "command")


def gaussians(n: int = 2000, d: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def ran(library: Any, score: Any = smooth, **more: Any) -> eow.Search:
    search = eow.Search(library, score, **{"budget": 60, "seed": 1, **more})
    search.run(progress=False)
    return search


def top(library: np.ndarray, k: int) -> set[int]:
    return set(np.argsort(np.linalg.norm(library - 0.75, axis=1), kind="stable")[:k].tolist())


def bodies(search: eow.Search, kind: type) -> list[Any]:
    return [e.body for e in search.events if isinstance(e.body, kind)]


def test_none_stands_for_the_portfolio() -> None:
    assert Portfolio() == DEFAULT_UPDATE
    search = ran(gaussians(), budget=20)
    again = ran(gaussians(), budget=20, update=Portfolio())
    assert search.results().ids.tolist() == again.results().ids.tolist()


def test_names_and_objects_are_the_same() -> None:
    named = Portfolio(("blend", "linear", "kernel", "random"), ("linear", "kernel", "learned"))
    kernels = Only(("kernel", "learned"))
    assert named == Portfolio((Blend(), Only("linear"), kernels, Uniform()), (Linear(), Kernel(), LearnedMetric()))
    assert Portfolio("blend", "linear") == Portfolio((Blend(),), (Linear(),)) != Portfolio((Blend(caution=1.0),))
    assert Portfolio().operators == tuple(OPERATORS.values()) and hash(Portfolio()) == hash(Portfolio())


def test_operators_and_surrogates_are_kept_in_the_file_with_their_fields(tmp_path: Path) -> None:
    update = Portfolio(
        (
            Blend(caution=0.1),
            Explore("bolder", boldness=4.0),
            Neighbours(prior=(3.0, 1.0)),
            Only("learned"),
            "coverage",
        ),
        (Linear(), LearnedMetric()),
    )
    plain = json.loads(json.dumps(describe(update, REGISTRY)))
    assert rebuild(plain, REGISTRY, str) == update
    path = tmp_path / "s.eow"
    with eow.Search(gaussians(500), smooth, update=update, budget=60, path=path) as search:
        search.run(rounds=6, progress=False)
    with eow.load(path, gaussians(500), smooth) as search:
        search.run(progress=False)
        assert search.n_scored == 60 and {"bolder", "coverage"} & set(search.controller.state.operators)
    with pytest.raises(eow.InputError, match="comes from its file"):
        eow.load(path, gaussians(500), smooth, update=Portfolio((Blend(caution=0.2),)))


def test_what_an_earlier_version_kept_by_name_is_the_same_today() -> None:
    plain = {"strategy": "Portfolio", "operators": ["blend", "random"], "caution": 0.75, "boldness": 2.5}
    assert rebuild(plain, REGISTRY, str) == Portfolio(("blend", "random"))


@pytest.mark.parametrize("update", [None, SurrogateUpdate(), SurrogateUpdate("linear"), SurrogateUpdate("kernel")])
def test_finds_the_best_of_a_smooth_score_and_spends_the_budget_exactly(update: Any, counted: Counted) -> None:
    library = gaussians()
    search = ran(library, counted, update=update, budget=80)
    assert search.n_scored == len(counted.calls) == 80 and set(counted.calls.values()) == {1}
    assert top(library, 10) <= set(search.results().ids.tolist())


def test_minimize_mirrors_maximize() -> None:
    up = ran(gaussians())
    down = ran(gaussians(), lambda items: -smooth(items), direction="minimize")
    np.testing.assert_array_equal(up.results().ids, down.results().ids)


@pytest.mark.parametrize("name", ["blend", "explore", "linear", "kernel", "neighbours", "coverage", "random"])
def test_each_operator_works_alone(name: str) -> None:
    search = ran(gaussians(500), update=Portfolio(operators=(name,)), budget=40)
    assert search.n_scored == 40
    assert name in search.controller.state.operators


def test_the_log_says_why_each_call_was_spent() -> None:
    search = ran(gaussians())
    tree = search.tree
    own = np.flatnonzero(tree.operator != "start")
    assert set(tree.operator[own]) >= {"coverage", "blend"}
    assert all(tree.parent[own] >= 0)
    reasons = [search.controller.state.reasons[i] for i in own]
    assert any(", expected " in r and ": " in r for r in reasons)
    why = [r for chosen in bodies(search, Chosen)[1:] for r in (chosen.reason or {}).values()]
    assert any("% of the calls" in r for r in why)
    results = search.results()
    assert set(results.operator) >= {"coverage", "blend"}
    assert np.all((results.propensity > 0) & (results.propensity <= 1))
    for made in bodies(search, QueriesMade):
        assert np.all((made.propensity > 0) & (made.propensity <= 1))
    for made in bodies(search, QueriesMade)[1:]:
        assert sum(made.memory["plan"]["shares"].values()) == pytest.approx(1, abs=1e-3)
    memory = search.controller.state.memory
    assert memory is not None
    assert memory["plan"]["phase"] == "model"
    assert sum(memory["plan"]["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert sum(memory["weights"].values()) == pytest.approx(1, abs=1e-3)
    assert set(memory["credit"]) & {"blend", "linear", "kernel"}


@pytest.mark.parametrize("more", [{}, {"queries": [3, 50]}, {"filter": lambda items: items.ids % 40 == 0}])
@pytest.mark.parametrize("readable", [True, False])
def test_every_choice_has_its_propensity(readable: bool, more: dict[str, Any]) -> None:
    library = gaussians(800)
    search = ran(library if readable else AskedOnly(library), budget=18, **more)
    choices = bodies(search, Chosen)
    assert sum(len(chosen.rows) for chosen in choices) == 18
    for chosen in choices:
        assert chosen.propensity is not None and len(chosen.propensity) == len(chosen.rows)
        assert np.all((chosen.propensity > 0) & (chosen.propensity <= 1))


def sizes(search: eow.Search) -> list[int]:
    return [len(chosen.rows) for chosen in bodies(search, Chosen)]


def test_a_plate_is_filled_and_the_budget_kept() -> None:
    library, plates = gaussians(), []
    search = eow.Search(library, None, budget=250, seed=1)
    while len(items := search.ask(96)):
        plates.append(len(items))
        search.tell(items, smooth(items))
    assert plates == [96, 96, 58]
    assert top(library, 10) <= set(search.results().ids.tolist())
    assert np.all(search.tree.parent[search.tree.operator != "start"] >= 0)
    assert [n for n in sizes(ran(library, budget=250, batch_size=96)) if n] == plates
    half = sizes(ran(library, budget=60, batch_size=96))
    assert [n for n in half if n] == [30, 30]
    given = sizes(ran(library, budget=250, batch_size=96, queries=[3, 50]))
    assert given == [20, 96, 96, 38]


def test_a_round_has_work_for_every_worker_where_the_next_waits_for_it() -> None:
    with ThreadPoolExecutor(6) as workers:
        search = ran(gaussians(), budget=50, executor=workers, batch_size=2, update=Portfolio(asynchronous=False))
    assert min(sizes(search)[1:-1]) >= 12 and search.n_scored == 50


def test_a_source_that_can_only_be_asked_fills_a_plate_too() -> None:
    found = sizes(ran(AskedOnly(gaussians()), budget=250, batch_size=48))
    assert sum(found) == 250 and sum(n >= 48 for n in found) >= 4


def test_chance_alone_is_chance_alone() -> None:
    search = ran(gaussians(500), update=Portfolio(operators=("random",)), budget=40)
    assert set(search.controller.state.operators) == {"start", "random"}


def test_a_plate_through_a_strict_filter() -> None:
    search = ran(gaussians(5000), filter=lambda items: items.ids % 50 == 0, budget=400, batch_size=96)
    assert search.n_scored == 100


def test_a_strict_filter_costs_few_rounds() -> None:
    search = ran(gaussians(20_000), filter=lambda items: items.ids % 1000 == 0, budget=60)
    assert search.n_scored == 20 and search.n_rounds < 40


def test_round_zero_spends_little_and_hints_are_looked_at() -> None:
    library = gaussians()
    first = bodies(ran(library, budget=100), Chosen)[0]
    assert len(first.rows) == 1
    hints = [3, 50]
    search = ran(library, budget=100, queries=hints)
    assert set(hints) <= set(search.controller.state.ids.take(bodies(search, Chosen)[0].rows).tolist())
    assert len(bodies(search, Chosen)[0].rows) == 6


def plain(search: eow.Search) -> list[bytes]:
    return [e.kind.encode() + encode(e.body) for e in search.events if e.kind not in BOUNDARY]


@pytest.mark.parametrize("filter", [None, lambda items: items.ids % 3 == 0])
@pytest.mark.parametrize("readable", [True, False])
def test_a_resumed_search_goes_on_to_the_last_byte(
    filter: Callable[[Any], Any] | None, readable: bool, tmp_path: Path
) -> None:
    library = gaussians(800)
    source: Any = library if readable else AskedOnly(library)
    whole = ran(source, filter=filter, batch_size=2)
    path = tmp_path / "s.eow"
    with eow.Search(source, smooth, filter=filter, batch_size=2, budget=60, seed=1, path=path):
        pass
    for cut in range(3, 200, 9):
        calls = 0

        def score(items: Any, cut: int = cut) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1 + cut % 7:
                search.pause()
            return smooth(items)

        with eow.load(path, source, score, filter=filter) as search:
            search.run(progress=False)
            if search.n_scored == 60:
                break
    assert plain(eow.replay(path, source)) == plain(whole)


def test_an_uninterrupted_load_equals_byte_for_byte(tmp_path: Path) -> None:
    one, two = (eow.Search(gaussians(), smooth, budget=50, path=tmp_path / f"{i}.eow", name="s") for i in (1, 2))
    for search in (one, two):
        search.run(rounds=4, progress=False)
    two.close()
    two = eow.load(tmp_path / "2.eow", gaussians(), smooth)
    for search in (one, two):
        search.run(progress=False)
    assert one.events.to_bytes() == two.events.to_bytes()
    one.close(), two.close()


def test_a_filter_costs_no_calls_and_one_that_rejects_almost_everything_does_not_stop_it() -> None:
    library = gaussians()
    search = ran(library, filter=lambda items: items.ids % 10 == 0)
    assert search.n_scored == 60 and set(search.results().ids % 10) == {0}
    few = set(range(0, 2000, 250))
    search = ran(library, filter=lambda items: [i in few for i in items.ids.tolist()], budget=30)
    assert set(search.results().ids.tolist()) == few and search.status is eow.SearchStatus.FINISHED
    none = ran(library[:300], filter=lambda items: np.zeros(len(items), bool), budget=30)
    assert none.n_scored == 0 and none.status is eow.SearchStatus.FINISHED


def test_a_persons_branch_gets_calls_and_a_pruned_subtree_is_not_built_on() -> None:
    library = gaussians()
    search = eow.Search(library, smooth, budget=200, seed=2, k=7)
    search.run(rounds=6, progress=False)
    far = np.full(8, -1.5)
    (node,) = search.branch(embedding=far, note="look there")
    search.run(rounds=1, progress=False)
    near = np.argsort(((library - far) ** 2).sum(1))[:7]
    assert set(near.tolist()) <= set(search.results().ids.tolist())
    best = search.best
    assert best is not None
    finder = int(search.controller.state.items["node"][search.controller.state.ids.row(best.id)])
    search.prune_node(finder)
    first = len(search.tree)
    search.run(rounds=3, progress=False)
    below = set(search.controller.state.descendants(finder).tolist()) | {finder}
    assert first < len(search.tree) and not set(search.tree.parent[first:].tolist()) & below
    search.undo()
    search.branch(node, update=eow.TopKDiscreteUpdate(1))
    search.run(progress=False)
    assert search.n_scored == 200


def test_told_scores_are_learnt_from_and_ask_gives_the_batch() -> None:
    library = gaussians()
    search = eow.Search(library, None, budget=60, seed=1)
    best = sorted(top(library, 3))
    search.tell(best, smooth(eow.sources.ArraySource(library).fetch(np.array(best))))
    while len(items := search.ask(5)):
        search.tell(items, smooth(items))
    assert search.n_scored == 60
    assert top(library, 8) <= set(search.results().ids.tolist())


def test_strategies_may_be_changed_while_it_runs() -> None:
    search = eow.Search(gaussians(), smooth, budget=120, update=eow.RLUpdate([0.5]))
    search.run(rounds=2, progress=False)
    search.set(update=Portfolio())
    search.run(rounds=3, progress=False)
    search.set(update=SurrogateUpdate("linear"))
    search.run(rounds=2, progress=False)
    search.set(update=None)
    search.run(progress=False)
    assert search.n_scored == 120


def test_without_a_budget_it_goes_on_until_everything_is_scored() -> None:
    search = ran(gaussians(150), budget=None)
    assert search.n_scored == 150 and search.status is eow.SearchStatus.FINISHED


def test_ids_may_be_text_and_vectors_may_be_copies() -> None:
    library = gaussians(300)
    by_row = ran(library)
    named = ran(eow.sources.ArraySource(library, ids=[f"item {i}" for i in range(300)]))
    assert named.results().ids.tolist() == [f"item {i}" for i in by_row.results().ids]
    shuffled = np.arange(300)[::-1] * 7
    numbered = ran(eow.sources.ArraySource(library, ids=shuffled))
    assert numbered.results().ids.tolist() == shuffled[by_row.results().ids].tolist()
    for other in (library.astype(np.float16), library.astype(np.float64)):
        assert ran(other).n_scored == 60


def test_a_source_that_can_only_be_asked(counted: Counted) -> None:
    library = gaussians()
    search = ran(AskedOnly(library), counted, budget=100)
    assert search.n_scored == len(counted.calls) == 100
    assert len(top(library, 10) & set(search.results().ids.tolist())) >= 8
    assert {"gradient", "around", "seen before"} <= set(search.controller.state.operators)


def test_a_persons_branch_on_a_source_that_can_only_be_asked() -> None:
    library = gaussians()
    search = eow.Search(AskedOnly(library), smooth, budget=200, k=6)
    search.run(rounds=5, progress=False)
    far = np.full(8, -1.5)
    search.branch(embedding=far)
    search.run(rounds=1, progress=False)
    near = np.argsort(((library - far) ** 2).sum(1))[:6]
    assert set(near.tolist()) <= set(search.results().ids.tolist())


SCORES: dict[str, Callable[[Any], Any]] = {
    "constant": lambda i: np.ones(len(i)),
    "two": lambda i: (i.embeddings.sum(1) > 2).astype(float),
    "nothing": lambda i: np.full(len(i), np.nan),
    "region": lambda i: np.where(i.embeddings[:, 0] > 0, np.nan, i.embeddings.sum(1)),
    "infinite": lambda i: np.where(i.embeddings[:, 0] > 1, np.inf, i.embeddings.sum(1)),
    "ties": lambda i: np.round(i.embeddings.sum(1)),
    "heavy": lambda i: np.exp(20.0 * i.embeddings.sum(1).astype(float)),
    "huge": lambda i: 1e300 * np.tanh(i.embeddings.sum(1).astype(float)),
    "largest": lambda i: np.where(i.embeddings.sum(1) > 0, 1.7e308, -1.7e308),
    "tiny": lambda i: 1e-300 * i.embeddings.sum(1).astype(float),
}


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("name", SCORES)
def test_awkward_scores(name: str, readable: bool) -> None:
    library = gaussians(400)
    search = ran(library if readable else AskedOnly(library), SCORES[name], budget=50)
    assert search.n_scored == 50 and search.status is eow.SearchStatus.FINISHED


@pytest.mark.parametrize(("n", "d", "half", "enough"), [(25_000, 8, False, 40), (2000, 16, True, 12)])
def test_the_best_beside_a_region_without_scores_are_found(n: int, d: int, half: bool, enough: int) -> None:
    """The score fails around its best, or in its better half; chance finds five of sixty there."""
    library = gaussians(n, d)
    value = library @ np.random.default_rng(1).standard_normal(d)
    far = value < 0 if half else np.linalg.norm(library - library[value.argmax()], axis=1) > 2.5
    truth = np.where(far, value, np.nan)
    best = set(np.argsort(-np.nan_to_num(truth, nan=-np.inf))[:20].tolist())
    found = 0
    for seed in range(3):
        search = eow.Search(library, lambda i: truth[i.ids], budget=200, seed=seed)
        search.run(progress=False)
        found += len(best & set(search.results().ids.tolist()))
    assert found > enough


@pytest.mark.parametrize("power", [-90, -50, 40])
def test_the_scale_of_the_vectors_does_not_matter(power: int) -> None:
    library = gaussians(500, 6)
    value = library.sum(1)
    scaled = [ran(x, lambda i: value[i.ids], budget=60) for x in (library, library * np.float32(2.0**power))]
    chosen = [[e.body.rows.tolist() for e in search.events if e.kind == "chosen"] for search in scaled]
    assert chosen[0] == chosen[1]


LIBRARIES: dict[str, np.ndarray] = {
    "N below d": gaussians(20, 64),
    "one dimension": gaussians(300, 1),
    "duplicates": np.repeat(gaussians(5), 60, axis=0),
    "all the same": np.ones((50, 3), np.float32),
    "one": gaussians(1),
    "two": gaussians(2),
    "far away": gaussians(300) + np.float32(1e4),
    "large": gaussians(300) * np.float32(1e15),
    "small": gaussians(300) * np.float32(1e-15),
}


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("name", LIBRARIES)
def test_awkward_libraries(name: str, readable: bool) -> None:
    library = LIBRARIES[name]
    source = library if readable else AskedOnly(library)
    search = eow.Search(source, lambda i: i.ids % 7 * 1.0, budget=40, k=min(5, len(library)), queries=2)
    search.run(progress=False)
    assert search.status is eow.SearchStatus.FINISHED
    assert search.n_scored == min(40, len(library)) or not readable


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("budget", [1, 2, 3, 5])
def test_small_budgets(budget: int, readable: bool) -> None:
    library = gaussians(400)
    assert ran(library if readable else AskedOnly(library), budget=budget).n_scored == budget


def test_everything_may_be_scored() -> None:
    assert ran(gaussians(200), budget=200).n_scored == 200


@pytest.mark.parametrize(
    "build",
    [
        lambda: Portfolio(operators=()), lambda: Portfolio(operators=("magic",)), lambda: Portfolio(caution=-1),
        lambda: Portfolio(boldness=float("nan")), lambda: SurrogateUpdate("tree"),
        lambda: SurrogateUpdate(caution=float("inf")), lambda: Portfolio(operators=("blend", "blend")),
        lambda: Portfolio(operators=(Blend,)), lambda: Portfolio(operators=(3,)), lambda: Portfolio(surrogates=()),
        lambda: Portfolio(surrogates=(Linear,)), lambda: Portfolio(surrogates=(Linear(), "linear")),
        lambda: Portfolio((Blend(), Explore("blend"))), lambda: Portfolio((Blend(prior=(0, 1)),)),
        lambda: Portfolio((Blend(prior=3.0),)), lambda: Portfolio((Blend(name=""),)), lambda: Only(()), lambda: Only(3),
    ],
)  # fmt: skip
def test_wrong_configuration(build: Any) -> None:
    with pytest.raises(eow.InputError, match="xpected"):
        build()


def test_a_source_that_can_only_be_asked_is_walked_through() -> None:
    """What is asked is mostly what was seen and not asked about: the search goes on meeting new items."""
    library = gaussians(4000)
    state = ran(AskedOnly(library), budget=120).controller.state
    assert state.operators.count("around") > 0.5 * len(state.operators)
    assert len(state.items["status"]) > len(library) // 4
