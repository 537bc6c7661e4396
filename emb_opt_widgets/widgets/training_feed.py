"""A training as pages see and steer it: the `Live` of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.live.store import SQLiteStore
from emb_opt_widgets.training.engine import TrainingRun
from emb_opt_widgets.training.loop import Training
from emb_opt_widgets.training.steering import TrainingSteering
from emb_opt_widgets.widgets.live import Answer, Watch
from emb_opt_widgets.widgets.requests import Schema, integer
from emb_opt_widgets.widgets.search_facts import Rate, file_of
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.training_facts import TrainingStanding, training_facts
from emb_opt_widgets.widgets.training_journal import TrainingJournal
from emb_opt_widgets.widgets.training_tables import TrainingTables
from emb_opt_widgets.widgets.workers import ASKS

__all__ = ["TrainingLive", "TrainingWatch", "live_of"]

COMMANDS: Mapping[str, Schema] = {
    "start": Schema(may={"steps": integer(1, 2**53)}),
    "pause": Schema(),
    "resume": Schema(),
    "step": Schema(may={"n": integer(1, 1_000_000)}),
    "stop": Schema(),
    "use_best": Schema(),
}
_PATIENCE = 0.05


class TrainingWatch:
    """A training being watched: hears that something happened, and reads it out of the state when asked.

    Args:
        controller: What drives it.
        journal: Lines of the log; outlives one watch.
        changed: Called when there is something to fold.
    """

    def __init__(self, controller: TrainingRun, journal: TrainingJournal, changed: Callable[[], None]) -> None:
        self._controller, self._journal, self._changed = controller, journal, changed
        self._rate = Rate()
        store = controller.store
        self._file = file_of(store.path if isinstance(store, SQLiteStore) else None)
        self._facts: Mapping[str, Any] = {}
        with controller.lock:
            self._made = TrainingTables(controller.state, controller.lock)
            events = journal.begin()
            self._end = controller.listen(self._hear)
            self._unfollow = controller.notices.follow(changed)
        made = self._made
        self.tables: Mapping[str, Table] = {
            "steps": made.steps, "evaluations": made.evaluations, "cache_ages": made.ages, "events": events,
        }  # fmt: skip

    def _hear(self, bodies: Sequence[ev.Body]) -> None:
        self._journal.hear(bodies)
        self._changed()

    def fold(self) -> Mapping[str, Any]:
        """Bring the tables up to date; the facts, or those of before while the training keeps its lock."""
        lock = self._controller.lock
        if not lock.acquire(timeout=_PATIENCE if self._facts else -1):
            self._changed()
            return self._facts
        try:
            standing = TrainingStanding.of(self._controller)
        finally:
            lock.release()
        self._made.take()
        if self._journal.fold(self.tables["events"]):
            self._changed()
        self._facts = training_facts(standing, self._rate, self._made.caches, self._file)
        return self._facts

    def close(self) -> None:
        """Stop listening."""
        with self._controller.lock:
            self._end()
            self._unfollow()
            self._journal.end()


class TrainingLive:
    """What pages may see and do of a training.

    Args:
        training: The training.
    """

    kind = "training"
    commands = COMMANDS
    asks: Mapping[str, Schema] = {}

    def __init__(self, training: Training) -> None:
        self._controller = training.controller
        self._journal = TrainingJournal(training.controller)

    def watch(self, changed: Callable[[], None]) -> Watch:
        """Begin to listen."""
        return TrainingWatch(self._controller, self._journal, changed)

    def command(self, name: str, arguments: Mapping[str, Any], asked: Asked) -> Future[dict[str, Any]]:
        """Steer it; waits for nothing."""
        out: Future[dict[str, Any]] = Future()
        steering = TrainingSteering(self._controller)
        if name == "pause" and self._controller.status is RunStatus.PAUSED:
            out.set_result({})
            return out
        if name == "use_best":
            if not ASKS.put(lambda: _tell(out, partial(steering.use_best, asked))):
                raise InputError("Too much is asked at once", hint="Try again")
            return out
        deeds: Mapping[str, Callable[[], Future[list[int]]]] = {
            "start": lambda: steering.start(arguments.get("steps"), asked),
            "pause": lambda: steering.pause(asked),
            "resume": lambda: steering.resume(asked),
            "step": lambda: steering.step(arguments.get("n", 1), asked),
            "stop": lambda: steering.stop(asked),
        }
        _tell(out, deeds[name])
        return out

    def notify(self, source: str, text: str) -> None:
        """Tell the person something, in Python and on all pages."""
        self._controller.notify(source, text)

    def ask(self, what: str, arguments: Mapping[str, Any]) -> Answer:
        """Pages have no questions: all there is to see is in the tables."""
        raise InputError("Nothing can be asked of a training", expected="nothing", got=what)


def _tell(out: Future[dict[str, Any]], deed: Callable[[], Future[list[int]]]) -> None:
    """Do what is asked, and hand on how it went."""

    def done(inner: Future[list[int]]) -> None:
        error = inner.exception()
        if error is None:
            out.set_result({})
        else:
            out.set_exception(error)

    try:
        deed().add_done_callback(done)
    except Exception as error:
        out.set_exception(error)


def live_of(training: Training) -> TrainingLive:
    """What pages may see and do of a training."""
    return TrainingLive(training)
