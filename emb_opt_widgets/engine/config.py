"""A search's configuration as data: parts of ours and registered ones by name and fields, a user's functions by name.

A registered part stands under its import path; nothing is ever imported because a file names it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from emb_opt_widgets.engine.adapt import FunctionPrune, FunctionUpdate
from emb_opt_widgets.engine.boundary import role_of
from emb_opt_widgets.errors import InputError

__all__ = [
    "adopt",
    "agrees",
    "describe",
    "difference",
    "function_name",
    "import_path",
    "names_in",
    "rebuild",
    "register",
    "registered",
]

Kind = TypeVar("Kind", bound=type)

_registered: dict[str, type] = {}


def import_path(kind: type) -> str:
    """Where a class is defined: `package.module.Name`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def function_name(function: Any) -> str:
    """The name under which a user's function stands in a search's file."""
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{module}.{name}"


def register(kind: Kind) -> Kind:
    """Make a class of yours first class: a search's file keeps its fields, and makes it again of them.

    A strategy, pruner, operator, surrogate, source, filter or score that is registered is stored with its fields and
    its import path, compared when the file is opened again, and offered in the control panel where it is an update or
    a pruner. A file imports nothing by itself: import the module that registers the class before you open the file.
    Usable as a decorator above `@dataclass(frozen=True)`.

    Args:
        kind: A frozen dataclass. Its fields are numbers, texts, None, tuples of these, mappings, or other
            registered parts; of an array the file keeps a checksum only, of a function its name.

    Returns:
        The class itself.

    Raises:
        InputError: It is no frozen dataclass, or nothing that a search is made of.
    """
    if not isinstance(kind, type):
        raise InputError(
            "register() takes a class", expected="a frozen dataclass", got=f"an object of type {type(kind).__name__}"
        )
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise InputError(
            f"{kind.__name__} cannot be registered",
            expected="a frozen dataclass",
            got="a class whose fields are not known, or may change",
            hint="Write @dataclass(frozen=True) above it",
        )
    if role_of(kind) is None:
        raise InputError(
            f"{kind.__name__} is nothing that a search is made of",
            expected="the methods of an update, a pruner, an operator, a surrogate, a source or a function",
            got="none of them: no propose, keep, fit, search, __call__",
            hint="emb_opt_widgets.protocols says what each has",
        )
    if any(field.name == "strategy" for field in fields(kind)):
        raise InputError(f"{kind.__name__} cannot be registered", expected="no field called strategy", got="one")
    _registered[import_path(kind)] = kind
    return kind


def registered() -> Mapping[str, type]:
    """The registered classes by import path."""
    return dict(_registered)


def describe(part: Any, ours: Mapping[str, type], name_of: Callable[[Any], str] = function_name) -> Any:
    """A part of the configuration as plain values.

    Args:
        part: A number, a text, None, one of our frozen dataclasses or a registered one, or a user's function.
        ours: Class name to class, for those that are restored from their fields.
        name_of: Names a user's function.
    """
    if part is None or isinstance(part, (bool, int, float, str)):
        return part
    if isinstance(part, (np.integer, np.floating, np.bool_)):
        return part.item()
    if isinstance(part, (list, tuple)):
        return [describe(v, ours, name_of) for v in part]
    if isinstance(part, Mapping):
        return {"mapping": [[describe(k, ours, name_of), describe(v, ours, name_of)] for k, v in part.items()]}
    if isinstance(part, np.ndarray) and part.dtype.kind in "fiub":
        checksum = zlib.crc32(np.ascontiguousarray(part).tobytes())
        return {"array": checksum, "shape": list(part.shape), "dtype": part.dtype.name}
    if isinstance(part, (FunctionUpdate, FunctionPrune)):
        return {"function": name_of(part.function)}
    name = _name_of_part(part, ours)
    if name is not None:
        values = {f.name: describe(getattr(part, f.name), ours, name_of) for f in fields(part) if f.init}
        return {"strategy": name, **values}
    if callable(getattr(part, "get_params", None)) and not isinstance(part, type):
        made_with = {str(key): describe(value, ours, name_of) for key, value in part.get_params().items()}
        return {"function": name_of(part), "parameters": made_with}
    if not callable(part) and role_of(type(part)) is None:
        raise InputError(
            "A part of the search holds what its file cannot keep",
            expected="numbers, texts, None, tuples, mappings, arrays, functions, or registered parts",
            got=f"{type(part).__name__} {part!r:.60}",
            hint="Give the part a text or a number instead, and make the object of it where it is used",
        )
    return {"function": name_of(part)}


