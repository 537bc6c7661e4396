"""The surrogates that are asked together, and how much each is believed.

Each is weighted by evidence of prediction: leave-one-out now, and rank correlation on batches that it had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.strategies.portfolio.bandit import credit
from emb_opt_widgets.strategies.portfolio.fit import VOTE, fit, representative
from emb_opt_widgets.strategies.portfolio.known import FAILED, imputed
from emb_opt_widgets.strategies.portfolio.library import PLAIN, Library
from emb_opt_widgets.strategies.portfolio.linear import Sums
from emb_opt_widgets.strategies.portfolio.process import Process
from emb_opt_widgets.strategies.portfolio.state import Memory
from emb_opt_widgets.strategies.portfolio.surrogates import Observed, Surrogate
from emb_opt_widgets.strategies.portfolio.surrogates.outside import Outside
from emb_opt_widgets.strategies.portfolio.surrogates.surrogate import SurrogateError
from emb_opt_widgets.strategies.portfolio.target import TRANSFORMS, rank_correlation

__all__ = ["LINEAR", "Ensemble", "Member", "Scored", "called", "fit_ensemble", "learn", "skilled"]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

LINEAR = "linear"
WORKS = "works"
"""Whether a score comes."""
_STEEP = 2.0
"""Times the slope of what is fitted to 0 and 1: a step looks flatter to it than it is."""
_READ_IN_ONE = 20_000
"""Items up to which a kernel may look at all of them."""
_MEMORY = 0.85
_DOUBT = 10.0
_REWARD_POWER = 4
_COMPANY = 5
"""Scores that are learnt from at a time, where others are still to come."""
_SURE = 0.9999

Member = Process | Outside
"""A fitted model: ours, or another's."""


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Fitted members by name, and their weights, which sum to 1.

    Attributes:
        fits: At least one. weights: Of each.
        owners: The surrogate that each was fitted by.
        trust: What each left out, as rank correlation; guessed from its skill where it does not tell.
        works: Fitted to whether a score came at all; None where all did. rate: How often one did.
    """

    fits: Mapping[str, Member]
    weights: Mapping[str, float]
    owners: Mapping[str, str]
    trust: Mapping[str, float]
    works: Process | None = None
    rate: float = 1.0

    @property
    def best_fit(self) -> float:
        """The best leave-one-out rank correlation."""
        return max(self.trust.values())

    @property
    def unexplained(self) -> float:
        """Share of the variance of the scores' ranks that no member predicts, above 0."""
        return 1 - min(max(self.best_fit, 0.0), _SURE) ** 2

    @property
    def n_points(self) -> int:
        """The most points that a member was fitted to."""
        return max(len(member.targets) for member in self.fits.values())

    @property
    def refining(self) -> tuple[str, ...]:
        """The surrogates that are not linear; none where all are."""
        return tuple(dict.fromkeys(owner for owner in self.owners.values() if owner != LINEAR))

    def group(self, surrogates: Collection[str] = ()) -> dict[str, float]:
        """The members of these surrogates, with weights that sum to 1; all, where none are named or none are there."""
        names = [name for name in self.fits if self.owners[name] in surrogates] or list(self.fits)
        total = sum(self.weights[n] for n in names)
        return {n: self.weights[n] / total if total > 0 else 1 / len(names) for n in names}

    def leader(self, surrogates: Collection[str] = ()) -> Member:
        """The member of these surrogates that is believed most."""
        return self.fits[max(self.group(surrogates), key=lambda n: self.weights[n])]

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
        return self._lowered(expected, 1 - chance, FAILED)

    def unwanted(self, expected: Array, doubt: Array) -> Array:
        """What is expected `(m,)`, brought down by doubts from 0 to 1 to the least that was scored."""
        return self._lowered(expected, np.minimum(doubt, 1), 0.0)

    def _lowered(self, expected: Array, doubt: Array, quantile: float) -> Array:
        least = sum(w * float(np.quantile(self.fits[n].targets, quantile)) for n, w in self.weights.items())
        return np.where(expected > least, least + (1 - doubt) * (expected - least), expected).astype(np.float32)

    def predict(self, block: Array) -> Array:
        """Weighted mean `(m,)` of scaled vectors."""
        return np.asarray(sum(w * self.fits[n].predict(block) for n, w in self.weights.items()))

    def in_scores(self, predicted: Array, surrogates: Collection[str] = ()) -> Float64:
        """Predictions `(m,)` as scores, as the most believed of these surrogates maps them."""
        return self.leader(surrogates).in_scores(predicted)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What there is to fit to.

    Attributes:
        library: What the rows are of.
        rows: `(n,)` in the order of payment. gains: `(n,)`, NaN where a score failed.
        sums: Of the library's scored rows; where given, the linear model is fitted to all of them.
        rng: Purpose to random stream. checkpoint: As in `SearchView`.
    """

    library: Library
    rows: Array
    gains: Float64
    sums: Sums | None = None
    rng: Callable[[str], np.random.Generator] | None = None
    checkpoint: Callable[[], None] | None = None


def fit_ensemble(
    scored: Scored, surrogates: Sequence[Surrogate], memory: Memory
) -> tuple[Ensemble | None, Memory, list[SurrogateError]]:
    """Fit all surrogates.

    Returns:
        The ensemble, None where no surrogate can be used; the memory with what members were found with and how much
        they are believed; and what went wrong with those that were left out.
    """
    library = scored.library
    came, gains = np.isfinite(scored.gains), imputed(scored.gains)
    kept = representative(library, scored.rows, gains)
    tried, arrived = scored.rows[kept], came[kept]
    everything = (scored.rows, gains) if len(scored.rows) > len(tried) else None
    observed = Observed(
        library, tried[arrived], gains[kept][arrived], everything, {}, memory.hyper,
        TRANSFORMS[len(scored.rows) % len(TRANSFORMS)], scored.sums,
    )  # fmt: skip
    given = {name: value for name in ("rng", "checkpoint") if (value := getattr(scored, name)) is not None}
    observed = replace(observed, **given)
    fits, owners, failed = _fits(surrogates, observed)
    if not fits:
        return None, memory, failed
    weights, trust = _weights(fits, memory.skill)
    works = None if arrived.all() else _works(library, tried, arrived, memory.hyper.get(WORKS), observed.turn)
    found = {name: member.hyper for name, member in fits.items() if isinstance(member, Process)}
    found |= {} if works is None else {WORKS: works.hyper}
    memory = replace(
        memory, hyper={**memory.hyper, **found}, weights={name: round(w, 4) for name, w in weights.items()}
    )
    return Ensemble(fits, weights, owners, trust, works, float(arrived.mean())), memory, failed


def _fits(
    surrogates: Sequence[Surrogate], observed: Observed
) -> tuple[dict[str, Member], dict[str, str], list[SurrogateError]]:
    """Every member by its name, the surrogate that each is of, and what failed."""
    fits: dict[str, Member] = {}
    owners: dict[str, str] = {}
    failed: list[SurrogateError] = []
    for surrogate in surrogates:
        observed.checkpoint()
        try:
            made = _members(surrogate, replace(observed, fits=dict(fits)))
        except SurrogateError as problem:
            failed.append(problem)
            continue
        fits |= made
        owners |= dict.fromkeys(made, surrogate.name)
    return fits, owners, failed


def _members(surrogate: Surrogate, observed: Observed) -> dict[str, Member]:
    """A surrogate's members by name.

    Raises:
        SurrogateError: It cannot be fitted, or what it fitted cannot be used.
    """
    name = surrogate.name
    try:
        made = surrogate.fit(observed)
    except SurrogateError:
        raise
    except Exception as problem:
        raise SurrogateError(name, f"raised in fit: {type(problem).__name__}: {problem}") from problem
    several = dict(made) if isinstance(made, Mapping) else {name: made}
    taken = [one for one in several if one in observed.fits or one == WORKS]
    if taken:
        raise SurrogateError(name, "gave a model a name that is taken", "a name of its own", ", ".join(map(str, taken)))
    return {
        str(one): fitted if isinstance(fitted, Process) else Outside.tried(name, fitted, observed)
        for one, fitted in several.items()
    }


def _works(
    library: Library, tried: Array, came: npt.NDArray[np.bool_], hyper: Mapping[str, Any] | None, turn: str
) -> Process:
    """Fitted to whether scores came."""
    linear = library.n > _READ_IN_ONE
    return fit(library, library.metrics[PLAIN], tried, came.astype(np.float64), hyper, turn, linear=linear)


def skilled(memory: Memory) -> float:
    """The best rank correlation of a member on batches that it had not seen; a guess before there are any."""
    return max((agreed / seen for agreed, seen in memory.skill.values() if seen > 0), default=0.3)


def _weights(
    fits: Mapping[str, Member], skill: Mapping[str, Sequence[float]]
) -> tuple[dict[str, float], dict[str, float]]:
    """How much each member is believed, and the rank correlation that says so."""
    shown = {name: agreed / (seen + _DOUBT) for name in fits for agreed, seen in [skill.get(name, (0.0, 0.0))]}
    trust = _trust(fits, shown)
    merit = {
        name: -VOTE * np.log(1 - min(max(trust[name], 0.0), _SURE) ** 2) + 2.0 * shown[name] for name in fits
    }  # fmt: skip
    top = max(merit.values())
    raw = {name: float(np.exp(value - top)) for name, value in merit.items()}
    return {name: value / sum(raw.values()) for name, value in raw.items()}, trust


def _trust(fits: Mapping[str, Member], shown: Mapping[str, float]) -> dict[str, float]:
    """What each member left out. For one that does not tell: what the most skilled of those that do left out, as much
    less as it is less skilled."""
    told = {name: float(member.left_out) for name, member in fits.items() if member.left_out is not None}
    first = max(told, key=lambda name: shown[name], default=None)
    out = {}
    for name in fits:
        if name in told or first is None:
            out[name] = told.get(name, shown[name])
        else:
            part = shown[name] / shown[first] if shown[first] > 0 else 0.0
            out[name] = told[first] * min(max(part, 0.0), 1.0)
    return out


def called(memory: Memory) -> Array:
    """`(b,)` rows of all calls that nothing was learnt from yet, in the order in which `learn` takes them."""
    waiting = () if memory.waiting is None else memory.waiting.rows
    return np.array([*waiting, *(() if memory.last is None else memory.last.rows)], np.int64)


def learn(memory: Memory, positions: Array, gains: Float64, pending: Array) -> Memory:
    """Skill and credit from the last calls, against what was predicted and who drew what before they were scored.

    Args:
        memory: With the last calls, and those that waited, of which only those that wait still are kept.
        positions: `(b,)` of `called(memory)` among all that were paid for, -1 where one was not.
        gains: `(n,)` of all that were paid for, NaN where a score failed.
        pending: `(b,)` whether a call's score is still to come. As long as any is, the others wait for company: a rank
            correlation needs a few.
    """
    last = memory.last if memory.waiting is None else memory.waiting.joined(memory.last)
    memory = replace(memory, last=None, waiting=None)
    if last is None or not last.predicted:
        return memory
    scored, waits = np.flatnonzero(positions >= 0), np.flatnonzero(pending)
    if len(waits) and len(scored) < _COMPANY:
        return replace(memory, waiting=last.take(np.flatnonzero((positions >= 0) | pending).tolist()))
    if len(waits):
        memory = replace(memory, waiting=last.take(waits.tolist()))
    if not len(scored):
        return memory
    got = gains[positions[scored]]
    skill = {
        name: _skill(memory.skill.get(name, (0.0, 0.0)), np.asarray(predicted, np.float64)[scored], got)
        for name, predicted in last.predicted.items()
    }
    rewards = _standing(gains, got) ** _REWARD_POWER
    counts = credit(memory.credit, [last.operators[i] for i in scored.tolist()], rewards)
    return replace(memory, skill={**memory.skill, **skill}, credit=counts)


def _skill(before: Sequence[float], predicted: Float64, got: Float64) -> list[float]:
    """Rank correlation with what came, and in how many items, after another batch; older ones count less."""
    fine = np.isfinite(got) & np.isfinite(predicted)
    agreed, seen = before
    n = int(fine.sum())
    if n >= 3:
        rho = rank_correlation(predicted[fine], got[fine])
        agreed, seen = _MEMORY * agreed + n * rho, _MEMORY * seen + n
    return [float(agreed), float(seen)]


def _standing(gains: Float64, of: Float64) -> Float64:
    """Share of all scored items that each of these is better than, ties by half; 0 for one without a score."""
    fine = np.sort(gains[np.isfinite(gains)])
    below, upto = np.searchsorted(fine, of, "left"), np.searchsorted(fine, of, "right")
    return np.where(np.isfinite(of), (below + upto - 1) / 2, 0.0) / max(len(fine) - 1, 1)
