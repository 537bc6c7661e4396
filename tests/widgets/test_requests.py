"""What pages may say: a closed set; all else is refused without harm."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.widgets.requests import Ack, Ask, Bye, Command, Hello, parse, sender
from emb_opt_widgets.widgets.search_schemas import ASKS, COMMANDS


def command(name: Any = "prune", arguments: Any = None, **more: Any) -> dict[str, Any]:
    given = {"nodes": [1]} if arguments is None else arguments
    return {"type": "command", "client": "c", "id": "1", "name": name, "arguments": given, **more}


def read(content: Any) -> Any:
    return parse(content, COMMANDS, ASKS)


def test_each_message_is_read() -> None:
    hello = {"type": "hello", "client": "c", "epoch": None, "have": {"nodes": 3}}
    assert read(hello) == Hello("c", None, {"nodes": 3})
    ack = {"type": "ack", "client": "c", "epoch": "e", "n": 4, "have": {}}
    assert read(ack) == Ack("c", "e", 4, {})
    assert read({"type": "bye", "client": "c"}) == Bye("c")
    assert read(command(note="why")) == Command("c", "1", "prune", {"nodes": [1]}, "why")
    ask = {"type": "ask", "client": "c", "id": "1", "what": "items", "arguments": {"rows": [3, 3, 4]}}
    assert read(ask) == Ask("c", "1", "items", {"rows": [3, 4]})


GOOD = [
    ("start", {}), ("start", {"rounds": 3}), ("pause", {}), ("step", {"n": 2}), ("branch", {"nodes": [0, 4]}),
    ("branch", {"rows": list(range(50))}), ("branch", {"center": list(range(2_000))}),
    ("prune", {"nodes": [1], "subtree": False}), ("restore", {"nodes": [1]}),
    ("set", {"settings": {"k": 3, "budget": None, "batch_size": None, "prune": None}}),
    ("set", {"settings": {"update": {"name": "RLUpdate", "parameters": {"lrs": [0.1, 1], "max_norm": None}}}}),
]  # fmt: skip

BAD = [
    ("explode", {}), ("pause", {"now": True}), ("start", {"rounds": 0}), ("start", {"rounds": True}),
    ("start", {"rounds": 1.0}), ("step", {"n": "1"}), ("branch", {}), ("branch", {"nodes": []}),
    ("branch", {"nodes": [1], "rows": [1]}), ("branch", {"nodes": [-1]}), ("branch", {"nodes": [2**40]}),
    ("branch", {"nodes": 3}), ("branch", {"nodes": [[1]]}), ("branch", {"rows": list(range(51))}),
    ("prune", {"nodes": [1], "subtree": 1}), ("prune", {}), ("prune", {"nodes": [math.nan]}), ("set", {}),
    ("set", {"settings": {"score": "os.system"}}), ("set", {"settings": {"k": math.inf}}),
    ("set", {"settings": {"update": {"name": "RLUpdate"}}}), ("set", {"settings": {"update": "RLUpdate"}}),
    ("set", {"settings": {"update": {"name": "RLUpdate", "parameters": {"lrs": [math.nan]}}}}),
    ("set", {"settings": {"update": {"name": "RLUpdate", "parameters": {"lrs": {"a": 1}}}}}),
    ("set", {"settings": {"update": {"name": "RLUpdate", "parameters": {"lrs": [0.0] * 65}}}}),
    ("prune", []), ("prune", None), (3, {}), (None, {}), (["prune"], {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), GOOD)
def test_commands_of_their_shape_are_taken(name: str, arguments: dict[str, Any]) -> None:
    assert read(command(name, arguments)).arguments == arguments


@pytest.mark.parametrize(("name", "arguments"), BAD)
def test_commands_of_another_shape_are_refused(name: Any, arguments: Any) -> None:
    with pytest.raises(InputError, match=r"Expected .*; got"):
        read({"type": "command", "client": "c", "id": "1", "name": name, "arguments": arguments})


@pytest.mark.parametrize(
    "change",
    [
        {"client": ""}, {"client": "x" * 65}, {"client": "a\nb"}, {"client": 3}, {"client": None}, {"id": "\ud800"},
        {"note": "x" * 2001}, {"note": None}, {"extra": 1}, {"type": "Command"}, {"type": None}, {"type": {}},
    ],
)  # fmt: skip
def test_envelopes_of_another_shape_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read({**command(), **change})


@pytest.mark.parametrize(
    "content",
    [
        {"type": "hello", "client": "c", "epoch": None},
        {"type": "hello", "client": "c", "epoch": 3, "have": {}},
        {"type": "hello", "client": "c", "epoch": None, "have": {"nodes": -1}},
        {"type": "hello", "client": "c", "epoch": None, "have": {"nodes": math.nan}},
        {"type": "hello", "client": "c", "epoch": None, "have": {str(i): 1 for i in range(33)}},
        {"type": "hello", "client": "c", "epoch": None, "have": [1]},
        {"type": "ack", "client": "c", "epoch": None, "n": 1, "have": {}},
        {"type": "ack", "client": "c", "epoch": "e", "n": 2**60, "have": {}},
        {"type": "bye"}, {}, [], None, 3, "hello", {"type": "hello"}, {1: 2},
    ],
)  # fmt: skip
def test_other_messages_of_another_shape_are_refused(content: Any) -> None:
    with pytest.raises(InputError):
        read(content)


def test_who_can_be_answered_is_known() -> None:
    assert sender(command("explode")) == ("reply", "c", "1")
    assert sender({"type": "ask", "client": "c", "id": "1"}) == ("answer", "c", "1")
    for content in (None, [], {}, {"type": "hello", "client": "c", "id": "1"}, command(client=[1]), command(id="")):
        assert sender(content) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=15,
)
WORDS = st.sampled_from([*COMMANDS, *ASKS, "hello", "ack", "bye", "command", "ask", "nodes", "rows", "settings"])
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "type": WORDS | JSON, "client": st.text(max_size=4) | JSON, "id": st.text(max_size=4) | JSON,
        "name": WORDS | JSON, "what": WORDS | JSON, "note": JSON, "epoch": JSON, "n": JSON, "have": JSON,
        "arguments": st.dictionaries(WORDS, JSON, max_size=3) | JSON,
    },
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(content=JSON | SHAPED)
def test_whatever_comes_is_read_or_refused(content: Any) -> None:
    try:
        read(content)
    except InputError as error:
        assert len(str(error)) < 1_000
    sender(content)
