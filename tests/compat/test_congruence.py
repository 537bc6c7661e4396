"""Random searches with emb_opt 1.0.2 itself and with our names: all that can be seen of them is equal."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

emb_opt = pytest.importorskip("emb_opt", reason="emb_opt 1.0.2, the reference, is not installed")
for needed in ("faiss", "datasets", "qdrant_client"):
    pytest.importorskip(needed)

from tests.compat.scenarios import play  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
OURS = "emb_opt_widgets.compat"


def difference(theirs: Any, ours: Any, path: str = "") -> str | None:
    """Where two plain values differ first."""
    if type(theirs) is not type(ours):
        return f"{path}: {theirs!r:.200} is not {ours!r:.200}"
    if isinstance(theirs, dict):
        if theirs.keys() != ours.keys():
            return f"{path}: keys {list(theirs)} are not {list(ours)}"
        pairs = [(f"{path}.{key}", theirs[key], ours[key]) for key in theirs]
    elif isinstance(theirs, (list, tuple)):
        if len(theirs) != len(ours):
            return f"{path}: {len(theirs)} are not {len(ours)}"
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(theirs, ours))]
    else:
        same = theirs == ours or (theirs != theirs and ours != ours)
        return None if same else f"{path}: {theirs!r:.200} is not {ours!r:.200}"
    return next((found for place, a, b in pairs if (found := difference(a, b, place))), None)


def compare(seed: int, store: str | None = None) -> bool:
    """Whether emb_opt could play this one; where it could, ours is equal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = play("emb_opt", seed, store)
        except (ValueError, RuntimeError, IndexError):
            return False
        ours = play(OURS, seed, store)
    found = difference(theirs, ours)
    assert found is None, f"seed {seed}: {found}"
    return True


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_random_searches_are_equal(first: int) -> None:
    played = sum(compare(seed) for seed in range(first, first + 20))
    assert played >= 15


@pytest.mark.parametrize("store", ["numpy", "faiss", "huggingface", "qdrant", "own"])
def test_every_store_is_equal(store: str) -> None:
    assert sum(compare(seed, store) for seed in range(1000, 1012)) >= 8


def test_a_difference_is_seen() -> None:
    one, other = play(OURS, 3), play(OURS, 4)
    assert difference(one, one) is None
    assert difference(one, other) is not None
