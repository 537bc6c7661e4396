"""What each process of the sharded tests does: the same scenarios as the single process, each on its own part."""

from __future__ import annotations

import datetime
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training import CacheLoss, GumbelMax, MaxScore, NegativeCache, ShardedCacheLoss, Temperature
from tests.training.reads import Reads

D, X = 5, 4


@dataclass(frozen=True)
class Scenario:
    """A loss and what it is called with.

    Attributes:
        batches, rows: Sizes of each process, taken round. sources: In each process.
    """

    dtype: torch.dtype = torch.float64
    batches: tuple[int, ...] = (4,)
    rows: tuple[int, ...] = (12,)
    sources: tuple[str, ...] = ("a",)
    top_k: int | None = None
    ids: bool = False
    empty: bool = False
    max_score: bool = True
    in_batch: bool = False

    def batch(self, rank):
        return self.batches[rank % len(self.batches)]

    def capacity(self, rank):
        return self.rows[rank % len(self.rows)]


SCENARIOS = {
    "plain": Scenario(),
    "float32": Scenario(dtype=torch.float32),
    "top_k": Scenario(top_k=12, rows=(10,)),
    "top_k with a remainder to each": Scenario(top_k=12, rows=(15,)),
    "ragged": Scenario(batches=(1, 5, 3), rows=(7, 20, 1)),
    "sources": Scenario(sources=("web", "all"), batches=(3, 2), rows=(6, 9)),
    "ids": Scenario(ids=True, sources=("a", "b"), batches=(3, 5)),
    "nothing cached": Scenario(empty=True),
    "drawn": Scenario(max_score=False),
    "in batch": Scenario(in_batch=True, batches=(2, 5, 3)),
    "in batch, ids": Scenario(in_batch=True, ids=True, batches=(3, 5)),
}


class Part:
    """The towers, and one process' batch and caches."""

    def __init__(self, scenario, rank):
        shared = torch.Generator().manual_seed(7)
        rng = torch.Generator().manual_seed(100 + rank)
        self.scenario, self.dtype = scenario, scenario.dtype
        self.w_query, self.w_doc = (self.normal(shared, X, D).requires_grad_() for _ in range(2))
        self.temperature = Temperature(0.8).to(self.dtype)
        b = scenario.batch(rank)
        self.x, self.y = self.normal(rng, b, X), self.normal(rng, b, X)
        self.own = torch.randint(0, 12, (b,), generator=rng) if scenario.ids else None
        self.caches = {name: self.cache(rng, scenario.capacity(rank)) for name in scenario.sources}

    def normal(self, rng, *shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64).to(self.dtype)

    def cache(self, rng, capacity):
        fields = {"embedding": (D,), "x": (X,), "id": ((), torch.int64), "flag": ((2,), torch.bool)}
        out = NegativeCache(capacity + 2, fields, dtype=self.dtype)
        if self.scenario.empty:
            return out
        x = self.normal(rng, capacity, X)
        items = {
            "embedding": (x @ self.w_doc).detach() + 0.2 * self.normal(rng, capacity, D), "x": x,
            "id": torch.randint(0, 12, (capacity,), generator=rng),
            "flag": torch.rand(capacity, 2, generator=rng) < 0.5,
        }  # fmt: skip
        for i in range(capacity):
            out.step(add={name: value[i : i + 1] for name, value in items.items()})
        return out

    def doc_net(self, data):
        return data["x"] @ self.w_doc

    def call(self, loss):
        return loss(self.doc_net, self.x @ self.w_query, self.y @ self.w_doc, self.caches, positive_ids=self.own)

    def options(self):
        retrieval = MaxScore() if self.scenario.max_score else GumbelMax()
        ids = "id" if self.scenario.ids else None
        return {
            "score_transform": self.temperature, "top_k": self.scenario.top_k, "retrieval": retrieval,
            "reduction": "none", "id_field": ids, "in_batch": self.scenario.in_batch,
        }  # fmt: skip

    def finish(self, out):
        """Step on, and say what came of it."""
        out.training_loss.sum().backward()
        for name, cache in self.caches.items():
            cache.step(**out.refresh[name])
        return {
            "training": out.training_loss.detach(), "interpretable": out.interpretable_loss,
            "staleness": out.staleness, "selected": out.selected,
            "gradients": [self.w_query.grad, self.w_doc.grad, self.temperature.log_temperature.grad],
            "caches": {name: cache.state_dict() for name, cache in self.caches.items()},
        }  # fmt: skip


class Whole(Part):
    """All processes' parts in one."""

    def __init__(self, scenario, size):
        super().__init__(scenario, 0)
        parts = [Part(scenario, rank) for rank in range(size)]
        self.x, self.y = torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts])
        self.own = torch.cat([part.own for part in parts]) if scenario.ids else None
        self.caches = {
            f"{rank}/{name}": cache for rank, part in enumerate(parts) for name, cache in part.caches.items()
        }

    def run(self):
        return self.finish(self.call(CacheLoss(**self.options())))


