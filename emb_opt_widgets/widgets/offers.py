"""The strategies that a page may choose from, ours and registered ones: what they are called, what they take, and how
they are made.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from emb_opt_widgets.engine.boundary import role_of
from emb_opt_widgets.engine.config import registered
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.strategies import (
    REGISTRY,
    GradientQueries,
    RLUpdate,
    SurrogateUpdate,
    TopKContinuousUpdate,
    TopKDiscreteUpdate,
    TopKPrune,
)

__all__ = ["chosen", "make", "offered"]

_ADAPTIVE = "Adaptive"
_STARTS: Mapping[str, Any] = {"lrs": [0.1, 0.5, 1.0], "k": 3}
_FIRST: Mapping[str, Any] = {"int": 1, "float": 1.0, "floats": [1.0]}
_DOC = 120


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `type` is int, float, floats or choice; `optional`: None is allowed."""

    name: str
    type: str
    default: Any
    doc: str
    choices: tuple[str | bool | None, ...] = ()
    optional: bool = False

    def described(self) -> dict[str, Any]:
        """As plain JSON."""
        out = {"name": self.name, "type": self.type, "default": self.default, "doc": self.doc}
        return {**out, "choices": [_word(one) for one in self.choices]} if self.choices else out

    def read(self, given: Any) -> Any:
        """A page's value, as the strategy takes it; finer checks are the strategy's.

        Raises:
            InputError: It is of the wrong type.
        """
        if given is None and self.optional:
            return None
        number = isinstance(given, (int, float)) and not isinstance(given, bool)
        if self.type == "int" and type(given) is int:
            return given
        if self.type == "float" and number:
            return float(given)
        if self.type == "floats" and isinstance(given, list) and given:
            return tuple(given)
        if self.type == "choice" and given in [_word(one) for one in self.choices]:
            return next(one for one in self.choices if _word(one) == given)
        expected = {"int": "a whole number", "float": "a number", "floats": "one or more numbers"}.get(
            self.type, " or ".join(_word(one) for one in self.choices)
        )
        raise InputError(f"{self.name} is not usable", expected=expected, got=f"{given!r:.80}")


@dataclass(frozen=True, slots=True)
class Offer:
    """One strategy: `build` makes it of its parameters, `fits` tells a description of one, and its parameters."""

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., Any]
    fits: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


def _word(choice: str | bool | None) -> str:
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return "none" if choice is None else choice


def _docs(kind: type) -> dict[str, str]:
    """What a class's docstring says of its arguments; where it says nothing, what it says of itself."""
    whole = inspect.cleandoc(kind.__doc__ or "")
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", whole.partition("Args:")[2].partition("\nRaises:")[0], re.M)
    docs = dict(found)
    for name, text in found:
        other = re.match(r"As in `(\w+)`", text)
        if other and other[1] in REGISTRY:
            docs[name] = _docs(REGISTRY[other[1]]).get(name, text)
    first = re.sub(r" \(`[^)]*`\)", "", whole.partition("\n")[0])
    return {one.name: plain(docs.get(one.name, first), _DOC) for one in fields(kind)}


