"""Two and three real processes against one that holds all their rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from emb_opt_widgets.errors import InputError, StateError
from emb_opt_widgets.training import ShardedCacheLoss
from tests.training.shards import SCENARIOS, Part, Scenario, Whole

REMAINDER = "top_k with a remainder to each"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[2, 3])
def ranks(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    command = [sys.executable, "-m", "tests.training.shards"]
    running = [
        subprocess.Popen(
            [*command, str(rank), str(request.param), str(folder)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        for rank in range(request.param)
    ]
    errors = [process.communicate(timeout=90)[1] for process in running]
    assert all(process.returncode == 0 for process in running), "\n".join(errors)
    return [torch.load(folder / f"{rank}.pt") for rank in range(request.param)]


def compare(parts, whole, tolerance):
    def close(ours, theirs):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)

    for name in ("training", "interpretable", "staleness", "selected"):
        close(torch.cat([part[name] for part in parts]), whole[name])
    for i, gradient in enumerate(whole["gradients"]):
        close(sum(part["gradients"][i] for part in parts), gradient)
    for rank, part in enumerate(parts):
        for name, state in part["caches"].items():
            for key, value in state.items():
                close(value, whole["caches"][f"{rank}/{name}"][key])


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in ("drawn", REMAINDER)])
def test_sharded_equals_unsharded(ranks, name):
    scenario = SCENARIOS[name]
    whole = Whole(scenario, len(ranks)).run()
    compare([part[name] for part in ranks], whole, 1e-5 if scenario.dtype == torch.float32 else 1e-9)
    ages = [cache["age"] for part in ranks for cache in part[name]["caches"].values()]
    assert any(bool((age == 0).any()) for age in ages) != scenario.empty


@pytest.mark.parametrize("name", ["top_k", REMAINDER])
def test_each_shard_keeps_its_part_of_top_k(ranks, name):
    scenario, size = SCENARIOS[name], len(ranks)
    parts = [Part(scenario, rank) for rank in range(size)]
    queries = torch.cat([part.x @ part.w_query for part in parts])
    own = parts[0].temperature((queries * torch.cat([part.y @ part.w_doc for part in parts])).sum(1))
    kept = [own[:, None]]
    for part in parts:
        cache = part.caches["a"]
        scores = part.temperature(queries @ cache.data["embedding"].T).masked_fill(~cache.valid, -torch.inf)
        kept += [block.amax(1, keepdim=True) for block in scores.tensor_split(scenario.top_k // size, dim=1)]
    expected = -torch.log_softmax(torch.cat(kept, dim=1), dim=1)[:, 0]
    torch.testing.assert_close(
        torch.cat([part[name]["interpretable"] for part in ranks]), expected.detach(), rtol=1e-9, atol=1e-9
    )


def test_the_probability_does_not_depend_on_the_draw(ranks):
    whole = Whole(SCENARIOS["drawn"], len(ranks)).run()
    parts = [part["drawn"] for part in ranks]
    got = torch.cat([part["interpretable"] for part in parts])
    torch.testing.assert_close(got, whole["interpretable"], rtol=1e-9, atol=1e-9)
    refreshed = {
        (rank, row)
        for rank, part in enumerate(parts)
        for row in part["caches"]["a"]["age"].eq(0).nonzero()[:, 0].tolist()
    }
    drawn = {divmod(i, 14) for part in parts for i in part["selected"].tolist()}
    assert drawn <= refreshed


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_what_is_drawn_follows_the_softmax_over_all_shards(ranks, beta):
    parts = [Part(Scenario(rows=(3, 5, 2)), rank) for rank in range(len(ranks))]
    rows = torch.cat([part.caches["a"].data["embedding"] for part in parts])
    valid = torch.cat([part.caches["a"].valid for part in parts])
    scores = parts[0].temperature(parts[0].x[:1] @ parts[0].w_query @ rows.T)[0].detach()
    expected = torch.softmax((beta * scores).masked_fill(~valid, -torch.inf), dim=0).numpy()
    counts = np.bincount(ranks[0]["draws"][beta].numpy(), minlength=len(expected))
    assert counts[expected == 0].sum() == 0
    assert chisquare(counts[expected > 0], counts.sum() * expected[expected > 0]).pvalue > 1e-3


def test_what_goes_wrong_in_one_process_is_raised_in_all(ranks):
    for part in ranks:
        assert part["failures"]["nothing"] is None
        for name, text in part["failures"].items():
            assert (text is None) == (name == "nothing"), name
    assert "at least" in ranks[0]["failures"]["top_k smaller than the number of processes"]
    assert f"Process {len(ranks) - 1} failed" in ranks[0]["failures"]["NaN query"]


def test_a_group_of_some_processes(ranks):
    parts = [part["subgroup"] for part in ranks[:-1]]
    assert "subgroup" not in ranks[-1]
    compare(parts, Whole(SCENARIOS["plain"], len(parts)).run(), 1e-9)


def test_without_processes():
    part = Part(Scenario(), 0)
    with pytest.raises(StateError, match="init_process_group"):
        part.call(ShardedCacheLoss())


@pytest.mark.parametrize("options", [{"top_k": 0}, {"reduction": "max"}])
def test_wrong_options(options):
    with pytest.raises(InputError):
        ShardedCacheLoss(**options)


def test_a_plain_callable_is_asked_in_the_shard_and_over_shards(ranks):
    for part in ranks:
        own, all_shards = part["plain callable"]["shapes"]
        assert own == (4 * len(ranks), 14) and all_shards == (4, len(ranks))
        assert part["plain callable"]["selected"].tolist() == [14 * (len(ranks) - 1) + 3] * 4


@pytest.mark.parametrize("in_batch", [False, True])
def test_a_step_takes_four_exchanges_and_four_looks_at_the_device(ranks, in_batch):
    for part in ranks:
        costs = part["costs"][in_batch]
        assert costs["exchanges"] == ["all_gather", "all_gather", "all_to_all_single", "all_gather"]
        assert costs["back"] == (["all_reduce"] if in_batch else [])
        assert sum(costs["reads"].values()) <= 4, costs["reads"]