def run(scenario, rank):
    part = Part(scenario, rank)
    torch.manual_seed(rank)
    return part.finish(part.call(ShardedCacheLoss(**part.options())))


def draws(rank, beta):
    """Many draws for one query, in process 0 only; the others have one query each."""
    part = Part(Scenario(rows=(3, 5, 2)), rank)
    if rank == 0:
        part.x, part.y = part.x[:1].expand(20_000, X), part.y[:1].expand(20_000, X)
    torch.manual_seed(50 + rank)
    options = {**part.options(), "retrieval": GumbelMax(beta)}
    return part.call(ShardedCacheLoss(**options)).selected


class Exchanges:
    """Counts what goes between processes while it is entered."""

    NAMES = ("all_gather", "all_to_all_single", "all_reduce", "all_gather_object", "broadcast", "gather", "scatter")

    def __enter__(self):
        self.seen, self.kept = [], {name: getattr(dist, name) for name in self.NAMES}
        for name, function in self.kept.items():
            setattr(dist, name, self.counted(name, function))
        return self

    def counted(self, name, function):
        def call(*args, **options):
            self.seen.append(name)
            return function(*args, **options)

        return call

    def __exit__(self, *_):
        for name, function in self.kept.items():
            setattr(dist, name, function)


def costs(rank, in_batch):
    """Exchanges, and looks at the device, of a loss and its caches' step."""
    part = Part(Scenario(ids=True, in_batch=in_batch), rank)
    caches = {"a": NegativeCache(12, {"embedding": (D,), "x": (X,), "id": ((), torch.int64)}, dtype=part.dtype)}
    x = part.normal(torch.Generator().manual_seed(rank), 12, X)
    rows = {"embedding": (x @ part.w_doc).detach(), "x": x, "id": torch.arange(12) + 100 * rank}
    for start in (0, 6):
        caches["a"].step(add={name: value[start : start + 6] for name, value in rows.items()})
    caches["a"].step(add={name: value[:6] for name, value in rows.items()})
    part.caches = caches
    with Exchanges() as exchanges, Reads() as reads:
        out = part.call(ShardedCacheLoss(**part.options()))
        caches["a"].step(**out.refresh["a"])
    with Exchanges() as back:
        out.training_loss.sum().backward()
    return {"exchanges": exchanges.seen, "back": back.seen, "reads": dict(reads.seen)}


def plain_callable(rank):
    """One that takes column 3 of a shard, and the last shard."""
    part, shapes = Part(Scenario(), rank), []

    def retrieval(scores):
        shapes.append(tuple(scores.shape))
        return torch.full((len(scores),), 3 if scores.shape[1] == 14 else scores.shape[1] - 1)

    return {"selected": part.call(ShardedCacheLoss(retrieval=retrieval)).selected, "shapes": shapes}


def failures(rank, size):
    """Each goes wrong in the last process, or everywhere: what every process then raises."""
    last, out = rank == size - 1, {}

    def attempt(name, change, **options):
        part = Part(Scenario(), rank)
        if change is not None and last:
            change(part)
        try:
            part.call(ShardedCacheLoss(**{**part.options(), **options}))
            out[name] = None
        except (InputError, ZeroDivisionError) as error:
            out[name] = str(error)

    attempt("top_k smaller than the number of processes", None, top_k=size - 1)
    attempt("empty batch", lambda part: (setattr(part, "x", part.x[:0]), setattr(part, "y", part.y[:0])))
    attempt("NaN query", lambda part: part.x.fill_(math.nan))
    attempt("NaN in a shard", lambda part: part.caches["a"].data["embedding"].fill_(math.nan))
    attempt("other sources", lambda part: setattr(part, "caches", {"b": part.caches["a"]}))
    attempt("other type", lambda part: setattr(part, "caches", {"a": part.caches["a"].float()}))
    attempt("retrieval fails", None, retrieval=(lambda scores: 1 / 0) if last else torch.Tensor.argmax)
    attempt("other option", None, in_batch=last)
    attempt("tower fails", lambda part: setattr(part, "doc_net", lambda data: data["nope"] if rank < 0 else None))
    attempt("nothing", None)
    return out


def main(rank, size, folder):
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=size,
        timeout=datetime.timedelta(seconds=60),
    )  # fmt: skip
    out = {name: run(scenario, rank) for name, scenario in SCENARIOS.items()}
    out["draws"] = {beta: draws(rank, beta) for beta in (1.0, 2.0)}
    out["plain callable"] = plain_callable(rank)
    out["failures"] = failures(rank, size)
    out["costs"] = {in_batch: costs(rank, in_batch) for in_batch in (False, True)}
    group = dist.new_group(list(range(size - 1)))
    if rank < size - 1:
        part = Part(Scenario(), rank)
        out["subgroup"] = part.finish(part.call(ShardedCacheLoss(group, **part.options())))
    torch.save(out, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
