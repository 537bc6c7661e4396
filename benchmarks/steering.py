"""A steering vector in a small GPT-2 of random weights: searched with and without gradients, against gradient ascent.

The score is the mean log-probability of one token after eight prompts, less a twentieth of the vector's norm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import emb_opt_widgets as eow
from benchmarks.measure import Measure

__all__ = ["measure_steering"]

_TOKEN, _LAYER, _DIM = 65, 2, 64
_COST = 0.05
_ASCENT = 0.1
"""Learning rate of the gradient ascent."""


def measure_steering(quick: bool = False, say: Callable[[str], None] = lambda _: None) -> Iterator[Measure]:
    """Scores found, CPU beside scoring, and the difference from the peer.

    Args:
        quick: Few calls, for tests; the numbers then mean little.
        say: Told what is under way.
    """
    import torch

    torch.set_num_threads(1)
    calls, passes, more = (20, 10, 40) if quick else (200, 75, 600)
    space = _space()
    zero = float(_behaviour(space.steered(np.zeros((1, _DIM))))[0])
    yield Measure("score of the zero vector", zero, "", -5.6, "at least", "log-probability; nothing is added")
    say(f"a search of {calls} calls without gradients")
    found, beside, inside = _searched(calls)
    norm = float(np.linalg.norm(found.best.embedding))
    yield Measure(
        f"{calls} calls without gradients", found.best.score, "", -4.71, "at least", f"norm {norm:.2f}, at most 8"
    )
    yield Measure(
        "CPU beside scoring", beside, "s", 2.0, "at most", f"{inside:.2f} s of scoring, {found.n_rounds} rounds"
    )
    say(f"gradient ascent of {passes} passes, and a search of as many calls")
    ascent = _ascent(space, passes)
    search = eow.Search(_space(), space.score(_behaviour), queries=_starts(), budget=passes)
    search.run(progress=False)
    detail = f"Adam with a rate of {_ASCENT} reaches {ascent:.3f} in as many passes"
    yield Measure(f"{passes} calls with gradients", _best(search).score, "", ascent, "at least", detail)
    yield _against_the_peer(space, _best(search).embedding)
    say(f"a search of {more} calls")
    _, beside, inside = _searched(more)
    yield Measure(f"CPU beside scoring, {more} calls", beside, "s", 20.0, "at most", f"{inside:.2f} s of scoring")


def _space() -> Any:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=256, n_positions=64, n_embd=_DIM, n_layer=4, n_head=4, bos_token_id=0, eos_token_id=0
    )
    model: Any = GPT2LMHeadModel(config)
    model.eval()
    return eow.activations.Tap(model, _LAYER).space(torch.randint(256, (8, 16)), max_norm=8.0)


def _behaviour(steered: Any) -> Any:
    return steered.log_probabilities[:, :, _TOKEN].mean(1) - _COST * steered.vectors.norm(dim=1)


def _starts() -> Any:
    return 0.1 * np.random.default_rng(0).standard_normal((4, _DIM))


def _best(search: Any) -> Any:
    return search.best


def _searched(calls: int) -> tuple[Any, float, float]:
    """A search without gradients, its CPU seconds beside scoring, and those of scoring."""
    space, inside = _space(), [0.0]
    plain = space.score(_behaviour, gradient=False)

    def score(items: Any) -> Any:
        begin = time.thread_time()
        answer = plain(items)
        inside[0] += time.thread_time() - begin
        return answer

    search = eow.Search(space, score, queries=_starts(), budget=calls)
    begin = time.process_time()
    search.run(progress=False)
    return search, time.process_time() - begin - inside[0], inside[0]


def _ascent(space: Any, passes: int) -> float:
    """What Adam reaches, the last of as many passes."""
    import torch

    vector = torch.zeros((1, _DIM), requires_grad=True)
    steps = torch.optim.Adam([vector], lr=_ASCENT)
    reached = float("nan")
    for _ in range(passes):
        score = _behaviour(space.steered(vector))[0]
        steps.zero_grad()
        (-score).backward()
        steps.step()
        reached = float(score.detach())
    return reached


def _against_the_peer(space: Any, vector: Any) -> Measure:
    """The largest difference of a logit from those of steering-vectors under the same vector."""
    import torch

    tokens = space.tap.model.dummy_inputs["input_ids"] % 256
    name, detail = "difference from steering-vectors", "largest of any logit"
    try:
        theirs = eow.activations.to_steering_vector(space.tap, vector)
    except eow.MissingDependencyError as error:
        return Measure(name, float("nan"), "", 0.0, "at most", str(error))
    with torch.no_grad():
        with theirs.apply(space.tap.model):
            wanted = space.tap.model(tokens).logits
        with space.tap.patch(vector):
            got = space.tap.model(tokens).logits
    return Measure(name, float((wanted - got).abs().max()), "", 0.0, "at most", detail)
