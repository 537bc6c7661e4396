"""What SQLite says, in words for a person."""

from __future__ import annotations

import sqlite3

from emb_opt_widgets.errors import DamagedFileError, FileError, FileInUseError
from emb_opt_widgets.live.store.form import FileForm

__all__ = ["translated"]

_DAMAGED = ("malformed", "too big", "not a database", "no such table", "corrupt")


def translated(error: sqlite3.Error, name: str, form: FileForm, verb: str) -> FileError:
    """An error of ours for one of SQLite's.

    Args:
        error: What it said. name: Of the file. form: What it is of.
        verb: What was tried: "opened", "read", "written", "copied".
    """
    text = str(error)
    if "locked" in text or "busy" in text:
        return FileInUseError(f"{name} is in use ({text})", hint="Close the other process that has it open")
    if any(word in text for word in _DAMAGED):
        return DamagedFileError(
            f"{name} is damaged, or not a {form.whose}'s file ({text})",
            expected=f"a file made by {form.made_by}",
            got="something else",
            hint="Restore it from a copy",
        )
    hints = {
        "full": "The disk is full: make room, then run() goes on; nothing that was scored is lost",
        "readonly": "The file or its folder is read-only: change its permissions, or choose another path",
        "unable to open": "Check that the folder exists and can be written to",
    }
    hint = next((h for word, h in hints.items() if word in text), "Check the disk, then run() goes on")
    return FileError(f"{name} cannot be {verb} ({text})", hint=hint)
