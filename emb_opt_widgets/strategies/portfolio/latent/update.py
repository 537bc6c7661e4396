"""`LatentUpdate`: what `update=None` stands for where a source makes its items up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.queries import Choice, Proposals, Queries
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.strategies.portfolio import plan
from emb_opt_widgets.strategies.portfolio.closed import CLOSED, count_closed_among, doubted_among
from emb_opt_widgets.strategies.portfolio.known import nearness
from emb_opt_widgets.strategies.portfolio.latent.ascent import direction, steps
from emb_opt_widgets.strategies.portfolio.latent.history import History, history_of
from emb_opt_widgets.strategies.portfolio.latent.surface import fitted, within

__all__ = ["LatentUpdate"]

Float64 = npt.NDArray[np.float64]

_KEY = "latent"
_ROUNDS = 40
_POOL = 400
_POINTS = 256
_WIDER, _NARROWER = 1.3, 0.75
_DRY = 1.5
_WIDEST = 8.0
"""Times the first radius."""
_LEAST = 0.02
"""Of the first radius: below it a climb is over."""
_FAILS = 8
_BETTER = 1e-3
_FRESH = 4
_BETWEEN = (0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Climb:
    """Where the present climb stands, as it is written down.

    Attributes:
        since: The call that it begins with.
        radius: Of the region around its best point. first: The radius it began with.
        best: The best gain when points were last proposed, None at the beginning. known: Calls answered by then.
        failed: Proposals in a row that found nothing better. want: Calls of this round.
    """

    since: int = 0
    radius: float | None = None
    first: float | None = None
    best: float | None = None
    known: int = 0
    failed: int = 0
    want: int | None = None

    @classmethod
    def read(cls, memory: Mapping[str, Any] | None) -> Climb:
        """What this strategy wrote down; nothing where another one wrote last."""
        told = dict(memory) if memory is not None and memory.get("by") == _KEY else {}
        return cls(**{name: told[name] for name in cls.__dataclass_fields__ if name in told})

    def plain(self) -> dict[str, Any]:
        """To be written down."""
        return {"by": _KEY, **asdict(self)}


@dataclass(frozen=True, slots=True)
class LatentUpdate:
    """Climbs in a latent space: within a region around the best point, which widens with success and narrows without.

    Where scores tell their gradient (a column `gradient` beside the score, as `differentiable` makes it), steps are
    those of limited-memory BFGS. Else a Gaussian process on the points around is asked about steps uphill of it and
    askew (Eriksson et al., "Scalable Global Optimization via Local Bayesian Optimization", 2019, for one region). A
    climb that no longer gets on ends, and another begins elsewhere. The source's `max_norm`, where it has one, is kept
    to.

    Args:
        caution: Standard deviations added to what is expected of a point.
    """

    caution: float = 0.75
    asynchronous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if (
            isinstance(self.caution, bool)
            or not isinstance(self.caution, (int, float))
            or not 0 <= self.caution < np.inf
        ):
            raise InputError("caution is not usable", expected="a finite number of at least 0", got=repr(self.caution))

    def propose(self, queries: Queries, view: SearchView) -> Proposals:
        """The round's points, one query each."""
        climb = Climb.read(view.memory)
        if view.calls_left == 0:
            return Proposals.none(view.dim, climb.plain())
        if not view.items():
            return _elsewhere(view, climb, _FRESH, "nothing is known yet")
        history = history_of(view)
        climb = _judged(climb, history, view)
        here = history.since(climb.since)
        if climb.radius is None or not len(here):
            known, first = len(history.gains), climb.first or _first_radius(view, history)
            begun = Climb(climb.since if not len(here) else known, first, first, known=known)
            return _elsewhere(view, begun, max(_FRESH, _calls(view)), "a climb begins elsewhere")
        top = int(here[np.argmax(history.gains[here])])
        climb = replace(climb, best=float(history.gains[top]), known=len(history.gains))
        told = here[np.isfinite(history.gradients[here]).all(axis=1)]
        if len(told):
            return _by_gradient(view, history, replace(climb, want=view.at_once), told)
        return self._by_model(view, history, replace(climb, want=_calls(view)), top)

    def _by_model(self, view: SearchView, history: History, climb: Climb, top: int) -> Proposals:
        centre, radius, most = history.points[top], float(climb.radius or 1.0), _max_norm(view)
        near = np.argsort(np.square(history.points - centre).sum(axis=1), kind="stable")[:_POINTS]
        view.checkpoint()
        surface = fitted(history.points[near], history.gains[near], radius)
        if surface is None or not np.ptp(history.gains[near]) > 0:
            askew = centre + radius * _units(view.rng(_KEY), int(climb.want or 1), view.dim)
            return _proposals(within(askew, most), history, top, "around the best", "nothing tells up from down", climb)
        summit = surface.summit(centre, radius, most)
        pool = np.concatenate([summit[None], _pool(view.rng(_KEY), centre, summit, surface.uphill(centre), radius)])
        pool = within(pool, most)
        view.checkpoint()
        chosen = surface.best_of(pool, int(climb.want or 1), self.caution, history.pending)
        reason = f"uphill of the model, at most {radius:.3g} from the best"
        return _proposals(pool[chosen], history, top, "climb", reason, climb)

    def choose(self, candidates: Items, view: SearchView) -> Choice:
        """What a person asked to look at; then each query's nearest hit, then each one's second, and so on."""
        climb, rows = Climb.read(view.memory), view.rows_of(candidates.ids)
        rank, made = nearness(view, rows), view.items()["node"][rows]
        asked = np.array([node >= 0 and view.operator(int(node)) == "branch" for node in made], bool) & (rank < view.k)
        left = len(rows) if view.calls_left is None else view.calls_left
        first = max(_calls(view), plan.initial_size(plan.horizon(view.budget, view.n_scored, None), view.at_once) // 2)
        want = climb.want if climb.want is not None else min(left, first)
        others = np.flatnonzero(~asked & (doubted_among(view, candidates.embeddings) <= CLOSED))
        others = others[np.argsort(rank[others], kind="stable")][:want]
        positions = np.concatenate([np.flatnonzero(asked), others])
        return Choice(positions, np.ones(len(positions)), climb.plain())

    def would_close(self, nodes: Sequence[int], view: SearchView) -> tuple[int, bool]:
        """As `Closes.would_close`, of what was seen."""
        return count_closed_among(nodes, view)


def _calls(view: SearchView) -> int:
    """Calls to spend in a round."""
    budget = plan.horizon(view.budget, view.n_scored, None)
    return plan.whole(max(1, min(plan.LARGEST, int(np.ceil(budget / _ROUNDS)))), view.at_once)


def _max_norm(view: SearchView) -> float:
    most = getattr(view.source, "max_norm", None)
    return float("inf") if most is None else float(most)


def _first_radius(view: SearchView, history: History) -> float:
    """Half of how far apart the first points are, at least what the source itself looks around a query."""
    apart = np.linalg.norm(history.points - history.points.mean(axis=0), axis=1)
    around = float(getattr(view.source, "scale", 0.0)) * float(np.sqrt(view.dim))
    return min(max(around, float(np.median(apart)) / 2, 1e-6), _max_norm(view))


def _widest(view: SearchView, climb: Climb) -> float:
    return min(_WIDEST * float(climb.first or 1.0), _max_norm(view))


def _judged(climb: Climb, history: History, view: SearchView) -> Climb:
    """The climb after what its last proposals found; `radius` None where it is over."""
    here = history.since(climb.since)
    if not len(here):
        return climb
    if climb.radius is None:
        first = _first_radius(view, history)
        return replace(climb, radius=first, first=first)
    if climb.best is None or len(history.gains) == climb.known:
        wider = climb.radius if climb.best is None else climb.radius * _DRY
        again = climb.best is not None and not len(history.pending)
        return replace(climb, radius=min(wider, _widest(view, climb)), failed=climb.failed + again)
    gains = history.gains[here]
    better = float(gains.max()) > climb.best + _BETTER * float(gains.std())
    radius = climb.radius * (_WIDER if better else _NARROWER)
    failed = 0 if float(gains.max()) > climb.best else climb.failed + 1
    over = radius < _LEAST * float(climb.first or 1.0) or failed > _FAILS * 4
    return replace(climb, radius=None if over else min(radius, _widest(view, climb)), failed=failed)


def _by_gradient(view: SearchView, history: History, climb: Climb, told: npt.NDArray[np.int64]) -> Proposals:
    points, gains, gradients = history.points[told], history.gains[told], history.gradients[told]
    place = int(np.argmax(gains))
    if climb.failed > _FAILS:
        over = replace(climb, radius=None)
        begun = Climb(len(history.gains), over.first, over.first, known=len(history.gains))
        return _elsewhere(view, begun, view.at_once, "the gradient leads no further: a climb begins elsewhere")
    step = direction(points, gains, gradients, float(climb.first or 1.0))
    shares = steps(view.at_once, climb.failed + len(history.pending))
    made = within(points[place] + shares[:, None] * step, _max_norm(view))
    reason = f"{float(np.linalg.norm(step)):.3g} along the scores' gradient, bent by their curvature"
    return _proposals(made, history, int(told[place]), "gradient", reason, climb)


def _pool(rng: np.random.Generator, centre: Float64, summit: Float64, slope: Float64, radius: float) -> Float64:
    """`(m, d)` steps of several lengths from the centre, between straight uphill and straight across."""
    ways = np.stack([slope, summit - centre])
    ways = ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-12)
    angle = rng.uniform(0, np.pi / 2, (_POOL, 1))
    across, length = _units(rng, _POOL, len(centre)), radius * rng.choice(_BETWEEN, (_POOL, 1))
    out: Float64 = centre + length * (np.cos(angle) * ways[rng.integers(2, size=_POOL)] + np.sin(angle) * across)
    return out


def _units(rng: np.random.Generator, n: int, dim: int) -> Float64:
    drawn = rng.standard_normal((n, dim))
    out: Float64 = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return out


def _elsewhere(view: SearchView, climb: Climb, n: int, reason: str) -> Proposals:
    """Points from all over the space: of any norm up to the bound, else as starting points are drawn."""
    rng, most = view.rng(_KEY), _max_norm(view)
    points = rng.standard_normal((n, view.dim))
    if np.isfinite(most):
        points = _units(rng, n, view.dim) * most * rng.uniform(size=(n, 1))
    return Proposals(points, np.full(n, -1), "spread", reason, memory=replace(climb, want=n).plain())


def _proposals(points: Float64, history: History, top: int, operator: str, reason: str, climb: Climb) -> Proposals:
    parents = np.full(len(points), history.finders[top])
    return Proposals(points, parents, operator, reason, memory=climb.plain())
