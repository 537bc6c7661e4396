"""What items stand for: text that hides nothing, pictures that run nothing, whatever strangers put there."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emb_opt_widgets.widgets.content import TEXT_LIMIT, data_of, json_of, line_of, png, shown, text_of

SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'


class Bad:
    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


HOSTILE: list[Any] = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "a\x00b\u202ec\ud800",
    '<a data-commandlinker-command="x">', "=cmd()", "x" * 10_000_000, Bad(), [Bad()], {"a": Bad()},
    list(range(10**6)), {"k": "v" * 10**6}, b"\x00" * 10**6, np.zeros((3, 3)), np.zeros((0, 0), np.uint8),
    np.full((2, 2), Bad()), float("nan"), object, 10**5_000, b"\x89PNG\r\n\x1a\n" + b"x" * 300_000,
    "<svg " + "x" * 300_000, " " * 100_000 + "<svg>", "<?xml" + "?" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("item", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_it_is_it_becomes_short_plain_text(item: Any) -> None:
    began = time.perf_counter()
    made = shown(item)
    assert (made.kind, made.image) == ("text", None) and len(made.text) <= TEXT_LIMIT + 1
    assert not set(made.text) & set("\x00\u202e\ud800\n")
    json.dumps(made.text).encode()
    assert len(line_of(item, 200)) <= 201 and time.perf_counter() - began < 0.5


@given(text=st.text())
def test_text_is_cut_and_shows_what_hides(text: str) -> None:
    made = text_of(text, 50)
    assert len(made) <= 51 and all(ch.isprintable() or ch in " \u00ad" or not ch.isascii() for ch in made)
    made.encode()


def test_an_svg_is_a_picture_to_be_put_into_an_img() -> None:
    for item in (SVG, "<?xml version='1.0'?>\n<!-- x -->\n" + SVG, "  " + SVG.upper()):
        made = shown(item)
        assert made.kind == "svg" and made.image is not None
        head, _, data = made.image.partition(",")
        assert head == "data:image/svg+xml;base64" and base64.b64decode(data).decode() == item
    assert shown("see <svg>").kind == "text" and shown("<svgx>").kind == "text"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\x89PNG\r\n\x1a\n1", "png"), (b"\xff\xd8\xff1", "jpeg"), (b"GIF89a1", "gif"), (b"RIFF....WEBP", "webp")],
)
def test_pictures_in_bytes_are_known_by_their_first_bytes(data: bytes, kind: str) -> None:
    made = shown(data)
    assert made.kind == "image" and made.image == f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    assert shown(b"<svg>").kind == "text" and shown(b"<html>").image is None


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (9, 7, 4)])
def test_arrays_of_pixels_are_pictures(shape: tuple[int, ...]) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(image.open(io.BytesIO(png(pixels)))), pixels)
    made = shown(pixels)
    assert made.kind == "image" and made.image is not None and made.image.startswith("data:image/png;base64,")
    assert made.text == line_of(pixels, 200) == "picture, 7 × 9"


def test_a_large_picture_is_thinned_out() -> None:
    made = shown(np.zeros((5_000, 3_000, 3), np.uint8))
    assert made.image is not None and len(made.image) < 50_000
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 4)).astype(np.uint8)
    assert shown(noise).kind == "text", "one that stays too large is said to be one"
    assert shown(noise).text == "picture, 256 × 256" or "array" in shown(noise).text


def test_a_pillow_picture_is_a_picture() -> None:
    image = pytest.importorskip("PIL.Image")
    made = shown(image.new("RGB", (600, 300), "red"))
    assert made.kind == "image" and made.image is not None and made.text == "picture, 600 × 300"


def test_data_is_plain_json() -> None:
    data = {"a": np.float32(0.5), "b": np.nan, "c": [1, Bad()], "d": None, "e": np.int64(3), "<f>\x00": "x" * 9_999,
            "g": True, "h": 10**300, "i": np.bool_(False)}  # fmt: skip
    made = json.loads(json.dumps(data_of(data), allow_nan=False))
    assert (made["a"], made["b"], made["d"], made["e"], made["g"], made["i"]) == (0.5, "nan", None, 3, True, False)
    assert len(made["<f>\ufffd"]) <= 401 and made["h"].startswith("1000")
    assert json_of(float("-inf")) == "-inf"
    assert len(data_of({str(i): i for i in range(1_000)})) == 50
