"""The surrogates that are asked together, and how much each is believed.

Each is weighted by evidence of prediction: leave-one-out now, and rank correlation on batches that it had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.bandit import credit
from emb_opt_widgets.strategies.portfolio.fit import VOTE, fit, representative
from emb_opt_widgets.strategies.portfolio.known import FAILED, imputed
from emb_opt_widgets.strategies.portfolio.library import PLAIN, Library
from emb_opt_widgets.strategies.portfolio.linear import Sums
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.relevance import relevant
from emb_opt_widgets.strategies.portfolio.target import TRANSFORMS, rank_correlation

__all__ = ["LINEAR", "Ensemble", "fit_members", "learn"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

LINEAR = "linear"
LEARNED = "learned"
"""The kernel in a metric that is made from the scores."""
WORKS = "works"
"""Whether a score comes."""
_STEEP = 2.0
"""Times the slope of what is fitted to 0 and 1: a step looks flatter to it than it is."""
_READ_IN_ONE = 20_000
"""Items up to which a kernel may look at all of them."""
_MEMORY = 0.85
_DOUBT = 10.0
_REWARD_POWER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Fitted members by name, and their weights, which sum to 1.

    Attributes:
        works: Fitted to whether a score came at all; None where all did. rate: How often one did.
    """

    fits: Mapping[str, Process]
    weights: Mapping[str, float]
    works: Process | None = None
    rate: float = 1.0

    @property
    def best_fit(self) -> float:
        """The best leave-one-out rank correlation."""
        return max(process.left_out for process in self.fits.values())

    @property
    def unexplained(self) -> float:
        """Share of the variance of the scores' ranks that no member predicts, above 0."""
        return 1 - min(max(self.best_fit, 0.0), 0.9999) ** 2

    @property
    def n_points(self) -> int:
        """The most points that a member was fitted to."""
        return max(len(process.alpha) for process in self.fits.values())

    def group(self, operator: str) -> dict[str, float]:
        """The members that an operator asks, with weights that sum to 1."""
        names = [n for n in self.fits if operator not in (LINEAR, "kernel") or (n == LINEAR) == (operator == LINEAR)]
        names = names or list(self.fits)
        total = sum(self.weights[n] for n in names)
        return {n: self.weights[n] / total if total > 0 else 1 / len(names) for n in names}

    def leader(self, operator: str) -> Process:
        """The member whose variances an operator uses."""
        names = [n for n in self.group(operator) if operator != "explore" or n != LINEAR] or list(self.fits)
        return self.fits[max(names, key=lambda n: self.weights[n])]

    def at(self, library: Library, rows: Array) -> Array:
        """Weighted mean `(m,)` of rows, discounted."""
        mean = np.asarray(sum(w * self.fits[n].at(library, rows) for n, w in self.weights.items()))
        return self.discounted(library, rows, mean)

    def discounted(self, library: Library, rows: Array | None, expected: Array) -> Array:
        """What is expected `(m,)` of rows (None: of all), where it is more than what a failed score counts, times the
        probability that a score comes (Gelbart et al., "Bayesian Optimization with Unknown Constraints", 2014)."""
        if self.works is None:
            return expected
        told = self.works.everywhere(library) if rows is None else self.works.at(library, rows)
        line = self.rate + np.sqrt(self.rate * (1 - self.rate)) * told
        chance = np.clip(0.5 + _STEEP * (line - 0.5), 0.0, 1.0)
        failed = sum(w * float(np.quantile(self.fits[n].targets, FAILED)) for n, w in self.weights.items())
        return np.where(expected > failed, failed + chance * (expected - failed), expected).astype(np.float32)

    def predict(self, block: Array) -> Array:
        """Weighted mean `(m,)` of scaled vectors."""
        return np.asarray(sum(w * self.fits[n].predict(block) for n, w in self.weights.items()))

    def in_scores(self, operator: str, predicted: Array) -> Float64:
        """An operator's predictions as scores."""
        return self.leader(operator).in_scores(predicted)


