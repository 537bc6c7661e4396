"""Losses and gradients against the plain loop, the expectation against the full softmax, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training import CacheLoss, GumbelMax, MaxScore, NegativeCache, Temperature
from tests.training.oracle import cache_loss
from tests.training.reads import Reads

D, X = 5, 4
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class Draw:
    """A retrieval that draws what it is told."""

    def __init__(self, columns):
        self.columns = torch.as_tensor(columns)

    def __call__(self, scores):
        return self.columns


class Case:
    """Two linear towers, sources whose rows are partly stale and partly empty, a batch, and a temperature."""

    def __init__(self, seed=0, dtype=torch.float64, sizes=(9, 7), b=6, fresh=False, learned=True):
        rng = torch.Generator().manual_seed(seed)
        self.dtype, self.b = dtype, b
        self.w_query = torch.randn(X, D, generator=rng, dtype=torch.float64).to(dtype).requires_grad_()
        self.w_doc = torch.randn(X, D, generator=rng, dtype=torch.float64).to(dtype).requires_grad_()
        self.x, self.y = (torch.randn(b, X, generator=rng, dtype=torch.float64).to(dtype) for _ in range(2))
        self.caches = {}
        for name, size in zip(("web", "news", "all"), sizes):
            features = torch.randn(size, X, generator=rng, dtype=torch.float64).to(dtype)
            old = 0.0 if fresh else 0.3 * torch.randn(size, D, generator=rng, dtype=torch.float64).to(dtype)
            embedding = (features @ self.w_doc + old).detach()
            cache = NegativeCache(size + (0 if fresh else 2), {"embedding": (D,), "x": (X,)}, dtype=dtype)
            cache.step(add={"embedding": embedding, "x": features})
            self.caches[name] = cache
        self.temperature = Temperature(0.7).to(dtype) if learned else None

    @property
    def queries(self):
        return self.x @ self.w_query

    @property
    def positives(self):
        return self.y @ self.w_doc

    def doc_net(self, data):
        return data["x"] @ self.w_doc

    def column(self, name):
        return torch.cat([self.caches[source].data[name] for source in sorted(self.caches)])

    @property
    def valid(self):
        return torch.cat([self.caches[source].valid for source in sorted(self.caches)])

    def loss(self, **options):
        return CacheLoss(score_transform=self.temperature, **options)

    def run(self, loss, **options):
        return loss(self.doc_net, self.queries, self.positives, self.caches, **options)

    def expected(self, chosen, **options):
        chosen = np.asarray(chosen)
        fresh = (self.column("x") @ self.w_doc)[chosen].detach().double().numpy()
        scale = None if self.temperature is None else -self.temperature.log_temperature.item()
        queries, positives = self.queries.detach().double().numpy(), self.positives.detach().double().numpy()
        rows = self.column("embedding").double().numpy()
        return cache_loss(queries, positives, rows, self.valid.tolist(), chosen, fresh, scale, **options)

    def gradients(self, expected, chosen):
        """Of the towers, by the chain rule over the plain loop's."""
        x, y, drawn = (part.double().numpy() for part in (self.x, self.y, self.column("x")[chosen]))
        return x.T @ expected.d_queries, y.T @ expected.d_positives + drawn.T @ expected.d_fresh


def close(ours, theirs, dtype):
    ours = ours.detach().double().numpy()
    assert np.max(np.abs(ours - theirs)) <= TOLERANCE[dtype] * max(np.max(np.abs(theirs)), 1e-3)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("top_k", [None, 1, 4, 7, 100])
@pytest.mark.parametrize("seed", range(4))
def test_losses_and_gradients_equal_the_plain_loop(dtype, learned, top_k, seed):
    case = Case(seed, dtype, sizes=((8,), (9, 7), (3, 8, 5))[seed % 3], learned=learned)
    out = case.run(case.loss(top_k=top_k))
    chosen = out.selected.tolist()
    expected = case.expected(chosen, top_k=top_k)
    assert all(column in logits for column, logits in zip(chosen, expected.logits))
    close(out.training_loss, expected.training, dtype)
    close(out.interpretable_loss, expected.interpretable, dtype)
    close(out.staleness, expected.staleness, dtype)
    assert not out.interpretable_loss.requires_grad and not out.staleness.requires_grad
    out.training_loss.backward()
    for weight, theirs in zip((case.w_query, case.w_doc), case.gradients(expected, chosen)):
        close(weight.grad, theirs, dtype)
    if learned:
        close(case.temperature.log_temperature.grad, -expected.d_scale, dtype)


