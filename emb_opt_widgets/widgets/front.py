"""The front-end code of the widgets, as text: built from `js/`, read when a widget is first made.

Text, not paths: anywidget watches paths and then never lets go of a widget.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from emb_opt_widgets.errors import StateError

__all__ = ["code", "styles"]

_BUILT = Path(__file__).with_name("static")
_OWN = Path(__file__).with_name("styles")


@cache
def code(name: str) -> str:
    """A bundle's JavaScript.

    Raises:
        StateError: It was not built.
    """
    return _read(f"{name}.js")


@cache
def styles(name: str, *own: str) -> str:
    """A bundle's CSS, with sheets of ours behind it; empty where it has none.

    Args:
        name: The bundle.
        own: Names of sheets in `styles/`.
    """
    built = [_read(f"{name}.css")] if (_BUILT / f"{name}.css").is_file() else []
    return "\n".join([*built, *((_OWN / f"{sheet}.css").read_text(encoding="utf-8") for sheet in own)])


def _read(file: str) -> str:
    try:
        return (_BUILT / file).read_text(encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"The widgets' front end is not built: {file} is missing",
            hint="In a checkout: npm ci && npm run build. A released wheel has it",
        ) from error
