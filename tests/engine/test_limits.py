"""How many queries look at once: an update that grows without bound is held, and that is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import emb_opt_widgets as eow

from ..conftest import smooth

LIBRARY = np.random.default_rng(4).normal(size=(300, 4)).astype(np.float32)
GROWING = eow.RLUpdate((0.05, 0.1))


def made(**more: object) -> eow.Search:
    return eow.Search(LIBRARY, smooth, update=GROWING, queries=4, k=3, **more)  # type: ignore[arg-type]


def widths(search: eow.Search) -> list[int]:
    return np.bincount(search.tree.round).tolist()


def test_an_update_without_a_pruner_grows_only_to_the_limit_and_says_so() -> None:
    search = made(max_queries=20)
    search.run(rounds=6, progress=False)
    assert widths(search) == [4, 8, 16, 20, 20, 20]
    told = [str(notice) for notice in search.notices if "max_queries" in str(notice)]
    assert len(told) == 1 and "the 20 that come of the best" in told[0] and "(3 times)" in told[0]
    tree = search.tree
    parents = tree.parent[tree.round == 3]
    before = np.flatnonzero(tree.round == 2)
    left_out = np.setdiff1d(before, parents)
    assert tree.max_score[np.unique(parents)].min() >= tree.max_score[left_out].max()
    assert (np.diff(parents) >= 0).all()


def test_the_limit_is_kept_in_the_file_and_makes_the_same_tree(tmp_path: Path) -> None:
    whole = made(max_queries=10)
    whole.run(rounds=5, progress=False)
    part = made(max_queries=10, path=tmp_path / "b.eow")
    part.run(rounds=3, progress=False)
    part.close()
    again = eow.load(tmp_path / "b.eow", source=LIBRARY, score=smooth)
    again.run(rounds=2, progress=False)
    np.testing.assert_array_equal(again.tree.embedding, whole.tree.embedding)
    again.close()
    assert widths(eow.replay(tmp_path / "b.eow", LIBRARY)) == widths(whole)


def test_no_limit_and_the_usual_one_leave_a_small_search_as_it_is() -> None:
    usual, none = made(), made(max_queries=None)
    for search in (usual, none):
        search.run(rounds=5, progress=False)
    assert widths(usual) == widths(none) == [4, 8, 16, 32, 64]
    assert "max_queries" not in usual.settings and not usual.notices


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "many"])
def test_a_limit_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(eow.InputError, match="max_queries"):
        made(max_queries=wrong)
