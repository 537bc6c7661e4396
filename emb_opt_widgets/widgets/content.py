"""What items stand for, as a page may show it: text that hides nothing, and pictures that run nothing.

A picture is a `data:` URL, to be put into an `<img>` only: there no script of an SVG runs and nothing is fetched.
"""

from __future__ import annotations

import base64
import io
import math
import re
import reprlib
import struct
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.report.text import plain

__all__ = ["TEXT_LIMIT", "Shown", "data_of", "json_of", "line_of", "shown", "text_of"]

TEXT_LIMIT = 4_000
PICTURE_LIMIT = 200_000
_SIDE = 256
_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}
_SVG = re.compile(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>\[]*>\s*)?<svg[\s>]", re.I | re.S)
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 400
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = _SHORT.maxarray = 20
_DATA_FIELDS = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as a page shows it.

    Attributes:
        kind: "text", "image" or "svg".
        text: Always there. image: A `data:` URL, or None.
    """

    kind: str
    text: str
    image: str | None = None


def text_of(value: Any, limit: int = TEXT_LIMIT) -> str:
    """A value as one line of text, as `report.text.plain` makes it; long collections are not spelt out."""
    if isinstance(value, (list, tuple, dict, set, frozenset, bytes, bytearray, np.ndarray)):
        try:
            value = _SHORT.repr(value)
        except Exception:
            value = f"<{type(value).__name__}>"
    return plain(value, limit)


def line_of(item: Any, limit: int) -> str:
    """An item in one line; a picture by its size."""
    if item is None:
        return ""
    if isinstance(item, np.ndarray) and _pixels(item) is not None:
        return _caption(item)
    return text_of(item, limit)


def shown(item: Any) -> Shown:
    """An item as a page shows it: as a picture where it is one and small enough, else as text."""
    try:
        kind, url = _picture(item)
    except Exception:
        kind, url = "text", None
    if url is None:
        return Shown("text", "" if item is None else text_of(item))
    return Shown(kind, text_of(item, 200) if kind == "svg" else _caption(item), url)


def json_of(value: Any) -> Any:
    """A value as plain JSON: finite numbers, booleans and null as they are, all else as text."""
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value) if abs(int(value)) < 2**53 else str(int(value))[:400]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return text_of(value, 400)


def data_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """An item's data as plain JSON, the first fields."""
    return {text_of(name, 100): json_of(value) for name, value in list(data.items())[:_DATA_FIELDS]}


def _caption(item: Any) -> str:
    shape = getattr(item, "size", None) if not isinstance(item, np.ndarray) else item.shape[1::-1]
    return f"picture, {' × '.join(str(side) for side in shape)}" if isinstance(shape, tuple) else "picture"


def _picture(item: Any) -> tuple[str, str | None]:
    if isinstance(item, str):
        if len(item) <= PICTURE_LIMIT and _SVG.match(item[:2_000]):
            return "svg", _url("svg+xml", item.encode("utf-8", "replace"))
        return "text", None
    if isinstance(item, (bytes, bytearray)):
        return "image", _encoded(bytes(item)) if len(item) <= PICTURE_LIMIT else None
    if isinstance(item, np.ndarray):
        pixels = _pixels(item)
        return "image", None if pixels is None else _fitting(png(pixels))
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(item, pil.Image):
        small = item.copy()
        small.thumbnail((_SIDE, _SIDE))
        out = io.BytesIO()
        small.convert("RGBA").save(out, "PNG")
        return "image", _fitting(out.getvalue())
    return "text", None


def _encoded(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _url("webp", data)
    kind = next((kind for head, kind in _KINDS.items() if data.startswith(head)), None)
    return None if kind is None else _url(kind, data)


def _fitting(data: bytes) -> str | None:
    return _url("png", data) if len(data) <= PICTURE_LIMIT else None


def _url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _pixels(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8] | None:
    """An array that is a picture, `(h, w)`, `(h, w, 3)` or `(h, w, 4)` uint8, thinned out to a small one."""
    grey = array.ndim == 2 and min(array.shape) > 1
    if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] in (3, 4))) or not array.size:
        return None
    step = max(1, math.ceil(max(array.shape[:2]) / _SIDE))
    return np.ascontiguousarray(array[::step, ::step])


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A picture as PNG (ISO/IEC 15948).

    Args:
        pixels: `(h, w)`, `(h, w, 3)` or `(h, w, 4)`.
    """
    height, width = pixels.shape[:2]
    colour = {2: 0, 3: 2, 4: 6}[2 if pixels.ndim == 2 else pixels.shape[2]]
    rows = pixels.reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b"")
