"""Rows and ages against the plain loop, what survives masks, what is refused, and that everything is state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training import NegativeCache
from tests.training.oracle import SlowCache

FIELDS = {"embedding": (2,), "id": ((), torch.int64)}


def items(*ids):
    return {"embedding": torch.tensor([[float(i), -float(i)] for i in ids]).reshape(-1, 2), "id": torch.tensor(ids)}


def filled(*ids, capacity=4, **options):
    cache = NegativeCache(capacity, FIELDS, **options)
    cache.step(add=items(*ids))
    return cache


def state(cache):
    return {name: value.clone() for name, value in cache.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@st.composite
def updates(draw):
    capacity = draw(st.integers(1, 7))
    seed = draw(st.integers(0, 2**32 - 1))
    steps = draw(st.integers(1, 25))
    return capacity, draw(st.booleans()), draw(st.sampled_from([(), ("id",), ("id", "embedding")])), seed, steps


@settings(max_examples=120, deadline=None)
@given(updates())
def test_long_sequences_equal_the_plain_loop(case):
    capacity, resets, unique_by, seed, steps = case
    rng = np.random.default_rng(seed)
    cache = NegativeCache(capacity, FIELDS, refresh_resets_age=resets, unique_by=unique_by)
    slow = SlowCache(capacity, ("embedding", "id"), resets)
    for _ in range(steps):
        step = random_step(rng, capacity)
        cache.step(**{name: torched(value) for name, value in step.items()})
        slow.step(**step, unique_by=unique_by)
        assert cache.age.tolist() == slow.age
        assert cache.valid.tolist() == slow.valid
        np.testing.assert_array_equal(cache.data["embedding"].numpy(), slow.column("embedding", 2))
        np.testing.assert_array_equal(cache.data["id"].numpy(), slow.column("id", ()))


def random_step(rng, capacity):
    step = {}
    if rng.random() < 0.7:
        m = int(rng.integers(0, 2 * capacity + 1))
        mask = rng.random(m) < 0.5
        mask[np.flatnonzero(mask)[capacity:]] = False
        step["add"] = {"embedding": rng.integers(0, 3, (m, 2)).astype(np.float32), "id": rng.integers(0, 6, m)}
        if m > capacity or rng.random() < 0.5:
            step["add_mask"] = mask
    if rng.random() < 0.6:
        r = int(rng.integers(0, capacity + 2))
        masked = rng.random() < 0.5
        rows = rng.integers(-3 if masked else 0, capacity + (3 if masked else 0), r)
        names = [["embedding"], ["id"], ["embedding", "id"]][int(rng.integers(3))]
        data = {"embedding": rng.standard_normal((r, 2)).astype(np.float32), "id": rng.integers(0, 6, r)}
        step["refresh"] = {name: data[name] for name in names}
        step["refresh_rows"] = rows
        if masked:
            step["refresh_mask"] = (rows >= 0) & (rows < capacity) & (rng.random(r) < 0.7)
    return step


def torched(value):
    if isinstance(value, dict):
        return {name: torch.from_numpy(array) for name, array in value.items()}
    return torch.from_numpy(value)


def test_what_goes_where():
    cache = filled(1, 2, capacity=3)
    assert cache.age.tolist() == [0, 0, 1] and cache.valid.tolist() == [True, True, False] and len(cache) == 2
    cache.step(refresh={"embedding": torch.tensor([[9.0, 9.0]])}, refresh_rows=[0])
    assert cache.age.tolist() == [0, 1, 2]
    cache.step(add=items(3, 4))
    assert cache.data["id"].tolist() == [1, 4, 3] and cache.age.tolist() == [1, 0, 0]
    cache.step()
    assert cache.age.tolist() == [2, 1, 1]
    assert cache.age.dtype == torch.int32


def test_a_row_refreshed_and_overwritten_keeps_the_new_item():
    cache = filled(1, 2, capacity=2, refresh_resets_age=False)
    cache.step(add=items(5), refresh={"embedding": torch.full((1, 2), 9.0)}, refresh_rows=[0])
    assert cache.data["embedding"].tolist() == [[5, -5], [2, -2]]


def test_without_reset_a_refresh_leaves_the_age():
    cache = filled(1, 2, capacity=2, refresh_resets_age=False)
    cache.step(refresh={"embedding": torch.zeros(1, 2)}, refresh_rows=[1])
    assert cache.age.tolist() == [1, 1]


def test_of_several_refreshes_of_a_row_the_last_counts():
    cache = filled(1, 2, 3, 4)
    many = torch.arange(4000.0).reshape(2000, 2)
    cache.step(refresh={"embedding": many}, refresh_rows=torch.arange(2000) % 4)
    assert torch.equal(cache.data["embedding"], many[-4:])


def test_a_row_is_valid_once_whole():
    cache = NegativeCache(2, FIELDS)
    cache.step(refresh={"embedding": torch.ones(1, 2)}, refresh_rows=[0])
    assert cache.valid.tolist() == [False, False]
    cache.step(refresh=items(7), refresh_rows=[1])
    assert cache.valid.tolist() == [False, True]


def test_masked_rows_leave_no_trace():
    cache = filled(1, 2, 3, 4)
    nan = torch.tensor([[float("nan")] * 2, [8.0, 8.0]])
    cache.step(
        add={"embedding": nan, "id": torch.tensor([-1, 8])}, add_mask=torch.tensor([False, True]),
        refresh={"embedding": nan}, refresh_rows=torch.tensor([10**9, 3]), refresh_mask=torch.tensor([False, True]),
    )  # fmt: skip
    assert cache.data["id"].tolist() == [8, 2, 3, 4]
    assert cache.data["embedding"].tolist() == [[8, 8], [2, -2], [3, -3], [8, 8]]


def test_everything_masked_only_ages():
    cache = filled(1, 2, 3, 4)
    before = cache.data["id"].clone()
    none = torch.zeros(6, dtype=torch.bool)
    cache.step(add=items(*range(6)), add_mask=none, refresh=items(*range(6)), refresh_rows=[99] * 6, refresh_mask=none)
    assert torch.equal(cache.data["id"], before) and cache.age.tolist() == [1] * 4


def test_state_dict_has_all():
    cache = filled(1, 2, 3)
    other = NegativeCache(4, FIELDS)
    other.load_state_dict(cache.state_dict())
    for each in (cache, other):
        each.step(add=items(4, 5), refresh={"embedding": torch.ones(1, 2)}, refresh_rows=[0])
    assert same(state(cache), state(other))
    assert len(state(cache)) == 4


def test_values_are_copies_without_gradient():
    cache = NegativeCache(2, {"embedding": (2,)})
    given_rows = torch.ones(1, 2, requires_grad=True)
    cache.step(add={"embedding": given_rows * 1})
    with torch.no_grad():
        given_rows.zero_()
    assert cache.data["embedding"].tolist() == [[1, 1], [0, 0]] and not cache.data["embedding"].requires_grad


def test_types_of_fields():
    cache = NegativeCache(3, {"a": 2, "b": ((3, 4), torch.uint8), "c": ((), torch.bool)}, dtype=torch.float64)
    assert cache.data["a"].dtype == torch.float64 and cache.data["b"].shape == (3, 3, 4)
    half = NegativeCache(2, {"embedding": ((2,), torch.float16)})
    half.step(add={"embedding": torch.full((1, 2), 3.0)})
    assert half.data["embedding"].dtype == torch.float16
    assert half.to(torch.float32).data["embedding"].dtype == torch.float32
    assert half.age.dtype == torch.int32


ones = torch.ones
WRONG = {
    "a field is missing": {"add": {"embedding": ones(1, 2)}},
    "a field too many": {"add": {**items(1), "more": ones(1)}},
    "no mapping": {"add": ones(1, 2)},
    "add counts differ": {"add": {"embedding": ones(2, 2), "id": torch.arange(3)}},
    "add shape": {"add": {"embedding": ones(1, 3), "id": torch.arange(1)}},
    "too many": {"add": items(*range(5))},
    "too many unmasked": {"add": items(*range(6)), "add_mask": torch.tensor([True] * 5 + [False])},
    "add mask length": {"add": items(1, 2), "add_mask": torch.tensor([True])},
    "add mask type": {"add": items(1, 2), "add_mask": torch.tensor([1, 0])},
    "add mask alone": {"add_mask": torch.tensor([True])},
    "type": {"add": {"embedding": ones(1, 2), "id": torch.tensor([0.5])}},
    "refresh unknown": {"refresh": {"more": ones(1)}, "refresh_rows": [0]},
    "refresh nothing": {"refresh": {}, "refresh_rows": [0]},
    "refresh counts differ": {"refresh": {"embedding": ones(2, 2), "id": torch.arange(1)}, "refresh_rows": [0, 1]},
    "refresh rows differ": {"refresh": {"embedding": ones(2, 2)}, "refresh_rows": [0]},
    "refresh without rows": {"refresh": {"embedding": ones(1, 2)}},
    "rows without refresh": {"refresh_rows": [0]},
    "refresh mask alone": {"refresh_mask": torch.tensor([True])},
    "refresh mask length": {"refresh": {"embedding": ones(1, 2)}, "refresh_rows": [0], "refresh_mask": [True, True]},
    "row too high": {"refresh": {"embedding": ones(2, 2)}, "refresh_rows": [0, 4]},
    "row negative": {"refresh": {"embedding": ones(2, 2)}, "refresh_rows": [-1, 0]},
    "row fractional": {"refresh": {"embedding": ones(1, 2)}, "refresh_rows": [0.0]},
    "unmasked row out": {
        "refresh": {"embedding": ones(2, 2)}, "refresh_rows": [4, 9], "refresh_mask": torch.tensor([True, False]),
    },
    "still packed": {"refresh": {"refresh": {"embedding": ones(1, 2)}}, "refresh_rows": [0]},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_changes_nothing(name):
    cache = filled(1, 2, 3)
    before = state(cache)
    good = (
        {} if "refresh" in WRONG[name] or "refresh_rows" in WRONG[name] else {"refresh": items(9), "refresh_rows": [0]}
    )
    if "refresh_mask" in WRONG[name]:
        good = {}
    with pytest.raises(InputError):
        cache.step(**good, **WRONG[name])
    assert same(before, state(cache))


def test_numbers_that_do_not_fit_are_refused():
    small = NegativeCache(2, {"id": ((), torch.int8)})
    with pytest.raises(InputError, match="wider"):
        small.step(add={"id": torch.tensor([300])})
    half = NegativeCache(2, {"embedding": ((1,), torch.float16)})
    with pytest.raises(InputError, match="wider"):
        half.step(add={"embedding": torch.tensor([[1e6]])})
    half.step(add={"embedding": torch.tensor([[0.1]])})


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity": 0}, {"capacity": 2.0}, {"capacity": True}, {"fields": {}}, {"fields": {"a.b": (2,)}},
        {"fields": {"a": (0,)}}, {"fields": {"a": "2"}}, {"fields": ["a"]}, {"unique_by": "nope"}, {"fields": {"": 2}},
    ],
)  # fmt: skip
def test_wrong_caches(wrong):
    with pytest.raises(InputError):
        NegativeCache(**{"capacity": 3, "fields": FIELDS, **wrong})


def test_the_filter_keeps_items_apart():
    cache = NegativeCache(5, FIELDS, unique_by=("id",))
    cache.step(add=items(1, 2, 1))
    assert cache.data["id"].tolist() == [1, 2, 0, 0, 0] and len(cache) == 2
    cache.step(add=items(2, 3), add_mask=torch.tensor([True, True]))
    assert cache.data["id"].tolist() == [1, 2, 3, 0, 0]
    cache.step(add=items(0))
    assert len(cache) == 4


def test_the_filter_wants_all_key_fields_equal():
    cache = NegativeCache(4, {"a": ((), torch.int64), "b": ((2,), torch.int32)}, unique_by=("a", "b"))
    b = torch.tensor([[1, 2]], dtype=torch.int32)
    cache.step(add={"a": torch.tensor([1]), "b": b})
    cache.step(add={"a": torch.tensor([1, 2, 1]), "b": torch.cat([b, b, b + 1])})
    assert len(cache) == 3
