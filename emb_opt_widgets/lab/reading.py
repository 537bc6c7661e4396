"""A search's file as JSON on standard output, in a process of its own: `python -m emb_opt_widgets.lab.reading FILE`.

So a damaged or very large file costs the server nothing: this process has limits, and can be ended. It knows the
file, not who asks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from emb_opt_widgets.errors import EmbOptError
from emb_opt_widgets.report.html import page
from emb_opt_widgets.report.style import NOTEBOOK
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.search.offline import Kept, read

__all__ = ["main", "view"]

_MEMORY = 4 * 2**30


def view(kept: Kept) -> dict[str, Any]:
    """What the viewer shows: the report as a page, and what a notebook that goes on with the search needs to know."""
    report = kept.report()
    config = kept.state.config
    functions = {
        role: plain(config[role]["function"])
        for role in ("score", "filter", "update", "prune")
        if isinstance(config.get(role), dict) and "function" in config[role]
    }
    return {
        "html": page(report, NOTEBOOK),
        "name": plain(report.name, 200),
        "status": report.status,
        "n_scored": report.n_scored,
        "budget": report.budget,
        "spent": report.spent,
        "unit": plain(report.unit, 20),
        "source": plain(report.facts.get("source", "source")),
        "functions": functions,
    }


def main(arguments: list[str]) -> int:
    """Print a file's view, or what is wrong with it, as JSON."""
    _limit_memory()
    try:
        out = view(read(Path(arguments[0])))
    except (EmbOptError, MemoryError) as error:
        out = {"error": plain(str(error) or "The file is too large to be shown", 600)}
    sys.stdout.write(json.dumps(out))
    return 0


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