def _name_of_part(part: Any, ours: Mapping[str, type]) -> str | None:
    """The name under which a part is restored; None for what is not."""
    kind = type(part)
    if not is_dataclass(part):
        return None
    if ours.get(kind.__name__) is kind:
        return kind.__name__
    path = import_path(kind)
    return path if path in _registered else None


def rebuild(plain: Any, ours: Mapping[str, type], own: Callable[[str], Any]) -> Any:
    """A part from its description.

    Args:
        plain: What `describe` made.
        ours: Class name to class.
        own: The user's function of a name; raises where it was not passed.

    Raises:
        InputError: A strategy that this version does not have, or one that is not registered here.
    """
    if isinstance(plain, list):
        return tuple(rebuild(v, ours, own) for v in plain)
    if not isinstance(plain, Mapping):
        return plain
    if "strategy" in plain:
        kind = _kind(str(plain["strategy"]), ours)
        return kind(**{key: rebuild(v, ours, own) for key, v in plain.items() if key != "strategy"})
    if "mapping" in plain:
        return {rebuild(key, ours, own): rebuild(value, ours, own) for key, value in plain["mapping"]}
    if "array" in plain:
        raise InputError(
            "The file keeps only a checksum of an array",
            expected=f"the part with its array of shape {tuple(plain['shape'])}",
            got="nothing",
            hint="Pass the part itself, as when the search was made: load(path, source=…, update=…)",
        )
    return own(str(plain["function"]))


def _kind(name: str, ours: Mapping[str, type]) -> type:
    found = ours.get(name) or _registered.get(name)
    if found is not None:
        return found
    if "." not in name:
        raise InputError(
            f"The file names a strategy that this version does not have: {name}",
            expected=", ".join(sorted(ours)),
            got=name,
            hint="Pass update=… or prune=… yourself, or install the version that wrote the file",
        )
    package, called = name.partition(".")[0], name.rpartition(".")[2]
    found_by = "Define it again here" if package == "__main__" else f"import {name.rpartition('.')[0]} first"
    raise InputError(
        f"The file uses {called} of the package {package}, which is not registered here",
        expected=f"{name} to be imported and registered before the file is opened",
        got=", ".join(sorted(_registered)) or "no registered class",
        hint=f"{found_by}, or call eow.register({called}), or pass the part itself (source=…, update=…, …)",
    )


def agrees(now: Any, kept: Any) -> bool:
    """Whether two descriptions say the same. Functions may have other names than they had, and a class may have been
    registered since.
    """
    if isinstance(now, list) and isinstance(kept, list):
        return len(now) == len(kept) and all(map(agrees, now, kept))
    if isinstance(now, Mapping) and isinstance(kept, Mapping):
        if "function" in kept and "strategy" not in kept:
            return _same_function(now, kept)
        return now.keys() == kept.keys() and all(agrees(now[key], kept[key]) for key in now)
    return bool(now == kept or (now != now and kept != kept))


def _same_function(now: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Functions may have other names; an estimator has its class, and what it was made with."""
    if "strategy" in now:
        return bool(now["strategy"] == kept["function"])
    if "parameters" not in now or "parameters" not in kept:
        return True
    return now["function"] == kept["function"] and agrees(now["parameters"], kept["parameters"])


def difference(now: Any, kept: Any, path: str = "") -> str:
    """Where two descriptions differ first, and how: "operators[1].power is 3, where the file says 2"."""
    if isinstance(now, list) and isinstance(kept, list) and len(now) == len(kept):
        parts = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(now, kept))]
    elif isinstance(now, Mapping) and isinstance(kept, Mapping) and now.keys() == kept.keys():
        parts = [(f"{path}.{key}", now[key], kept[key]) for key in now]
    else:
        return f"{path.lstrip('.') or 'it'} is {now!r:.80}, where the file says {kept!r:.80}"
    return next(difference(a, b, at) for at, a, b in parts if not agrees(a, b))


def adopt(part: Any, kept: Any) -> None:
    """Register the classes of a part that a person hands over for a file which names them."""
    names = set(names_in(kept, "strategy"))
    for one in _parts(part):
        if import_path(type(one)) in names and import_path(type(one)) not in _registered:
            register(type(one))


def names_in(plain: Any, kind: str) -> Iterator[str]:
    """The names in a description: of each "strategy", or of each "function"."""
    if isinstance(plain, Mapping):
        if kind in plain:
            yield str(plain[kind])
        plain = list(plain.values())
    if isinstance(plain, list):
        for value in plain:
            yield from names_in(value, kind)


def _parts(part: Any) -> Iterator[Any]:
    if isinstance(part, (list, tuple)):
        for one in part:
            yield from _parts(one)
    elif is_dataclass(part) and not isinstance(part, type):
        yield part
        for field in fields(part):
            yield from _parts(getattr(part, field.name))
