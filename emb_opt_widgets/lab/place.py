"""Which file of the server's root a request may look at. Knows paths and the first bytes of a file, nothing of HTTP."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from emb_opt_widgets.errors import DamagedFileError, FileError
from emb_opt_widgets.live.store.sqlite import APPLICATION_ID

__all__ = ["ENDING", "Refused", "check_mark", "inside"]

ENDING = ".eow"
_MAGIC = b"SQLite format 3\x00"
_MARK_AT = 68
_BESIDE = ("-wal", "-shm", "-journal")


class Refused(FileError):
    """A path that nobody may look at through the server; says no more than that it is not there."""


def inside(root: Path, path: str, hidden: bool = False) -> Path:
    """The file a request names, with no link left in its path.

    Args:
        root: The server's root.
        path: As the file browser has it: relative to the root, with slashes.
        hidden: Whether names that begin with a dot are shown.

    Raises:
        Refused: It leads out of the root, or is no search's file by its name and kind.
    """
    refused = Refused("There is no such file")
    parts = path.strip("/").split("/")
    odd = any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts)
    if odd or (not hidden and any(part.startswith(".") for part in parts)) or not parts[-1].endswith(ENDING):
        raise refused
    try:
        top = root.resolve(strict=True)
        found = top.joinpath(*parts).resolve(strict=True)
        if not found.is_relative_to(top) or not stat.S_ISREG(os.lstat(found).st_mode) or found.suffix != ENDING:
            raise refused
    except (OSError, ValueError, RuntimeError) as error:
        raise refused from error
    if any(found.with_name(found.name + end).is_symlink() for end in _BESIDE):
        raise refused
    return found


def check_mark(file: Path, most: int) -> None:
    """Refuse what is not ours, by its first bytes.

    Args:
        file: A regular file.
        most: Bytes.

    Raises:
        DamagedFileError: It is not ours.
        FileError: It is larger than `most`.
    """
    with open(file, "rb") as opened:
        head = opened.read(100)
        size = os.fstat(opened.fileno()).st_size
    if not head.startswith(_MAGIC) or int.from_bytes(head[_MARK_AT : _MARK_AT + 4], "big") != APPLICATION_ID:
        raise DamagedFileError(
            f"{file.name} is not a search's file", expected="a file made by Search(path=…)", got="something else"
        )
    if size > most:
        raise FileError(
            f"{file.name} is too large to be shown here",
            expected=f"at most {most // 2**20:,} MB",
            got=f"{size // 2**20:,} MB",
            hint="emb-opt-widgets export FILE --html makes a page of it",
        )
