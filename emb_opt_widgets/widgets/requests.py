"""What pages may say, checked before anything is made of it: a closed set of messages, each of a known shape.

Knows no commands of its own; a live object says which it takes, as `Schema`s.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emb_opt_widgets.errors import InputError

__all__ = [
    "Ack",
    "Ask",
    "Bye",
    "Check",
    "Command",
    "Hello",
    "Request",
    "Schema",
    "choice",
    "flag",
    "integer",
    "integers",
    "mapping",
    "number",
    "parse",
    "sender",
    "text",
    "value",
]

Check = Callable[[str, Any], Any]
"""Takes a name and a value; returns the value, or raises `InputError`."""

_ID_LIMIT = 64
_NOTE_LIMIT = 2_000
_TABLES_LIMIT = 32
_STAMP_LIMIT = 2**53
_BROKEN = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Hello:
    """A page appears, reloads, wakes, or found a gap. `have`: its stamps by table, in that `epoch`."""

    client: str
    epoch: str | None
    have: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ack:
    """A page has drawn message `n`."""

    client: str
    epoch: str
    n: int
    have: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bye:
    """A page is hidden or closed."""

    client: str


@dataclass(frozen=True, slots=True)
class Command:
    """A page asks for something to be done."""

    client: str
    id: str
    name: str
    arguments: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A page wants to know something."""

    client: str
    id: str
    what: str
    arguments: Mapping[str, Any]


Request = Hello | Ack | Bye | Command | Ask


def _wrong(name: str, expected: str, got: Any) -> InputError:
    return InputError(f"{name} is not usable", expected=expected, got=f"{got!r:.80}")


def integer(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""

    def check(name: str, given: Any) -> int:
        if type(given) is not int or not low <= given <= high:
            raise _wrong(name, f"a whole number from {low} to {high}", given)
        return given

    return check


def integers(limit: int, low: int = 0, high: int = 2**31 - 1) -> Check:
    """From 1 to `limit` distinct whole numbers."""
    each = integer(low, high)

    def check(name: str, given: Any) -> list[int]:
        if type(given) is not list or not 1 <= len(given) <= limit:
            raise _wrong(name, f"a list of 1 to {limit} whole numbers", given)
        return list(dict.fromkeys(each(name, one) for one in given))

    return check


def number(name: str, given: Any) -> float:
    """A finite number."""
    if type(given) not in (int, float) or not math.isfinite(given):
        raise _wrong(name, "a finite number", given)
    return float(given)


def flag(name: str, given: Any) -> bool:
    """True or False."""
    if type(given) is not bool:
        raise _wrong(name, "true or false", given)
    return given


def text(limit: int, least: int = 0) -> Check:
    """Text of `least` to `limit` characters."""

    def check(name: str, given: Any) -> str:
        if type(given) is not str or not least <= len(given) <= limit or _BROKEN.search(given):
            raise _wrong(name, f"text of {least} to {limit} characters", given)
        return given

    return check


def choice(*words: str) -> Check:
    """One of these words."""

    def check(name: str, given: Any) -> str:
        if type(given) is not str or given not in words:
            raise _wrong(name, " or ".join(words), given)
        return given

    return check


def mapping(of: Check, limit: int) -> Check:
    """At most `limit` values under names."""

    def check(name: str, given: Any) -> dict[str, Any]:
        fits = type(given) is dict and len(given) <= limit
        if not fits or not all(type(key) is str and 0 < len(key) <= _ID_LIMIT for key in given):
            raise _wrong(name, f"an object of at most {limit} names", given)
        return {key: of(f"{name}.{key}", one) for key, one in given.items()}

    return check


def value(name: str, given: Any) -> Any:
    """A parameter: null, true or false, a finite number, a short text, or a short list of finite numbers."""
    if given is None or type(given) is bool:
        return given
    if type(given) is int and abs(given) < _STAMP_LIMIT:
        return given
    if type(given) is float:
        return number(name, given)
    if type(given) is list and len(given) <= 64:
        return [number(name, one) for one in given]
    return text(200)(name, given)


@dataclass(frozen=True, slots=True)
class Schema:
    """The shape of an object: what it must have, what it may have, and nothing else.

    Attributes:
        needs, may: Names with their checks.
        one_of: Of these names exactly one must be there; none: no matter.
    """

    needs: Mapping[str, Check] = field(default_factory=dict)
    may: Mapping[str, Check] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()

    def __call__(self, name: str, given: Any) -> dict[str, Any]:
        known = {**self.needs, **self.may}
        if type(given) is not dict:
            raise _wrong(name, "an object", given)
        missing = [key for key in self.needs if key not in given]
        unknown = [key for key in given if key not in known]
        if missing or unknown:
            expected = ", ".join([*self.needs, *(f"{key}?" for key in self.may)]) or "nothing"
            raise _wrong(name, expected, [*(str(key)[:40] for key in list(given)[:10])] or "nothing")
        if self.one_of and sum(key in given for key in self.one_of) != 1:
            raise _wrong(name, f"one of {', '.join(self.one_of)}", list(given))
        return {key: known[key](key, one) for key, one in given.items()}


_short = text(_ID_LIMIT, 1)


def _identity(name: str, given: Any) -> str:
    if not _short(name, given).isprintable():
        raise _wrong(name, "printable text", given)
    return str(given)


_have = mapping(integer(0, _STAMP_LIMIT), _TABLES_LIMIT)


def _epoch(name: str, given: Any) -> str | None:
    return None if given is None else _identity(name, given)


def _anything(name: str, given: Any) -> Any:
    return given


_asking = {"type": _identity, "client": _identity, "id": _identity}
_MESSAGES: Mapping[str, tuple[type[Any], Schema]] = {
    "hello": (Hello, Schema({"type": _identity, "client": _identity, "epoch": _epoch, "have": _have})),
    "ack": (
        Ack,
        Schema(
            {"type": _identity, "client": _identity, "epoch": _identity, "n": integer(0, _STAMP_LIMIT), "have": _have}
        ),
    ),
    "bye": (Bye, Schema({"type": _identity, "client": _identity})),
    "command": (
        Command,
        Schema({**_asking, "name": _identity, "arguments": _anything}, {"note": text(_NOTE_LIMIT)}),
    ),
    "ask": (Ask, Schema({**_asking, "what": _identity, "arguments": _anything})),
}


def parse(content: Any, commands: Mapping[str, Schema], asks: Mapping[str, Schema]) -> Request:
    """A page's message, checked.

    Args:
        content: Anything.
        commands, asks: What the live object takes, by name.

    Raises:
        InputError: It is none of the known messages, or not of its shape.
    """
    kind = content.get("type") if type(content) is dict else None
    if type(kind) is not str or kind not in _MESSAGES:
        raise _wrong("The message", f"a message of type {', '.join(_MESSAGES)}", kind)
    made, schema = _MESSAGES[kind]
    fields = schema(f"The {kind}", content)
    del fields["type"]
    for role, known in (("name", commands), ("what", asks)):
        if role in fields:
            asked = choice(*known)(role, fields[role])
            fields["arguments"] = known[asked](asked, fields["arguments"])
    request: Request = made(**fields)
    return request


def sender(content: Any) -> tuple[str, str, str] | None:
    """Who sent a message that is not usable and can be answered: the kind of answer, the client, the id."""
    if type(content) is not dict or content.get("type") not in ("command", "ask"):
        return None
    try:
        client, request = _identity("client", content.get("client")), _identity("id", content.get("id"))
    except InputError:
        return None
    return ("reply" if content["type"] == "command" else "answer"), client, request
