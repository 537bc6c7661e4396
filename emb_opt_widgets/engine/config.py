"""A search's configuration as data: our own parts by name and fields, a user's functions by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from emb_opt_widgets.engine.adapt import FunctionPrune, FunctionUpdate
from emb_opt_widgets.errors import InputError

__all__ = ["describe", "function_name", "rebuild"]


def function_name(function: Any) -> str:
    """The name under which a user's function stands in a search's file."""
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{module}.{name}"


def describe(part: Any, ours: Mapping[str, type], name_of: Callable[[Any], str] = function_name) -> Any:
    """A part of the configuration as plain values.

    Args:
        part: A number, a text, None, one of our frozen dataclasses, or a user's function.
        ours: Class name to class, for those that are restored from their fields.
        name_of: Names a user's function.
    """
    if part is None or isinstance(part, (bool, int, float, str)):
        return part
    if isinstance(part, (np.integer, np.floating, np.bool_)):
        return part.item()
    if isinstance(part, (list, tuple)):
        return [describe(v, ours, name_of) for v in part]
    if isinstance(part, (FunctionUpdate, FunctionPrune)):
        return {"function": name_of(part.function)}
    if is_dataclass(part) and ours.get(type(part).__name__) is type(part):
        values = {f.name: describe(getattr(part, f.name), ours, name_of) for f in fields(part)}
        return {"strategy": type(part).__name__, **values}
    return {"function": name_of(part)}


def rebuild(plain: Any, ours: Mapping[str, type], own: Callable[[str], Any]) -> Any:
    """A part from its description.

    Args:
        plain: What `describe` made.
        ours: Class name to class.
        own: The user's function of a name; raises where it was not passed.

    Raises:
        InputError: A strategy that this version does not have.
    """
    if isinstance(plain, list):
        return tuple(rebuild(v, ours, own) for v in plain)
    if not isinstance(plain, Mapping):
        return plain
    if "function" in plain:
        return own(str(plain["function"]))
    name = str(plain["strategy"])
    if name not in ours:
        raise InputError(
            f"The file names a strategy that this version does not have: {name}",
            expected=", ".join(sorted(ours)),
            got=name,
            hint="Pass update=… or prune=… yourself, or install the version that wrote the file",
        )
    return ours[name](**{key: rebuild(v, ours, own) for key, v in plain.items() if key != "strategy"})
