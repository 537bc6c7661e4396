"""kill -9 at any moment, load and go on: the same parameters, the same events, bit for bit."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from emb_opt_widgets import training as tr
from emb_opt_widgets.errors import DamagedFileError, FileError, FileInUseError, InputError
from tests.training.towers_for_tests import ingredients, pairs, tower

ROOT = Path(__file__).parents[2]
KINDS = ["in batch", "cache", "half"]
PROGRAM = """
import hashlib, os, sys, time
import torch
from emb_opt_widgets import training as tr
from tests.training.towers_for_tests import ingredients

torch.set_num_threads(1)
path, kind, delay = sys.argv[1], sys.argv[2], float(sys.argv[3])
again, settings = ingredients(kind)
if os.path.exists(path) and os.path.getsize(path):
    training = tr.load(path, **again)
else:
    training = tr.Training(**again, **settings, path=path)

def told(bodies):
    time.sleep(delay)
    print("step", training.n_steps, flush=True)
    if training.n_steps % 3 == 0:
        len(list(training.events))  # looking writes what is still in memory, checkpoint or not

training.listen(told)
training.run(progress=False)
state = hashlib.sha256()
for name, part in training.controller.engine.learner.parts.stateful().items():
    for key, value in sorted(part.state_dict().items(), key=lambda pair: str(pair[0])):
        kept = value.numpy().tobytes() if isinstance(value, torch.Tensor) else str(value).encode()
        state.update(f"{name} {key} ".encode() + kept)
