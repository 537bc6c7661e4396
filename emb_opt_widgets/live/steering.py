"""Who asks for something of a live thing, and why."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PERSON", "Asked"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for something, and why.

    Attributes:
        who: "python", "browser", "keyboard".
        id: It takes effect once. None: a new one.
        note: For the log.
    """

    who: str = "python"
    id: str | None = None
    note: str = ""


PERSON = Asked()  # one who types Python
