"""The specification again, in plain loops over numpy numbers: what the caches and their losses are held to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass
class SlowCache:
    """Rows as a list of dicts."""

    capacity: int
    names: tuple[str, ...]
    resets: bool = True
    rows: list = field(default_factory=list)
    age: list = field(default_factory=list)
    valid: list = field(default_factory=list)

    def __post_init__(self):
        self.rows = [dict.fromkeys(self.names) for _ in range(self.capacity)]
        self.age = [0] * self.capacity
        self.valid = [False] * self.capacity

    def step(self, add=None, add_mask=None, refresh=None, refresh_rows=None, refresh_mask=None, unique_by=()):
        if refresh is not None:
            for i, row in enumerate(refresh_rows):
                if refresh_mask is None or refresh_mask[i]:
                    for name, values in refresh.items():
                        self.rows[row][name] = values[i]
                    if self.resets:
                        self.age[row] = -1
                    self.valid[row] = self.valid[row] or set(refresh) == set(self.names)
        if add is not None:
            count = len(next(iter(add.values())))
            items = [{n: add[n][i] for n in self.names} for i in range(count) if add_mask is None or add_mask[i]]
            if unique_by:
                items = self.unlike(items, unique_by)
            oldest = sorted(range(self.capacity), key=lambda row: (-self.age[row], row))
            for row, item in zip(oldest, items):
                self.rows[row] = dict(item)
                self.age[row] = -1
                self.valid[row] = True
        self.age = [age + 1 for age in self.age]

    def unlike(self, items, names):
        def same(one, other):
            return all(np.array_equal(one[name], other[name]) for name in names)

        kept: list = []
        stored = [row for row, valid in zip(self.rows, self.valid) if valid]
        for item in items:
            if not any(same(item, other) for other in [*stored, *kept]):
                kept.append(item)
        return kept

    def column(self, name, shape):
        return np.array([np.zeros(shape) if row[name] is None else row[name] for row in self.rows])


@dataclass
class Expected:
    """Of one batch, reduced by the mean."""

    training: float
    interpretable: float
    staleness: float
    p_positive: np.ndarray
    logits: list
    d_queries: np.ndarray
    d_positives: np.ndarray
    d_fresh: np.ndarray
    d_scale: float


def survivors(scores, k):
    """Columns that an approximate top-k keeps: k contiguous blocks, the first N % k longer by one."""
    n = len(scores)
    k = min(k, n)
    out, start = [], 0
    for block in range(k):
        stop = start + n // k + (1 if block < n % k else 0)
        best = start
        for column in range(start, stop):
            if scores[column] > scores[best]:
                best = column
        out.append(best)
        start = stop
    return out


def cache_loss(queries, positives, rows, valid, chosen, fresh, scale=None, top_k=None, banned=None):
    """Everything of one batch in float64.

    Args:
        queries, positives: `(B, D)`. rows: `(N, D)` cached. valid: `(N,)`. chosen: `(B,)` columns.
        fresh: `(B, D)` the chosen encoded anew. scale: a in t(s) = s·exp(a); None is the identity.
        banned: Set of (query, column) that do not compete.
    """
    b, t = len(queries), (1.0 if scale is None else math.exp(scale))
    training = interpretable = staleness = d_scale = 0.0
    p_positive, logits = np.zeros(b), []
    d_q, d_p, d_f = np.zeros_like(queries), np.zeros_like(positives), np.zeros_like(fresh)
    for i in range(b):
        positive = t * sum(float(x) * float(y) for x, y in zip(queries[i], positives[i]))
        scores = [t * sum(float(x) * float(y) for x, y in zip(queries[i], row)) for row in rows]
        scores = [
            s if valid[j] and (banned is None or (i, j) not in banned) else -math.inf for j, s in enumerate(scores)
        ]
        kept = range(len(scores)) if top_k is None else survivors(scores, top_k)
        logits.append({j: scores[j] for j in kept if scores[j] > -math.inf})
        top = max([positive, *logits[-1].values()])
        total = math.exp(positive - top) + sum(math.exp(s - top) for s in logits[-1].values())
        log_p = positive - top - math.log(total)
        p_positive[i] = math.exp(log_p)
        interpretable -= log_p / b
        if not logits[-1]:
            continue
        weight = sum(math.exp(s - top) for s in logits[-1].values()) / total / b
        negative = t * sum(float(x) * float(y) for x, y in zip(queries[i], fresh[i]))
        training += weight * (negative - positive)
        d_q[i] = weight * t * (fresh[i] - positives[i])
        d_p[i] = -weight * t * queries[i]
        d_f[i] = weight * t * queries[i]
        d_scale += weight * (negative - positive)
        change = sum((float(x) - float(y)) ** 2 for x, y in zip(rows[chosen[i]], fresh[i]))
        size = sum(float(y) ** 2 for y in fresh[i])
        staleness += (0.0 if change == 0 else math.inf if size == 0 else change / size) / b
    return Expected(training, interpretable, staleness, p_positive, logits, d_q, d_p, d_f, d_scale)
