"""What a page may choose from: every offer can be made, shown, and made again of what is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.engine.config import describe
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies import REGISTRY
from emb_opt_widgets.widgets.offers import chosen, make, offered

EVERY = [(role, offer["name"]) for role in ("update", "prune") for offer in offered(role)]


def test_the_strategies_are_offered_with_words_for_a_person() -> None:
    assert [name for role, name in EVERY if role == "update"] == [
        "Adaptive", "RLUpdate", "TopKDiscreteUpdate", "TopKContinuousUpdate", "GradientQueries(TopKDiscreteUpdate)",
        "GradientQueries(TopKContinuousUpdate)", "SurrogateUpdate",
    ]  # fmt: skip
    assert [name for role, name in EVERY if role == "prune"] == ["TopKPrune"]
    everything = [*offered("update"), *offered("prune")]
    for offer in everything:
        for parameter in offer["parameters"]:
            assert parameter["type"] in ("int", "float", "floats", "choice") and parameter["doc"]
            assert ("choices" in parameter) == (parameter["type"] == "choice")
            assert parameter["type"] != "choice" or parameter["default"] in parameter["choices"]
    assert len(json.dumps(everything, allow_nan=False)) < 4_000


@pytest.mark.parametrize(("role", "name"), EVERY)
def test_each_offer_is_made_with_its_defaults_and_shown_as_it_was_made(role: str, name: str) -> None:
    offer = next(one for one in offered(role) if one["name"] == name)
    defaults = {one["name"]: one["default"] for one in offer["parameters"]}
    made = make(role, name, {})
    assert made == make(role, name, json.loads(json.dumps(defaults)))
    shown = chosen(role, describe(made, REGISTRY))
    assert shown is not None and shown["name"] == name and shown["title"] == offer["title"]
    assert shown["parameters"] == defaults
    assert make(role, name, shown["parameters"]) == made


def test_parameters_reach_the_strategy() -> None:
    assert make("update", "RLUpdate", {"lrs": [0.5], "max_norm": 2}) == eow.RLUpdate([0.5], max_norm=2.0)
    made = make("update", "GradientQueries(TopKContinuousUpdate)", {"k": 7, "lrs": [1]})
    assert made == eow.GradientQueries(eow.TopKContinuousUpdate(7), (1.0,))
    assert make("prune", "TopKPrune", {"k": 2, "group_by": "none"}) == eow.TopKPrune(2, group_by=None)
    assert make("update", "Adaptive", {}) is None


@pytest.mark.parametrize(
    ("role", "name", "parameters", "why"),
    [
        ("update", "Nothing", {}, "There is no such update"),
        ("prune", "RLUpdate", {}, "There is no such prune"),
        ("update", "RLUpdate", {"lr": [1]}, "Gradient steps takes no lr"),
        ("update", "RLUpdate", {"lrs": []}, "lrs is not usable"),
        ("update", "RLUpdate", {"lrs": 0.5}, "lrs is not usable"),
        ("update", "RLUpdate", {"distance_penalty": None}, "distance_penalty is not usable"),
        ("update", "RLUpdate", {"distance_penalty": True}, "distance_penalty is not usable"),
        ("update", "RLUpdate", {"max_norm": -1}, "max_norm is not usable"),
        ("update", "TopKDiscreteUpdate", {"k": 2.5}, "k is not usable"),
        ("update", "TopKDiscreteUpdate", {"k": 0}, "k is not usable"),
        ("update", "SurrogateUpdate", {"model": "magic"}, "model is not usable"),
        ("update", "Adaptive", {"k": 1}, "Adaptive takes no k"),
        ("prune", "TopKPrune", {"score_agg": "median"}, "score_agg is not usable"),
    ],
)
def test_what_is_wrong_is_named(role: str, name: str, parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        make(role, name, parameters)


def test_what_is_not_offered_is_shown_by_its_name() -> None:
    assert chosen("update", {"function": "__main__.my<b>update"}) == {
        "name": "function", "parameters": {}, "title": "my<b>update",
    }  # fmt: skip
    assert chosen("prune", None) is None
    portfolio = describe(eow.strategies.Portfolio(caution=1.0), REGISTRY)
    assert chosen("update", portfolio) == {"name": "Portfolio", "parameters": {}, "title": "Portfolio"}
    nested = describe(eow.GradientQueries(eow.RLUpdate([1.0]), [1.0]), REGISTRY)
    assert chosen("update", nested) == {"name": "GradientQueries", "parameters": {}, "title": "GradientQueries"}
