"""`emb-opt-widgets export`: a search's file as a page or a table, without its source and its functions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from emb_opt_widgets.errors import FileError
from emb_opt_widgets.report import write_page
from emb_opt_widgets.search.offline import Kept, read

__all__ = ["act", "add_to"]


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="a search's file as HTML, CSV or Parquet",
        description="Read a search's file, also of one that is running, and write what it found. Neither the source "
        "nor any function of the search is needed; items are shown as the file keeps them, long texts cut.",
        epilog="example: emb-opt-widgets export docking.eow --html docking.html --csv hits.csv",
    )
    parser.add_argument("file", type=Path, help="the search's file")
    for kind, what in (("html", "a page"), ("csv", "a table of all scored items"), ("parquet", "the same, as Parquet")):
        parser.add_argument(
            f"--{kind}", nargs="?", const=True, metavar="PATH", help=f"{what} (default: FILE with the ending .{kind})"
        )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.set_defaults(act=lambda given: act(given, parser))


def act(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run it."""
    wanted = {kind: getattr(given, kind) for kind in ("html", "csv", "parquet") if getattr(given, kind)}
    if not wanted:
        parser.error("nothing to write: give --html, --csv or --parquet")
    places = {kind: given.file.with_suffix(f".{kind}") if path is True else Path(path) for kind, path in wanted.items()}
    for place in places.values():
        if place.exists() and place.resolve() == given.file.resolve():
            raise FileError(f"{place} is the search's file itself", hint="Name another")
        if place.exists() and not given.force:
            raise FileError(f"{place} is there already", hint="Name another, or give --force")
    kept = read(given.file)
    for kind, place in places.items():
        _write(kind, place, kept)
        print(place)
    return 0


def _write(kind: str, place: Path, kept: Kept) -> None:
    try:
        if kind == "html":
            write_page(kept.report(), place)
        elif kind == "csv":
            kept.results().to_csv(place)
        else:
            kept.results().to_parquet(place)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{place} cannot be written ({error.strerror or error})", hint="Check its folder") from error
