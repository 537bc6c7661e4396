"""How a search goes on: round after round, as its configuration says. Knows no thread and no queue."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.calls import CallHealth
from emb_opt_widgets.engine.open_rounds import Wanted, is_open, run_open_rounds
from emb_opt_widgets.engine.protocols import Believes
from emb_opt_widgets.engine.rounds import Gather, Parts, run_round, verdict
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import Activity, Ending, Phase, RunStatus
from emb_opt_widgets.engine.until import reached
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import InputError, StateError, failing_as
from emb_opt_widgets.executors import Workers
from emb_opt_widgets.live.commands import Command
from emb_opt_widgets.live.protocols import Bodies, Pulse
from emb_opt_widgets.live.run import Run
from emb_opt_widgets.live.store import MemoryStore, Store
from emb_opt_widgets.search.commands import COMMANDS, apply_command
from emb_opt_widgets.search.reconcile import prints_of, sealed
from emb_opt_widgets.search.settings import LIVE, Functions, make_parts
from emb_opt_widgets.strategies.portfolio import Portfolio, SurrogateUpdate
from emb_opt_widgets.strategies.portfolio.operators import Operator

__all__ = ["SearchEngine", "SearchRun", "activity_of", "driven", "note_weakness"]

_ACTIVITY = {
    Phase.PROPOSE: Activity.THINKING, Phase.RETRIEVE: Activity.RETRIEVING, Phase.FILTER: Activity.SCORING,
    Phase.CHOOSE: Activity.THINKING, Phase.SCORE: Activity.SCORING, Phase.PRUNE: Activity.THINKING,
}  # fmt: skip


class SearchEngine:
    """A search's rounds and its commands.

    Args:
        source: What is searched.
        functions: The person's own functions by name.
        workers: Where score calls run, or None.
        state: The fold.

    Attributes:
        gather: Rows to items.
        waits: Whether it waits just now for calls that are under way.
    """

    noun = "search"
    unit = "rounds"

    def __init__(
        self,
        source: BoundSource,
        functions: Functions,
        workers: Workers | None,
        state: State,
    ) -> None:
        self.source = source
        self.functions = functions
        self.gather = Gather(state, source)
        self._state = state
        self._workers = workers
        self._cache: dict[str, Any] = {}
        self._health = {role: CallHealth(worked=state.best_row >= 0) for role in ("score", "filter")}
        self.waits = False
        self._began = time.monotonic()
        self._made: tuple[dict[str, Any], Parts] | None = None
        self.thoughts: dict[str, Any] = {}
        self._believed: tuple[tuple[Any, ...], npt.NDArray[np.float64] | None] | None = None

    def parts(self) -> Parts:
        """What a round is made with, by the present configuration; made once for each."""
        config = self._state.config
        present = {key: config.get(key) for key in LIVE}
        if self._made is None or self._made[0] != present:
            if self._made is not None and self._made[0]["score"] != present["score"]:
                self._health["score"] = CallHealth()
            made = make_parts(
                self._state, self.source, self.functions, self._workers, self._cache, self.gather, self._health
            )
            self._made = present, made
        return self._made[1]

    @property
    def scores(self) -> bool:
        """Whether there is a score function to call."""
        return self.functions.score(self._state.config.get("score")) is not None

    def believed(self) -> npt.NDArray[np.float64] | None:
        """What measured items are believed to gain, as `Believes.believe` tells; asked again when there are others."""
        update, state = self.parts().update, self._state
        if not isinstance(update, Believes):
            return None
        measured = state.measurements
        of = update, state.config.get("noise"), len(measured), int(np.count_nonzero(measured["replaced"]))
        if self._believed is None or self._believed[0] != of:
            with failing_as("update"):
                self._believed = of, update.believe(SearchView(state, self.source.source, {}))
        return self._believed[1]

    def use(self, workers: Workers | None) -> None:
        """Make score calls there from now on."""
        if self._workers is not None:
            self._workers.close()
        self._workers = workers
        self._made = None

    def forget(self) -> None:
        """The source is another now: what was made of it is made again."""
        self._cache.clear()
        self.thoughts.clear()
        self._made = None

    # -- rounds --------------------------------------------------------------------------------------------

    def advance(self, pulse: Pulse) -> Iterator[Bodies]:
        """A round, or the rest of one; where calls need not wait for each other, rounds until the engine is to rest."""

        def parts() -> Parts:
            return replace(self.parts(), checkpoint=pulse.checkpoint, notify=lambda text: pulse.notify("update", text))

        def until() -> int | None:
            known = [n for n in (self._state.until, pulse.pause_after) if n is not None]
            return min(known, default=None)

        if is_open(parts()):
            wanted = Wanted(parts, lambda: not pulse.halting and not self._reached(), until, self._waits)
            return self._told(run_open_rounds(self._state, wanted), pulse)
        return self._told(run_round(self._state, parts(), lambda: pulse.may_call() and not self._reached()), pulse)

    def _waits(self, waiting: bool) -> None:
        self.waits = waiting

    def _told(self, groups: Iterator[Bodies], pulse: Pulse) -> Iterator[Bodies]:
        """The same groups; what calls should tell a person is told between them."""
        for group in groups:
            yield group
            parts = self.parts()
            for told in (parts.score, parts.pricing):
                for text in () if told is None else told.news():
                    pulse.notify("calls", text)

    def _reached(self) -> bool:
        """Whether one of the endings beside the budget has come."""
        return reached(self._state, self._seconds) is not None

    @property
    def _seconds(self) -> float:
        """How long this run has been going."""
        return time.monotonic() - self._began

    def rest(self, last: ev.Body) -> Iterator[Bodies]:
        """As in `Engine`."""
        yield [last]

    def verdict(self) -> ev.Finished | None:
        """As in `Engine`."""
        return verdict(self._state, self._seconds)

    def reason(self) -> str:
        """As in `Engine`."""
        state = self._state
        if not self.scores and state.ending is None:
            waiting = len(state.reserved)
            told = f"Waiting for the scores of {waiting} items: tell(items, scores), or give_back(items)."
            return told if waiting else "ask() hands out the next items to score."
        if state.ending == Ending.BUDGET.name and state.calls_left != 0:
            return "The budget was raised. run() goes on."
        if not state.n_failed:
            return state.reason
        return f"{state.reason} {state.n_failed} of {state.n_scored} scores failed, the last: {state.failure}"

    # -- what may be asked ---------------------------------------------------------------------------------

    def check(self, command: Command) -> None:
        """As in `Orders`."""
        if command.name not in COMMANDS:
            raise InputError("This is no command of a search", expected=", ".join(COMMANDS), got=command.name)

    def apply(self, command: Command, running: bool) -> Iterator[Bodies]:
        """As in `Orders`."""
        yield apply_command(command, self._state, self.parts())

    def check_start(self, until: int | None) -> None:
        """As in `Startable`."""
        if not self.scores:
            raise StateError("This search has no score function", hint="Use ask() and tell(), or pass score=…")
        if self.over:
            raise StateError("The budget is spent", hint="Raise it first: set(budget=…)")
        self._began = time.monotonic()

    def check_step(self) -> None:
        """As in `Startable`."""
        self.check_start(None)
        state = self._state
        if state.ending not in (None, Ending.ROUNDS.name):
            raise StateError(f"The search is {state.status}", hint=self.reason())

    def stepping(self, until: int | None, count: int) -> ev.Body:
        """As in `Startable`."""
        return ev.Resumed(None if self._state.ending else until)

    # -- where it stands -----------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Finished, and with nothing left to spend."""
        return self._state.status is RunStatus.FINISHED and self._state.calls_left == 0

    def close(self) -> None:
        """As in `Startable`."""
        if self._workers is not None:
            self._workers.close()

    def payload(self, bodies: Bodies) -> Sequence[tuple[int, Any]]:
        """What newly scored items stand for, for those who will look at the file without the source; and the prints of
        their vectors, by which they are known again."""
        out: list[tuple[int, Any]] = []
        seen = len(self._state.ids)
        fresh: dict[int, Any] = {}
        for body in bodies:
            if isinstance(body, ev.Added) and body.embeddings is not None:
                fresh.update(zip(range(seen, seen + len(body.new_ids)), body.embeddings))
            if isinstance(body, ev.Scored):
                rows = np.asarray(body.rows)
                out += self._stood_for(rows[rows < seen])
                late = [row for row in rows.tolist() if row in fresh]
                prints = prints_of(np.stack([fresh[row] for row in late])) if late else []
                out += [(row, [None, {}, sealed(row, one)]) for row, one in zip(late, prints)]
        return out

    def _stood_for(self, rows: npt.NDArray[Any]) -> list[tuple[int, Any]]:
        if not len(rows):
            return []
        items = self.gather.payload(rows)
        whole, prints = items.items, prints_of(self._state.items["embedding"][rows])
        return [
            (int(row), [None if whole is None else whole[i], items.row_data(i), sealed(int(row), prints[i])])
            for i, row in enumerate(rows)
        ]


