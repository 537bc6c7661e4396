"""1,000 damaged files: each opens whole, or tells what is missing, or is refused in our words.

Only a copy that was torn in the making may be the search as it was some writes earlier, without a word.
"""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import emb_opt_widgets as eow
from tests.conftest import smooth

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

N = int(os.environ.get("EOW_SOAK_FILES", "1000"))
LIBRARY = np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32)
Damage = Callable[[bytearray, np.random.Generator, bytes], bytearray]


def flipped(raw: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    """One bit."""
    raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
    return raw


def scribbled(raw: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    """A stretch of noise."""
    at, n = int(rng.integers(len(raw))), int(rng.integers(1, 2000))
    raw[at : at + n] = rng.bytes(len(raw[at : at + n]))
    return raw


def cut(raw: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    """Its end is missing."""
    return raw[: int(rng.integers(len(raw)))]


def zeroed(raw: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    """A page that never reached the disk."""
    page = 4096 * int(rng.integers(len(raw) // 4096))
    raw[page : page + 4096] = bytes(4096)
    return raw


def torn(raw: bytearray, rng: np.random.Generator, before: bytes) -> bytearray:
    """Some pages of an earlier moment: copied while it was written to."""
    for page in rng.integers(len(before) // 4096, size=int(rng.integers(1, 4))).tolist():
        raw[4096 * page : 4096 * page + 4096] = before[4096 * page : 4096 * page + 4096]
    return raw


def foreign(raw: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    """Something else of that name."""
    return bytearray(rng.bytes(int(rng.integers(0, 9000))))


KINDS: tuple[Damage, ...] = (flipped, scribbled, cut, zeroed, torn, foreign)


def test_no_damage_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "s.eow"
    with eow.Search(LIBRARY, smooth, budget=150, path=path) as search:
        search.run(rounds=4, progress=False)
        before = path.read_bytes()
        search.run(progress=False)
        log = search.events.to_bytes()
    whole, rng, seen = path.read_bytes(), np.random.default_rng(7), Counter[str]()
    for i in range(N):
        damage = KINDS[i % len(KINDS)]
        hurt = tmp_path / "hurt.eow"
        hurt.write_bytes(damage(bytearray(whole), rng, before))
        began = time.monotonic()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            outcome = opened(hurt, log, told)
        assert time.monotonic() - began < 20, f"{damage.__name__} {i} took too long"
        seen[f"{damage.__name__}: {outcome}"] += 1
        assert outcome != "LOST" or damage is torn, f"{damage.__name__} {i}: {seen}"
        for left in tmp_path.glob("hurt.eow*"):
            left.unlink()
    assert seen["torn: LOST"] <= N // 200, "seldom"
    for name, count in sorted(seen.items()):
        print(f"{count:5} {name}")


def opened(path: Path, log: bytes, told: list[warnings.WarningMessage]) -> str:
    """How it ends to open it."""
    try:
        found = eow.replay(path, LIBRARY).events.to_bytes()
    except eow.EmbOptError:
        return "refused"
    if found == log:
        return "whole"
    return "told" if any("missing" in str(one.message) for one in told) and log.startswith(found) else "LOST"


def test_the_damage_is_one(tmp_path: Path) -> None:
    """The check can fail: a shorter log without a word is a loss."""
    path = tmp_path / "s.eow"
    with eow.Search(LIBRARY, smooth, budget=60, path=path) as search:
        search.run(rounds=2, progress=False)
        log = search.events.to_bytes()
    db = sqlite3.connect(path)
    db.execute("DELETE FROM events WHERE seq = (SELECT MAX(seq) FROM events)")
    db.execute("DELETE FROM kept")
    db.commit()
    db.close()
    assert opened(path, log, []) == "LOST"
