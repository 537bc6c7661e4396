"""What each process of the tests with several does: the same programme, its own pairs."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from emb_opt_widgets import training as tr
from emb_opt_widgets.errors import EmbOptError
from tests.training.towers_for_tests import pairs, tower


def state_of(training):
    parts = {"q": training.query_net, "d": training.doc_net}
    return {f"{name}.{key}": value.clone() for name, net in parts.items() for key, value in net.state_dict().items()}


def plain(rank, **options):
    """Towers that begin differently in each process."""
    torch.manual_seed(rank)
    given = {"batch_size": 8, "steps": 100, "epochs": None, "device": "cpu", "seed": 3}
    return tr.Training(tower(10 + rank), tower(20 + rank), (*pairs(), torch.arange(300)), **{**given, **options})


LOSSES = {
    "in batch": lambda: {"loss": tr.RetrievalLoss(torch.nn.Parameter(torch.tensor(0.7)), remove_accidental_hits=True)},
    "default": lambda: {"validation": pairs(60), "evaluate_every": 40},
    "cache": lambda: {"caches": 60, "loss": tr.CacheLoss(id_field="id", in_batch=True)},
    "sharded": lambda: {"caches": 60, "loss": tr.ShardedCacheLoss(id_field="id", in_batch=True)},
    "frequency": lambda: {"frequency": tr.FrequencyEstimator(400, 0.1), "accumulate": 2, "clip_norm": 1.0},
    "half": lambda: {"precision": "bf16"},
}


def trained(rank, name):
    training = plain(rank, **LOSSES[name]())
    training.run(progress=False)
    return {"state": state_of(training), "loss": training.metrics["loss"].tolist(), "best": training.best}


def large_batch(rank, size):
    """One step, to be compared with a single process that has all pairs; without batch norm and dropout."""
    torch.manual_seed(1)
    nets = torch.nn.Linear(12, 4), torch.nn.Linear(12, 4)
    queries, documents = pairs(8 * size)
    mine = slice(8 * rank, 8 * rank + 8)
    training = tr.Training(
        *nets, lambda epoch: iter([(queries[8 * i : 8 * i + 8], documents[8 * i : 8 * i + 8]) for i in range(size)]),
        steps=1, epochs=None, device="cpu", optimizer=lambda p: torch.optim.SGD(p, lr=1.0),
    )  # fmt: skip
    training.run(progress=False)
    assert mine.stop <= len(queries)
    return state_of(training)


def failures(rank, size):
    """Each goes wrong in the last process only: what every process then raises."""
    last, out = rank == size - 1, {}

    def attempt(name, work):
        try:
            work()
            out[name] = None
        except EmbOptError as error:
            out[name] = f"{type(error).__name__}: {error}"

    def broken(value):
        raise RuntimeError("a loose wire")

    def failing_data():
        queries, documents = pairs()
        batches = [(queries[i : i + 8], documents[i : i + 8]) for i in range(0, 80, 8)]
        data = lambda epoch: iter(batches) if not last else map(broken, batches)  # noqa: E731
        tr.Training(tower(1), tower(2), data, steps=3, epochs=None, device="cpu").run(progress=False)

    def failing_tower(caches=None, loss=None):
        training = plain(rank, steps=3, caches=caches, loss=loss)
        if last:
            training.doc_net.register_forward_pre_hook(lambda module, inputs: broken(inputs))
        training.run(progress=False)

    def failing_backward():
        training = plain(rank, steps=3)
        if last:
            next(training.doc_net.parameters()).register_hook(broken)
        training.run(progress=False)

    attempt("other settings", lambda: plain(rank, clip_norm=1.0 if last else None))
    attempt("other batches", lambda: plain(rank, batch_size=9 if last else 8))
    attempt("other loss", lambda: plain(rank, loss=tr.RetrievalLoss(0.5 if last else 0.7)))
    attempt("too few pairs", lambda: plain(rank, batch_size=300))
    attempt("a tower fails", failing_tower)
    attempt("a tower fails beside a cache", lambda: failing_tower(30))
    attempt("a tower fails beside a sharded cache", lambda: failing_tower(30, tr.ShardedCacheLoss()))
    attempt("data fails", failing_data)
    attempt("the way back fails", failing_backward)
    attempt("nothing", lambda: plain(rank, steps=2).run(progress=False))
    return out


def kept(rank, folder):
    """A training with a file, closed in the middle and gone on with, against one that was not."""
    options = {"caches": 40, "loss": tr.CacheLoss(id_field="id"), "steps": 30}
    whole = plain(rank, **options)
    whole.run(progress=False)
    path = folder / "t.eow"
    training = plain(rank, **options, path=path, checkpoint_every=7)
    training.run(steps=12, progress=False)
    training.close()
    names = sorted(file.name for file in folder.glob("t.eow*")) if rank == 0 else None
    dist.barrier()
    again = tr.load(
        path, tower(10 + rank), tower(20 + rank), (*pairs(), torch.arange(300)), loss=tr.CacheLoss(id_field="id"),
        caches=40, device="cpu",
    )  # fmt: skip
    again.run(steps=18, progress=False)
    out = {"whole": state_of(whole), "resumed": state_of(again), "names": names, "steps": again.n_steps}
    out["caches"] = [t.controller.engine.learner.parts.caches["cache"].state_dict() for t in (whole, again)]
    again.close()
    return out


def stopped(rank):
    """Process 0 asks for a pause while all run."""
    training = plain(rank, steps=None)
    if rank == 0:

        def tired(bodies):
            if training.n_steps == 5 and any(body.kind == "stepped" for body in bodies):
                training.controller.submit("pause", wait=False)

        training.listen(tired)
    training.run(progress=False)
    at = training.n_steps
    training.run(steps=3, progress=False)
    return {"paused": at, "steps": training.n_steps, "status": str(training.status)}


def main(folder, part):
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    rank, size = dist.get_rank(), dist.get_world_size()
    if part == "losses":
        out = {name: trained(rank, name) for name in LOSSES}
        out["large batch"] = large_batch(rank, size)
        alone = plain(rank, steps=3, process_group=None)
        alone.run(progress=False)
        out["alone"] = state_of(alone)
    else:
        out = {"failures": failures(rank, size), "kept": kept(rank, folder), "stopped": stopped(rank)}
    torch.save(out, folder / f"{part}{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    main(Path(sys.argv[1]), sys.argv[2])