SearchRun = Run[State, SearchEngine]


def driven(
    source: BoundSource,
    functions: Functions,
    workers: Workers | None,
    store: Store,
    state: State,
) -> SearchRun:
    """What drives a search."""
    engine = SearchEngine(source, functions, workers, state)
    run = Run(engine, state, store) if isinstance(store, MemoryStore) else Run(engine, state, store, engine.payload)
    return run


def note_weakness(run: SearchRun) -> None:
    """Tell the person where the default strategy cannot do its best."""
    source, update = run.engine.source, run.engine.parts().update
    if not isinstance(update, (Portfolio, SurrogateUpdate)) or source.readable or source.volatile:
        return
    text = (
        f"{type(source.source).__name__} cannot be read through: it has no scan(batch). The strategy then knows only "
        "what queries find, and finds less with the same calls. Give the source a scan, or search the vectors as an "
        "array."
    )
    if isinstance(update, Portfolio) and update.operators != Portfolio().operators:
        unused = [str(one.name) for one in update.operators if isinstance(one, Operator)]
        text += f" Operators that need to read it take no part: {', '.join(unused)}." if unused else ""
    run.notify("source", text)


def activity_of(run: SearchRun) -> Activity:
    """What a search does just now."""
    if run.running:
        return Activity.SCORING if run.engine.waits else _ACTIVITY[run.state.phase]
    return Activity.WAITING if run.state.reserved else Activity.RESTING