def scalars(values, features=None):
    cache = NegativeCache(len(values), {"embedding": (1,), "x": (1,)})
    x = torch.tensor(features or values)
    cache.step(add={"embedding": torch.tensor(values)[:, None], "x": x[:, None]})
    return cache


def test_the_published_examples():
    """Numbers of the reference's own tests: batches of three one-dimensional queries against two documents."""
    q, p = torch.tensor([[-1.0], [1.0], [3.0]]), torch.tensor([[2.0], [2.0], [1.0]])
    w_query, w_doc = torch.ones((), requires_grad=True), torch.ones((), requires_grad=True)
    loss = CacheLoss(retrieval=Draw([0, 1, 0]), reduction="none")
    out = loss(lambda data: data["x"] * w_doc, q * w_query, p * w_doc, {"b": scalars([-1.0]), "a": scalars([1.0])})
    assert out.interpretable_loss.tolist() == pytest.approx([3.169846, 0.349012, 0.694385], rel=1e-5)
    assert out.training_loss.tolist() == pytest.approx([0.9579899, -3 * 0.294615, 0], rel=1e-5)
    out.training_loss.mean().backward()
    assert [w_query.grad.item(), w_doc.grad.item()] == pytest.approx([0.024715006] * 2, abs=1e-6)
    out = loss(lambda data: data["x"], 0 * q, 0 * p, {"a": scalars([1.0, -1.0], [2.0, -3.0])})
    assert out.staleness.tolist() == pytest.approx([1 / 4, 4 / 9, 1 / 4])
    out = CacheLoss(top_k=2, retrieval=Draw([0, 0]), reduction="none")(
        lambda data: data["x"], q[:2], p[:2], {"a": scalars([1.0, -1.0, 3.0, 2.0])}
    )
    assert out.interpretable_loss.tolist() == pytest.approx([3.0949229, 1.407605964], rel=1e-5)
    assert out.training_loss.tolist() == pytest.approx([3 * 0.954721497, -0.7552715288], rel=1e-5)
    assert out.selected.tolist() == [1, 0]


@pytest.mark.parametrize("top_k", [None, 3])
def test_the_expected_gradient_is_that_of_the_full_softmax(top_k):
    case = Case(3, fresh=True)
    case.loss(top_k=top_k)
    weights = (case.w_query, case.w_doc, case.temperature.log_temperature)
    scores = case.temperature(case.queries @ (case.column("x") @ case.w_doc).T)
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for i, logits in enumerate(case.expected([0] * case.b, top_k=top_k).logits):
        kept[i, list(logits)] = True
    own = case.temperature((case.queries * case.positives).sum(1))
    all_scores = torch.cat([own[:, None], scores.masked_fill(~kept, -math.inf)], dim=1)
    full = -torch.log_softmax(all_scores, dim=1)[:, 0].sum()
    theirs = torch.autograd.grad(full, weights, retain_graph=True)
    draws = torch.softmax(scores.masked_fill(~kept, -math.inf), dim=1).detach()
    ours = [torch.zeros_like(weight) for weight in weights]
    for column in range(scores.shape[1]):
        loss = case.loss(reduction="none", retrieval=Draw([column] * case.b))
        each = case.run(loss).training_loss
        if top_k is not None:
            away = -torch.expm1(-full_nll(own, scores)) / -torch.expm1(-full_nll(own, scores.masked_fill(~kept, -1e30)))
            each = each / away.detach()
        for total, part in zip(ours, torch.autograd.grad((draws[:, column] * each).sum(), weights)):
            total += part
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def full_nll(own, scores):
    return -torch.log_softmax(torch.cat([own[:, None], scores], dim=1), dim=1)[:, 0]


def test_what_is_drawn_follows_the_softmax():
    case = Case(5, sizes=(6, 4), b=1)
    query, positive = (part.detach().expand(40_000, D) for part in (case.queries, case.positives))
    loss = CacheLoss(retrieval=GumbelMax(generator=torch.Generator().manual_seed(1)))
    out = loss(case.doc_net, query, positive, case.caches)
    scores = (case.queries[0] @ case.column("embedding").T).detach()
    expected = torch.softmax(scores.masked_fill(~case.valid, -math.inf), dim=0).double().numpy()
    counts = np.bincount(out.selected.numpy(), minlength=len(expected))
    assert counts[expected == 0].sum() == 0
    assert chisquare(counts[expected > 0], 40_000 * expected[expected > 0]).pvalue > 1e-3


