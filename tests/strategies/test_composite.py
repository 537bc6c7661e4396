"""Several filters and scores as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.strategies import CompositeFilter, CompositeScore


def even(items: Any) -> Any:
    return items.ids % 2 == 0


def third(items: Any) -> Any:
    return [{"valid": i.id % 3 == 0, "data": {"mod": i.id % 3}} for i in items]


def first(items: Any) -> Any:
    return items.embeddings[:, 0]


def second(items: Any) -> Any:
    return [
        None if i.id % 5 == 0 else {"valid": True, "score": float(i.embedding[1]), "data": {"i": i.id}} for i in items
    ]


def test_composites_search_and_resume(library: np.ndarray, tmp_path: Path) -> None:
    parts: dict[str, Any] = {"filter": CompositeFilter([even, third])}
    score = CompositeScore([first, second])
    search = eow.Search(library, score, update=eow.RLUpdate([0.5]), k=40, path=tmp_path / "c.eow", **parts)
    results = search.run(rounds=2, progress=False)
    search.close()
    assert set(results.ids % 6) == {0} and 0 not in set(results.ids % 5)
    np.testing.assert_allclose(results.scores, results.embeddings[:, 0] + results.embeddings[:, 1], rtol=1e-6)
    assert results.data["filter_results"][0] == [{"valid": True, "data": None}, {"valid": True, "data": {"mod": 0}}]
    assert results.data["score_results"][0][1]["data"] == {"i": results.ids[0]}
    with pytest.raises(eow.InputError, match=r"score=the same composite"):
        eow.load(tmp_path / "c.eow", library, **parts)
    with eow.load(tmp_path / "c.eow", library, score, **parts) as again:
        again.run(rounds=1, progress=False)
        assert again.n_rounds == 3


@pytest.mark.parametrize("functions", [[], [even, 3]])
@pytest.mark.parametrize("kind", [CompositeFilter, CompositeScore])
def test_composites_need_functions(kind: Any, functions: Any) -> None:
    with pytest.raises(eow.InputError, match="one or more functions"):
        kind(functions)
