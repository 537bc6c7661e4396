"""The docstring task: what pairs it is made of, and that it can be measured."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.docstrings import measure_docstrings
from emb_opt_widgets.cli.docstrings import docstring_pairs, word_ids


def test_pairs_are_of_functions_and_each_comes_once():
    pairs = docstring_pairs((), limit=500)
    assert len(pairs) == 500 == len({pair.says for pair in pairs}) == len({pair.code for pair in pairs})
    assert docstring_pairs((), limit=500) == pairs != docstring_pairs((), limit=500, seed=1)
    assert all(pair.says not in pair.code for pair in pairs)


def test_words_are_told_apart_in_any_writing():
    ids = word_ids(["parse TheFile quickly", "the file: parse_quickly, parse!", "a"], 6)
    assert ids.shape == (3, 6) and set(ids[0].tolist()) == set(ids[1].tolist())
    assert np.count_nonzero(ids[0]) == 4 and not ids[2].any()


@pytest.mark.slow
def test_it_is_measured():
    said = []
    measures = list(measure_docstrings(quick=True, say=said.append))
    assert [measure.reached is not None for measure in measures] == [True, True]
    assert "pairs, 20 steps, 1 seeds" in measures[0].detail
    assert len(said) == 7
