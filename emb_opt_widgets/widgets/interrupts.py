"""What an interrupted cell does to searches that people watch, on kernels that hear no button while a cell runs.

There interrupting the cell is all that a person can do at once: it pauses every running search that has a widget. A
kernel that hears the Pause button leaves them alone. Knows IPython by what it is handed only.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.widgets.feed import Feed

__all__ = ["hears_while_busy", "heed"]

_NOTE = "a cell was interrupted"
_SUBSHELLS = "kernel subshells"
_heeded: WeakSet[Any] = WeakSet()


def hears_while_busy(kernel: Any) -> bool:
    """Whether a kernel hands on what pages say while a cell keeps it busy.

    It does where messages may go to a shell beside the one that runs the cell, which kernels announce: ipykernel
    since 7.0, where no other event loop takes it away.
    """
    return _SUBSHELLS in kernel.kernel_info.get("supported_features", ())


def heed(shell: Any) -> None:
    """From here on have interrupts pause what is watched, where buttons cannot. Once a shell, however often called.

    Args:
        shell: IPython's, or None.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None or shell in _heeded:
        return
    _heeded.add(shell)
    if not hears_while_busy(kernel):
        shell.events.register("post_run_cell", _after_cell)


def _after_cell(result: Any) -> None:
    if isinstance(getattr(result, "error_in_exec", None), KeyboardInterrupt):
        for feed in Feed.held():
            feed.pause(Asked("keyboard", note=_NOTE))
