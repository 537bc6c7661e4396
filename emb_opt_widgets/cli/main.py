"""Reading the command line, and saying what went wrong in one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from emb_opt_widgets.cli import bench, demo, doctor, export
from emb_opt_widgets.errors import EmbOptError

__all__ = ["main"]

_EPILOG = """examples:
  emb-opt-widgets demo                          a search on real data, and a report in out/
  emb-opt-widgets doctor                        what is installed here, and what is missing
  emb-opt-widgets export my.eow --html my.html  a search's file as a page; needs neither its source nor its functions
  emb-opt-widgets bench --json                  ratios against the peers, measured here and now; from a checkout

exit codes: 0 done; 1 it did not work, or a limit was missed (bench --strict); 2 wrong arguments; 130 interrupted"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emb-opt-widgets",
        description="Find the highest-scoring items of a large embedding space with as few score calls as possible.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for part in (demo, bench, doctor, export):
        part.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name. None: those of the process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["bench"]:
        return _saying("bench", lambda: bench.act(words[1:]))
    parser = _parser()
    given = parser.parse_args(words)
    if given.version:
        print(doctor.own_version())
        return 0
    if given.command is None:
        parser.print_help()
        return 0
    return _saying(given.command, lambda: int(given.act(given)))


def _saying(command: str, act: Callable[[], int]) -> int:
    try:
        return act()
    except EmbOptError as error:
        print(f"emb-opt-widgets {command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
