"""What tells a search's file from another: its mark, the kinds of events in it, and the words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emb_opt_widgets.engine.events import BODIES, Body

__all__ = ["SEARCH_FILE", "FileForm"]


@dataclass(frozen=True, slots=True)
class FileForm:
    """A kind of file.

    Attributes:
        whose: "search": what the file is of.
        made_by: The call that makes such a file. opened_by: The call that goes on with it.
        application_id: SQLite's mark of the application.
        bodies: The kinds of events.
        durable: Kinds that are on the disk, with all before them, when `append` returns.
    """

    whose: str
    made_by: str
    opened_by: str
    application_id: int
    bodies: Mapping[str, type[Body]]
    durable: frozenset[str]


SEARCH_FILE = FileForm(
    whose="search",
    made_by="Search(path=…)",
    opened_by="emb_opt_widgets.load(path, …)",
    application_id=0x656F7730,
    bodies=BODIES,
    durable=frozenset(BODIES) - {"queries", "hits", "chosen", "pruned", "round_ended"},
)
