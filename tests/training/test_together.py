"""Two and three real processes that train one pair of towers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from emb_opt_widgets import training as tr
from emb_opt_widgets.errors import InputError
from tests.training.replicas import LOSSES
from tests.training.towers_for_tests import pairs, tower

ROOT = Path(__file__).parents[2]


def processes(size, folder, part):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    given = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(size)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.replicas", str(folder), part], cwd=ROOT, stderr=subprocess.PIPE,
            text=True, env={**os.environ, **given, "RANK": str(rank)},
        )
        for rank in range(size)
    ]  # fmt: skip
    errors = [process.communicate(timeout=240)[1] for process in running]
    assert all(process.returncode == 0 for process in running), "\n".join(errors)
    return [torch.load(folder / f"{part}{rank}.pt") for rank in range(size)]


@pytest.fixture(scope="module", params=[2, 3])
def ranks(request, tmp_path_factory):
    return processes(request.param, tmp_path_factory.mktemp("replicas"), "losses")


@pytest.fixture(scope="module", params=[2, 3])
def lives(request, tmp_path_factory):
    return processes(request.param, tmp_path_factory.mktemp("lives"), "lives")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LOSSES)
def test_replicas_are_equal_after_100_steps(ranks, name):
    first = ranks[0][name]
    assert len(first["loss"]) == 100 and first["loss"][-1] == first["loss"][-1]
    for other in ranks[1:]:
        assert other[name]["loss"] == first["loss"] and other[name]["best"] == first["best"]
        for key, value in first["state"].items():
            torch.testing.assert_close(other[name]["state"][key], value, rtol=0, atol=1e-7)


def test_it_is_a_step_of_all_pairs_in_one_process(ranks):
    torch.manual_seed(1)
    nets = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    data = pairs(8 * len(ranks))
    one = tr.Training(
        *nets, lambda epoch: iter([data]), steps=1, epochs=None, device="cpu",
        optimizer=lambda p: torch.optim.SGD(p, lr=1.0),
    )  # fmt: skip
    one.run(progress=False)
    for part in ranks:
        for key, value in (("q.weight", nets[0].weight), ("d.weight", nets[1].weight)):
            torch.testing.assert_close(part["large batch"][key], value.detach(), rtol=1e-5, atol=1e-6)


def test_apart_is_a_choice(ranks):
    assert not torch.equal(ranks[0]["alone"]["q.0.weight"], ranks[1]["alone"]["q.0.weight"])


@pytest.mark.timeout(300)
def test_what_goes_wrong_in_one_process_is_raised_in_all(lives):
    last = len(lives) - 1
    for rank, part in enumerate(lives):
        for name, text in part["failures"].items():
            assert (text is None) == (name == "nothing"), (rank, name, text)
        assert "Processes differ in their clip_norm" in part["failures"]["other settings"]
        assert "Processes differ in their batch_size" in part["failures"]["other batches"]
        assert "Processes differ in their loss_options" in part["failures"]["other loss"]
        assert "in each of" in part["failures"]["too few pairs"]
        for name in part["failures"].keys() & {
            "a tower fails", "a tower fails beside a cache", "a tower fails beside a sharded cache", "data fails",
            "the way back fails",
        }:  # fmt: skip
            assert "a loose wire" in part["failures"][name]
            assert (f"Process {last} failed" in part["failures"][name]) == (rank != last)


def test_a_resume_with_as_many_processes_is_exact(lives):
    for part in lives:
        kept = part["kept"]
        assert kept["steps"] == 30
        for key, value in kept["whole"].items():
            assert torch.equal(kept["resumed"][key], value), key
        first, second = kept["caches"]
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert [name for name in lives[0]["kept"]["names"] if "safetensors" in name]


def test_a_pause_of_one_pauses_all_at_the_same_step(lives):
    said = [part["stopped"] for part in lives]
    assert all(one == said[0] for one in said) and said[0]["paused"] >= 5
    assert said[0]["steps"] == said[0]["paused"] + 3


def test_another_number_of_processes_is_refused(lives, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / next(
        path.name for path in sorted(tmp_path_factory.getbasetemp().glob("lives*")) if (path / "t.eow").exists()
    )
    with pytest.raises(InputError, match="processes [23].*processes 1"):
        tr.load(
            folder / "t.eow", tower(1), tower(2), (*pairs(), torch.arange(300)), loss=tr.CacheLoss(id_field="id"),
            caches=40, device="cpu",
        )  # fmt: skip


def test_a_group_that_is_none():
    with pytest.raises(InputError, match="process_group"):
        tr.Training(tower(1), tower(2), pairs(), process_group="all")
