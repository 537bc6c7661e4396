"""Is it an update, is it a pruner? One function a promise; a promise that is not kept raises `AssertionError`.

    check_update(MyUpdate())
    check_prune(MyPrune())

or one by one, with pytest: `@pytest.mark.parametrize("check", UPDATE_CHECKS)`. Knows nothing of pytest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import Choose, Prune, Update
from emb_opt_widgets.engine.queries import Proposals, Queries
from emb_opt_widgets.engine.view import SearchView, queries_of
from emb_opt_widgets.search import Search
from emb_opt_widgets.search.files import load
from emb_opt_widgets.strategies import RLUpdate
from emb_opt_widgets.testing.expecting import expect

__all__ = ["PRUNE_CHECKS", "UPDATE_CHECKS", "check_prune", "check_update"]

_ROUNDS = 3


def _library() -> npt.NDArray[np.float32]:
    return np.random.default_rng(20261130).standard_normal((120, 4)).astype(np.float32)


def _score(items: Items) -> npt.NDArray[np.float64]:
    scores: npt.NDArray[np.float64] = -np.linalg.norm(items.embeddings - 0.5, axis=1).astype(np.float64)
    return scores


def _minus(items: Items) -> npt.NDArray[np.float64]:
    return -_score(items)


def _some_fail(items: Items) -> npt.NDArray[np.float64]:
    return np.where(items.ids % 5 == 0, np.nan, _score(items))


def _all_fail(items: Items) -> npt.NDArray[np.float64]:
    return np.full(len(items), np.nan)


def _moment(
    score: Callable[[Items], npt.NDArray[np.float64]] = _score, least: bool = False, none: bool = False
) -> tuple[Queries, SearchView, Search]:
    """Scored queries and the view on them, a round into a search; with `none` no query is left."""
    search = Search(
        _library(), score, update=RLUpdate((0.5,)), k=6, queries=4, direction="minimize" if least else "maximize"
    )
    search.run(1, progress=False)
    live = search.controller
    nodes = np.arange(0 if none else 4)
    view = SearchView(live.state, live.engine.source.source, {})
    return queries_of(live.state, nodes, live.engine.gather.light), view, search


def _arrays(queries: Queries) -> Iterator[npt.NDArray[np.generic]]:
    scores = queries.hits.scores
    yield from (queries.ids, queries.parents, queries.embeddings, queries.offsets, queries.valid)
    yield from (queries.hits.embeddings, np.empty(0) if scores is None else scores)


def _same(one: Proposals, other: Proposals) -> bool:
    return (
        np.array_equal(one.embeddings, other.embeddings)
        and np.array_equal(one.parents, other.parents)
        and list(one.operator) == list(other.operator)
    )


def is_an_update(update: Update) -> None:
    """It has `propose(queries, view)`."""
    expect(isinstance(update, Update) and not isinstance(update, type), "an update has propose(queries, view)")


def proposes_usable_queries(update: Update) -> None:
    """Finite vectors of the search's width, known parents, propensities in (0, 1], memory that JSON can hold."""
    for score in (_score, _some_fail):
        queries, view, _ = _moment(score)
        made = update.propose(queries, view)
        expect(isinstance(made, Proposals), "propose gives Proposals", type(made).__name__)
        shape = np.shape(made.embeddings)
        expect(len(shape) == 2 and shape[1] == view.dim, f"vectors are (m, {view.dim})", shape)
        expect(np.isfinite(made.embeddings).all(), "vectors are finite")
        there = {-1, *queries.ids.tolist()}
        expect(set(np.asarray(made.parents).tolist()) <= there, "parents are node ids, or -1", made.parents)
        for name in ("operator", "reason"):
            value = getattr(made, name)
            expect(isinstance(value, str) or len(value) == len(made), f"{name} is one text, or one each", value)
        chance = np.ones(1) if made.propensity is None else np.asarray(made.propensity)
        expect(((chance > 0) & (chance <= 1)).all(), "propensities are above 0 and at most 1", chance)
        expect(made.memory is None or json.dumps(made.memory, allow_nan=False), "memory is plain JSON")


def answers_where_nothing_is_scored(update: Update) -> None:
    """Without queries, and where every score failed, it answers with Proposals, or with none."""
    for moment in (_moment(none=True), _moment(_all_fail)):
        made = update.propose(moment[0], moment[1])
        expect(isinstance(made, Proposals), "propose gives Proposals", type(made).__name__)
        expect(np.isfinite(made.embeddings).all(), "vectors are finite")


def keeps_nothing_between_calls(update: Update) -> None:
    """The same queries, the same answer: whatever it was asked before, and with its scratch space lost."""
    queries, view, search = _moment()
    first = update.propose(queries, view)
    update.propose(*_moment(_minus)[:2])
    again = update.propose(queries, view)
    expect(_same(first, again), "the same queries give the same proposals")
    lost = SearchView(search.controller.state, search.controller.engine.source.source, {})
    expect(_same(first, update.propose(queries, lost)), "the same with an empty view.cache, as after a resume")