def test_refresh_is_what_each_cache_takes():
    case = Case(1, sizes=(9, 7, 3), b=40)
    out = case.run(case.loss())
    starts, n = {"all": 0, "news": 5, "web": 14}, {"all": 5, "news": 9, "web": 11}
    before = {name: cache.data["embedding"].clone() for name, cache in case.caches.items()}
    new = (case.column("x") @ case.w_doc).detach()
    for name, cache in case.caches.items():
        mine = [i - starts[name] for i in out.selected.tolist() if starts[name] <= i < starts[name] + n[name]]
        refresh = out.refresh[name]
        assert refresh["refresh_rows"][refresh["refresh_mask"]].tolist() == mine
        cache.step(**refresh, add={"embedding": torch.ones(1, D), "x": torch.ones(1, X)})
        for row in set(mine):
            torch.testing.assert_close(cache.data["embedding"][row], new[starts[name] + row])
            assert cache.age[row] == 0
        for row in set(range(n[name] - 2)) - set(mine):
            assert torch.equal(cache.data["embedding"][row], before[name][row])
    assert sum(int(refresh["refresh_mask"].sum()) for refresh in out.refresh.values()) == 40


def test_reductions():
    case = Case(2)
    each = case.run(case.loss(reduction="none", retrieval=MaxScore()))
    assert each.training_loss.shape == each.staleness.shape == each.interpretable_loss.shape == (case.b,)
    for reduction in ("mean", "sum"):
        out = case.run(case.loss(reduction=reduction, retrieval=MaxScore()))
        for name in ("training_loss", "interpretable_loss", "staleness"):
            torch.testing.assert_close(getattr(out, name), getattr(getattr(each, name), reduction)())


def test_max_score_draws_the_hardest():
    case = Case(2)
    scores = (case.queries @ case.column("embedding").T).masked_fill(~case.valid, -math.inf)
    assert torch.equal(case.run(case.loss(retrieval=MaxScore())).selected, scores.argmax(1))


def test_an_empty_cache_has_no_loss_and_no_negative():
    case = Case(0)
    empty = {"a": NegativeCache(4, {"embedding": (D,), "x": (X,)}, dtype=torch.float64)}
    out = case.loss()(lambda data: pytest.fail("nothing was drawn"), case.queries, case.positives, empty)
    assert (out.training_loss, out.interpretable_loss, out.staleness) == (0, 0, 0)
    assert out.selected.tolist() == [-1] * case.b
    out.training_loss.backward()
    assert torch.count_nonzero(case.w_query.grad) == 0
    empty["a"].step(
        **out.refresh["a"], add={"embedding": case.positives, "x": case.y}, add_mask=[True] * 4 + [False] * 2
    )
    assert len(empty["a"]) == 4


def test_staleness_at_zero():
    cache = NegativeCache(2, {"embedding": (2,)})
    cache.step(add={"embedding": torch.tensor([[0.0, 0.0], [3.0, 4.0]])})
    q = torch.zeros(3, 2)
    nets = {"zero": lambda data: torch.zeros(3, 2), "same": lambda data: data["embedding"]}
    loss = CacheLoss(reduction="none", retrieval=Draw([0, 1, 1]))
    assert loss(nets["zero"], q, q, {"a": cache}).staleness.tolist() == [0, math.inf, math.inf]
    assert loss(nets["same"], q, q, {"a": cache}).staleness.tolist() == [0, 0, 0]
    assert loss(lambda d: 2 * d["embedding"], q, q, {"a": cache}).staleness.tolist() == [0, 0.25, 0.25]


def ids_cache(ids, embeddings, capacity=None):
    cache = NegativeCache(capacity or len(ids), {"embedding": (D,), "id": ((), torch.int64)}, dtype=torch.float64)
    cache.step(add={"embedding": embeddings, "id": torch.tensor(ids)})
    return cache


