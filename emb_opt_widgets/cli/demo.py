"""`emb-opt-widgets demo`: a search on real data, from start to report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emb_opt_widgets.cli.table import table
from emb_opt_widgets.errors import FileError

__all__ = ["act", "add_to", "recall"]

_TOP = 20


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "demo",
        help="a search on real data, with a progress bar and an HTML report",
        description="Search scikit-learn's handwritten digits for pictures that could be a 4 as well as a 9, "
        "and compare with scoring every picture.",
        epilog="example: emb-opt-widgets demo --calls 360 --seed 3",
    )
    parser.add_argument("--calls", type=_calls, default=270, metavar="N", help="score calls to spend (default: 270)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of every random choice (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER", help="where files go (default: out)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.set_defaults(act=act)


def _calls(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1; got {text!r}")
    return int(text)


def recall(found: Any, truth: Any, top: int = _TOP) -> float:
    """Share of the `top` highest true scores that were found; a tie at the edge counts as often as it fits.

    Args:
        found: `(n,)` true scores of the items found.
        truth: `(N,)` all true scores.
        top: How many are wanted.
    """
    edge = np.sort(truth)[-top]
    above = int((truth > edge).sum())
    return float((int((found > edge).sum()) + min(int((found == edge).sum()), top - above)) / top)


def act(given: argparse.Namespace) -> int:
    """Run it."""
    from emb_opt_widgets.cli.digits import Digits
    from emb_opt_widgets.search.search import Search
    from emb_opt_widgets.sources import ArraySource

    digits = Digits()
    n = len(digits.labels)
    print(f"{n:,} pictures of handwritten digits; wanted: those that could be a 4 as well as a 9.")
    print("A score call asks a classifier that has not seen the picture: √(p₄·p₉).\n")
    file, page = _places(given.out)
    source = ArraySource(digits.embeddings, items=digits.names, data={"meant": digits.labels})
    with Search(
        source, digits.score, budget=given.calls, seed=given.seed, batch_size=10, path=file, name="4 or 9?"
    ) as search:
        results = search.run(progress=not given.no_progress)
        search.to_html(page)
        print(f"\n{search.reason}\n")
    best = list(results)[:10]
    rows = [[str(i), f"{item.score:.4f}", str(item.item)] for i, item in enumerate(best, 1) if item.score is not None]
    print(table(["#", "score", "item"], rows, right=(0, 1)))
    print("\n" + _pictures(digits, [int(item.id) for item in best[:4]]) + "\n")
    truth = digits.exhaustive()
    share = recall(results.scores, truth)
    part = len(results) / n
    print(
        f"Found {round(share * _TOP)} of the {_TOP} best with {digits.calls:,} score calls ({part:.0%} of all). "
        f"Scoring every picture takes {n:,}; as many calls at random find {part * _TOP:.0f}."
    )
    print(f"Report: {page}\nThe search's file: {file}")
    return 0


def _places(folder: Path) -> tuple[Path, Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "demo.eow"
        for old in (file, *(file.with_name(f"demo.eow-{end}") for end in ("journal", "wal", "shm"))):
            old.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be used ({error.strerror})", hint="Name another: --out FOLDER") from error
    return file, folder / "demo.html"


def _pictures(digits: Any, rows: Sequence[int]) -> str:
    return "\n".join("   ".join(lines).rstrip() for lines in zip(*(digits.picture(row) for row in rows)))