def leaves_its_queries_alone(update: Update) -> None:
    """It writes to nothing that it is given."""
    queries, view, _ = _moment()
    before = [array.copy() for array in _arrays(queries)]
    update.propose(queries, view)
    same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(before, _arrays(queries)))
    expect(same, "the queries are as they were before propose")


def seeks_what_is_sought(update: Update) -> None:
    """Low scores sought among negated ones are the same search."""
    one = update.propose(*_moment()[:2])
    other = update.propose(*_moment(_minus, least=True)[:2])
    expect(_same(one, other), 'direction="minimize" mirrors "maximize": use gains (queries.scored), not scores')


def chooses_candidates(update: Update) -> None:
    """Where it chooses what to spend calls on: positions of the candidates, each once."""
    if not isinstance(update, Choose):
        return
    _, view, search = _moment()
    candidates = search.controller.engine.source.fetch(np.arange(100, 112))
    choice = update.choose(candidates, view)
    positions = np.asarray(choice.positions)
    expect(len(set(positions.tolist())) == len(positions), "each position is chosen once", positions)
    expect(((positions >= 0) & (positions < 12)).all(), "positions are those of the candidates", positions)


def goes_on_after_a_resume(update: Update) -> None:
    """A search that is closed and opened again after each round finds the same as one that is not."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "resumed.eow"
        with Search(_library(), _score, update=update, k=5, queries=3, path=path) as search:
            search.run(1, progress=False)
        for _ in range(_ROUNDS - 1):
            with load(path, _library(), _score, update=update) as search:
                search.run(1, progress=False)
                resumed, ids = search.tree.embedding, search.results().ids
    straight = Search(_library(), _score, update=update, k=5, queries=3)
    straight.run(_ROUNDS, progress=False)
    expect(np.array_equal(resumed, straight.tree.embedding), "the same queries after a resume as without")
    expect(np.array_equal(ids, straight.results().ids), "the same results after a resume as without")


UPDATE_CHECKS: tuple[Callable[[Update], None], ...] = (
    is_an_update,
    proposes_usable_queries,
    answers_where_nothing_is_scored,
    leaves_its_queries_alone,
    keeps_nothing_between_calls,
    seeks_what_is_sought,
    chooses_candidates,
    goes_on_after_a_resume,
)


def is_a_pruner(prune: Prune) -> None:
    """It has `keep(queries)`."""
    expect(isinstance(prune, Prune) and not isinstance(prune, type), "a pruner has keep(queries)")


def says_yes_or_no_of_each(prune: Prune) -> None:
    """One truth value for each query, also without queries and where every score failed."""
    for moment in (_moment(), _moment(_some_fail), _moment(_all_fail), _moment(none=True)):
        kept = np.asarray(prune.keep(moment[0]))
        expect(kept.dtype == np.bool_, "keep gives truth values", kept.dtype)
        expect(kept.shape == (len(moment[0]),), "keep gives one for each query", kept.shape)


def keeps_no_count(prune: Prune) -> None:
    """The same queries, the same verdict, whatever it was asked before."""
    queries = _moment()[0]
    first = np.array(prune.keep(queries))
    prune.keep(_moment(_minus)[0])
    expect(np.array_equal(first, prune.keep(queries)), "the same queries give the same verdicts")


def writes_to_no_query(prune: Prune) -> None:
    """It writes to nothing that it is given."""
    queries = _moment()[0]
    before = [array.copy() for array in _arrays(queries)]
    prune.keep(queries)
    same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(before, _arrays(queries)))
    expect(same, "the queries are as they were before keep")


def keeps_what_is_sought(prune: Prune) -> None:
    """Low scores sought among negated ones are the same search."""
    one, other = prune.keep(_moment()[0]), prune.keep(_moment(_minus, least=True)[0])
    expect(np.array_equal(one, other), 'direction="minimize" mirrors "maximize": turn scores by queries.sign')


PRUNE_CHECKS: tuple[Callable[[Prune], None], ...] = (
    is_a_pruner,
    says_yes_or_no_of_each,
    keeps_no_count,
    writes_to_no_query,
    keeps_what_is_sought,
)


def check_update(update: Update) -> None:
    """Every check of the suite for updates.

    Raises:
        AssertionError: The first promise that is not kept.
    """
    for check in UPDATE_CHECKS:
        check(update)


def check_prune(prune: Prune) -> None:
    """Every check of the suite for pruners.

    Raises:
        AssertionError: The first promise that is not kept.
    """
    for check in PRUNE_CHECKS:
        check(prune)
