"""What `bench quality` searches: a file of the benchmark format, the reference's tutorial and variants, digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.errors import InputError, MissingDependencyError

__all__ = ["TUTORIALS", "Task", "load_task", "recall"]

Array = npt.NDArray[Any]

TUTORIALS = ("", "near", "away", "random", "narrow", "wide", "shifted", "rotated", "uneven", "d16", "d256")
"""Variants of the tutorial: where the best point lies, how wide the score is, the frame, the dimensions."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A library with every item's true score.

    Attributes:
        name: For people.
        vectors: `(n, d)` float32, centred and scaled to unit mean variance where it comes from a file.
        truth: `(n,)` higher is better.
        allowed: `(n,)` what the filter lets through.
        tops: Sizes of the top sets whose recall is measured, by name.
        budgets: Calls, where none are asked for.
        batch: Items scored at a time, where our methods are told (a laboratory's plate); None leaves it to them.
    """

    name: str
    vectors: npt.NDArray[np.float32]
    truth: npt.NDArray[np.float64]
    allowed: npt.NDArray[np.bool_]
    tops: dict[str, int]
    budgets: tuple[str, ...]
    batch: int | None = None

    def asked(self, batch: str | None, tops: Sequence[str]) -> Task:
        """The same with a batch and with other top sets, as `calls` takes them; None and no sets change nothing."""
        sizes = sorted((self.calls(top), top.replace("%", " %")) for top in tops)
        sets = {f"top {top}": size for size, top in sizes} or self.tops
        return replace(self, tops=sets, batch=None if batch is None else self.calls(batch))

    def calls(self, budget: str) -> int:
        """A number of items, all at most: "200", or a share: "2%".

        Raises:
            InputError: Neither.
        """
        n = len(self.truth)
        try:
            asked = float(budget.removesuffix("%")) / 100 * n if budget.endswith("%") else int(budget)
        except ValueError:
            asked = 0
        if not 0 < asked < np.inf:
            raise InputError("This is no number of items", expected='a number, or a share: "2%"', got=budget)
        return min(n, max(1, round(asked)))


def recall(task: Task, rows: Array, k: int) -> float:
    """Share of the true top `k` among `rows`; items that tie with the k-th count up to the number of ties inside."""
    truth = np.where(task.allowed, task.truth, -np.inf)
    bar = np.partition(truth, -k)[-k]
    got = truth[rows]
    ties = min(int((got == bar).sum()), k - int((truth > bar).sum()))
    return (int((got > bar).sum()) + ties) / k


def load_task(name: str) -> Task:
    """A task by name: "tutorial", "tutorial-<variant>", "digits", or the path of an `.npz` with `X (N, d)`, `y (N,)`.

    Raises:
        InputError: No such task, or a file that is none. An item whose `y` is not finite is filtered out.
    """
    if name == "digits":
        return _digits()
    if name == "tutorial" or name.removeprefix("tutorial-") in TUTORIALS[1:]:
        return _tutorial(name.removeprefix("tutorial").removeprefix("-"))
    path = Path(name)
    if path.suffix != ".npz" or not path.exists():
        names = f"digits, tutorial or tutorial-{{{','.join(TUTORIALS[1:])}}}"
        raise InputError("There is no such task", expected=f"an .npz file, {names}", got=name)
    x, y = _arrays(path)
    x -= x.mean(axis=0)
    x /= np.sqrt(float(x.var(axis=0, dtype=np.float64).mean())) or 1.0
    return Task(path.stem, x, y, np.isfinite(y), _shares(len(y)), ("1%", "2%"))


def _arrays(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """`X` and `y` of a file, with what is wrong said of the file."""
    try:
        with np.load(path) as kept:
            x, y = kept["X"].astype(np.float32), kept["y"].astype(np.float64)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise InputError(f"{path} is no task", expected="an .npz file with numbers X and y", got=str(error)) from error
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size or not np.isfinite(x).all():
        got = f"X {x.shape}, y {y.shape}" if np.isfinite(x).all() else "numbers in X that are not finite"
        raise InputError(f"{path} is no task", expected="X (n, d), all finite, and y (n,)", got=got)
    return x, y


def _shares(n: int) -> dict[str, int]:
    return {"top 0.1 %": max(1, round(0.001 * n)), "top 1 %": max(1, round(0.01 * n))}


def _digits() -> Task:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("digits needs scikit-learn", hint="pip install 'emb_opt_widgets[demo]'") from error
    data = load_digits()
    x = (data.data / 16).astype(np.float32)
    eights, threes = x[data.target == 8].mean(axis=0), x[data.target == 3].mean(axis=0)
    far = [np.linalg.norm(x - centre, axis=1).astype(np.float64) for centre in (eights, threes)]
    truth = -np.maximum(far[0], far[1])
    return Task("digits", x, truth, np.ones(len(x), bool), {"top 10": 10, "top 50": 50}, ("60", "120"))


def _tutorial(variant: str) -> Task:
    """The reference's tutorial: 10,000 Gaussians, exp(−½(‖x − 0.75‖/√d/5)²), a filter that drops a tenth."""
    d = {"d16": 16, "d256": 256}.get(variant, 64)
    x = np.random.default_rng(42).standard_normal((10_000, d)).astype(np.float32)
    rng = np.random.default_rng(7)
    targets: dict[str, Callable[[], Array]] = {
        "near": lambda: np.full(d, 0.1),
        "random": lambda: rng.standard_normal(d),
        "away": lambda: -1.5 * np.abs(rng.standard_normal(d)),
    }
    target = targets.get(variant, lambda: np.full(d, 0.75))()
    away = (x - target).astype(np.float64)
    if variant == "shifted":
        x = x + np.float32(3)
    if variant in ("rotated", "uneven"):
        frame = np.linalg.qr(rng.standard_normal((d, d)))[0]
        away = away @ frame * (np.exp(0.5 * rng.standard_normal(d)) if variant == "uneven" else 1.0)
    width = {"narrow": 1.0, "wide": 20.0}.get(variant, 5.0)
    truth = np.exp(-0.5 * (np.linalg.norm(away, axis=1) / np.sqrt(d) / width) ** 2)
    allowed = np.random.default_rng(0).random(len(x)) < 0.9
    name = f"tutorial-{variant}" if variant else "tutorial"
    return Task(name, x, truth, allowed, {f"top {k}": k for k in (1, 5, 10, 50)}, ("100", "150"))