@pytest.mark.parametrize("several", [False, True])
def test_own_positives_and_copies_do_not_compete(several):
    rng = torch.Generator().manual_seed(0)
    q, p, e = (torch.randn(n, D, generator=rng, dtype=torch.float64) for n in (3, 3, 6))
    old = ids_cache([1, 2, 3], e[:3])
    old.step()
    caches = {"a": old, "b": ids_cache([2, 4, 4], e[3:], capacity=4)}
    own = torch.tensor([[1, 9], [2, 4], [8, 8]]) if several else torch.tensor([1, 2, 8])
    copies = {(i, column) for i in range(3) for column in (1, 5)}
    banned = copies | {(0, 0), (1, 3)} | ({(1, 4)} if several else set())
    loss = CacheLoss(id_field="id", retrieval=MaxScore())
    out = loss(lambda data: data["embedding"], q, p, caches, positive_ids=own)
    rows = torch.cat([e, torch.zeros(1, D)]).numpy()
    chosen = out.selected.numpy()
    expected = cache_loss(q.numpy(), p.numpy(), rows, [True] * 6 + [False], chosen, rows[chosen], banned=banned)
    assert not {(i, column) for i, column in enumerate(chosen)} & banned
    close(out.training_loss, expected.training, torch.float64)
    close(out.interpretable_loss, expected.interpretable, torch.float64)


def test_a_query_whose_only_rows_are_its_own_has_no_loss():
    caches = {"a": ids_cache([5, 5], torch.ones(2, D, dtype=torch.float64))}
    q = torch.ones(2, D, dtype=torch.float64, requires_grad=True)
    loss = CacheLoss(id_field="id", reduction="none")
    out = loss(lambda data: 2 * data["embedding"], q, 0 * q, caches, positive_ids=[5, 6])
    assert out.selected.tolist()[0] == -1 and out.selected[1] in (0, 1)
    assert out.training_loss[0] == out.interpretable_loss[0] == out.staleness[0] == 0
    assert out.training_loss[1] > 0 and out.interpretable_loss[1] > 0
    assert out.refresh["a"]["refresh_mask"].tolist() == [False, True]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cached", [torch.bfloat16, torch.float16, torch.float32])
def test_half_precision(dtype, cached):
    rng = torch.Generator().manual_seed(0)
    q, p, e = (100 * torch.randn(n, 64, generator=rng) for n in (16, 16, 300))
    q, p = q.to(dtype).requires_grad_(), p.to(dtype).requires_grad_()
    cache = NegativeCache(300, {"embedding": ((64,), cached)})
    cache.step(add={"embedding": e})
    assert (q.detach().float() @ e.T).abs().max() > 65504
    transform = Temperature(100.0)
    loss = CacheLoss(score_transform=transform, reduction="none", top_k=40)
    out = loss(lambda data: data["embedding"].to(dtype), q, p, {"a": cache})
    out.training_loss.sum().backward()
    for value in (out.training_loss, out.interpretable_loss, q.grad, p.grad, transform.log_temperature.grad):
        assert value.isfinite().all()
    assert (out.interpretable_loss >= 0).all() and out.interpretable_loss.max() > 100
    cache.step(**out.refresh["a"])


def test_autocast_does_not_reach_the_scores():
    case = Case(0, torch.float32)
    queries, positives = case.queries, case.positives
    scaled = torch.full((1, 1), 0.7)
    loss = CacheLoss(score_transform=lambda s: (s.reshape(-1, 1) @ scaled).reshape(s.shape), retrieval=MaxScore())
    exact = loss(case.doc_net, queries, positives, case.caches)
    with torch.autocast("cpu", torch.bfloat16):
        low = loss(case.doc_net, queries, positives, case.caches)
        assert case.doc_net({"x": case.x}).dtype == torch.bfloat16
    assert torch.equal(low.interpretable_loss, exact.interpretable_loss)
    assert torch.equal(low.selected, exact.selected)
    assert low.training_loss.dtype == torch.float32 and not torch.equal(low.training_loss, exact.training_loss)
    torch.testing.assert_close(low.training_loss, exact.training_loss, rtol=0.05, atol=0.05)


