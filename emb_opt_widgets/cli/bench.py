"""`emb-opt-widgets bench`: ratios against the peers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from emb_opt_widgets.cli import quality

__all__ = ["act", "add_to", "takes"]

_SUITES = ("rounds", "quality")


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "bench",
        help="measure against the peers",
        description="Ratios measured in one run on this machine: the cost of a round against the bare faiss search and "
        "against emb_opt's, memory of a scored item, a round after a long history, import time.",
        epilog="example: emb-opt-widgets bench rounds --json > bench.json",
    )
    parser.add_argument("suite", nargs="?", choices=_SUITES, default="rounds", help="what to measure (default: rounds)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="small sizes; the numbers mean little")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    quality.options(parser)
    parser.set_defaults(act=act)


def takes(given: argparse.Namespace, rest: Sequence[str]) -> bool:
    """Whether words that the parser left over are tasks, as they are where options stand before them; adds them."""
    if given.command != "bench" or given.suite != "quality" or any(word.startswith("-") for word in rest):
        return False
    given.tasks = [*given.tasks, *rest]
    return True


def act(given: argparse.Namespace) -> int:
    """Run it."""
    if given.suite == "quality":
        return quality.act(given)
    from emb_opt_widgets.bench import measure_rounds

    def say(what: str) -> None:
        if not given.json:
            print(f"measuring {what} …", file=sys.stderr)

    measures = []
    for measure in measure_rounds(given.quick, say):
        measures.append(measure)
        if not given.json:
            word = {True: "reached", False: "MISSED", None: "not measured"}[measure.reached]
            print(f"{word:>12}  {measure.name}: {measure.value:.3g} {measure.unit} ({measure.sense} {measure.limit:g})")
            print(f"{'':>12}  {measure.detail}", flush=True)
    if given.json:
        print(json.dumps([measure.to_dict() for measure in measures], indent=2, ensure_ascii=False))
    missed = any(measure.reached is False for measure in measures)
    return int(given.strict and missed)
