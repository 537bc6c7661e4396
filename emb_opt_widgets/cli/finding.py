"""One line of what `doctor` says."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `state` is "ok", "missing" (something will not work) or "absent" (optional, not there)."""

    what: str
    state: str
    found: str
    todo: str = ""
