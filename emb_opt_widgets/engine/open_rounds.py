"""Rounds whose calls need not wait for each other: whenever workers have room, the next batch is proposed.

    hand out → room for more? → close the round → propose → retrieve → filter → choose → hand out → …

A round is one batch of proposals. It closes when all of it is handed out and more is wanted: what is pending then is
known to the next proposal, and scores that come late count for the nodes that found their items. The order in which
scores come is in the log; a replay repeats it. What a pause takes back from the workers' queue stays pending, and is
handed out again when the engine goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.caller import Caller
from emb_opt_widgets.engine.calls import Answered, Halt, Outcome
from emb_opt_widgets.engine.protocols import Asynchronous
from emb_opt_widgets.engine.rounds import (
    Bodies,
    Parts,
    close_round,
    exhausted,
    halted,
    propose,
    run_round,
    scored_event,
    verdict,
)
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import Pending, Phase
from emb_opt_widgets.engine.view import Interrupted

__all__ = ["Wanted", "is_open", "run_open_rounds"]

_LOOK = 0.05
"""Seconds after which commands are looked for though no call ended."""
_LATEST = 0.3
"""Weight of the latest measurement in a running mean."""
_WINDOW = 257
"""Ends of calls that tell how long one takes."""
_AHEAD = 16
"""Calls that may wait for each worker, however long thinking takes."""
_FROM_EACH = 4
"""Calls that may wait for each that ended: few tell little of how long a call takes."""
_IDLE = 0.03
"""Share of their time that workers may be idle for want of proposals; less is paid for with older knowledge."""
_WIDER, _NARROWER, _MARGIN = 1.3, 0.9, (0.25, 4.0)
"""How the margin changes where they were idle for longer, where they were not, and its ends."""
_SPARE = 1.25
"""Calls of a round for each that ends while it is thought of: fewer, and thinking could not keep up."""


def is_open(parts: Parts) -> bool:
    """Whether calls need not wait for each other: there are workers, and the strategy can propose beside what they
    have."""
    able = isinstance(parts.update, Asynchronous) and parts.update.asynchronous
    return able and parts.score is not None and parts.score.pooled


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the engine just now; asked again and again, since a person may change it meanwhile.

    Attributes:
        parts: What a round is made with.
        gate: Whether calls may be made; once False, those in flight end and are kept, and the engine comes to rest.
        until: How many rounds are to be done; None: no end.
        waits: Told when the engine begins to wait for calls (True), and when it has waited (False).
    """

    parts: Callable[[], Parts]
    gate: Callable[[], bool]
    until: Callable[[], int | None]
    waits: Callable[[bool], None] = lambda waiting: None


class _Tempo:
    """How long thinking takes, and how long a call: how many calls must wait in the workers' queue, so that none of
    them is idle meanwhile.

    A call's mean time is what all workers spent together over the calls that ended; so calls that are still under way
    count, and idle workers do not. What waits was proposed without knowing the answers that come meanwhile: so the
    margin shrinks until workers are idle for the small share of their time that they may be, and grows beyond it.
    """

    def __init__(self) -> None:
        self._thinking = 0.0
        self._latest = 0.0
        self._margin = 1.0
        self._looked = time.monotonic()
        self._spent = self._could = 0.0
        self._since = (0.0, 0.0)
        self._ends: deque[float] = deque([0.0], maxlen=_WINDOW)

    def thought(self, seconds: float) -> None:
        """A round was proposed."""
        self._latest = seconds
        self._thinking = seconds if not self._thinking else (1 - _LATEST) * self._thinking + _LATEST * seconds
        spent, could = self._spent - self._since[0], self._could - self._since[1]
        self._since = self._spent, self._could
        least, most = _MARGIN
        change = _WIDER if could - spent > _IDLE * could else _NARROWER
        self._margin = min(most, max(least, self._margin * change))

    def looked(self, flying: int, ended: int, workers: int) -> None:
        """So many calls of so many workers were in flight since the last look, and so many of them ended."""
        now = time.monotonic()
        took, self._looked = now - self._looked, now
        self._spent += flying * took
        self._could += max(flying, workers) * took
        self._ends.extend([self._spent] * ended)

    def ahead(self, workers: int) -> int:
        """Calls that end while the next round is thought of, to be kept in the queue."""
        ended = len(self._ends) - 1
        rate = workers * ended / max(self._spent - self._ends[0], 1e-3)
        wanted = self._margin * max(self._thinking, self._latest) * rate
        return min(_AHEAD * workers, _FROM_EACH * ended, int(np.ceil(wanted)))


