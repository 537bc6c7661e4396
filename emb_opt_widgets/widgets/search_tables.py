"""A search's nodes, items, rounds and best items as tables: what is new is copied under the lock, all else done after.

Knows nothing of pages. One thread folds; `hear` runs in whatever thread makes events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.arrays import Columns
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.widgets.projection import Projection
from emb_opt_widgets.widgets.tables import Table
from emb_opt_widgets.widgets.texts import Texts

__all__ = ["SearchTables", "rows_by_call"]

NODES = {
    "parent": "i4", "round": "i4", "made": "i4", "status": "u1", "operator": "u1", "by": "u1", "n_hits": "i4",
    "n_new": "i4", "calls": "i4", "mean": "f8", "max": "f8", "x": "f4", "y": "f4",
}  # fmt: skip
ITEMS = {"call": "i4", "score": "f8", "node": "i4", "round": "i4", "x": "f4", "y": "f4"}
ROUNDS = {"round": "i4", "n_scored": "i4", "best": "f8", "mean": "f8", "n_new": "i4"}
TOP = {"row": "i4", "id": "json", "text": "json"}
_COPIED = ("round", "status", "n_hits", "n_new", "mean", "max")
_MOST_OPERATORS = 255
N_TOP = 100

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What changed since the last fold, copied out of the state; embeddings are views, which never change.

    Attributes:
        rows: `(m,)` state rows of newly scored items, in order of calls, with `score`, `node` and `round`.
        again: `(a,)` state rows of items that are there already and were measured again, corrected or opened, with
            their scores `scores`.
        changed: `(q,)` nodes, with `columns` of them. fresh: The same of nodes not seen before.
        n_rounds: Rounds done.
    """

    rows: Array
    score: Array
    node: Array
    round: Array
    changed: Array
    columns: dict[str, Array]
    fresh: dict[str, Array]
    operators: Sequence[str]
    vectors: Array
    points: Array
    n_rounds: int
    again: Array
    scores: Array


def rows_by_call(state: State) -> Array:
    """`(n_answered,)` rows of all scored items, in order of calls."""
    out = np.zeros(state.n_answered, np.int32)
    if state.n_answered:
        call = state.items["call"]
        paid = np.flatnonzero(call >= 0)
        out[call[paid]] = paid
    return out


def _finders(state: State, known: int, rows: Array) -> Array:
    """Of the first `known` nodes, those that have any of these rows among their hits: their statistics follow scores
    that come late."""
    nodes = np.flatnonzero(state.nodes["round"][:known] >= 0)
    found, offsets = state.hits.gather(nodes)
    hit = np.concatenate([[0], np.cumsum(np.isin(found, rows))])
    out: Array = nodes[np.diff(hit[offsets]) > 0]
    return out