def test_far_positives_keep_a_gradient():
    cache = NegativeCache(1, {"embedding": (1,)})
    cache.step(add={"embedding": torch.zeros(1, 1)})
    q = torch.ones(1, 1, requires_grad=True)
    out = CacheLoss()(lambda data: data["embedding"], q, torch.full((1, 1), 30.0), {"a": cache})
    assert float(out.interpretable_loss) == pytest.approx(math.exp(-30), rel=1e-5)
    out.training_loss.backward()
    assert q.grad.item() == pytest.approx(-30 * math.exp(-30), rel=1e-5)
    out = CacheLoss()(lambda data: data["embedding"], q, torch.full((1, 1), -500.0), {"a": cache})
    assert float(out.interpretable_loss) == pytest.approx(500)


def test_a_temperature_learns_with_the_loss():
    case = Case(0)
    loss = case.loss()
    assert [name for name, _ in loss.named_parameters()] == ["score_transform.log_temperature"]
    assert Temperature(0.25)(torch.tensor(1.0)).item() == pytest.approx(4)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(InputError):
            Temperature(wrong)


def good():
    case = Case(0)
    return {
        "doc_net": case.doc_net, "queries": case.queries, "positives": case.positives, "caches": case.caches,
    }  # fmt: skip


def other_cache(**fields):
    return {"a": NegativeCache(3, fields, dtype=torch.float64)}


def nan_cache():
    cache = NegativeCache(2, {"embedding": (D,), "x": (X,)}, dtype=torch.float64)
    cache.step(add={"embedding": torch.full((2, D), float("nan")), "x": torch.ones(2, X)})
    return cache