class _Flow:
    """The calls in flight, of one caller after the other, and what came of those that ended meanwhile."""

    def __init__(self, gate: Callable[[], bool]) -> None:
        self.tempo = _Tempo()
        self.halt: Halt | None = None
        self.caller: Caller | None = None
        self._gate = gate
        self._retired: list[Caller] = []
        self._ended: list[Answered] = []

    def use(self, caller: Caller, state: State) -> None:
        """Make further calls with this one. What another has in flight ends, and is kept; what it has not begun, and
        what the program or a pause took from the workers, is handed in here."""
        if caller is self.caller:
            return
        if self.caller is not None:
            self.caller.recall()
            self._retired.append(self.caller)
        self.caller = caller
        flying = np.concatenate([one.in_flight for one in (caller, *self._retired)])
        rows = state.handed_out()
        rows = rows[state.items["pending"][rows] == Pending.WORKER] if len(rows) else rows
        adrift = rows[~np.isin(rows, np.concatenate([flying, caller.waiting]))]
        caller.submit(adrift)

    @property
    def busy(self) -> bool:
        """Whether a call is in flight or waits."""
        return any(one.busy for one in self._callers)

    @property
    def flying(self) -> bool:
        """Whether a call is in flight."""
        return self._n_flying > 0

    @property
    def _n_flying(self) -> int:
        return sum(one.n_flying for one in self._callers)

    @property
    def batch_size(self) -> int:
        """Items of a call."""
        return 1 if self.caller is None else self.caller.batch_size

    @property
    def ahead(self) -> int:
        """Calls to keep in the workers' queue."""
        return 0 if self.caller is None else self.tempo.ahead(self.caller.at_most)

    @property
    def free(self) -> int:
        """Calls that workers could take now."""
        return 0 if self.caller is None else self.caller.free

    @property
    def _callers(self) -> list[Caller]:
        return [*self._retired, *([] if self.caller is None else [self.caller])]

    def look(self) -> None:
        """Start what may start, and take in what ended."""
        flying = self._n_flying
        ended = [one for caller in self._callers for one in caller.poll(self._gate)]
        self._retired = [one for one in self._retired if one.busy]
        most = 1 if self.caller is None else self.caller.at_most
        self.tempo.looked(flying, sum(isinstance(one, Answered) for one in ended), most)
        self._take(ended)

    def settle(self) -> None:
        """Take in failures that were held back, where nothing else is left to call on."""
        self._take([one for caller in self._callers for one in caller.settle()])

    def recall(self) -> None:
        """Take back what has not begun."""
        for caller in self._callers:
            caller.recall()

    def wait(self) -> None:
        """Until a call ends, or commands are to be looked for."""
        caller = self._callers[-1]
        caller.bell.wait(min(_LOOK, *(one.patience() for one in self._callers)))
        caller.bell.clear()

    def _take(self, ended: list[Outcome]) -> None:
        self.halt = self.halt or next((one for one in ended if isinstance(one, Halt)), None)
        self._ended += [one for one in ended if isinstance(one, Answered)]

    def answers(self) -> list[Answered]:
        """What was answered since the last time."""
        ended, self._ended = self._ended, []
        return ended

    def room(self) -> int:
        """Items that may be handed out now."""
        if self.caller is None:
            return 0
        waiting = -(-len(self.caller.waiting) // self.batch_size)
        return (self.caller.free + max(0, self.ahead - waiting)) * self.batch_size


def run_open_rounds(state: State, wanted: Wanted) -> Iterator[Bodies]:
    """The events of rounds, one after the other, until there is nothing left to do or the engine is to rest.

    Args:
        state: The fold; whoever iterates applies each yielded group before going on.
        wanted: What is wanted.

    Yields:
        Bodies that belong together; an empty group while calls are under way.

    Raises:
        FunctionError: The score function fails and `on_error` is "raise", or the executor cannot be used.
    """
    flow = _Flow(wanted.gate)
    yield from _keep_busy(state, wanted, flow)
    flow.recall()
    while flow.flying:
        yield from _wait(wanted, flow)
    yield from _answered(wanted.parts(), flow)
    if flow.halt is not None and flow.halt.error is not None:
        raise flow.halt.error from flow.halt.error.__cause__
    if flow.halt is not None:
        yield halted(flow.halt)
    elif wanted.gate() and _is_over(state):
        yield close_round(state, wanted.parts())


def _is_over(state: State) -> bool:
    """Whether nothing of the present round is left to hand out, or to pay it with."""
    return state.phase in (Phase.SCORE, Phase.PRUNE) and not len(_chosen(state))


def _keep_busy(state: State, wanted: Wanted, flow: _Flow) -> Iterator[Bodies]:
    """Hand out, and propose where there is room, until there is nothing to do or the engine is to rest."""
    dry = False
    while True:
        flow.look()
        parts = wanted.parts()
        fresh = list(_answered(parts, flow))
        yield from fresh
        if flow.halt is not None or not wanted.gate() or parts.score is None or not is_open(parts):
            return
        flow.use(parts.score, state)
        dry = dry and not fresh
        room, rows = flow.room(), _chosen(state)
        if room and len(rows):
            handed = rows[:room]
            yield [ev.HandedOut(handed, "worker", None if parts.pricing is None else parts.pricing.costs(handed))]
            parts.score.submit(handed)
        elif room and not dry and not len(rows) and _may_begin(state, wanted.until()):
            began = time.monotonic()
            dry = yield from _next_round(state, parts, flow, wanted)
            flow.tempo.thought(time.monotonic() - began)
        elif flow.busy:
            yield from _wait(wanted, flow)
        else:
            flow.settle()
            fresh = list(_answered(parts, flow))
            yield from fresh
            if not fresh:
                return


def _chosen(state: State) -> npt.NDArray[np.int32]:
    """Rows that the round chose and nobody measures yet, as far as the budget goes."""
    return state.unscored()[: state.calls_left] if state.phase is Phase.SCORE else np.empty(0, np.int32)


def _wait(wanted: Wanted, flow: _Flow) -> Iterator[Bodies]:
    wanted.waits(True)
    flow.wait()
    wanted.waits(False)
    flow.look()
    yield from _answered(wanted.parts(), flow)
    yield []


def _answered(parts: Parts, flow: _Flow) -> Iterator[Bodies]:
    for answered in flow.answers():
        yield [scored_event(answered, parts.pricing)]


def _may_begin(state: State, until: int | None) -> bool:
    """Whether another round may be begun beside those whose scores are still to come."""
    begun = state.n_rounds + (state.phase in (Phase.SCORE, Phase.PRUNE))
    return (until is None or begun < until) and state.calls_left != 0


def _next_round(state: State, parts: Parts, flow: _Flow, wanted: Wanted) -> Generator[Bodies, None, bool]:
    """Close the round and begin the next, up to its choice; returns whether there is nothing to propose for now. What a
    person asks for is heard meanwhile, and thinking begins anew after it."""

    def checkpoint() -> None:
        flow.look()
        parts.checkpoint()

    at_once = max(1, flow.free, int(np.ceil(_SPARE * flow.ahead))) * flow.batch_size
    thinking = replace(parts, score=None, checkpoint=checkpoint, at_once=at_once)
    try:
        if state.phase in (Phase.SCORE, Phase.PRUNE):
            yield close_round(state, thinking)
        if verdict(state) is not None:
            return True
        if state.phase is Phase.PROPOSE:
            made = propose(state, thinking)
            dry = not len(made.parents) and not len(state.pending())
            if dry and flow.busy:
                return True
            yield [made]
            if dry:
                yield [exhausted(state, thinking)]
                return True
        for group in run_round(state, thinking, wanted.gate):
            if flow.busy and any(isinstance(body, ev.Finished) for body in group):
                return True
            yield group
    except Interrupted:
        yield []
    return False
