"""The model behind all widgets of one live object: what pages say comes in here, what they are sent goes out here.

Knows nothing of searches; `live_of` says what is made of an object.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import anywidget
import traitlets

from emb_opt_widgets.errors import EmbOptError, InputError
from emb_opt_widgets.live.notices import said_of
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.widgets.channel import Channel
from emb_opt_widgets.widgets.live import Live
from emb_opt_widgets.widgets.publisher import Publisher, publisher
from emb_opt_widgets.widgets.requests import Ask, Command, parse, sender
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.wire import refusal
from emb_opt_widgets.widgets.workers import ASKS, COMMANDS

__all__ = ["Feed", "live_of", "unpin"]

_log = logging.getLogger(__name__)
_REMEMBERED = 512
_open: weakref.WeakValueDictionary[int, Feed] = weakref.WeakValueDictionary()
_making = threading.RLock()


def live_of(subject: Any) -> Live:
    """What pages may see and do of an object, as `widgets/<its package>_feed.py` says.

    Raises:
        InputError: Nothing.
    """
    for base in type(subject).__mro__:
        package, _, rest = base.__module__.partition(".")
        name = f"emb_opt_widgets.widgets.{rest.split('.')[0]}_feed"
        if package == "emb_opt_widgets" and importlib.util.find_spec(name) is not None:
            made: Live = importlib.import_module(name).live_of(subject)
            return made
    raise InputError("There is nothing to show", expected="a search or a training", got=type(subject).__name__)


def unpin(comm: Any) -> None:
    """Have a comm's messages handled while a cell runs: ipykernel 7.4 binds a comm to the shell that last used it."""
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


