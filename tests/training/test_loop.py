"""A training's life: start, pause, resume, step, stop; what it tells, when it ends, and what it refuses."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from emb_opt_widgets import training as tr
from emb_opt_widgets.engine.status import SearchStatus
from emb_opt_widgets.errors import EmbOptError, FunctionError, InputError, StateError
from emb_opt_widgets.training.events import CacheAged, Evaluated, Stepped
from tests.training.towers_for_tests import pairs, tower


def make(**options) -> tr.Training:
    options = {"query_net": tower(1), "doc_net": tower(2), "data": pairs(), "batch_size": 30, "epochs": 3} | options
    return tr.Training(**options)


def kinds(training: tr.Training) -> list[str]:
    return [event.kind for event in training.events]


def test_it_learns():
    queries, documents = pairs(500)
    torch.manual_seed(0)
    training = make(
        data=(queries[:400], documents[:400]), validation=(queries[400:], documents[400:]), epochs=40,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01),
        query_net=torch.nn.Linear(12, 6), doc_net=torch.nn.Linear(12, 6),
    )  # fmt: skip
    before = training.evaluate()
    metrics = training.run(progress=False)
    assert before[1] < 0.1 and training.best is not None and training.best[1] > 0.9
    assert metrics["accuracy@10"][-1] == pytest.approx(training.evaluate()[10])
    assert metrics["interpretable_loss"][-10:].mean() < 0.3 * metrics["interpretable_loss"][:10].mean()
    assert len(metrics["step"]) == training.n_steps == 520 and training.n_epochs == 40
    assert np.flatnonzero(~np.isnan(metrics["accuracy@1"])).tolist() == list(range(12, 520, 13))


def test_the_loss_of_a_step_is_that_of_the_formula():
    q, d = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    queries, documents = pairs(32)
    with torch.no_grad():
        wanted = torch.nn.functional.cross_entropy(q(queries) @ d(documents).T, torch.arange(32)).item()
    metrics = make(query_net=q, doc_net=d, data=(queries, documents), batch_size=32).run(steps=1, progress=False)
    assert metrics["interpretable_loss"][0] == pytest.approx(wanted, rel=1e-5)
    assert metrics["loss"][0] == pytest.approx(wanted, rel=1e-5)
    given = make(query_net=q, doc_net=d, data=(queries, documents), batch_size=32, loss=tr.RetrievalLoss())
    assert given.controller.engine.learner.parts.objective.loss.reduction == "sum", "what is passed is left as it is"


def test_accumulating_is_the_mean_of_the_gradients():
    queries, documents = pairs(64)
    plain = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    twin = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    for mine, theirs in zip(twin, plain):
        mine.load_state_dict(theirs.state_dict())
    batches = [(queries[:32], documents[:32]), (queries[32:], documents[32:])]
    descent = lambda parameters: torch.optim.SGD(parameters, lr=0.01)  # noqa: E731
    make(
        query_net=twin[0], doc_net=twin[1], data=lambda epoch: iter(batches), accumulate=2, epochs=1, optimizer=descent
    ).run(progress=False)
    loss = sum(tr.RetrievalLoss(reduction="mean")(plain[0](q), plain[1](d)) for q, d in batches) / 2
    loss.backward()
    for mine, theirs in zip(twin, plain):
        torch.testing.assert_close(mine.weight, theirs.weight - 0.01 * theirs.weight.grad)


def test_a_cache_step_is_loss_then_refresh_then_add():
    queries, documents = pairs(90)
    q, d = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    cache = tr.NegativeCache(60, {"embedding": (4,), "document": (12,)})
    training = make(query_net=q, doc_net=d, data=(queries, documents), caches=cache, epochs=2)
    metrics = training.run(steps=1, progress=False)
    assert metrics["loss"].tolist() == [0.0] and metrics["staleness"].tolist() == [0.0], "nothing competes yet"
    assert int(cache.valid.sum()) == 30
    rows = cache.data["document"][cache.valid]
    assert all(any(torch.equal(row, document) for document in documents) for row in rows)
    training.run(progress=False)
    assert bool(cache.valid.all()) and int(cache.age.max()) <= 3
    ages = training.cache_ages["cache"]
    assert ages.n_valid == 60 == ages.counts.sum() and ages.step == 6
    assert np.histogram(cache.age.numpy(), ages.edges)[0].tolist() == ages.counts.tolist()


def test_several_caches_take_what_their_batches_say():
    queries, documents = pairs(60)
    caches = {name: tr.NegativeCache(50, {"embedding": (8,), "document": (12,)}) for name in ("news", "web")}

    def batches(epoch):
        for i in range(6):
            rows = slice(10 * i, 10 * i + 10)
            yield {"query": queries[rows], "document": documents[rows], "cache": "web" if i % 3 else "news"}

    make(data=batches, caches=caches, epochs=1).run(progress=False)
    assert {name: len(cache) for name, cache in caches.items()} == {"news": 20, "web": 40}
    with pytest.raises(InputError, match="which cache"):
        make(caches=caches).run(progress=False)


def test_negatives_ids_and_frequencies_reach_the_loss():
    queries, documents = pairs(60)
    seen = []

    def loss(q, c, **options):
        seen.append((q.shape, c.shape, {name: value.shape for name, value in options.items()}))
        return (q * c[: len(q)]).sum()

    data = {"query": queries, "document": documents, "negative": documents.flip(0), "id": torch.arange(60),
            "negative_id": torch.arange(60).flip(0), "weight": torch.ones(60)}  # fmt: skip
    frequency = tr.FrequencyEstimator(100, 0.1)
    make(data=data, loss=loss, frequency=frequency, epochs=1).run(progress=False)
    shapes = {"sample_weight": (30,), "candidate_ids": (60,), "candidate_sampling_probability": (60,)}
    assert seen == [((30, 8), (60, 8), shapes)] * 2
    assert int(frequency.step) == 2


def test_a_life():
    queries, documents = pairs(60)
    training = make(data=(queries, documents), epochs=None)
    assert training.status is SearchStatus.READY and "run()" in training.reason
    with pytest.raises(StateError):
        training.pause()
    training.start()
    with pytest.raises(StateError, match="running already"):
        training.start()
    with pytest.raises(StateError):
        training.evaluate()
    while training.n_steps < 3:
        time.sleep(0.01)
    training.pause("a look")
    training.wait()
    assert training.status is SearchStatus.PAUSED
    at = training.n_steps
    training.resume("on")
    while training.n_steps < at + 2:
        time.sleep(0.01)
    training.stop()
    training.wait()
    assert training.status is SearchStatus.STOPPED and "run()" in training.reason
    at = training.n_steps
    training.step(4, note="a few")
    training.wait()
    assert training.n_steps == at + 4
    training.run(steps=2, progress=False)
    assert training.n_steps == at + 6 and training.status is SearchStatus.FINISHED and "asked for" in training.reason
    notes = [(event.body.name, event.note) for event in training.events if event.kind == "command"]
    assert notes == [("pause", "a look"), ("resume", "on"), ("stop", ""), ("step", "a few")]
    assert kinds(training)[:2] == ["created", "started"] and kinds(training)[-1] == "finished"


def test_steps_pause_and_the_end_of_the_settings_is_the_end():
    training = make(data=pairs(60), epochs=None, steps=5)
    training.step(2)
    training.wait()
    assert training.n_steps == 2 and training.status is SearchStatus.PAUSED
    training.run(progress=False)
    assert training.n_steps == 5 and training.status is SearchStatus.FINISHED
    training.run(progress=False)
    assert training.n_steps == 5
    with pytest.raises(StateError, match="at its end"):
        training.start()
    training.run(steps=1, progress=False)
    assert training.n_steps == 6
    waiting = make()
    waiting.stop()
    assert waiting.status is SearchStatus.STOPPED


def test_waiting_does_not_block_the_kernel():
    async def both():
        training = make()
        training.start()
        return await training.wait_async()

    assert len(asyncio.run(both())["step"]) == 30


def test_it_ends_when_accuracy_no_longer_rises_and_goes_back_to_the_best():
    frozen = tower(1, 0.0)
    training = make(query_net=frozen, validation=pairs(80), patience=2, evaluate_every=3, epochs=None, ks=(5, 1),
                    optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.0))  # fmt: skip
    training.run(progress=False)
    assert "has not risen in the last 2" in training.reason and "Accuracy@5" in training.reason
    assert training.status is SearchStatus.FINISHED and training.n_steps % 3 == 0
    done = training.n_steps
    training.run(progress=False)
    assert training.n_steps == done
    training.run(steps=4, progress=False)
    assert training.n_steps == done + 4
    best = training.best
    training.use_best()
    assert best is not None and training.evaluate()[5] == pytest.approx(best[1])
    with pytest.raises(StateError, match="No towers"):
        make().use_best()


def test_a_loss_that_is_not_finite_ends_it_and_changes_nothing():
    q, d = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    queries, documents = pairs(60)
    queries[40] = float("nan")
    training = make(
        query_net=q,
        doc_net=d,
        data=lambda epoch: iter([(queries[:30], documents[:30]), (queries[30:], documents[30:])]),
        loss=lambda a, b: (a * b).sum(),
    )
    with pytest.raises(FunctionError, match="The loss of step 2 is nan"):
        training.run(progress=False)
    assert training.status is SearchStatus.FAILED and "learning rate" in training.reason
    assert training.n_steps == 1 and bool(torch.isfinite(q.weight).all())


def test_half_precision_skips_what_is_not_finite():
    q, d = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    training = make(query_net=q, doc_net=d, precision="fp16", loss=lambda a, b: (a * b).sum() * 1e3, epochs=2)
    metrics = training.run(progress=False)
    assert metrics["skipped"].any() and not metrics["skipped"].all()
    assert bool(torch.isfinite(q.weight).all())


@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_every_precision_trains_with_either_loss(precision):
    for options in ({}, {"caches": 100}):
        metrics = make(precision=precision, clip_norm=1.0, validation=pairs(50), **options).run(progress=False)
        assert np.isfinite(metrics["loss"]).all() and np.isfinite(metrics["accuracy@10"][-1])


def test_listeners_are_told_everything_in_order():
    training = make(caches=40, validation=pairs(50))
    told = []
    leave = training.listen(lambda bodies: told.extend(bodies))
    training.run(progress=False)
    assert [body.kind for body in told] == kinds(training)[1:]
    assert sum(isinstance(body, Stepped) for body in told) == 30
    assert sum(isinstance(body, Evaluated) for body in told) == 3 == sum(isinstance(body, CacheAged) for body in told)
    leave()
    training.run(steps=1, progress=False)
    assert [body.kind for body in told] == kinds(training)[1 : len(told) + 1]


def test_commands_of_a_front_end_take_effect_once():
    training = make(epochs=None)
    training.start()
    live = training.controller
    live.submit("pause", who="widget", command_id="w1", note="from the page")
    training.wait()
    assert live.submit("pause", command_id="w1") == []
    commands = [event for event in training.events if event.kind == "command"]
    assert [(event.who, event.note) for event in commands] == [("widget", "from the page")]
    with pytest.raises(InputError, match="no command"):
        live.submit("prune_node", {"node": 1})


def test_one_tower_may_serve_both_and_frozen_parameters_stay():
    both = tower(3)
    both[0].weight.requires_grad_(False)
    before = both[0].weight.clone(), both[4].weight.clone()
    make(query_net=both, doc_net=both).run(progress=False)
    assert torch.equal(both[0].weight, before[0]) and not torch.equal(both[4].weight, before[1])


def test_queries_of_several_heads():
    heads = torch.nn.Sequential(torch.nn.Linear(12, 24), torch.nn.Unflatten(1, (3, 8)))
    metrics = make(query_net=heads, validation=pairs(50)).run(progress=False)
    assert metrics["interpretable_loss"][-1] < metrics["interpretable_loss"][0]


@pytest.mark.parametrize("by", ["epochs", "steps"])
def test_the_progress_bar_follows(by, capsys):
    training = make(
        validation=pairs(50), name="two towers", **({} if by == "epochs" else {"epochs": None, "steps": 20})
    )
    training.run()
    shown = capsys.readouterr().err
    assert "two towers" in shown and ("3/3" if by == "epochs" else "20/20") in shown and "loss" in shown
    assert ("accuracy@10" in shown) and "finished" in repr(training)


INTERRUPTED = """
import signal, time, torch
from emb_opt_widgets import training as tr
from tests.training.towers_for_tests import pairs, tower

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have set it aside
training = tr.Training(tower(1), tower(2), pairs(), epochs=None)
training.listen(lambda bodies: time.sleep(0.02))
print("running", flush=True)
training.run()
print(training.status, training.n_steps > 0, flush=True)
training.run(steps=2, progress=False)
print(training.status, flush=True)
"""


def test_an_interrupt_pauses():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "running\n"
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.splitlines() == ["paused True", "finished"], err


IDS = torch.arange(300)
WITH_IDS = {
    "a triple": (*pairs(), IDS),
    "a mapping": {"query": pairs()[0], "document": pairs()[1], "id": IDS},
    "numbers of an array": (*pairs(), IDS.numpy()),
    "documents with parts": {"query": pairs()[0], "document": {"x": pairs()[1]}, "id": IDS},
    "documents that hold their ids": {"query": pairs()[0], "document": {"x": pairs()[1], "id": IDS}},
    "ids twice": {"query": pairs()[0], "document": {"x": pairs()[1], "id": IDS}, "id": IDS},
}


class OfParts(torch.nn.Module):
    """A document tower for a tensor, or for a mapping of parts."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(12, 8)

    def forward(self, given):
        return self.net(given["x"] if isinstance(given, dict) else given)


