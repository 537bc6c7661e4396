"""Waiting for a live thing, with a bar that follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emb_opt_widgets.live.run import Run

__all__ = ["Bar", "see_through"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a bar shows.

    Attributes:
        total: How many there will be, where it is known. unit: Of what.
        done: How many there are. said: A text beside.
    """

    total: float | None
    unit: str
    done: Callable[[], float]
    said: Callable[[], str]


def see_through(run: Run[Any, Any], bar: Bar | None = None) -> None:
    """Block until it is at rest; an interrupt (Ctrl-C, the stop button) pauses it. Raises what it failed with.

    Args:
        run: What goes on.
        bar: What a tqdm bar shows meanwhile. None: no bar.
    """
    try:
        if bar is None:
            run.wait()
        else:
            _follow(run, bar)
    except KeyboardInterrupt:
        run.interrupt()
        run.wait()
    error, run.error = run.error, None
    if error is not None:
        raise error


def _follow(run: Run[Any, Any], bar: Bar) -> None:
    from tqdm.auto import tqdm

    with tqdm(total=bar.total, initial=bar.done(), desc=run.state.config["name"], unit=bar.unit) as shown:
        resting = False
        while not resting:
            resting = run.wait(0.1)
            with run.lock:
                said = bar.said()
            shown.set_postfix_str(said, refresh=False)
            shown.update(bar.done() - shown.n)
        shown.refresh()
