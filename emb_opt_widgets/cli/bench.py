"""`emb-opt-widgets bench`: ratios against the peers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from emb_opt_widgets.cli import quality

if TYPE_CHECKING:
    from emb_opt_widgets.bench import Measure

__all__ = ["act", "add_to", "takes"]

_SUITES = ("rounds", "quality", "training")


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "bench",
        help="measure against the peers",
        description="Ratios measured in one run on this machine: the cost of a round against the bare faiss search and "
        "against emb_opt's, memory of a scored item, a round after a long history, import time. training: a "
        "step with the negative cache against the full softmax and a port, time and memory.",
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


def _measured(suite: str) -> Callable[[bool, Callable[[str], None]], Iterator[Measure]]:
    if suite == "training":
        from emb_opt_widgets.bench.training import measure_training

        return measure_training
    from emb_opt_widgets.bench.rounds import measure_rounds

    return measure_rounds


def act(given: argparse.Namespace) -> int:
    """Run it."""
    if given.suite == "quality":
        return quality.act(given)

    def say(what: str) -> None:
        if not given.json:
            print(f"measuring {what} …", file=sys.stderr)

    measures = []
    for measure in _measured(given.suite)(given.quick, say):
        measures.append(measure)
        if not given.json:
            word = {True: "reached", False: "MISSED", None: "not measured"}[measure.reached]
            print(f"{word:>12}  {measure.name}: {measure.value:.3g} {measure.unit} ({measure.sense} {measure.limit:g})")
            print(f"{'':>12}  {measure.detail}", flush=True)
    if given.json:
        print(json.dumps([measure.to_dict() for measure in measures], indent=2, ensure_ascii=False))
    missed = any(measure.reached is False for measure in measures)
    return int(given.strict and missed)
