"""What a search is made of, checked: the arguments of `Search` as configuration and live parts."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any
from uuid import UUID

import numpy as np

from emb_opt_widgets.engine.adapt import as_prune, as_update
from emb_opt_widgets.engine.answers import read_filter, read_scores, to_array
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.boundary import check_called
from emb_opt_widgets.engine.caller import Caller
from emb_opt_widgets.engine.calls import CallHealth, Calls
from emb_opt_widgets.engine.config import adopt, agrees, describe, difference, function_name, names_in, rebuild
from emb_opt_widgets.engine.costs import Pricing, describe_noise
from emb_opt_widgets.engine.items import as_ids
from emb_opt_widgets.engine.protocols import ScoreFunction
from emb_opt_widgets.engine.queries import Proposals
from emb_opt_widgets.engine.rounds import Gather, Parts
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.until import describe_until
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.executors import Workers
from emb_opt_widgets.live.integers import whole_number
from emb_opt_widgets.strategies import DEFAULT_UPDATE, REGISTRY

__all__ = [
    "AT_REST", "LIVE", "Functions", "calls_of", "check_own", "check_score", "check_setting", "describe_queries",
    "described_calls", "make_parts", "one_of",
]  # fmt: skip

CALLS = tuple(field.name for field in fields(Calls))
PARTS = ("update", "prune", "filter", "score", "branch")
LIVE = ("k", "budget", "update", "prune", "filter", "score", "until", "noise", "calls", *CALLS)
AT_REST = ("score", "executor")
"""What is set on a search at rest only."""


class Functions:
    """The user's own functions, by their role and the names under which the file knows them."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, str], Any] = {}
        self._latest: dict[str, Any] = {}

    def note(self, role: str, part: Any) -> Any:
        """Remember the functions in a part of the configuration; returns its description. A setting that is no part is
        plain already.

        Different functions of one name are told apart by a number: `f`, `f#2`, …
        """
        if role not in PARTS:
            return part
        if part is not None:
            self._latest[role] = part
        return describe(part, REGISTRY, lambda function: self._name(role, function))

    def _name(self, role: str, function: Any) -> str:
        base = function_name(function)
        for number in itertools.count(1):
            name = base if number == 1 else f"{base}#{number}"
            if self._named.setdefault((role, name), function) is function:
                return name
        raise AssertionError("unreachable")

    def find(self, role: str, plain: Any) -> Any:
        """The live part of a description.

        Raises:
            InputError: It names a function that was not passed.
        """

        passed = self._latest.get(role)
        now = None if passed is None else describe(passed, REGISTRY, lambda function: self._name(role, function))
        if now == plain:
            return passed
        if passed is not None and agrees(now, plain) and not self._knows(role, plain):
            return passed
        return rebuild(plain, REGISTRY, lambda name: self._own(role, name))

    def score(self, plain: Any) -> Any:
        """The score function of a description; None where there is none, or none was passed."""
        return None if plain is None or self._latest.get("score") is None else self.find("score", plain)

    def _own(self, role: str, name: str) -> Any:
        if (role, name) in self._named:
            return self._named[role, name]
        raise InputError(
            f"The search's {role} holds a function or an object of yours that was not passed",
            expected=f"{role}=… as it was made, with {name}",
            got="nothing",
            hint=f"Pass it again: load(path, source=…, {role}=…)",
        )

    def _knows(self, role: str, plain: Any) -> bool:
        return all((role, name) in self._named for name in names_in(plain, "function"))


def _check_budget(value: Any, spent: float, cost: Mapping[str, Any] | None) -> float | None:
    if cost is None:
        budget: float | None = whole_number("budget", value, 1, optional=True)
    elif value is None or (isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value > 0):
        budget = None if value is None else float(value)
    else:
        raise InputError("budget is not usable", expected=f"{cost['unit']} above 0, or None", got=repr(value))
    if budget is not None and budget < spent:
        raise InputError(
            "The budget is below what is spent",
            expected=f"at least {spent:g}, or None",
            got=budget,
            hint="stop() ends the search without spending more",
        )
    return budget


def check_setting(
    name: str, value: Any, source: BoundSource | None, spent: float = 0.0, cost: Mapping[str, Any] | None = None
) -> Any:
    """One live setting, checked; updates and pruners come back as strategies.

    Args:
        name: Of the setting. value: What was given. source: What is searched.
        spent: Of the budget. cost: The search's `cost`, as plain values.

    Raises:
        InputError: It is not usable, and why.
    """
    match name:
        case "k":
            size = None if source is None else source.size
            if value is None:
                return 10 if size is None else min(10, size)
            k = whole_number("k", value, 1)
            if size is not None and k is not None and k > size:
                raise InputError(
                    "k is larger than the source", expected=f"at most {size}", got=k, hint="Choose a smaller k"
                )
            return k
        case "budget":
            return _check_budget(value, spent, cost)
        case "until":
            return describe_until(value)
        case "noise":
            return describe_noise(value, source)
        case "update":
            return None if value is None else as_update(value)
        case "prune":
            return None if value is None else as_prune(value)
        case "filter":
            if value is not None:
                check_called("filter", value, "one truth value for each")
            return value
        case "score":
            check_score(value)
            return value
        case _ if name in CALLS:
            return getattr(Calls(**{name: value}), name)
        case _:
            raise InputError("There is no such setting", expected=", ".join((*LIVE, "executor")), got=repr(name))