class SearchTables:
    """The four tables of a state.

    Args:
        state: The fold; read under its lock only.
        projection: Where on the map things are.
        texts: What items are called.
    """

    def __init__(self, state: State, projection: Projection, texts: Texts) -> None:
        self._state, self._projection, self._texts = state, projection, texts
        self.nodes, self.items, self.rounds, self.top = (Table(columns) for columns in (NODES, ITEMS, ROUNDS, TOP))
        self._codes: dict[str, int] = {}
        self.score_range: tuple[float, float] | None = None
        self._rows: list[Array] = [rows_by_call(state)]
        self._touched: list[Array] = []
        self._persons: set[int] = set()
        self._rows_by_call = Columns({"row": (np.int32, ())})
        self._at: dict[int, int] = {}
        self._late = len(state.handed_out()) > 0
        self._best = np.empty(0, np.int64)
        self._mapped = projection.version
        for command in state.commands.values():
            self._note_command(command)

    @property
    def order(self) -> Array:
        """`(n,)` state rows of the items, in the order of their first answers."""
        return self._rows_by_call["row"]

    # -- under the lock ------------------------------------------------------------------------------------

    def hear(self, bodies: Sequence[ev.Body]) -> None:
        """Note which nodes change and which items are scored."""
        for body in bodies:
            match body:
                case ev.Scored() | ev.Corrected() | ev.Reopened():
                    self._rows.append(np.asarray(body.rows))
                    self._late |= not isinstance(body, ev.Scored) or body.told
                case ev.HandedOut():
                    self._late = True
                case ev.Looked() | ev.Pruned() | ev.RoundEnded():
                    self._touched.append(np.asarray(body.nodes))
                case ev.Commanded():
                    self._touched.append(np.asarray(body.nodes))
                    self._note_command(body)
                    if (corrected := self._state.corrections.get(str(body.target))) is not None:
                        self._rows.append(np.asarray(corrected.rows))
                        self._late = True

    def _note_command(self, body: ev.Commanded) -> None:
        if body.name == "branch":
            self._persons.update(int(node) for node in body.nodes)

    def take(self) -> News:
        """Copy what changed."""
        state, known = self._state, len(self.nodes)
        heard = np.concatenate(self._rows) if self._rows else np.empty(0, np.int32)
        rows, again = self._apart(heard.astype(np.int32))
        if self._late and known and len(heard):
            self._touched.append(_finders(state, known, heard))
        touched = np.unique(np.concatenate(self._touched)) if self._touched else np.empty(0, np.int64)
        self._rows, self._touched = [], []
        touched = touched[touched < known].astype(np.int64)
        nodes, items = state.nodes, state.items
        any_nodes, any_items = state.n_nodes > 0, len(rows) > 0
        return News(
            rows=rows,
            score=items["score"][rows] if any_items else np.empty(0),
            node=items["node"][rows] if any_items else np.empty(0, np.int32),
            round=items["round"][rows] if any_items else np.empty(0, np.int32),
            changed=touched,
            columns={name: nodes[name][touched] for name in _COPIED} if len(touched) else {},
            fresh={name: nodes[name][known:].copy() for name in ("parent", "made", *_COPIED)} if any_nodes else {},
            operators=state.operators[known:],
            vectors=items["embedding"] if len(items) else np.empty((0, 0), np.float32),
            points=nodes["embedding"] if any_nodes else np.empty((0, 0)),
            n_rounds=state.n_rounds,
            again=again,
            scores=items["score"][again] if len(again) else np.empty(0),
        )

    def _apart(self, heard: Array) -> tuple[Array, Array]:
        """Rows that are new here, in the order of their first answers, and those that are not."""
        there = np.array([row in self._at for row in heard.tolist()], np.bool_)
        new, again = np.unique(heard[~there]), np.unique(heard[there])
        if len(new):
            call = self._state.items["call"][new]
            new = new[call >= 0][np.argsort(call[call >= 0])]
            self._at.update(zip(new.tolist(), range(len(self._at), len(self._at) + len(new))))
        return new, again

    # -- after -----------------------------------------------------------------------------------------------

    def put(self, news: News) -> None:
        """Write into the tables what was taken."""
        self._rows_by_call.extend(len(news.rows), row=news.rows)
        self._map(news)
        self._put_nodes(news)
        self._put_items(news)
        self._put_again(news)
        self._put_rounds(news.n_rounds)

    def _map(self, news: News) -> None:
        """Fit the map anew where it is time, and move what was on it."""
        order, vectors = self.order, news.vectors
        if len(news.rows) and len(vectors):
            self._projection.grow(len(order), lambda calls: vectors[order[calls]])
        if self._mapped == self._projection.version:
            return
        self._mapped = self._projection.version
        if len(self.items):
            self._move(self.items, vectors[order[: len(self.items)]])
        if len(self.nodes):
            self._move(self.nodes, news.points[: len(self.nodes)])

    def _move(self, table: Table, vectors: Array) -> None:
        place = self._projection.place(vectors)
        table.change(np.arange(len(place)), x=place[:, 0], y=place[:, 1])

    def _put_nodes(self, news: News) -> None:
        if len(news.changed):
            self.nodes.change(news.changed, **news.columns)
        if not news.fresh:
            return
        first, n = len(self.nodes), len(news.fresh["parent"])
        place = self._projection.place(news.points[first : first + n])
        self.nodes.append(
            n, **news.fresh, operator=self._numbered(news.operators),
            by=[int(node in self._persons) for node in range(first, first + n)], calls=0,
            x=place[:, 0], y=place[:, 1],
        )  # fmt: skip

    def _numbered(self, operators: Sequence[str]) -> list[int]:
        """Operators' numbers; the last stands for all beyond it."""
        for name in dict.fromkeys(operators):
            if len(self._codes) < _MOST_OPERATORS:
                self._codes.setdefault(name, len(self._codes))
        return [self._codes.get(name, _MOST_OPERATORS - 1) for name in operators]

    @property
    def operators(self) -> list[str]:
        """What made the nodes, by number."""
        return list(self._codes)

    def _put_items(self, news: News) -> None:
        if not len(news.rows):
            return
        first, n = len(self.items), len(news.rows)
        place = self._projection.place(news.vectors, news.rows)
        self.items.append(
            n, call=np.arange(first, first + n), score=news.score, node=news.node, round=news.round,
            x=place[:, 0], y=place[:, 1],
        )  # fmt: skip
        found = news.node[news.node >= 0]
        if len(found):
            paid = np.bincount(found)
            nodes = np.flatnonzero(paid)
            self.nodes.change(nodes, calls=np.asarray(self.nodes["calls"])[nodes] + paid[nodes])
        fine = news.score[np.isfinite(news.score)]
        if len(fine):
            low, high = float(fine.min()), float(fine.max())
            was = self.score_range or (low, high)
            self.score_range = min(low, was[0]), max(high, was[1])
        self._rank(first)

    def _put_again(self, news: News) -> None:
        """Scores that changed, and all that is made of scores."""
        if not len(news.again):
            return
        self.items.change([self._at[row] for row in news.again.tolist()], score=news.scores)
        scores = np.asarray(self.items["score"])
        fine = scores[np.isfinite(scores)]
        self.score_range = (float(fine.min()), float(fine.max())) if len(fine) else None
        self._best = np.empty(0, np.int64)
        self._rank(0)
        done = len(self.rounds)
        if done:
            _, best, mean = self._over_rounds(0, done)
            self.rounds.change(np.arange(done), best=best, mean=mean)

    def _rank(self, first: int) -> None:
        """The best items so far, best first, ties in the order of calls."""
        scores = np.asarray(self.items["score"])
        calls = np.concatenate([self._best, np.arange(first, len(scores))])
        gains = scores[calls] * self._state.sign
        calls, gains = calls[~np.isnan(gains)], gains[~np.isnan(gains)]
        if len(calls) > 4 * N_TOP:
            floor = np.partition(gains, len(gains) - N_TOP)[len(gains) - N_TOP]
            calls, gains = calls[gains >= floor], gains[gains >= floor]
        self._best = calls[np.lexsort((calls, -gains))][:N_TOP]

    def _put_rounds(self, n_rounds: int) -> None:
        first = len(self.rounds)
        if n_rounds <= first:
            return
        ends, best, mean = self._over_rounds(first, n_rounds)
        looked = np.asarray(self.nodes["round"])
        now = looked >= first
        new = np.bincount(looked[now] - first, np.asarray(self.nodes["n_new"])[now], minlength=n_rounds - first)
        self.rounds.append(
            n_rounds - first, round=np.arange(first, n_rounds), n_scored=ends, best=best, mean=mean,
            n_new=new[: n_rounds - first],
        )  # fmt: skip

    def _over_rounds(self, first: int, n_rounds: int) -> tuple[Array, Array, Array]:
        """Per round from `first` on: items scored so far, the best of them, and the mean of the round's own."""
        ends = np.searchsorted(np.asarray(self.items["round"]), np.arange(first, n_rounds), side="right")
        begin = int(np.asarray(self.rounds["n_scored"])[first - 1]) if first else 0
        sign, scores = self._state.sign, np.asarray(self.items["score"])
        gains = scores[begin : int(ends[-1])] * sign
        fine, which = ~np.isnan(gains), np.asarray(self.items["round"])[begin : int(ends[-1])] - first
        which, size = np.maximum(which, 0), n_rounds - first
        count = np.bincount(which[fine], minlength=size)
        total = np.bincount(which[fine], gains[fine], minlength=size)
        best = float(np.asarray(self.rounds["best"])[first - 1]) * sign if first else np.nan
        rising = np.fmax.accumulate(np.concatenate([[best], gains]))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count > 0, total / count, np.nan) * sign
        return ends, rising[ends - begin] * sign, mean

    def put_top(self) -> None:
        """Bring the table of the best items up to date; names that are not known yet are asked for."""
        calls = self._best
        known = np.asarray(self.top["row"])
        named = self._texts.named(calls, self.order)
        ids, lines = [name[0] for name in named], [name[1] for name in named]
        old = len(known)
        differs = [
            i for i in range(old)
            if known[i] != calls[i] or self.top["id"][i] != ids[i] or self.top["text"][i] != lines[i]
        ]  # fmt: skip
        if differs:
            self.top.change(differs, row=calls[differs], id=[ids[i] for i in differs], text=[lines[i] for i in differs])
        self.top.append(len(calls) - old, row=calls[old:], id=ids[old:], text=lines[old:])
