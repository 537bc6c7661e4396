"""The words for where a search, a node or an item stands."""

from __future__ import annotations

from enum import Enum, IntEnum

__all__ = ["Activity", "Ending", "ItemStatus", "NodeStatus", "Pausing", "Pending", "Phase", "RunStatus", "SearchStatus"]


class RunStatus(str, Enum):
    """Where a search, or a training, stands."""

    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


SearchStatus = RunStatus
"""As 0.1 called it."""


class Activity(str, Enum):
    """What a search does just now. Not logged."""

    RETRIEVING = "retrieving"
    SCORING = "scoring"
    THINKING = "thinking"
    WAITING = "waiting"
    """For scores from elsewhere."""
    RESTING = "resting"

    def __str__(self) -> str:
        return self.value


class Ending(str, Enum):
    """How a search ended; the text tells a person what to do next."""

    ROUNDS = "The rounds asked for are done. run(rounds=…) goes on from here."
    BUDGET = "The budget is spent. set(budget=…) and run() go on from here."
    EXHAUSTED = "No query is left and nothing new is proposed. branch(…) gives the search a new start."
    STALLED = "The last {n} rounds found nothing new. branch(…), set(update=…) or set(k=…) give it a new direction."
    REACHED = "The score asked for is reached. set(until=…) and run() go on from here."
    UNIMPROVED = "The last {n} calls found nothing better. set(until=…) and run() go on from here."
    TIMED = "The time given is over. run() goes on from here."
    STOPPED = "Stopped by a person. run() goes on from here."
    FAILED = "{error}"

    def __str__(self) -> str:
        return self.name.lower()


class Pausing(str, Enum):
    """Why a search is paused; the text tells a person what to do next."""

    ASKED = "Paused. resume(), step() or run() goes on."
    INTERRUPT = "Paused by an interrupt. Resume goes on, or run()."
    PRUNED = "All that is left lies where you pruned. undo() or restore(node) opens it again; run() then goes on."

    @classmethod
    def by(cls, who: str) -> Pausing:
        """That of a pause that somebody asks for: "keyboard" is who interrupts a cell."""
        return cls.INTERRUPT if who == "keyboard" else cls.ASKED


class Pending(IntEnum):
    """Who measures an item of which there is no answer yet."""

    NOBODY = 0
    WORKER = 1
    PERSON = 2


class NodeStatus(IntEnum):
    """Where a node of the tree stands."""

    ACTIVE = 0
    PRUNED = 1
    REMOVED = 2
    UNDONE = 3

    def __str__(self) -> str:
        return self.name.lower()


class ItemStatus(IntEnum):
    """What is known of an item."""

    NEW = 0
    CANDIDATE = 1
    SCORED = 2
    FILTERED = 3
    FAILED = 4
    PENDING = 5
    """Handed out, no answer yet."""
    DROPPED = 6
    """Measured once, and not in the source any more."""

    def __str__(self) -> str:
        return self.name.lower()


class Phase(IntEnum):
    """The next step of the round."""

    PROPOSE = 0
    RETRIEVE = 1
    FILTER = 2
    CHOOSE = 3
    SCORE = 4
    PRUNE = 5