class Feed(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]
    """One live object's model, without a view; all its widgets share it.

    Args:
        live: What it shows.
        by: Who keeps it up to date. None: the kernel's publisher.

    Attributes:
        selection: Ids of the selected nodes, ascending. color_by: What nodes are coloured by.
        kind: "search" or "training". version: The package's.
        refused: Messages of pages that could neither be used nor answered.
    """

    _esm = "export default {};"
    selection = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    color_by = traitlets.Enum(("max", "mean", "round", "operator"), "max").tag(sync=True)
    kind = traitlets.Unicode("search", read_only=True).tag(sync=True)
    version = traitlets.Unicode(version("emb_opt_widgets"), read_only=True).tag(sync=True)

    def __init__(self, live: Live, by: Publisher | None = None) -> None:
        self._live = live
        self._publisher = publisher() if by is None else by
        self._beats: list[Callable[[], None]] = []
        self._holders: set[int] = set()
        self._replies: OrderedDict[str, Future[dict[str, Any]]] = OrderedDict()
        self._closed = False
        self._context = copy_context()  # ipykernel 7.0 sends nothing from a thread that knows no cell
        self.refused = 0
        self._channel = Channel(live.watch, self._publish, self._publisher.wake, self._beat, self._failed)
        super().__init__()
        self.set_trait("kind", live.kind)
        self.on_msg(Feed._received)

    @traitlets.validate("selection")
    def _ascending(self, proposal: Any) -> list[int]:
        return sorted(set(proposal["value"]))

    @classmethod
    def of(cls, subject: Any) -> Feed:
        """The feed of an object: one each, made on first use.

        Raises:
            InputError: Nothing can be shown of it.
        """
        with _making:
            known = _open.get(id(subject))
            if known is None:
                known = _open[id(subject)] = cls(live_of(subject))
                known._subject = subject
            return known

    @classmethod
    def held(cls) -> list[Feed]:
        """Those that a widget uses, whether or not a page looks just now."""
        with _making:
            return [feed for feed in _open.values() if feed._holders]

    # -- for widgets ---------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether any page looks."""
        return self._channel.live

    @property
    def tables(self) -> Mapping[str, Table]:
        """The tables, while pages look; to be read by what `on_beat` calls."""
        return self._channel.tables

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts, while pages look; to be read by what `on_beat` calls."""
        return self._channel.facts

    def on_beat(self, fn: Callable[[], None]) -> Callable[[], None]:
        """Have a function called at most twice a second while pages look and something changed, and once soon.

        It is called in the publisher's thread, and must be quick.

        Returns:
            What ends it.
        """
        self._beats.append(fn)
        self._channel.beat_soon()

        def end() -> None:
            if fn in self._beats:
                self._beats.remove(fn)

        return end

    def hold(self, owner: object) -> None:
        """A widget uses it from here on."""
        with _making:
            self._holders.add(id(owner))

    def release(self, owner: object) -> None:
        """A widget is closed. With the last of them the feed closes."""
        with _making:
            self._holders.discard(id(owner))
            last = not self._holders
            if last:
                self._forget()
        if last:
            self.close()

    def pause(self, asked: Asked) -> None:
        """Ask what it shows to pause; where it does not run that changes nothing."""
        with contextlib.suppress(EmbOptError):
            self._live.command("pause", {}, asked)

    def open(self) -> None:
        """Open the comm, unless it is."""
        super().open()
        unpin(self.comm)

    def close(self) -> None:
        """Let go of pages and of the live object. Widgets that are left show what they had."""
        with _making:
            self._forget()
        if not self._closed:
            self._closed = True
            self._channel.close()
            self._beats.clear()
            self._replies.clear()
            self.on_msg(Feed._received, remove=True)
            self.layout.close()
        super().close()

    def _forget(self) -> None:
        for key in [key for key, feed in _open.items() if feed is self]:
            del _open[key]

    # -- what pages say ------------------------------------------------------------------------------------

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a page sets: the selection and the colours, nothing else."""
        super().set_state({name: value for name, value in sync_data.items() if name in ("selection", "color_by")})

    def _received(self, content: Any, _buffers: Any) -> None:
        """Take a page's message; nothing is done here but to look at its shape and to queue it."""
        try:
            request = parse(content, self._live.commands, self._live.asks)
            if isinstance(request, Command):
                taken = COMMANDS.put(partial(self._obey, request))
            elif isinstance(request, Ask):
                taken = ASKS.put(partial(self._answer, request))
            else:
                taken = self._channel.receive(request)
            if not taken:
                raise InputError("Too much is asked at once", hint="Try again")
        except Exception as error:
            self._refuse(content, error)

    def _refuse(self, content: Any, error: Exception) -> None:
        who = sender(content)
        if who is None or not COMMANDS.put(partial(self._publish, refusal(*who, error), [])):
            self.refused += 1

    def _obey(self, request: Command) -> None:
        """Apply a command, once for each id; whoever asks for it hears how it went."""
        if self._closed:
            return
        done = self._replies.get(request.id)
        if done is None:
            asked = Asked("browser", request.id, request.note)
            try:
                done = self._live.command(request.name, request.arguments, asked)
            except Exception as error:
                done = Future()
                done.set_exception(error)
            self._replies[request.id] = done
            while len(self._replies) > _REMEMBERED:
                self._replies.popitem(last=False)
        if not done.done():
            self._publish({"type": "taken", "id": request.id, "client": request.client}, [])
        done.add_done_callback(lambda future: COMMANDS.put(partial(self._reply, request, future), always=True))
        self._channel.changed()

    def _reply(self, request: Command, done: Future[dict[str, Any]]) -> None:
        error = done.exception()
        if error is not None:
            self._publish(refusal("reply", request.client, request.id, error), [])
        else:
            head = {"type": "reply", "id": request.id, "client": request.client, "ok": True}
            self._publish({**done.result(), **head}, [])

    def _answer(self, request: Ask) -> None:
        if self._closed:
            return
        head = {"type": "answer", "id": request.id, "client": request.client, "ok": True}
        try:
            answer = self._live.ask(request.what, request.arguments)
            self._publish({**head, "data": dict(answer.data)}, answer.buffers)
        except Exception as error:
            _log.info("%s could not be answered", request.what, exc_info=error)
            self._publish(refusal("answer", request.client, request.id, error), [])

    # -- what pages are sent -------------------------------------------------------------------------------

    def _publish(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if not self._closed:
            self._context.copy().run(self.send, content, cast(Any, buffers))

    def _beat(self) -> None:
        for fn in tuple(self._beats):
            try:
                self._context.copy().run(fn)
            except Exception as error:
                _log.exception("what follows the display failed")
                self._failed(f"What follows the display failed: {said_of(error)}")

    def _failed(self, text: str) -> None:
        self._live.notify("display", text)