def fit_members(
    library: Library, rows: Array, gains: Float64, memory: dict[str, Any], models: str, sums: Sums | None = None
) -> Ensemble:
    """Fit to scored rows; `memory` is told what was found.

    Args:
        library: What the rows are of.
        rows: `(n,)`. gains: `(n,)`, NaN where a score failed.
        memory: `hyper` is read and written, `skill` read, `weights` written.
        models: "linear", "kernel" or "both".
        sums: Of the library's scored rows; where given, the linear model is fitted to all of them.
    """
    known: Mapping[str, Any] = memory.get("hyper", {})
    fits: dict[str, Process] = {}
    turn = TRANSFORMS[len(rows) % len(TRANSFORMS)]
    came, gains = np.isfinite(gains), imputed(gains)
    kept = representative(library, rows, gains)
    every, tried, came = (rows, gains), rows[kept], came[kept]
    rows, gains = tried[came], gains[kept][came]
    if models != "kernel":
        fits[LINEAR] = fit(library, library.metrics[PLAIN], rows, gains, known.get(LINEAR), turn, linear=True)
        if sums is not None and len(every[0]) > len(tried):
            fits[LINEAR].primal = sums.fit(fits[LINEAR], library, *every)
    if models != "linear":
        for name, metric in library.metrics.items():
            fits[name] = fit(library, metric, rows, gains, known.get(name), turn)
        if library.dim > 1:
            fits[LEARNED] = _learned(fits[PLAIN], library, rows, gains, known.get(LEARNED), turn)
    weights = _weights(fits, memory.get("skill", {}))
    works = None if came.all() else _works(library, tried, came, known.get(WORKS), turn)
    fitted = fits if works is None else {**fits, WORKS: works}
    memory["hyper"] = {**known, **{name: process.hyper for name, process in fitted.items()}}
    memory["weights"] = {name: round(w, 4) for name, w in weights.items()}
    return Ensemble(fits, weights, works, float(came.mean()))


def _learned(
    before: Process, library: Library, rows: Array, gains: Float64, hyper: Mapping[str, Any] | None, turn: str
) -> Process:
    """Fitted in the metric that a process before it tells, and believed no more than that one: the scores left out
    had a part in the metric."""
    out = fit(library, relevant(library, before), rows, gains, hyper, turn)
    out.left_out = min(out.left_out, before.left_out)
    return out


def _works(
    library: Library, tried: Array, came: npt.NDArray[np.bool_], hyper: Mapping[str, Any] | None, turn: str
) -> Process:
    """Fitted to whether scores came."""
    linear = library.n > _READ_IN_ONE
    return fit(library, library.metrics[PLAIN], tried, came.astype(np.float64), hyper, turn, linear=linear)


def _weights(fits: Mapping[str, Process], skill: Mapping[str, Sequence[float]]) -> dict[str, float]:
    merit = {}
    for name, process in fits.items():
        agreed, seen = skill.get(name, (0.0, 0.0))
        left_out = min(max(process.left_out, 0.0), 0.9999)
        merit[name] = -VOTE * np.log(1 - left_out**2) + 2.0 * agreed / (seen + _DOUBT)
    top = max(merit.values())
    raw = {name: float(np.exp(value - top)) for name, value in merit.items()}
    return {name: value / sum(raw.values()) for name, value in raw.items()}


def learn(memory: dict[str, Any], places: Array, gains: Float64) -> None:
    """Skill and credit from the last batch, against what was predicted and who drew what before it was scored.

    Args:
        memory: `skill` and `credit` are brought up to date; `last` is taken out of it.
        places: `(b,)` of the last batch's items among all that were paid for, -1 where one was not.
        gains: `(n,)` of all that were paid for, NaN where a score failed.
    """
    last = memory.pop("last", None)
    if not last or not last.get("predicted"):
        return
    scored = np.flatnonzero(places >= 0)
    if not len(scored):
        return
    got = gains[places[scored]]
    fine = np.isfinite(got)
    skill: dict[str, list[float]] = {}
    for name, predicted in last["predicted"].items():
        agreed, seen = memory.get("skill", {}).get(name, (0.0, 0.0))
        n = int(fine.sum())
        if n >= 3:
            rho = rank_correlation(np.asarray(predicted)[scored[fine]], got[fine])
            agreed, seen = _MEMORY * agreed + n * rho, _MEMORY * seen + n
        skill[name] = [float(agreed), float(seen)]
    memory["skill"] = {**memory.get("skill", {}), **skill}
    rewards = _standing(gains, got) ** _REWARD_POWER
    memory["credit"] = credit(memory.get("credit", {}), [last["operators"][i] for i in scored], rewards)


def _standing(gains: Float64, of: Float64) -> Float64:
    """Share of all scored items that each of these is better than, ties by half; 0 for one without a score."""
    fine = np.sort(gains[np.isfinite(gains)])
    below, upto = np.searchsorted(fine, of, "left"), np.searchsorted(fine, of, "right")
    return np.where(np.isfinite(of), (below + upto - 1) / 2, 0.0) / max(len(fine) - 1, 1)
