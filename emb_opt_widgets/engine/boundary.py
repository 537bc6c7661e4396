"""What a person hands over to be called, looked at before the first call is paid: what cannot be meant is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from emb_opt_widgets.errors import InputError

__all__ = ["check_called", "check_instance", "role_of"]

_ROLES = {
    "operator": ("propose", "said"),
    "asker": ("ask", "prior"),
    "update": ("propose",),
    "prune": ("keep",),
    "surrogate": ("fit",),
    "source": ("search", "fetch"),
    "function": ("__call__",),
}


def role_of(kind: type) -> str | None:
    """What an object of a class is in a search, by its methods: operator, asker, update, prune, surrogate, source,
    function; None: nothing.
    """
    names = {name for base in kind.__mro__ for name in (*vars(base), *vars(base).get("__annotations__", ()))}
    return next((role for role, needed in _ROLES.items() if names.issuperset(needed)), None)


def check_instance(role: str, value: Any) -> None:
    """Refuse a class where an object of it is wanted.

    Raises:
        InputError: `value` is a class.
    """
    if isinstance(value, type):
        raise InputError(
            f"{role} is a class",
            expected=f"an object of it: {role}={value.__name__}(…)",
            got=f"the class {value.__name__}",
            hint="Call it with its arguments",
        )


def check_called(role: str, value: Any, gives: str, takes: tuple[str, ...] = ("Items",), later: bool = True) -> None:
    """Refuse what cannot be called as the engine will call it.

    Args:
        role: The argument's name.
        value: What was passed.
        gives: What it is to return, for the message.
        takes: Names of the arguments it is called with.
        later: Whether it may be an async function.

    Raises:
        InputError: A class, a result instead of the function, a generator function, one that takes other arguments,
            or an async one where that cannot be.
    """
    check_instance(role, value)
    wanted = f"a function of {' and '.join(takes)} that returns {gives}"
    if inspect.isawaitable(value) or inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise InputError(
            f"{role} is the result of a call",
            expected=f"the function itself: {role}=name, without parentheses",
            got=f"a {type(value).__name__}",
        )
    if not callable(value):
        raise InputError(f"{role} is not usable", expected=wanted, got=f"{type(value).__name__} {value!r:.40}")
    for function in _called(value):
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InputError(f"{role} is a generator function", expected=wanted, got="yield", hint="Return all at once")
        if not later and inspect.iscoroutinefunction(function):
            raise InputError(f"{role} is an async function", expected=f"{wanted}, not async", got="async def")
    _check_arguments(role, value, takes, wanted)


def _called(value: Any) -> tuple[Callable[..., Any], ...]:
    """A function without its `partial`s; of an object, also what runs when it is called."""
    while isinstance(value, partial):
        value = value.func
    return (value,) if inspect.isroutine(value) else (value, type(value).__call__)


def _check_arguments(role: str, value: Callable[..., Any], takes: tuple[str, ...], wanted: str) -> None:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*takes)
    except TypeError as error:
        given = ", ".join(str(one) for one in signature.parameters.values()) or "no arguments"
        raise InputError(f"{role} takes other arguments", expected=wanted, got=f"one of ({given}): {error}") from None