def described_calls(calls: Calls | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """How to call as plain values: those of `calls`, and what is given beside it.

    Only what differs from the defaults is named, of the settings that files of old do not have.

    Raises:
        InputError: It is no `Calls`, or a setting is given twice.
    """
    if calls is not None and not isinstance(calls, Calls):
        raise InputError("calls is not usable", expected="Calls(…)", got=type(calls).__name__)
    plain, default = asdict(calls or Calls()), asdict(Calls())
    for name, value in more.items():
        given = getattr(Calls(**{name: value}), name)
        if given != default[name] and plain[name] not in (default[name], given):
            raise InputError(f"{name} is given twice", expected=f"one of {plain[name]!r} and {given!r}", got="both")
        plain[name] = plain[name] if given == default[name] else given
    return {name: plain[name] for name in more} | {n: v for n, v in plain.items() if n not in more and v != default[n]}


def calls_of(config: Mapping[str, Any]) -> Calls:
    """How a search with this configuration calls."""
    return Calls(**{name: config[name] for name in CALLS if config.get(name) is not None})


def check_own(role: str, part: Any, kept: Any) -> None:
    """Raise `InputError` unless a part that a person hands over is the one that the file describes.

    Functions may have other names than they had; parts of ours and registered ones have the same fields.
    """
    if part is None:
        return
    adopt(part, kept)
    if not agrees(describe(part, REGISTRY), _of_today(kept)):
        raise InputError(
            f"The search's own {role} comes from its file",
            expected="functions of yours that the file names, and parts with the parameters that it keeps",
            got=f"{role}={part!r:.80}; {difference(describe(part, REGISTRY), _of_today(kept))}",
            hint=f"Leave it out, or pass it as it was; change it afterwards: search.set({role}=…)",
        )


def _of_today(kept: Any) -> Any:
    """A part as it is described today: an earlier version's names are objects now."""
    return kept if any(names_in(kept, "function")) else describe(rebuild(kept, REGISTRY, str), REGISTRY)


def one_of(name: str, value: Any, words: tuple[str, ...]) -> str:
    """One of some words.

    Raises:
        InputError: It is another.
    """
    if not isinstance(value, str) or value not in words:
        expected = " or ".join(f'"{word}"' for word in words)
        raise InputError(f"{name} is not usable", expected=expected, got=f"{value!r:.80}")
    return value


def check_score(score: ScoreFunction | None) -> None:
    """Raise `InputError` unless it is a function of items, or None."""
    if score is not None:
        check_called("score", score, "one number for each")


def describe_queries(queries: Any, source: BoundSource) -> dict[str, Any]:
    """The `queries` argument as plain values: how many, which items, or which vectors.

    Raises:
        InputError: None of these, of the wrong width, or not finite.
    """
    if isinstance(queries, (int, np.integer)) and not isinstance(queries, bool):
        return {"random": whole_number("queries", queries, 1)}
    wrong = InputError(
        "queries is not usable",
        expected=f"a number, a list of item ids, or an array of shape (q, {source.dim or 'd'})",
        got=f"{type(queries).__name__} {np.shape(to_array(queries))}",
    )
    if isinstance(queries, (str, bytes)):
        raise wrong
    try:
        array = np.asarray(to_array(queries))
        if array.ndim == 1 and isinstance(queries, (list, tuple)):
            array = np.asarray(queries, object)
    except ValueError:
        raise wrong from None
    if array.ndim == 1 and array.size and array.dtype.kind in "iuUO":
        if not all(isinstance(value, (int, str, np.integer, UUID)) for value in array):
            raise wrong
        ids = as_ids(array)
        source.fetch(ids)
        return {"items": ids.tolist()}
    if array.ndim != 2 or not len(array) or array.dtype.kind not in "fiu":
        raise wrong
    if source.dim is not None and array.shape[1] != source.dim:
        raise InputError("The queries have the wrong dimensions", expected=f"(q, {source.dim})", got=array.shape)
    if not np.isfinite(array).all():
        raise InputError("The queries are not finite", expected="finite numbers", got="NaN or infinity")
    return {"vectors": array.astype(np.float64).tolist()}


def _starts(state: State, source: BoundSource) -> Proposals:
    given = state.config["queries"]
    if "random" in given:
        points = source.starts(int(given["random"]), state.seed)
        reasons = ["drawn by the seed"] * len(points)
    elif "items" in given:
        points = source.vectors(as_ids(given["items"])).astype(np.float64)
        reasons = [f"at item {i}" for i in given["items"]]
    else:
        points = np.array(given["vectors"], np.float64)
        reasons = ["given"] * len(points)
    return Proposals(points, np.full(len(points), -1), "start", reasons)


def make_parts(
    state: State,
    source: BoundSource,
    functions: Functions,
    workers: Workers | None,
    cache: dict[str, Any],
    gather: Gather,
    health: Mapping[str, CallHealth],
) -> Parts:
    """The live parts of the state's present configuration."""
    config = state.config
    calls = calls_of(config)
    found = {role: functions.find(role, config[role]) for role in ("update", "prune", "filter")}
    filter = found["filter"]
    health["score"].patience = int(config["budget"] or sys.maxsize)
    score = functions.score(config["score"])
    scorer = score and Caller("score", score, read_scores, gather.payload, calls, workers, health=health["score"])
    return Parts(
        source=source,
        gather=gather,
        filter=None
        if filter is None
        else Caller(
            "filter", filter, read_filter, gather.payload, _unpooled(calls), failed=False, health=health["filter"]
        ),
        score=scorer,
        update=DEFAULT_UPDATE if found["update"] is None else as_update(found["update"]),
        prune=None if found["prune"] is None else as_prune(found["prune"]),
        starts=lambda: _starts(state, source),
        cache=cache,
        at_once=(calls.batch_size or 1) if scorer is None else scorer.at_once,
        pricing=Pricing(state, gather) if {"cost", "noise"} & config.keys() else None,
    )


def _unpooled(calls: Calls) -> Calls:
    return replace(calls, workers=None, batch_size=None, timeout=None)
