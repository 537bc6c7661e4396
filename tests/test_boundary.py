"""What a person hands over to be called is looked at before the first call is paid."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine import protocols as defined
from emb_opt_widgets.engine.adapt import as_prune, as_update
from tests.conftest import Counted, smooth

PART = ("update", "prune", "score", "filter")


def generated(batch):
    yield from batch


async def later(batch):
    return np.ones(len(batch))


async def generated_later(batch):
    yield batch


def two(batch, other):
    return batch


def none():
    return []


class Called:
    def __call__(self, batch):
        return np.ones(len(batch))


class Generating:
    def __call__(self, batch):
        yield 1


class Named:
    def __call__(self, batch, *, key):
        return batch


def refused(library, what, **arguments):
    score = Counted()
    with pytest.raises(eow.InputError, match=what) as caught:
        eow.Search(library, **{"score": score, **arguments}).run(progress=False)
    assert not score.calls, "something was paid"
    return str(caught.value)


@pytest.mark.parametrize("role", PART)
@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Called, "is a class"),
        (generated, "is a generator function"),
        (partial(generated), "is a generator function"),
        (Generating(), "is a generator function"),
        (generated_later, "is a generator function"),
        (two, "takes other arguments"),
        (none, "takes other arguments"),
        (Named(), "takes other arguments"),
        (lambda *, batch: batch, "takes other arguments"),
        ("smooth", "is not usable"),
        (np.ones(400), "is not usable"),
        ([smooth], "is not usable"),
        (3, "is not usable"),
    ],
)
def test_what_cannot_be_called_as_it_will_be_is_refused(library, role, value, what):
    refused(library, f"{role} {what}", **{role: value})


@pytest.mark.parametrize("role", PART)
def test_the_result_of_a_call_is_not_the_function(library, role):
    coroutine = later([])
    for value in (coroutine, generated([]), generated_later([])):
        assert "without parentheses" in refused(library, f"{role} is the result of a call", **{role: value})
    coroutine.close()


@pytest.mark.parametrize("role", ("update", "prune"))
def test_strategies_are_not_async(library, role):
    refused(library, f"{role} is an async function", **{role: later})


def test_async_scores_and_filters_are(library):
    async def yes(items):
        return np.ones(len(items), bool)

    search = eow.Search(library, later, filter=yes, budget=5)
    search.run(progress=False)
    assert search.n_scored == 5


@pytest.mark.parametrize("cls", [eow.RLUpdate, eow.TopKDiscreteUpdate, eow.GradientQueries, eow.strategies.Portfolio])
def test_a_class_of_updates_is_no_update(library, cls):
    assert f"update={cls.__name__}(…)" in refused(library, "update is a class", update=cls)
    with pytest.raises(eow.InputError, match="update is a class"):
        eow.GradientQueries(cls, [1.0])


def test_a_class_of_pruners_or_sources_is_none(library):
    refused(library, "prune is a class", prune=eow.TopKPrune)
    for cls in (eow.sources.ArraySource, eow.sources.GenerativeSource, np.ndarray):
        with pytest.raises(eow.InputError, match="source is a class"):
            eow.Search(cls, smooth)


def test_one_kind_of_part_is_not_another(library):
    refused(library, "update is not usable", update=eow.TopKPrune(1))
    refused(library, "prune is not usable", prune=eow.RLUpdate([1.0]))
    for role in ("score", "filter"):
        for value in (eow.RLUpdate([1.0]), eow.TopKPrune(1), eow.sources.ArraySource(library)):
            refused(library, f"{role} is not usable", **{role: value})
    refused(library, "executor is not usable", executor=4)
    with pytest.raises(eow.InputError, match="cannot be searched"):
        eow.Search(smooth, library)


def test_methods_of_other_arguments_are_refused(library):
    class Update:
        def propose(self, queries):
            return queries

    class Prune:
        def keep(self):
            return []

    class Later:
        async def propose(self, queries, view):
            return queries

    refused(library, "update.propose takes other arguments", update=Update())
    refused(library, "prune.keep takes other arguments", prune=Prune())
    refused(library, "update.propose is an async function", update=Later())


def test_an_operator_is_told_where_it_belongs(library):
    @dataclass(frozen=True)
    class Mine:
        name: str = "mine"
        prior: tuple[float, float] = (1.0, 1.0)
        learning: bool = False
        said: str = "of mine"

        def propose(self, board, n):
            raise AssertionError

    assert "Portfolio(operators=(Mine" in refused(library, "update is an operator", update=Mine())


@pytest.mark.parametrize(
    "queries", [smooth, True, None, {1: 2}, {1, 2}, "five", [], [[]], np.zeros((2, 3)), 0, 2.5, [None], iter([1])]
)
def test_starts_that_are_none(library, queries):
    refused(library, ".", queries=queries)


@pytest.mark.parametrize("value", ["up", "MAXIMIZE", None, True, np.ones(2), eow.Search])
def test_words_that_are_not_known(library, value):
    refused(library, "direction is not usable", direction=value)
    refused(library, "on_error is not usable", on_error=value)


def test_the_same_at_rest_and_at_a_branch(search):
    search.run(1, progress=False)
    before = search.settings
    for setting in (
        {"update": eow.RLUpdate}, {"prune": eow.TopKPrune}, {"filter": generated}, {"update": later}, {"prune": two},
    ):  # fmt: skip
        with pytest.raises(eow.InputError):
            search.set(**setting)
    with pytest.raises(eow.InputError, match="update is a class"):
        search.branch(0, update=eow.RLUpdate)
    assert search.settings == before


def test_what_is_right_passes():
    class Method:
        def update(self, queries, note=""):
            return queries.embeddings

    for function in (Method().update, partial(two, other=1), lambda *all: all, Called(), np.mean):
        assert as_update(function).function is not None and as_prune(function).function is not None


def bare(hint: Any) -> bool:
    return hint is Any or (type(None) in get_args(hint) and Any in get_args(hint))


def public() -> list[Any]:
    found = [eow.Search.__init__, eow.load, eow.replay, eow.register, eow.as_source]
    found += [eow.training.Training.__init__, eow.training.load]
    for kind in (eow.Search, eow.training.Training):
        found += [f for name, f in vars(kind).items() if inspect.isfunction(f) and not name.startswith("_")]
    return found


@pytest.mark.parametrize("function", public(), ids=lambda function: function.__qualname__)
def test_no_public_argument_is_bare_any(function):
    code = getattr(function, "__wrapped__", function)
    hints = get_type_hints(code, localns={**vars(defined), **vars(eow.protocols)})
    parameters = [name for name in inspect.signature(code).parameters if name not in ("self", "_")]
    assert [name for name in parameters if bare(hints.get(name, Any))] == []


def test_protocols_are_all_there():
    protocols = eow.protocols
    assert set(protocols.__all__) <= set(dir(protocols)) and sorted(protocols.__all__) == protocols.__all__
    assert all(getattr(protocols, name) is not None for name in protocols.__all__)
    assert not Path(protocols.__file__).read_text().count("Any")