BAD_CALLS = {
    "empty batch": lambda g: {"queries": g["queries"][:0], "positives": g["positives"][:0]},
    "other batch": lambda g: {"positives": g["positives"][:2]},
    "one row": lambda g: {"queries": g["queries"][0], "positives": g["positives"][0]},
    "no tensor": lambda g: {"queries": g["queries"].tolist()},
    "integers": lambda g: {"queries": g["queries"].long()},
    "NaN query": lambda g: {"queries": g["queries"] * float("nan")},
    "infinite positive": lambda g: {"positives": g["positives"] / 0},
    "no caches": lambda g: {"caches": {}},
    "a bare cache": lambda g: {"caches": g["caches"]["web"]},
    "a dict for a cache": lambda g: {"caches": {"a": {}}},
    "no such field": lambda g: {"caches": other_cache(x=(X,))},
    "other size": lambda g: {"caches": other_cache(embedding=(D + 1,), x=(X,))},
    "whole numbers": lambda g: {"caches": other_cache(embedding=((D,), torch.int64), x=(X,))},
    "fields differ": lambda g: {"caches": {**g["caches"], **other_cache(embedding=(D,), x=(X + 1,))}},
    "NaN in a cache": lambda g: {"caches": {"a": nan_cache()}},
    "ids without a field": lambda g: {"positive_ids": torch.arange(6)},
    "tower's shape": lambda g: {"doc_net": lambda data: data["x"]},
    "tower's type": lambda g: {"doc_net": lambda data: data["embedding"].long()},
    "tower's NaN": lambda g: {"doc_net": lambda data: data["embedding"] * float("nan")},
    "tower's nothing": lambda g: {"doc_net": lambda data: None},
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_wrong_calls(name):
    with pytest.raises(InputError):
        CacheLoss()(**{**good(), **BAD_CALLS[name](good())})
    CacheLoss()(**good())


@pytest.mark.parametrize(
    "options",
    [
        {"retrieval": lambda scores: scores.max(1).indices[:, None].expand(-1, 2)},
        {"retrieval": lambda scores: scores.max(1).values.tolist()},
        {"retrieval": lambda scores: [0]},
        {"retrieval": lambda scores: scores.max(1).values},
        {"retrieval": lambda scores: scores.max(1).indices - 100},
        {"retrieval": lambda scores: scores.max(1).indices + 100},
        {"retrieval": lambda scores: scores.min(1).indices},
        {"score_transform": lambda scores: scores.sum()},
        {"score_transform": lambda scores: scores.long()},
        {"score_transform": lambda scores: scores * float("nan")},
    ],
)
def test_wrong_functions(options):
    with pytest.raises(InputError):
        CacheLoss(**options)(**good())


@pytest.mark.parametrize("options", [{"top_k": 0}, {"top_k": -2}, {"top_k": 1.5}, {"reduction": "max"}])
def test_wrong_options(options):
    with pytest.raises(InputError):
        CacheLoss(**options)


def test_wrong_ids():
    caches = {"a": ids_cache([1, 2], torch.ones(2, D, dtype=torch.float64))}
    q = torch.ones(2, D, dtype=torch.float64)
    for wrong in (None, [1], [1.0, 2.0], torch.zeros(2, 1, 1, dtype=torch.int64)):
        with pytest.raises(InputError, match="positive_ids"):
            CacheLoss(id_field="id")(lambda data: data["embedding"], q, q, caches, positive_ids=wrong)
    for field in ("embedding", "nope"):
        with pytest.raises(InputError, match="id"):
            CacheLoss(id_field=field)(lambda data: data["embedding"], q, q, caches, positive_ids=[1, 2])


@pytest.mark.parametrize("form", [np.asarray, torch.Tensor.tolist, torch.Tensor.int, lambda picked: picked[:, None]])
def test_a_retrieval_may_return_columns_in_any_form(form):
    case = Case()
    out = case.run(case.loss(retrieval=lambda scores: form(scores.argmax(1)), reduction="none"))
    assert torch.equal(out.selected, case.run(case.loss(retrieval=MaxScore())).selected)


def test_caches_may_be_a_dict_of_modules():
    case = Case()
    out = case.run(case.loss(retrieval=MaxScore()))
    case.caches = torch.nn.ModuleDict(case.caches)
    again = case.run(case.loss(retrieval=MaxScore()))
    assert torch.equal(out.training_loss, again.training_loss) and list(again.refresh) == list(out.refresh)


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("in_batch", [False, True])
def test_a_step_looks_at_the_device_at_most_four_times(ids, in_batch):
    cache = NegativeCache(40, {"embedding": (D,), "id": ((), torch.int64)})
    given = torch.randn(40, D)
    cache.step(add={"embedding": given, "id": torch.arange(40)})
    cache.step(add={"embedding": given[:8], "id": torch.arange(8)})
    loss = CacheLoss(id_field="id" if ids else None, in_batch=in_batch, score_transform=Temperature(0.5))
    q, p = torch.randn(8, D, requires_grad=True), torch.randn(8, D)
    own = {"positive_ids": torch.arange(8)} if ids else {}
    with Reads() as reads:
        out = loss(lambda data: 2 * data["embedding"], q, p, {"a": cache}, **own)
        out.training_loss.backward()
        cache.step(**out.refresh["a"], add={"embedding": p, "id": torch.arange(8)})
    assert 0 < reads.total <= 4, reads.seen


@pytest.mark.parametrize("several", [False, True])
def test_in_batch_adds_the_softmax_over_the_batch(several):
    case = Case(4)
    rng = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 4, (case.b, 2) if several else (case.b,), generator=rng)
    for name, cache in list(case.caches.items()):
        copy = NegativeCache(cache.capacity, {"embedding": (D,), "x": (X,), "id": ((), torch.int64)}, dtype=case.dtype)
        copy.step(add={name: value for name, value in cache.data.items()} | {"id": torch.arange(cache.capacity) + 9})
        case.caches[name] = copy
    options = {"id_field": "id", "retrieval": MaxScore(), "reduction": "none"}
    alone = case.run(case.loss(**options), positive_ids=ids)
    both = case.run(case.loss(**options, in_batch=True), positive_ids=ids)
    scores = case.temperature(case.queries @ case.positives.T).detach()
    own, added = ids.reshape(case.b, -1).tolist(), []
    for i in range(case.b):
        kept = [j for j in range(case.b) if j == i or own[j][0] not in own[i]]
        added.append(float(torch.logsumexp(scores[i, kept], 0) - scores[i, i]))
    assert len(kept) < case.b
    close(both.training_loss - alone.training_loss, np.array(added), torch.float64)
    torch.testing.assert_close(both.interpretable_loss, alone.interpretable_loss)
    both.training_loss.sum().backward()
    assert all(weight.grad is not None for weight in (case.w_query, case.w_doc, case.temperature.log_temperature))


def test_in_batch_trains_where_nothing_is_cached_yet():
    case = Case(0)
    empty = {"a": NegativeCache(4, {"embedding": (D,), "x": (X,)}, dtype=torch.float64)}
    out = case.loss(in_batch=True)(case.doc_net, case.queries, case.positives, empty)
    scores = case.temperature(case.queries @ case.positives.T)
    torch.testing.assert_close(out.training_loss, torch.nn.functional.cross_entropy(scores, torch.arange(case.b)))
    assert out.interpretable_loss == 0