@pytest.mark.parametrize("case", WITH_IDS)
@pytest.mark.parametrize("loss", [None, tr.CacheLoss(), tr.CacheLoss(id_field="id"), tr.CacheLoss(id_field="item")])
def test_a_cache_made_to_fit_takes_what_it_is_fed(case, loss):
    if case == "documents that hold their ids" and loss is not None and loss.id_field == "item":
        with pytest.raises(InputError, match="ids in every batch"):
            make(data=WITH_IDS[case], doc_net=OfParts(), loss=loss, caches=100)
        return
    training = make(data=WITH_IDS[case], doc_net=OfParts(), loss=loss, caches=100, epochs=1)
    training.run(progress=False)
    (cache,) = training.controller.engine.learner.parts.caches.values()
    assert len(cache) == 100
    wanted = "id" if loss is None else loss.id_field
    if wanted is not None and "hold their ids" not in case:
        documents = pairs()[1]
        field = cache.data["x" if "x" in cache.data else "document"]
        assert torch.equal(field, documents[cache.data[wanted]])


def test_a_cache_may_keep_ids_that_the_loss_does_not_ask_for():
    fields = {"embedding": (8,), "document": (12,), "id": ((), torch.int64)}
    cache = tr.NegativeCache(60, fields, unique_by="id")
    make(data=(*pairs(), IDS % 40), loss=tr.CacheLoss(), caches=cache).run(progress=False)
    assert sorted(cache.data["id"][cache.valid].tolist()) == list(range(40))


