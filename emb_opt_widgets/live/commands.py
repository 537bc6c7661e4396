"""One thing that a person asks of a live thing, and what the log keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev

__all__ = ["Command", "nodes_made"]

_NONE = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """One thing asked.

    Attributes:
        name: pause, stop, start, resume or step, which every live thing takes, or one of its own.
        arguments: By name; may hold live objects.
        id: One effect for each id.
        who: Who asks. note: Why.
        plain: The arguments as plain values, for the log.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str
    who: str
    note: str
    plain: Mapping[str, Any]

    def event(
        self,
        nodes: npt.NDArray[Any] = _NONE,
        before: npt.NDArray[Any] | int = 0,
        after: npt.NDArray[Any] | int = 0,
        **more: Any,
    ) -> ev.Commanded:
        """The command as an event, with the nodes it changes."""
        nodes = np.asarray(nodes, np.int32)
        was, now = (np.broadcast_to(np.asarray(v, np.int8), nodes.shape).copy() for v in (before, after))
        return ev.Commanded(self.id, self.name, self.plain, self.who, self.note, nodes, was, now, **more)


def nodes_made(event: ev.Commanded) -> list[int]:
    """Ids of the nodes that a command made."""
    return [int(node) for node in event.nodes] if event.name == "branch" else []
