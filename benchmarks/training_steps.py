"""Who is compared in `bench training`: each does one whole training step over the same items. Run in its own process.

`python -m benchmarks.training_steps NAME ROWS STEPS` says seconds and bytes as JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measure import timed
from emb_opt_widgets.training import CacheLoss, NegativeCache

__all__ = ["BATCH", "DIM", "HIDDEN", "STEPS", "Setting"]

BATCH, DIM, HIDDEN = 64, 128, 256


class Setting:
    """Two towers of two layers, an optimiser, and the features of all items.

    Args:
        rows: Items, N; the cache is as large.
    """

    def __init__(self, rows: int) -> None:
        torch.manual_seed(0)
        self.rows = rows
        self.features = torch.randn(rows, DIM)
        self.query_tower, self.doc_tower = (
            nn.Sequential(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM)) for _ in range(2)
        )
        both = [*self.query_tower.parameters(), *self.doc_tower.parameters()]
        self.optimizer = torch.optim.SGD(both, lr=0.01)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Numbers of the positives, and query embeddings."""
        wanted = torch.randint(self.rows, (BATCH,))
        return wanted, self.query_tower(self.features[wanted] + 0.1 * torch.randn(BATCH, DIM))

    def descend(self, loss: Tensor) -> None:
        """One step of the optimiser."""
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()

    @torch.no_grad()
    def parts(self) -> Iterator[dict[str, Tensor]]:
        """All items with their embeddings, a part at a time."""
        for x in torch.split(self.features, 1024):
            yield {"embedding": self.doc_tower(x), "x": x}


def _full_softmax(setting: Setting) -> Callable[[], None]:
    """Cross-entropy against all items, all encoded anew."""

    def step() -> None:
        wanted, queries = setting.batch()
        scores = queries @ setting.doc_tower(setting.features).T
        setting.descend(nn.functional.cross_entropy(scores, wanted))

    return step


def _ours(setting: Setting) -> Callable[[], None]:
    """This library."""
    cache = NegativeCache(setting.rows, {"embedding": (DIM,), "x": (DIM,)})
    for items in setting.parts():
        cache.step(add=items)
    loss = CacheLoss()

    def step() -> None:
        wanted, queries = setting.batch()
        x = setting.features[wanted]
        positives = setting.doc_tower(x)
        out = loss(lambda data: setting.doc_tower(data["x"]), queries, positives, {"docs": cache})
        setting.descend(out.training_loss)
        cache.step(**out.refresh["docs"], add={"embedding": positives, "x": x})

    return step


def _port(setting: Setting) -> Callable[[], None]:
    """The published method written down line by line: new arrays at each update, softmax, noise for every score."""
    embedding = torch.cat([items["embedding"] for items in setting.parts()])
    data = {"embedding": embedding, "x": setting.features.clone()}
    age = torch.zeros(setting.rows, dtype=torch.int32)

    def step() -> None:
        nonlocal data, age
        wanted, queries = setting.batch()
        x = setting.features[wanted]
        positives = setting.doc_tower(x)
        own = (queries * positives).sum(1)
        scores = queries @ data["embedding"].T
        drawn = (scores - torch.log(-torch.log(torch.rand_like(scores)))).argmax(1)
        fresh = setting.doc_tower(data["x"][drawn])
        likely = torch.softmax(torch.cat([own[:, None], scores], dim=1), dim=1)[:, 0].detach()
        setting.descend(((1 - likely) * ((queries * fresh).sum(1) - own)).mean())
        new = {"embedding": positives.detach(), "x": x}
        data, age = _ported_update(data, age, new, drawn, fresh.detach())

    return step


def _ported_update(
    data: Mapping[str, Tensor], age: Tensor, new: Mapping[str, Tensor], drawn: Tensor, fresh: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    embedding, age = data["embedding"].index_put((drawn,), fresh), age.index_fill(0, drawn, -1)
    oldest = torch.sort(age, descending=True, stable=True).indices[:BATCH]
    after = {name: value.index_put((oldest,), new[name]) for name, value in {**data, "embedding": embedding}.items()}
    return after, age.index_fill(0, oldest, -1) + 1


STEPS: Mapping[str, Callable[[Setting], Callable[[], None]]] = {
    "ours": _ours, "full softmax": _full_softmax, "port": _port,
}  # fmt: skip
"""By name: a setting to what does one step."""


def _memory(key: str) -> float:
    """Bytes: "VmRSS", resident now, or "VmHWM", the most so far; NaN where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
    return 1024.0 * int(lines[key].split()[0])


def run(name: str, rows: int, steps: int) -> dict[str, object]:
    """Seconds of each step, the first apart, and the most memory taken above what a step over a few items takes.

    Args:
        name: One of `STEPS`. rows: N. steps: How many are timed.
    """
    torch.set_num_threads(1)
    STEPS[name](Setting(2 * BATCH))()
    before = _memory("VmRSS")
    step = STEPS[name](Setting(rows))
    step()
    return {"seconds": [timed(step) for _ in range(steps)], "bytes": _memory("VmHWM") - before}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