def test_caches_may_be_modules_of_a_dict_and_numbers_numpys():
    cache = tr.NegativeCache(np.int64(40), {"embedding": np.int64(8), "document": (np.int32(12),)})
    make(caches=torch.nn.ModuleDict({"a": cache}), epochs=1).run(progress=False)
    assert len(cache) == 40
    training = make(caches=np.int64(50), loss=tr.CacheLoss(top_k=np.int64(5)), batch_size=np.int32(25))
    training.run(steps=3, progress=False)
    assert {cache.capacity for cache in training.controller.engine.learner.parts.caches.values()} == {50}


def test_a_step_belongs_to_the_epoch_that_its_batches_are_of():
    training = make(data=pairs(60), epochs=3)
    metrics = training.run(progress=False)
    assert metrics["epoch"].tolist() == [0, 0, 1, 1, 2, 2] and metrics["step"].tolist() == [1, 2, 3, 4, 5, 6]
    stretch = training.controller.state.stretch
    assert stretch(2, 4)["epoch"].tolist() == [1, 1] and stretch(1, 3)["epoch"].tolist() == [0, 1]
    assert stretch(6, 6)["epoch"].tolist() == []


@pytest.mark.parametrize(("options", "at"), [({"steps": 4}, [4]), ({"steps": 7, "evaluate_every": 3}, [3, 6, 7]),
                                             ({"epochs": 1}, [10])])  # fmt: skip
