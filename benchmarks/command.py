"""`python -m benchmarks`, `emb-opt-widgets bench`: ratios against the peers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import quality_command
from benchmarks.measure import Measure
from emb_opt_widgets.errors import EmbOptError

__all__ = ["main"]

_SUITES = ("rounds", "quality", "scheduling", "known", "training", "docstrings", "steering")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Ratios measured in one run on this machine: the cost of a round against the bare faiss search and "
        "against emb_opt's, memory of a scored item, a round after a long history, import time. training: a "
        "step with the negative cache against the full softmax and a port, time and memory. steering: a vector in a "
        "language model, searched with and without gradients, against gradient ascent and steering-vectors. "
        "scheduling: searches with long, uneven calls, against a perfect scheduler; with .npz files, what they find. "
        "known: of .npz files, what 300 measurements from before are worth in the next 100 calls. "
        "docstrings: what the cache, the batch and both together gain on a retrieval task made of what is installed.",
        epilog=f"example: {program} rounds --json > bench.json",
    )
    parser.add_argument("suite", nargs="?", choices=_SUITES, default="rounds", help="what to measure (default: rounds)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="small sizes; the numbers mean little")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    quality_command.options(parser)
    return parser


def main(arguments: Sequence[str] | None = None, program: str = "python -m benchmarks") -> int:
    """Measure what is asked for.

    Args:
        arguments: Without the program's name. None: those of the process.
        program: What was typed to get here, for the help.

    Returns:
        The exit code: 1 where something asked for is not there, or a limit was missed with `--strict`.
    """
    parser = _parser(program)
    given, rest = parser.parse_known_args(arguments)
    if rest and (given.suite not in ("quality", "scheduling", "known") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    # the parser leaves tasks over where options stand before them
    given.tasks = [*given.tasks, *rest]
    try:
        return quality_command.act(given) if given.suite == "quality" else _compare(given, _suite(given))
    except EmbOptError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1


def _suite(given: argparse.Namespace) -> Iterator[Measure]:
    def say(what: str) -> None:
        if not given.json:
            print(f"measuring {what} …", file=sys.stderr)

    if given.suite == "scheduling" and given.tasks:
        from benchmarks.scheduling import measure_recall

        cells = [(task, budget) for task in given.tasks for budget in given.budget or ["1%"]]
        return (measure_recall(task, budget, given.seeds) for task, budget in cells)
    if given.suite == "known":
        from benchmarks.known import measure_known

        return (measure_known(task, given.seeds) for task in given.tasks or ["digits"])
    return _measured(given.suite)(given.quick, say)


def _measured(suite: str) -> Callable[[bool, Callable[[str], None]], Iterator[Measure]]:
    if suite == "docstrings":
        from benchmarks.docstrings import measure_docstrings

        return measure_docstrings
    if suite == "training":
        from benchmarks.training import measure_training

        return measure_training
    if suite == "steering":
        from benchmarks.steering import measure_steering

        return measure_steering
    if suite == "scheduling":
        from benchmarks.scheduling import measure_scheduling

        return measure_scheduling
    from benchmarks.rounds import measure_rounds

    return measure_rounds


def _compare(given: argparse.Namespace, suite: Iterator[Measure]) -> int:
    measures = []
    for measure in suite:
        measures.append(measure)
        if not given.json:
            word = {True: "reached", False: "MISSED", None: "not measured"}[measure.reached]
            print(f"{word:>12}  {measure.name}: {measure.value:.3g} {measure.unit} ({measure.sense} {measure.limit:g})")
            print(f"{'':>12}  {measure.detail}", flush=True)
    if given.json:
        print(json.dumps([measure.to_dict() for measure in measures], indent=2, ensure_ascii=False))
    missed = any(measure.reached is False for measure in measures)
    return int(given.strict and missed)
