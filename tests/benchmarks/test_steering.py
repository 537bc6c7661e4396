from __future__ import annotations

import json

import pytest

from benchmarks.command import main


def test_the_suite_runs(capsys):
    pytest.importorskip("transformers")
    assert main(["steering", "--quick", "--json"]) == 0
    measures = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert measures["score of the zero vector"]["value"] == pytest.approx(-5.593, abs=0.01)
    assert measures["20 calls without gradients"]["value"] > -5.5
    assert measures["10 calls with gradients"]["value"] > -5
    assert measures["difference from steering-vectors"]["value"] in (0.0, None)
