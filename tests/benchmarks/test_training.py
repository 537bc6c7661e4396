"""The bench of training steps: that each candidate trains, and that the command says what it measured."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.training_steps import STEPS, Setting
from emb_opt_widgets.cli import main


@pytest.mark.parametrize("name", STEPS)
def test_each_step_trains(name):
    setting = Setting(300)
    step = STEPS[name](setting)
    before = [weight.clone() for weight in setting.doc_tower.parameters() if weight.dim() == 2]
    for _ in range(3):
        step()
    after = [weight for weight in setting.doc_tower.parameters() if weight.dim() == 2]
    assert all(weight.isfinite().all() for weight in after)
    assert not any(torch.equal(one, other) for one, other in zip(before, after))


def test_the_command(capsys):
    assert main(["bench", "training", "--quick", "--json"]) == 0
    measures = json.loads(capsys.readouterr().out)
    assert len(measures) == 8
    assert all(one["value"] > 0 for one in measures if "step" in one["name"])
