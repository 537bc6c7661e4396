"""`emb-opt-widgets bench`: hands over to the checkout's `benchmarks`; an installed wheel has none."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emb_opt_widgets.errors import MissingDependencyError

__all__ = ["act", "add_to", "checkout"]


def add_to(commands: Any) -> None:
    """Declare the command, for the list of all; its arguments are read by `benchmarks`."""
    commands.add_parser("bench", help="measure against the peers (from a checkout)", add_help=False)


def checkout() -> Path | None:
    """The folder that holds this package and `benchmarks`; None where there is no such folder."""
    root = Path(__file__).parents[2]
    return root if (root / "benchmarks" / "command.py").is_file() and (root / "pyproject.toml").is_file() else None


def act(arguments: Sequence[str]) -> int:
    """Run it.

    Args:
        arguments: What stands after `bench`.

    Raises:
        MissingDependencyError: This package does not run from a checkout.
    """
    root = checkout()
    if root is None:
        raise MissingDependencyError(
            "The benchmarks are not part of the installed package",
            hint="Run them from a checkout of the repository: make bench, or python -m benchmarks",
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return int(importlib.import_module("benchmarks.command").main(arguments, "emb-opt-widgets bench"))
