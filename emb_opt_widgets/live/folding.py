"""Events of a file, folded one by one."""

from __future__ import annotations

from typing import Any, Protocol

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.errors import DamagedFileError, EmbOptError

__all__ = ["check_whole", "fold"]


class Folding(Protocol):
    """What takes in events."""

    def apply(self, body: ev.Body) -> None:
        """One."""


def fold(state: Folding, event: ev.Event, name: str) -> None:
    """Take in an event of a file.

    Raises:
        DamagedFileError: It does not fit those before.
    """
    try:
        state.apply(event.body)
    except EmbOptError:
        raise
    except Exception as error:
        raise DamagedFileError(
            f"Event {event.seq} of {name} does not fit those before", hint="Restore a copy"
        ) from error


def check_whole(config: Any, name: str, noun: str) -> None:
    """Raise `DamagedFileError` where a file's events made no search, or no training."""
    if not config:
        raise DamagedFileError(f"{name} holds no {noun}", expected=f"a {noun}'s events", got="none")
