"""What each loss gains on a real retrieval task: docstring → code of what is installed (`cli.docstrings`).

Hashed bag-of-words towers to unit length, temperature .07, Adam; held-out queries are ranked among all code.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measure import Measure
from emb_opt_widgets import training as tr
from emb_opt_widgets.cli.docstrings import docstring_pairs, word_ids

__all__ = ["Task", "Tower", "measure_docstrings"]

_VOCABULARY, _DIM, _TEMPERATURE = 1 << 14, 64, 0.07
_WORDS_SAID, _WORDS_CODE = 24, 64
_ROWS = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Words of queries `(n, 24)` and of documents `(n, 64)`; the first `held` are for evaluation."""

    queries: Tensor
    documents: Tensor
    held: int

    @classmethod
    def made(cls, limit: int | None, held: int) -> Task:
        """From what is installed; a limited one from the standard library alone."""
        pairs = docstring_pairs() if limit is None else docstring_pairs((), limit=limit)
        queries = torch.from_numpy(word_ids([pair.says for pair in pairs], _WORDS_SAID, _VOCABULARY))
        documents = torch.from_numpy(word_ids([pair.code for pair in pairs], _WORDS_CODE, _VOCABULARY))
        fine = ((queries > 0).sum(1) >= 4) & ((documents > 0).sum(1) >= 6)
        return cls(queries[fine], documents[fine], held)


class Tower(nn.Module):
    """The weighted mean of a text's words, through a linear layer, to length 1.

    Args:
        words: The embeddings, which both towers share.
    """

    def __init__(self, words: nn.Embedding) -> None:
        super().__init__()
        self.words = words
        self.weight = nn.Embedding(_VOCABULARY, 1)
        nn.init.zeros_(self.weight.weight)
        self.out = nn.Linear(_DIM, _DIM)

    def forward(self, ids: Tensor) -> Tensor:
        """`(n, d)` of ids `(n, L)`."""
        weight = torch.exp(self.weight(ids)).squeeze(-1) * (ids > 0)
        mean = (self.words(ids) * weight[..., None]).sum(1) / (weight.sum(1, keepdim=True) + 1e-6)
        return F.normalize(mean + self.out(mean), dim=1)


class _Divided(nn.Module):
    """Scores over the temperature."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores / _TEMPERATURE


def _options(name: str) -> dict[str, Any]:
    """What makes a candidate."""
    if name == "in batch":
        return {"loss": tr.RetrievalLoss(_TEMPERATURE, reduction="mean")}
    both = name == "both"
    return {"loss": tr.CacheLoss(score_transform=_Divided(), id_field="id", in_batch=both), "caches": _ROWS}


def recall(task: Task, name: str, batch_size: int, seed: int, steps: int) -> dict[int, float]:
    """Train by one loss; k to the share of held-out queries whose own code is among the first k."""
    torch.manual_seed(seed)
    words = nn.Embedding(_VOCABULARY, _DIM)
    nn.init.normal_(words.weight, std=0.1)
    held = task.held
    queries, documents = task.queries[held:], task.documents[held:]
    with tr.Training(
        Tower(words), Tower(words), (queries, documents, torch.arange(len(queries))), steps=steps, epochs=None,
        batch_size=batch_size, seed=seed, device="cpu", evaluate_every=steps, ks=(1, 10, 100),
        validation=(task.queries[:held], task.documents[:held]), corpus=documents,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3), **_options(name),
    ) as training:  # fmt: skip
        training.run(progress=False)
        return training.evaluate()


def measure_docstrings(
    quick: bool = False, say: Callable[[str], None] = lambda _: None, seeds: int = 3, steps: int = 1_200
) -> Iterator[Measure]:
    """Both losses together against the loss inside the batch alone, at two batch sizes, by recall@10.

    Args:
        quick: A small task and few steps, for tests; the numbers then mean little.
        say: Told what is under way. seeds: How many. steps: Of each training.
    """
    say("what is installed")
    task = Task.made(2_000 if quick else None, 200 if quick else 1_500)
    steps, seeds = (20, 1) if quick else (steps, seeds)
    for batch_size in (64, 16):
        found: dict[str, list[dict[int, float]]] = {"in batch": [], "cache": [], "both": []}
        for seed in range(seeds):
            for name, rows in found.items():
                begin = time.perf_counter()
                rows.append(recall(task, name, batch_size, seed, steps))
                shown = "/".join(f"{100 * share:.1f}" for share in rows[-1].values())
                say(f"batch {batch_size}, seed {seed}, {name}: {shown} % in {time.perf_counter() - begin:.0f} s")
        yield _gain(task, batch_size, steps, found)


def _gain(task: Task, batch_size: int, steps: int, found: dict[str, list[dict[int, float]]]) -> Measure:
    """How many standard errors of the difference both are above the batch alone."""
    pairs = [100 * (both[10] - alone[10]) for both, alone in zip(found["both"], found["in batch"])]
    error = statistics.stdev(pairs) / len(pairs) ** 0.5 if len(pairs) > 1 else 1.0
    means = {
        name: "/".join(f"{100 * statistics.mean(row[k] for row in rows):.1f}" for k in rows[0])
        for name, rows in found.items()
    }
    detail = (
        f"{len(task.queries):,} pairs, {steps:,} steps, {len(pairs)} seeds, recall@1/10/100 in %: "
        + ", ".join(f"{name} {value}" for name, value in means.items())
        + f"; recall@10 differs by {statistics.mean(pairs):.2f} ± {error:.2f}"
    )
    name = f"both losses over the batch’s alone, batch {batch_size}, in standard errors"
    return Measure(name, statistics.mean(pairs) / max(error, 1e-9), "SE", 1, "at least", detail)