def test_what_ends_by_itself_is_evaluated_at_its_end(options, at):
    training = make(validation=pairs(50), **{"epochs": None, **options})
    metrics = training.run(progress=False)
    assert (np.flatnonzero(~np.isnan(metrics["accuracy@10"])) + 1).tolist() == at
    assert training.evaluate()[10] == pytest.approx(metrics["accuracy@10"][-1]) and training.best is not None


def test_an_evaluation_at_the_end_does_not_move_the_scheduler():
    plateau = lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)  # noqa: E731
    given = {"validation": pairs(50), "scheduler": plateau, "epochs": None, "evaluate_every": 4, "seed": 1}
    whole, parts = make(**given), make(**given)
    whole.run(steps=12, progress=False)
    for _ in range(4):
        parts.run(steps=3, progress=False)
    assert whole.metrics["loss"].tobytes() == parts.metrics["loss"].tobytes()
    assert whole.metrics["lr"].tobytes() == parts.metrics["lr"].tobytes()


class Unit(torch.nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.net, self.scale = torch.nn.Linear(12, 8), scale

    def forward(self, x):
        return self.scale * torch.nn.functional.normalize(self.net(x), dim=-1)


@pytest.mark.parametrize("options", [{}, {"loss": tr.RetrievalLoss(1.0)}, {"caches": 40}])
def test_vectors_of_length_1_with_temperature_1_are_warned_of(options):
    with pytest.warns(UserWarning, match="length 1 and the temperature is 1"):
        make(query_net=Unit(), doc_net=Unit(), **options).run(steps=2, progress=False)


@pytest.mark.parametrize(
    ("scale", "options"),
    [
        (4.0, {}),
        (1.0, {"loss": tr.RetrievalLoss(0.1, reduction="mean")}),
        (1.0, {"loss": tr.RetrievalLoss(torch.nn.Parameter(torch.ones(())))}),
        (1.0, {"loss": tr.CacheLoss(score_transform=tr.Temperature()), "caches": 40}),
        (1.0, {"loss": lambda q, c: (q @ c.T).mean()}),
    ],
)
def test_other_lengths_and_temperatures_are_not(scale, options, recwarn):
    make(query_net=Unit(scale), doc_net=Unit(scale), **options).run(steps=2, progress=False)
    assert not [warned for warned in recwarn if "length 1" in str(warned.message)]


@pytest.mark.parametrize("caches", [None, 60])
def test_chunks_give_the_gradient_of_the_whole_batch(caches):
    def after(chunk_size):
        nets = tower(1, 0.0), tower(2, 0.0)
        for net in nets:
            net.eval()
        training = make(
            query_net=nets[0], doc_net=nets[1], caches=caches, chunk_size=chunk_size, epochs=1,
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        )  # fmt: skip
        training.run(progress=False)
        return [p for net in nets for p in net.parameters()]

    for mine, theirs in zip(after(7), after(None)):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_chunks_draw_alike_when_they_are_done_again():
    drawn = []

    class Drawing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(12, 8)

        def forward(self, x):
            noise = torch.rand(len(x), 8)
            drawn.append(noise)
            return self.net(x) * noise

    make(query_net=Drawing(), chunk_size=10, epochs=None, steps=1, loss=tr.RetrievalLoss(2.0)).run(progress=False)
    assert len(drawn) == 6 and all(any(torch.equal(a, b) for b in drawn[3:]) for a in drawn[:3])


def test_towers_and_numbers_for_a_logger():
    q, d = tower(1), tower(2)
    training = make(query_net=q, doc_net=d, validation=pairs(50), caches=30)
    assert training.query_net is q and training.doc_net is d
    told = []
    leave = training.log_to(lambda step, values: told.append((step, values)))
    metrics = training.run(progress=False)
    leave()
    training.run(steps=1, progress=False)
    assert [step for step, _ in told] == list(range(1, 31))
    for (_, values), loss in zip(told, metrics["loss"]):
        assert values["loss"] == loss and values["lr"] == 0.001
    assert told[9][1]["accuracy@10"] == metrics["accuracy@10"][9] and "accuracy@10" not in told[0][1]


def test_rankings_are_judged_by_qrels():
    queries, documents = pairs(40)
    training = make(data=(queries, documents), batch_size=20)
    training.run(progress=False)
    judged = tr.RankingMetrics({f"q{i}": [f"d{i}"] for i in range(40)}, (1, 10))
    got = training.evaluate_ranking(
        queries, documents, judged, [f"q{i}" for i in range(40)], [f"d{i}" for i in range(40)]
    )
    scores = (
        tr.encode(queries, training.query_net, progress=False)
        @ tr.encode(documents, training.doc_net, progress=False).T
    )
    places = (scores > scores.diagonal()[:, None]).sum(1) + 1
    assert got["recall@10"] == pytest.approx((places <= 10).mean())
    assert got["mrr@10"] == pytest.approx(np.where(places <= 10, 1 / places, 0).mean())


REFUSED = {
    "no tower": ({"query_net": lambda x: x}, "query_net"),
    "a generator": ({"data": iter([])}, "gone through once"),
    "columns that differ": ({"data": (torch.ones(40, 12), torch.ones(39, 12))}, "different lengths"),
    "four columns": ({"data": (torch.ones(40, 12),) * 4}, "batch is not usable"),
    "unknown columns": ({"data": {"query": torch.ones(40, 12), "doc": torch.ones(40, 12)}}, "batch is not usable"),
    "too few pairs": ({"data": pairs(5)}, "fewer pairs"),
    "text as data": ({"data": "pairs"}, "data is not usable"),
    "a cache loss without caches": ({"loss": tr.CacheLoss()}, "needs caches"),
    "an in-batch loss with caches": ({"loss": tr.RetrievalLoss(), "caches": 10}, "knows no caches"),
    "caches of nothing": ({"caches": {}}, "caches are not usable"),
    "no rows": ({"caches": 0}, "caches are not usable"),
    "frequency and caches": ({"caches": 50, "frequency": tr.FrequencyEstimator(5, 0.1)}, "frequency"),
    "an optimizer's name": ({"optimizer": "adam"}, "optimizer"),
    "a scheduler of another": (
        {"scheduler": torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1), 1)},
        "scheduler",
    ),
    "no batch": ({"batch_size": 0}, "batch_size"),
    "half an epoch": ({"epochs": 0.5}, "epochs"),
    "a precision": ({"precision": "fp8"}, "precision"),
    "a device": ({"device": "abacus"}, "device"),
    "patience alone": ({"patience": 3}, "patience needs"),
    "a corpus alone": ({"corpus": torch.ones(5, 12)}, "corpus needs"),
    "one column to validate": ({"validation": torch.ones(5, 12)}, "validation"),
    "a k that is not counted": ({"validation": pairs(50), "monitor": 7}, "monitor"),
    "ks": ({"ks": (0,)}, "ks"),
    "a clip": ({"clip_norm": -1.0}, "clip_norm"),
    "a seed": ({"seed": -1}, "seed"),
    "nothing to train": ({"query_net": torch.nn.Identity(), "doc_net": torch.nn.Identity()}, "nothing to train"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    options, word = REFUSED[case]
    with pytest.raises(InputError, match=word):
        make(**options)


FAILING = {
    "a tower that returns none": ({"query_net": torch.nn.Sequential(tower(1), torch.nn.Flatten(0))}, "returned no"),
    "an epoch without a batch": ({"data": lambda epoch: iter([])}, "has no batch"),
    "a batch of one": ({"data": lambda epoch: iter([(torch.ones(3, 12),)])}, "batch is not usable"),
    "a loss without a gradient": ({"loss": lambda q, c: torch.tensor(1.0)}, "cannot be descended"),
    "data that raises": ({"data": lambda epoch: (1 / 0 for _ in range(2))}, "ZeroDivisionError"),
    "a frequency without ids": ({"frequency": tr.FrequencyEstimator(5, 0.1)}, "frequency needs to know"),
}


@pytest.mark.parametrize("case", FAILING)
def test_what_shows_later_fails_with_words(case):
    options, word = FAILING[case]
    training = make(**options)
    with pytest.raises(EmbOptError, match=word):
        training.run(progress=False)
    assert training.status is SearchStatus.FAILED and training.n_steps == 0
