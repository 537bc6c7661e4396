"""The suite `quality`: what each method finds per score call."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from emb_opt_widgets.errors import InputError

__all__ = ["act", "options"]


def options(parser: Any) -> None:
    """Declare what only `quality` takes."""
    group = parser.add_argument_group("quality")
    group.add_argument("tasks", nargs="*", help=".npz files (X, y), tutorial, tutorial-VARIANT, digits (the default)")
    group.add_argument("--budget", action="append", default=[], metavar="N", help="calls, or a share: 2%% (repeatable)")
    group.add_argument("--method", action="append", default=[], metavar="NAME", help="only those (repeatable)")
    group.add_argument("--seeds", type=int, default=5, metavar="N", help="how many (default: 5)")
    group.add_argument("--batch", metavar="N", help="items our methods score at a time, or a share: 1%%")
    group.add_argument(
        "--top", action="append", default=[], metavar="K", help="size of a top set, or a share: 0.1%% (repeatable)"
    )
    group.add_argument("--plot", metavar="SVG", help="draw recall against calls")


def act(given: argparse.Namespace) -> int:
    """Run it."""
    from benchmarks.quality import best_settings, curve_svg, measure_quality, quality_table
    from emb_opt_widgets.cli.table import table

    def say(what: str) -> None:
        print(f"{what} …", file=sys.stderr, flush=True)

    if given.seeds < 1:
        raise InputError("--seeds is not usable", expected="at least 1", got=given.seeds)
    if given.plot and (Path(given.plot).is_dir() or not Path(given.plot).absolute().parent.is_dir()):
        raise InputError("--plot is not usable", expected="a file in a folder that is there", got=given.plot)
    tasks, seeds = given.tasks or ["digits", "tutorial"], 1 if given.quick else given.seeds
    cells = list(measure_quality(tasks, given.budget, given.method, seeds, say, batch=given.batch, tops=given.top))
    shown = best_settings(cells)
    if given.json:
        print(json.dumps([cell.to_dict() for cell in cells], indent=1))
    else:
        head = ["task", "calls", "method", f"recall, mean ± standard error of {seeds} seeds", "s"]
        print(table(head, quality_table(shown), right=(1, 4)))
    if given.plot:
        Path(given.plot).write_text(curve_svg(shown), encoding="utf-8")
    return 0