def _parameters(kind: type, without: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
    docs, hints = _docs(kind), get_type_hints(kind)
    return tuple(
        _parameter(one.name, hints[one.name], one.default, docs)
        for one in fields(kind)
        if one.name not in without and one.init
    )


def _parameter(name: str, hint: Any, default: Any, docs: Mapping[str, str]) -> Parameter:
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    optional = type(None) in parts
    main = next(part for part in parts if part is not type(None))
    if get_origin(main) is Literal or main is bool:
        values = (False, True) if main is bool else get_args(main)
        choices = (*values, None) if optional else values
        return Parameter(name, "choice", _word(choices[0] if default is MISSING else default), docs[name], choices)
    kind = "floats" if get_origin(main) is tuple else {int: "int", float: "float"}[main]
    if default is MISSING:
        default = _STARTS.get(name, None if optional else _FIRST[kind])
    return Parameter(name, kind, list(default) if kind == "floats" and default else default, docs[name], (), optional)


def _chooseable(hint: Any) -> bool:
    """Whether a page has a field for values of this type."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) not in (Union, UnionType):
        parts = [hint]
    (main, *others) = parts
    if get_origin(main) is tuple:
        return not others and set(get_args(main)) <= {float, int, ...}
    if get_origin(main) is Literal:
        return not others and all(isinstance(one, (str, bool)) for one in get_args(main))
    return not others and main in (int, float, bool)


def _plainly(kind: type, title: str, name: str = "", without: tuple[str, ...] = ()) -> Offer:
    called = name or kind.__name__

    def fits(plain: Mapping[str, Any]) -> Mapping[str, Any] | None:
        same = plain.get("strategy") == called
        return {key: value for key, value in plain.items() if key not in ("strategy", *without)} if same else None

    return Offer(called, title, _parameters(kind, without), kind, fits)


@cache
def _registered_offer(path: str, kind: type) -> Offer | None:
    """An offer of a registered class; None where a page has no field for something that it needs."""
    try:
        hints = get_type_hints(kind)
    except (NameError, TypeError):
        return None
    hidden = tuple(one.name for one in fields(kind) if one.init and not _chooseable(hints[one.name]))
    needed = [one for one in fields(kind) if one.init and one.default is MISSING and one.default_factory is MISSING]
    if any(one.name in hidden for one in needed):
        return None
    hidden += tuple(one.name for one in fields(kind) if one.default_factory is not MISSING)
    return _plainly(kind, kind.__name__, path, hidden)


def _gradient(inner: type, title: str) -> Offer:
    """Gradient queries around an update of one parameter, in one piece."""

    def build(k: int, **rest: Any) -> Any:
        return GradientQueries(inner(k), **rest)

    def fits(plain: Mapping[str, Any]) -> Mapping[str, Any] | None:
        within = plain.get("update")
        if plain.get("strategy") != "GradientQueries" or not isinstance(within, Mapping):
            return None
        if within.get("strategy") != inner.__name__:
            return None
        rest = {key: value for key, value in plain.items() if key not in ("strategy", "update")}
        return {"k": within["k"], **rest}

    parameters = (*_parameters(inner), *_parameters(GradientQueries, ("update",)))
    return Offer(f"GradientQueries({inner.__name__})", title, parameters, build, fits)


def _offers(role: str) -> tuple[Offer, ...]:
    theirs = (_registered_offer(path, kind) for path, kind in registered().items() if role == role_of(kind))
    return (*_ours(role), *(offer for offer in theirs if offer is not None))


@cache
def _ours(role: str) -> tuple[Offer, ...]:
    if role == "prune":
        return (_plainly(TopKPrune, "Keep the best"),)
    return (
        Offer(_ADAPTIVE, _ADAPTIVE, (), lambda: None, lambda plain: None),
        _plainly(RLUpdate, "Gradient steps"),
        _plainly(TopKDiscreteUpdate, "Best hits"),
        _plainly(TopKContinuousUpdate, "Mean of best hits"),
        _gradient(TopKDiscreteUpdate, "Best hits, looking along the gradient"),
        _gradient(TopKContinuousUpdate, "Mean of best hits, looking along the gradient"),
        _plainly(SurrogateUpdate, "Surrogate model"),
    )


def offered(role: str) -> list[dict[str, Any]]:
    """What may be chosen as "update" or "prune", as plain JSON."""
    return [
        {"name": one.name, "title": one.title, "parameters": [parameter.described() for parameter in one.parameters]}
        for one in _offers(role)
    ]


def make(role: str, name: str, parameters: Mapping[str, Any]) -> Any:
    """A strategy of its name and parameters; what is left out has its default.

    Raises:
        InputError: There is none of that name, or a parameter is not usable.
    """
    offer = next((one for one in _offers(role) if one.name == name), None)
    if offer is None:
        names = ", ".join(one.name for one in _offers(role))
        raise InputError(f"There is no such {role}", expected=names, got=f"{name!r:.80}")
    known = {parameter.name: parameter for parameter in offer.parameters}
    unknown = [given for given in parameters if given not in known]
    if unknown:
        raise InputError(
            f"{offer.title} takes no {unknown[0]:.40}",
            expected=", ".join(known) or "no parameters",
            got=unknown[0][:40],
        )
    values = {key: one.read(parameters.get(key, one.default)) for key, one in known.items()}
    return offer.build(**values)


def chosen(role: str, described: Any) -> dict[str, Any] | None:
    """A search's present update or pruner as `{name, parameters, title}`; None: no pruner.

    Args:
        role: "update" or "prune".
        described: Its part of the configuration, as plain values.
    """
    if described is None:
        return None if role == "prune" else {"name": _ADAPTIVE, "parameters": {}, "title": _ADAPTIVE}
    if not isinstance(described, Mapping) or "function" in described:
        name = described.get("function", "") if isinstance(described, Mapping) else described
        return {"name": "function", "parameters": {}, "title": plain(str(name).rpartition(".")[2], 80)}
    for offer in _offers(role):
        found = offer.fits(described)
        if found is not None:
            words = {one.name for one in offer.parameters if one.type == "choice"}
            shown = {key: _word(value) if key in words else value for key, value in found.items()}
            return {"name": offer.name, "parameters": shown, "title": offer.title}
    return {
        "name": plain(described.get("strategy", ""), 80),
        "parameters": {},
        "title": plain(described["strategy"], 80),
    }
