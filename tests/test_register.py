"""Another package's parts are first class: kept in the file, compared when it is opened, offered in the panel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine import config
from emb_opt_widgets.strategies import REGISTRY
from emb_opt_widgets.widgets.offers import chosen, make, offered
from tests.conftest import smooth
from tests.parts_for_tests import Drift, First, Line


class Color(Enum):
    RED = 1


@dataclass(frozen=True)
class Scaled:
    by: float

    def __call__(self, items):
        return self.by * smooth(items)


DRIFT, FIRST = (f"tests.parts_for_tests.{name}" for name in ("Drift", "First"))


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(config, "_registered", {})


@pytest.fixture
def kept(library, tmp_path):
    """A file whose search uses registered parts."""
    eow.register(Drift), eow.register(First), eow.register(Line)
    path = tmp_path / "kept.eow"
    with eow.Search(library, smooth, update=Drift(0.5, "down"), prune=First(3), k=4, queries=3, path=path) as search:
        search.run(2, progress=False)
    return path


def forget():
    config._registered.clear()


def test_it_is_made_again_of_its_fields(kept, library):
    with eow.load(kept, library, smooth) as search:
        assert search.settings["update"] == {
            "strategy": DRIFT, "step": 0.5, "way": "down", "bold": False, "table": [],
        }  # fmt: skip
        parts = search.controller.engine.parts()
        assert parts.update == Drift(0.5, "down") and parts.prune == First(3)
        search.run(1, progress=False)


def test_the_same_again_is_taken_and_other_parameters_are_refused(kept, library):
    eow.load(kept, library, smooth, update=Drift(0.5, "down"), prune=First(3)).close()
    for wrong in ({"update": Drift(0.5)}, {"update": eow.RLUpdate([1.0])}, {"prune": First(4)}, {"prune": smooth}):
        with pytest.raises(eow.InputError, match=f"own {next(iter(wrong))} comes from its file"):
            eow.load(kept, library, smooth, **wrong)


def test_without_registration_the_file_says_what_to_do(kept, library):
    forget()
    with pytest.raises(eow.InputError) as caught:
        eow.load(kept, library, smooth)
    said = str(caught.value)
    assert DRIFT in said and "package tests" in said
    assert "import tests.parts_for_tests first" in said and "eow.register(Drift)" in said and "update=…" in said


def test_passing_the_part_itself_is_enough(kept, library):
    forget()
    with eow.load(kept, library, smooth, update=Drift(0.5, "down"), prune=First(3)) as search:
        search.run(1, progress=False)
    forget()
    with pytest.raises(eow.InputError, match="own update comes from its file"):
        eow.load(kept, library, smooth, update=Drift(0.25, "down"), prune=First(3))


def test_inside_another_strategy(library, tmp_path):
    eow.register(Drift)
    path = tmp_path / "nested.eow"
    update = eow.GradientQueries(Drift(0.1), [1.0])
    eow.Search(library, smooth, update=update, path=path).close()
    with eow.load(path, library, smooth) as search:
        assert search.controller.engine.parts().update == update


def test_a_registered_source_is_made_again_and_compared(tmp_path):
    eow.register(Line)
    path = tmp_path / "line.eow"
    with eow.Search(Line(30), lambda items: -items.embeddings[:, 0], k=4, queries=2, budget=9, path=path) as search:
        search.run(1, progress=False)
        n = search.n_scored
    score = lambda items: -items.embeddings[:, 0]  # noqa: E731
    with eow.load(path, score=score) as search:
        assert search.n_scored == n
    assert eow.replay(path).n_scored == n
    with pytest.raises(eow.InputError, match="not the source"):
        eow.load(path, Line(1), score)
    forget()
    with pytest.raises(eow.InputError, match="not registered here"):
        eow.load(path, score=score)
    eow.load(path, Line(30), score).close()


def test_a_registered_source_that_grew_is_made_again_as_it_is(tmp_path):
    eow.register(Line)
    path = tmp_path / "line.eow"
    score = lambda items: -items.embeddings[:, 0]  # noqa: E731
    with eow.Search(Line(30), score, k=4, queries=2, budget=9, path=path) as search:
        search.run(1, progress=False)
    eow.load(path, Line(31), score).close()
    with eow.load(path, score=score) as search:
        assert search.controller.state.source["size"] == 31


def test_a_source_that_is_not_registered_must_be_passed(library, tmp_path):
    path = tmp_path / "x.eow"
    eow.Search(library, smooth, path=path).close()
    with pytest.raises(eow.InputError, match="does not hold the source"):
        eow.load(path, score=smooth)


def test_a_file_made_before_the_class_was_registered_opens(library, tmp_path):
    path = tmp_path / "before.eow"
    eow.Search(library, smooth, update=Drift(0.5), path=path).close()
    eow.register(Drift)
    eow.load(path, library, smooth, update=Drift(0.5)).close()
    with pytest.raises(eow.InputError, match="was not passed"):
        eow.load(path, library, smooth)


def test_undo_returns_to_the_function_before(library):
    def one(queries):
        return queries.embeddings

    def two(queries):
        return queries.embeddings + 1

    search = eow.Search(library, smooth, update=one)
    search.set(update=two)
    search.undo()
    assert search.controller.engine.parts().update.function is one


def test_defined_anew_it_takes_the_place_of_the_old():
    eow.register(Drift)
    again = dataclass(frozen=True)(type("Drift", (), {"__module__": Drift.__module__, "keep": lambda self, q: q}))
    eow.register(again)
    assert config.registered() == {DRIFT: again}


@pytest.mark.parametrize("value", [Drift(1.0), smooth, "Drift", None])
def test_only_classes_are_registered(value):
    with pytest.raises(eow.InputError, match="takes a class"):
        eow.register(value)


def test_what_cannot_be_registered_is_named():
    @dataclass
    class Loose:
        def keep(self, queries):
            return queries

    @dataclass(frozen=True)
    class Nothing:
        x: int = 1

    @dataclass(frozen=True)
    class Taken:
        strategy: str = ""

        def keep(self, queries):
            return queries

    for kind, why in (
        (Loose, "frozen dataclass"),
        (dict, "frozen dataclass"),
        (Nothing, "nothing that"),
        (Taken, "field"),
    ):
        with pytest.raises(eow.InputError, match=why):
            eow.register(kind)
    assert config.registered() == {}


def test_arrays_are_kept_as_checksums():
    @eow.register
    @dataclass(frozen=True, eq=False)
    class Weighted:
        weights: np.ndarray

        def keep(self, queries):
            return queries

    one, other = (config.describe(Weighted(np.full(3, v)), REGISTRY) for v in (1.0, 2.0))
    assert one != other and config.agrees(one, config.describe(Weighted(np.ones(3)), REGISTRY))
    with pytest.raises(eow.InputError, match="checksum of an array"):
        config.rebuild(one, REGISTRY, str)
    mapped = config.describe({"a": (1, 2), "b": np.float32(0.5)}, REGISTRY)
    assert config.rebuild(mapped, REGISTRY, str) == {"a": (1, 2), "b": 0.5}


def test_the_panel_offers_what_is_registered():
    before = offered("update"), offered("prune")
    eow.register(Drift), eow.register(First), eow.register(Line)
    (mine,) = [one for one in offered("update") if one not in before[0]]
    assert mine["name"] == DRIFT and mine["title"] == "Drift"
    assert [(one["name"], one["type"]) for one in mine["parameters"]] == [
        ("step", "float"), ("way", "choice"), ("bold", "choice"),
    ]  # fmt: skip
    made = make("update", DRIFT, {"step": 2, "bold": "yes"})
    assert made == Drift(2.0, bold=True)
    shown = chosen("update", config.describe(made, REGISTRY))
    assert shown == {"name": DRIFT, "title": "Drift", "parameters": {"step": 2.0, "way": "up", "bold": "yes"}}
    assert make("update", DRIFT, shown["parameters"]) == made
    assert [one["name"] for one in offered("prune") if one not in before[1]] == [FIRST]
    assert make("prune", FIRST, {}) == First()


@dataclass(frozen=True)
class Holding:
    value: object = None
    dim = 1

    def keep(self, queries):
        return np.ones(len(queries), bool)


@pytest.mark.parametrize("value", [Path("x"), Color.RED, object()])
def test_what_a_file_cannot_keep_is_refused_at_once(library, tmp_path, value):
    eow.register(Holding)
    with pytest.raises(eow.InputError, match="what its file cannot keep"):
        eow.Search(library, smooth, prune=Holding(value), path=tmp_path / "x.eow")
    assert not list(tmp_path.iterdir())


def test_nan_is_equal_to_itself(library, tmp_path):
    eow.register(Holding)
    path = tmp_path / "x.eow"
    eow.Search(library, smooth, prune=Holding(float("nan")), path=path).close()
    eow.load(path, library, smooth, prune=Holding(float("nan"))).close()


def test_an_estimator_is_compared_with_what_it_was_made_with(library, tmp_path):
    ensemble = pytest.importorskip("sklearn.ensemble")

    def portfolio(**settings):
        estimator = ensemble.RandomForestRegressor(20, **settings)
        return eow.strategies.Portfolio(surrogates=(eow.strategies.SklearnSurrogate(estimator),))

    path = tmp_path / "x.eow"
    eow.Search(library, smooth, update=portfolio(), path=path).close()
    eow.load(path, library, smooth, update=portfolio()).close()
    with pytest.raises(eow.InputError, match=r"max_depth is 1, where the file says None"):
        eow.load(path, library, smooth, update=portfolio(max_depth=1))
    with pytest.raises(eow.InputError, match="RandomForestRegressor"):
        eow.load(path, library, smooth)


def test_a_source_with_other_parameters_is_told(tmp_path):
    eow.register(Line)
    path = tmp_path / "line.eow"
    score = lambda items: -items.embeddings[:, 0]  # noqa: E731
    with eow.Search(Line(30), score, k=4, queries=2, budget=9, path=path) as search:
        search.run(1, progress=False)
    with eow.load(path, Line(31), score) as search:
        assert any("n is 31, where the file says 30" in notice.text for notice in search.notices)


def test_a_registered_score_is_made_again(library, tmp_path):
    eow.register(Scaled)
    path = tmp_path / "x.eow"
    with eow.Search(library, Scaled(2.0), budget=10, path=path) as search:
        search.run(progress=False)
    with eow.load(path, library) as search:
        search.set(budget=12)
        search.run(progress=False)
        assert search.n_scored == 12
    forget()
    with pytest.raises(eow.InputError, match="not registered"):
        eow.load(path, library)
