"""One live object's pages: what each lacks, when it may be sent, and when it is gone. See `docs/wire.md`, "Rates".

All but `receive` and `changed` runs in the publisher's thread.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from emb_opt_widgets.widgets.clients import Client
from emb_opt_widgets.widgets.live import Watch
from emb_opt_widgets.widgets.requests import Ack, Bye, Hello
from emb_opt_widgets.widgets.tables import Part, Table
from emb_opt_widgets.widgets.wire import delta

__all__ = ["Channel"]

INTERVAL = 0.1
RATE = 50_000
BURST = 16_000
LEAST = 4_000
CATCH_UP = 256_000
BEAT = 0.5
REFOLD = REST = 1.0
MEND = 5.0
_MOST_CLIENTS = 32
_MOST_WAITING = 1_000

Send = Callable[[dict[str, Any], list[bytes]], None]


class Channel:
    """The pages that look at one live object.

    Args:
        watch: Begins to watch it; is told what to call when there is something to fold.
        send: Sends a message to all pages.
        wake: Has `tick` called soon.
        beat: Called at most twice a second while pages look and something changed.
        failed: Told, in a sentence, when the display could not be kept up to date.
    """

    def __init__(
        self,
        watch: Callable[[Callable[[], None]], Watch],
        send: Send,
        wake: Callable[[Channel], None],
        beat: Callable[[], None] = lambda: None,
        failed: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._begin, self._send, self._wake, self._beat, self._failed = watch, send, wake, beat, failed
        self._inbox: deque[Hello | Ack | Bye] = deque()
        self._clients: dict[str, Client] = {}
        self._left: deque[str] = deque(maxlen=64)
        self._watch: Watch | None = None
        self._dirty = self._closed = False
        self.epoch: str | None = None
        self.facts: Mapping[str, Any] = {}
        self._version = self._n = self._weight = 0
        self._folded = self._sent = self._beaten = self._filled = self._stirred = float("-inf")
        self._refold: float | None = None
        self._beat_due = False
        self._mended = float("-inf")
        self._allowance = float(BURST)

    def beat_soon(self) -> None:
        """Someone new listens to the beat: let it come though nothing changed."""
        if self.live:
            self._beat_due = True
            self._wake(self)

    @property
    def tables(self) -> Mapping[str, Table]:
        """The tables, while pages look. To be read in the publisher's thread."""
        return {} if self._watch is None else self._watch.tables

    @property
    def live(self) -> bool:
        """Whether any page looks."""
        return bool(self._clients)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do for it until it wakes the publisher."""
        return not self._clients and not self._inbox

    # -- from any thread -----------------------------------------------------------------------------------

    def receive(self, message: Hello | Ack | Bye) -> bool:
        """Take what a page says, to be read soon; whether there was room."""
        if self._closed or len(self._inbox) >= _MOST_WAITING:
            return False
        self._inbox.append(message)
        self._wake(self)
        return True

    def changed(self) -> None:
        """There is something to fold."""
        if not self._dirty:
            self._dirty = True
            self._wake(self)

    def close(self) -> None:
        """Send nothing more, and stop watching soon."""
        self._closed = True
        self._inbox.clear()
        self._wake(self)

    # -- in the publisher's thread -------------------------------------------------------------------------

    def tick(self, now: float) -> float | None:
        """Do what is due; when something is due again."""
        self._read(now)
        for name in [name for name, client in self._clients.items() if client.gone(now)]:
            del self._clients[name]
        if self._closed or not self._clients:
            self._rest()
            return None
        if now < self._mended:
            return self._mended
        if self._watch is None:
            self._open()
        if self._must_fold() <= now:
            self._fold(now)
        self._deliver(now)
        if self._beat_due and now - self._beaten >= BEAT:
            self._beat_due, self._beaten = False, now
            self._beat()
        return self._due(now)

    def fail(self, error: Exception, now: float) -> float | None:
        """Something went wrong: tell the pages, and begin anew after a while."""
        text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        trouble = f"The display could not be kept up to date: {text}"
        facts = {**self.facts, "trouble": trouble}
        pages, epoch = list(self._clients), self.epoch or secrets.token_hex(4)
        with contextlib.suppress(Exception):
            self._rest()
        self._failed(trouble)
        if len(facts) > 1:
            self._n += 1
            with contextlib.suppress(Exception):
                self._send(*delta(self._n, epoch, None, facts, {}))
        self._clients = {} if self._closed else {name: Client({}, {}) for name in pages}
        self._mended = now + MEND
        return self._mended if self._clients else None

    def _open(self) -> None:
        self._dirty = True
        self._folded = float("-inf")
        self._watch = self._begin(self.changed)
        self.epoch = secrets.token_hex(4)

    def _rest(self) -> None:
        """Nobody looks: forget everything."""
        self._clients.clear()
        watch, self._watch = self._watch, None
        self.epoch, self.facts = None, {}
        self._dirty = self._beat_due = False
        self._refold = None
        if watch is not None:
            watch.close()

    def _read(self, now: float) -> None:
        while self._inbox:
            message = self._inbox.popleft()
            known = self._clients.get(message.client)
            if isinstance(message, Bye):
                self._clients.pop(message.client, None)
                self._left.append(message.client)
            elif isinstance(message, Ack) and known is not None and message.epoch == self.epoch:
                known.acknowledge(message.n, now, self._known(message.have))
            elif isinstance(message, Hello) or (known is None and message.client not in self._left):
                self._greet(message)

    def _greet(self, message: Hello | Ack) -> None:
        """A page appears; one that was taken for gone and acknowledges something is as good as new."""
        while len(self._clients) >= _MOST_CLIENTS and message.client not in self._clients:
            del self._clients[next(iter(self._clients))]
        mine = message.epoch == self.epoch and self._watch is not None
        have = self._known(message.have) if mine else {}
        self._clients[message.client] = Client(dict(have), dict(have))

    def _known(self, have: Mapping[str, int]) -> dict[str, int]:
        """Stamps of tables that there are; one from the future counts as none."""
        tables = self.tables
        return {name: stamp for name, stamp in have.items() if name in tables and stamp <= tables[name].clock}

    # -- folding -------------------------------------------------------------------------------------------

    def _must_fold(self) -> float:
        """When to fold next; infinity: not before something changes."""
        if self._dirty:
            return self._folded + INTERVAL
        return float("inf") if self._refold is None else self._refold

    def _fold(self, now: float) -> None:
        if self._watch is None:
            return
        self._dirty = False
        before = {name: table.clock for name, table in self._watch.tables.items()}
        facts = self._watch.fold()
        changed = facts != self.facts
        if changed:
            self.facts, self._weight = facts, len(json.dumps(facts, allow_nan=False))
            self._version += 1
        changed = changed or any(table.clock != before[name] for name, table in self._watch.tables.items())
        self._folded, self._refold = now, now + REFOLD if changed else None
        self._beat_due = self._beat_due or changed
        self._stirred = now if changed else self._stirred

    # -- sending -------------------------------------------------------------------------------------------

    def _deliver(self, now: float) -> None:
        clocks = {name: table.clock for name, table in self.tables.items()}
        for client in self._clients.values():
            if client.overdue(now):
                client.rewind()
            if now - self._stirred >= REST and client.behind(clocks, self._version):
                client.catching = True
        for name, client in self._clients.items():
            while client.catching and client.credit and client.behind(clocks, self._version):
                self._tell([name], CATCH_UP, now)
                client.catching = client.behind(clocks, self._version)
        behind = [name for name, c in self._clients.items() if not c.catching and c.behind(clocks, self._version)]
        ready = [name for name in behind if self._clients[name].credit]
        if not ready or now < self._next(now):
            return
        self._sent = now
        groups = [ready] if len(ready) == len(self._clients) else [[name] for name in ready]
        for group in groups:
            self._allowance -= self._tell(group, int(self._allowance) // len(groups), now)

    def _next(self, now: float) -> float:
        """When the next message may be sent to pages that are up to date."""
        if self._filled > float("-inf"):
            self._allowance = min(BURST, self._allowance + RATE * (now - self._filled))
        self._filled = now
        least = min(BURST, LEAST + self._weight)
        return max(self._sent + INTERVAL, now + max(0.0, least - self._allowance) / RATE)

    def _tell(self, names: list[str], budget: int, now: float) -> int:
        """Send one message; returns its weight in bytes."""
        group = [self._clients[name] for name in names]
        base = {name: min(c.sent.get(name, 0) for c in group) for name in self.tables}
        news = any(c.facts_have != self._version for c in group)
        facts = self.facts if news else None
        parts = self._parts(base, budget - (self._weight if news else 0))
        self._n += 1
        to = None if len(names) == len(self._clients) else names[0]
        content, buffers = delta(self._n, str(self.epoch), to, facts, parts)
        reached = {name: part.to for name, part in parts.items()}
        for client in group:
            client.note(self._n, now, reached, self._version if news else None)
        self._send(content, buffers)
        return len(json.dumps(content, allow_nan=False)) + sum(len(buffer) for buffer in buffers)

    def _parts(self, base: Mapping[str, int], budget: int) -> dict[str, Part]:
        """What is missing of every table, the little ones first; what they leave is shared by the others."""
        behind = sorted((t.clock - base[name], name) for name, t in self.tables.items() if t.behind(base[name]))
        out: dict[str, Part] = {}
        for i, (_, name) in enumerate(behind):
            share = max(0, budget) // (len(behind) - i)
            out[name] = self.tables[name].part(base[name], max(share, 200))
            budget -= out[name].nbytes + 300
        return out

    def _due(self, now: float) -> float | None:
        """When something is due again."""
        clocks = {name: table.clock for name, table in self.tables.items()}
        due = [self._must_fold()]
        if self._beat_due:
            due.append(self._beaten + BEAT)
        for client in self._clients.values():
            silent = client.due()
            if silent is not None:
                due.append(silent)
            if client.credit and client.behind(clocks, self._version):
                due.append(self._next(now))
        soonest = min(due)
        return None if soonest == float("inf") else soonest