print("end", training.events.digest(), state.hexdigest(), training.n_steps, flush=True)
"""


def start(tmp: Path, name: str, kind: str, delay: float) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROGRAM, str(tmp / f"{name}.eow"), kind, str(delay)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(tmp: Path, name: str, kind: str) -> str:
    process = start(tmp, name, kind, 0.0)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return next(line for line in out.splitlines() if line.startswith("end"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_killed_again_and_again_is_the_uninterrupted_one(tmp_path: Path, kind: str) -> None:
    whole = finish(tmp_path, "whole", kind)
    chance = random.Random(kind)
    for _ in range(4):
        process = start(tmp_path, "killed", kind, 0.02)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 9)):
            line = process.stdout.readline()
            assert line.startswith("step"), (line, process.stderr.read() if process.stderr else "")
        time.sleep(chance.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert finish(tmp_path, "killed", kind) == whole
    left = sorted(path.name for path in tmp_path.glob("killed.eow.*.safetensors"))
    assert left == sorted({f"killed.eow.{number(tmp_path)}.safetensors", "killed.eow.best.safetensors"})


def number(tmp_path: Path) -> str:
    kept = [path.name.split(".")[2] for path in tmp_path.glob("whole.eow.*.safetensors")]
    return next(name for name in kept if name.isdecimal())


def state_of(training: tr.Training) -> list[torch.Tensor]:
    parts = training.controller.engine.learner.parts
    return [value.clone() for net in (parts.query_net, parts.doc_net) for value in net.state_dict().values()]


def same(first: tr.Training, second: tr.Training) -> bool:
    return all(torch.equal(a, b) for a, b in zip(state_of(first), state_of(second)))


@pytest.mark.parametrize("kind", KINDS)
def test_pauses_closing_and_another_random_state_change_nothing(tmp_path: Path, kind: str) -> None:
    again, settings = ingredients(kind)
    whole = tr.Training(**again, **settings)
    whole.run(progress=False)
    again, settings = ingredients(kind)
    parts = tr.Training(**again, **settings, path=tmp_path / "parts.eow")
    parts.step(3)
    parts.wait()
    torch.manual_seed(99)
    parts.step(6)
    parts.wait()
    assert parts.n_steps == 9 and str(parts.status) == "paused"
    parts.close()
    again, _ = ingredients(kind)
    with tr.load(tmp_path / "parts.eow", **again) as resumed:
        assert resumed.n_steps == 9 and str(resumed.status) == "paused"
        resumed.run(progress=False)
        assert same(resumed, whole)
        for name, column in whole.metrics.items():
            assert column.tobytes() == resumed.metrics[name].tobytes(), name


def test_the_random_state_outside_is_left_alone():
    again, settings = ingredients("cache")
    training = tr.Training(**again, **settings)
    torch.manual_seed(3)
    random.seed(3)
    before = torch.get_rng_state(), random.getstate()
    training.run(steps=5, progress=False)
    assert torch.equal(before[0], torch.get_rng_state()) and before[1] == random.getstate()


def test_two_trainings_side_by_side_do_not_disturb_each_other():
    alone, together = [], []
    for kind in ("in batch", "cache"):
        again, settings = ingredients(kind)
        alone.append(tr.Training(**again, **settings))
        alone[-1].run(progress=False)
        again, settings = ingredients(kind)
        together.append(tr.Training(**again, **settings))
    for training in together:
        training.start()
    for training in together:
        assert training.wait(60)
    assert all(same(a, b) for a, b in zip(alone, together))


def test_a_step_that_fails_is_done_again_as_if_nothing_had_been(tmp_path: Path) -> None:
    again, settings = ingredients("in batch")
    whole = tr.Training(**again, **settings)
    whole.run(progress=False)
    again, settings = ingredients("in batch")
    training = tr.Training(**again, **settings, path=tmp_path / "t.eow")
    calls = []

    def trouble(module, inputs):
        calls.append(0)
        if len(calls) == 27:
            raise RuntimeError("a loose wire")

    again["doc_net"].register_forward_pre_hook(trouble)
    with pytest.raises(Exception, match="a loose wire"):
        training.run(progress=False)
    assert str(training.status) == "failed" and "Step 11" in training.reason
    training.run(progress=False)
    training.close()
    assert str(training.status) == "finished"
    assert same(training, whole)
    assert training.metrics["loss"].tobytes() == whole.metrics["loss"].tobytes()


def test_use_best_outlives_a_kill(tmp_path: Path) -> None:
    again, settings = ingredients("cache")
    training = tr.Training(**again, **settings, path=tmp_path / "t.eow")
    training.run(progress=False)
    training.use_best()
    assert training.best is not None
    assert training.evaluate()[training.settings["monitor"]] == pytest.approx(training.best[1])
    best = state_of(training)
    training.close()
    again, _ = ingredients("cache")
    with tr.load(tmp_path / "t.eow", **again) as loaded:
        assert all(torch.equal(a, b) for a, b in zip(best, state_of(loaded)))


def test_the_file_must_fit_and_be_whole(tmp_path: Path) -> None:
    again, settings = ingredients("in batch")
    path = tmp_path / "t.eow"
    training = tr.Training(**again, **settings, path=path)
    training.run(steps=3, progress=False)
    with pytest.raises(FileInUseError):
        tr.load(path, **again)
    training.close()
    with pytest.raises(FileError, match="exists already"):
        tr.Training(**again, **settings, path=path)
    for change, word in (
        ({"query_net": torch.nn.Linear(12, 8)}, "parts of the training"),
        ({"data": pairs(200)}, "pairs"),
        ({"doc_net": tower(3)[:0].append(torch.nn.Linear(12, 8))}, "parts of the training"),
        ({"frequency": None}, "parts of the training"),
        ({"validation": None}, "held_out"),
    ):
        with pytest.raises(InputError, match=word):
            tr.load(path, **{**ingredients("in batch")[0], **change})
    checkpoint = next(iter(tmp_path.glob("t.eow.[0-9]*.safetensors")))
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-3] + bytes(3))
    with pytest.raises(DamagedFileError, match="checksum"):
        tr.load(path, **ingredients("in batch")[0])
    checkpoint.unlink()
    with pytest.raises(DamagedFileError, match="no such file"):
        tr.load(path, **ingredients("in batch")[0])
    checkpoint.write_bytes(whole)
    tr.load(path, **ingredients("in batch")[0]).close()


LOSSES = {
    "a temperature": (tr.RetrievalLoss(0.1), tr.RetrievalLoss(0.2), "temperature 0.1.*temperature 0.2"),
    "left out": (tr.RetrievalLoss(0.1), None, "temperature 0.1.*temperature None"),
    "hard negatives": (tr.RetrievalLoss(0.1), tr.RetrievalLoss(0.1, 3), "num_hard_negatives"),
    "a reduction": (tr.RetrievalLoss(), tr.RetrievalLoss(reduction="mean"), "reduction 'sum'.*reduction 'mean'"),
    "learned or not": (tr.RetrievalLoss(torch.nn.Parameter(torch.ones(()))), tr.RetrievalLoss(1.0), "'learned'"),
    "another loss": (None, torch.nn.functional.mse_loss, "loss .*RetrievalLoss.*mse_loss"),
}
CACHE_LOSSES = {
    "left out": ({"top_k": 5}, None, "top_k 5.*top_k None"),
    "a retrieval": ({}, {"retrieval": tr.MaxScore()}, "GumbelMax.*MaxScore"),
    "how it draws": ({"retrieval": tr.GumbelMax(2.0)}, {}, r"retrieval.inverse_temperature 2.0"),
    "a transform": ({"score_transform": torch.sigmoid}, {}, "score_transform .*sigmoid"),
    "a learned transform": ({"score_transform": tr.Temperature(0.5)}, {}, "score_transform .*Temperature"),
}


def refused(path: Path, was: object, now: object, message: str, **caches: int) -> None:
    again = {"query_net": tower(1), "doc_net": tower(2), "data": pairs(), "device": "cpu", **caches}
    tr.Training(**again, loss=was, path=path).close()
    with pytest.raises(InputError, match=message):
        tr.load(path, **again, loss=now)
    tr.load(path, **again, loss=was).close()


@pytest.mark.parametrize("case", LOSSES)
def test_another_loss_is_not_taken_for_that_of_the_file(tmp_path: Path, case: str) -> None:
    refused(tmp_path / "t.eow", *LOSSES[case])


@pytest.mark.parametrize("case", CACHE_LOSSES)
def test_another_cache_loss_is_not_taken_for_that_of_the_file(tmp_path: Path, case: str) -> None:
    was, now, message = CACHE_LOSSES[case]
    refused(tmp_path / "t.eow", tr.CacheLoss(**was), None if now is None else tr.CacheLoss(**now), message, caches=40)


def test_a_cache_more_or_of_another_size_is_seen(tmp_path: Path) -> None:
    again = {"query_net": tower(1), "doc_net": tower(2), "data": pairs(), "device": "cpu"}
    tr.Training(**again, caches=40, path=tmp_path / "t.eow").close()
    with pytest.raises(InputError, match=r"caches.cache 40.*caches.cache 50"):
        tr.load(tmp_path / "t.eow", **again, caches=50)


def test_a_training_is_no_search_and_the_reverse(tmp_path: Path, library, score) -> None:
    import emb_opt_widgets as eow

    again, settings = ingredients("in batch")
    tr.Training(**again, **settings, path=tmp_path / "t.eow").close()
    with pytest.raises(DamagedFileError, match="not a search's file"):
        eow.load(tmp_path / "t.eow", library, score)
    eow.Search(library, score, path=tmp_path / "s.eow").controller.close()
    with pytest.raises(DamagedFileError, match="not a training's file"):
        tr.load(tmp_path / "s.eow", **again)
