"""Text of strangers made safe to show: cut, without characters that hide or reorder, escaped."""

from __future__ import annotations

import html
import math
import re
from typing import Any

__all__ = ["number", "plain", "safe"]

_LIMIT = 240
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def plain(value: Any, limit: int = _LIMIT) -> str:
    """A value as one line of at most `limit` characters, without control, bidirectional and lone surrogate characters.

    Args:
        value: Anything; one whose `str` raises is shown by its type.
        limit: Characters.
    """
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    cut = len(text) > limit
    text = _HIDDEN.sub("\ufffd", text[:limit])
    return " ".join(text.split()) + ("…" if cut else "")


def safe(value: Any, limit: int = _LIMIT) -> str:
    """`plain`, escaped for HTML text and attributes."""
    return html.escape(plain(value, limit), quote=True)


def number(value: float | int | None, digits: int = 6) -> str:
    """A number for a person: so many significant digits, or a dash where there is none."""
    if value is None or value != value:
        return "—"
    if value in (math.inf, -math.inf):
        return "∞" if value > 0 else "-∞"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}"
    return f"{value:.{digits}g}"
