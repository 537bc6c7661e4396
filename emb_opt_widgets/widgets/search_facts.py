"""A search's facts: the little that pages always know, as `docs/wire.md` lists it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import NodeStatus, RunStatus
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.search.engine import activity_of
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.widgets.offers import chosen, offered
from emb_opt_widgets.widgets.wording import deed, noticed

__all__ = ["Rate", "Standing", "facts_of", "file_of"]

_SPAN = 10.0


class Rate:
    """Calls a second, over the last ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def now(self, n_scored: int, running: bool) -> float:
        """The rate, to three digits; 0 at rest."""
        if not running:
            self._seen.clear()
            return 0.0
        now = self._clock()
        if not self._seen or self._seen[-1][0] < now - 0.05:
            self._seen.append((now, n_scored))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _SPAN:
            self._seen.popleft()
        began, before = self._seen[0]
        rate = (n_scored - before) / max(now - began, 1e-9) if now > began else 0.0
        return float(f"{rate:.3g}")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a search stands, copied under its lock. `best`: call and score of the best item."""

    plain: dict[str, Any]
    best: tuple[int, float] | None
    settings: dict[str, Any]
    undo: ev.Commanded | None
    redo: ev.Commanded | None

    @classmethod
    def of(cls, search: Search) -> Standing:
        """Of a search, whose lock is held."""
        state, controller = search.controller.state, search.controller
        status = state.nodes["status"] if state.n_nodes else np.empty(0, np.int8)
        best = state.best_row
        return cls(
            {
                "status": str(controller.status), "n_scored": state.n_scored,
                "spent": round(state.spent, 6), "unit": plain(state.unit, 20),
                "reason": controller.reason,
                "n_failed": state.n_failed, "n_rounds": state.n_rounds, "calls_left": state.calls_left,
                "can": search.steering.can(), "activity": str(activity_of(controller)),
                "notices": noticed(controller.notices), "n_active": int((status == NodeStatus.ACTIVE).sum()),
                "n_pruned": int((status == NodeStatus.PRUNED).sum()),
            },
            None if best < 0 else (int(state.items["call"][best]), float(state.items["score"][best])),
            dict(state.config),
            _last(state, state.undoable),
            _last(state, state.redoable),
        )  # fmt: skip


def _last(state: State, ids: list[str]) -> ev.Commanded | None:
    return state.commands[ids[-1]] if ids else None


def facts_of(
    standing: Standing,
    rate: Rate,
    operators: list[str],
    score_range: tuple[float, float] | None,
    named: Callable[[int], tuple[str, str]],
    file: str | None,
) -> dict[str, Any]:
    """The facts.

    Args:
        standing: Where the search stands.
        rate: Knows what was before.
        operators, score_range: Of the tables.
        named: An item's id and line, by call.
        file: Name of the search's file.
    """
    config, now = standing.settings, standing.plain
    running = now["status"] == RunStatus.RUNNING.value
    speed = rate.now(now["n_scored"], running)
    left = now["calls_left"]
    eta = round(left / speed) if running and speed > 0 and left is not None else None
    best = None
    if standing.best is not None and math.isfinite(standing.best[1]):
        call, score = standing.best
        best = {"row": call, "score": score, **dict(zip(("id", "text"), named(call)))}
    return {
        **now,
        "name": plain(config["name"], 120),
        "status": now["status"],
        "reason": plain(now["reason"], 600),
        "direction": config["direction"],
        "budget": config["budget"],
        "rate": speed,
        "eta": eta,
        "best": best,
        "settings": {
            "k": config["k"], "budget": config["budget"], "batch_size": config["batch_size"],
            "update": chosen("update", config["update"]), "prune": chosen("prune", config["prune"]),
        },
        "updates": offered("update"),
        "prunes": offered("prune"),
        "undo": None if standing.undo is None else plain(deed(standing.undo), 160),
        "redo": None if standing.redo is None else plain(deed(standing.redo), 160),
        "operators": [plain(name, 60) for name in operators],
        "score_range": None if score_range is None else list(score_range),
        "file": file,
    }  # fmt: skip


def file_of(path: Any) -> str | None:
    """The name of a search's file, None in memory."""
    return None if path is None else plain(Path(path).name, 120)
