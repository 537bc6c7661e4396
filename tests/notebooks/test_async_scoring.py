"""The service of the notebook on asynchronous scores, without the notebook: the same figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emb_opt_widgets as eow

nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "05_async_scoring.ipynb"
RATE = 20


def defined(*beginnings: str) -> dict[str, Any]:
    """What these cells of the notebook define; its pictures and its service are not made."""
    cells = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    names: dict[str, Any] = {}
    for beginning in beginnings:
        (source,) = [source for source in cells if source.startswith(beginning)]
        exec(re.split(r"^(?:digits|service) =", source, flags=re.M)[0], names)
    return names


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_half_refused_and_some_failed_every_item_is_answered_and_paid_once(library: np.ndarray) -> None:
    names = defined("import os", "class Service", "def score")
    truth = -np.linalg.norm(library - 0.75, axis=1)
    with names["Service"](truth, wait=0.5, seed=1) as service:
        names["service"] = service
        calls = eow.Calls(workers=20, rate_limit=RATE, retries=3, backoff=0.1)
        search = eow.Search(library, names["score"], budget=60, calls=calls)
        results = search.run(progress=False)
        service.shutdown()
    times, status = zip(*service.calls)
    assert search.status == "finished" and len(results) == 60 == sum(value > 0 for value in service.paid.values())
    assert sum(service.paid.values()) <= 1.02 * 60
    assert 0.35 < status.count(429) / len(status) < 0.65 and status.count(500) >= 1
    np.testing.assert_allclose(results.scores, truth[results.ids], rtol=1e-6)
    until = 0.7 * (times[-1] - times[0])  # after it only the last items' waits are left
    begun = sum(at - times[0] < until for at in times) / until
    assert 0.5 * RATE < begun <= RATE + 1, f"{begun:.1f} of {RATE} calls a second"
