from __future__ import annotations

import numpy as np
import pytest

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.engine.protocols import VolatileSource
from emb_opt_widgets.errors import FunctionError, InputError
from emb_opt_widgets.sources import GenerativeSource
from emb_opt_widgets.sources.identity import identity
from emb_opt_widgets.testing import VOLATILE_CHECKS, SourceCase

QUERIES = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)


def texts(points):
    return [" ".join(f"{v:.6f}" for v in row) for row in points]


def signs(points):
    return ["".join("+" if v > 0 else "-" for v in row) for row in points]


def of_query(hits, i):
    return hits.ids[hits.offsets[i] : hits.offsets[i + 1]].tolist()


@pytest.mark.parametrize("check", VOLATILE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("decode", [texts, signs])
def test_conforms(check, decode):
    check(SourceCase(lambda x: GenerativeSource(decode, dim=x.shape[1], scale=0.5), ties_by_row=True))


def test_finds_the_query_itself_first_then_points_around_it():
    source = GenerativeSource(texts, scale=0.2)
    hits = source.search(QUERIES, 5)
    assert isinstance(source, VolatileSource) and source.dim is None
    assert np.diff(hits.offsets).tolist() == [5] * 6
    assert [of_query(hits, i)[0] for i in range(6)] == texts(QUERIES)
    assert len(source) == len(hits.items) == 30
    assert hits.items.ids.tolist() == list(hits.items.items)
    spread = hits.items.embeddings.reshape(6, 5, 3)[:, 1:] - QUERIES[:, None]
    assert 0.1 < spread.std() < 0.3


def test_a_larger_k_looks_at_the_same_points_and_more():
    few, more = (set(GenerativeSource(texts).search(QUERIES[:1], k).ids) for k in (4, 9))
    assert few < more


def test_what_was_known_before_changes_nothing():
    """A resumed search, with its items remembered, finds the same."""
    first = GenerativeSource(signs, scale=1.0)
    first.search(QUERIES[:3], 8)
    later = first.search(QUERIES[3:], 8)
    fresh = GenerativeSource(signs, scale=1.0)
    alone = fresh.search(QUERIES[3:], 8)
    assert later.ids.tolist() == alone.ids.tolist()
    np.testing.assert_array_equal(later.distances, alone.distances)


def test_seed_and_scale():
    def ids(**arguments):
        return GenerativeSource(texts, **arguments).search(QUERIES, 3).ids.tolist()

    assert ids(seed=1) == ids(seed=1) != ids(seed=2)
    hits = GenerativeSource(texts, scale=0).search(QUERIES, 3)
    assert hits.ids.tolist() == texts(QUERIES)


def test_an_item_decoded_twice_is_one_and_keeps_its_first_embedding():
    source = GenerativeSource(lambda points: ["only"] * len(points), scale=0.3)
    hits = source.search(QUERIES, 4)
    assert hits.ids.tolist() == ["only"] * 6 and len(hits.items) == len(source) == 1
    np.testing.assert_array_equal(hits.items.embeddings, QUERIES[:1])
    source.search(-QUERIES, 4)
    np.testing.assert_array_equal(source.fetch(["only"]).embeddings, QUERIES[:1])


def test_nothing_and_several():
    def decode(points):
        return [None if i % 3 == 0 else [f"{i}a", None, f"{i}b"] if i % 3 == 1 else [] for i in range(len(points))]

    hits = GenerativeSource(decode).search(QUERIES, 1)
    assert np.diff(hits.offsets).tolist() == [0, 1, 0, 0, 1, 0]
    assert hits.ids.tolist() == ["1a", "4a"]
    assert len(GenerativeSource(decode).search(QUERIES, 6).ids) == 6 * 4
    nothing = GenerativeSource(lambda p: [None] * len(p)).search(QUERIES, 2)
    assert len(nothing) == 6 and len(nothing.ids) == 0 and nothing.items.embeddings.shape == (0, 3)
    assert len(GenerativeSource(texts).search(QUERIES[:0], 2)) == 0


def test_encode_places_the_items():
    def encode(items):
        return [[1.0 if c == "+" else -1.0 for c in item] for item in items]

    source = GenerativeSource(signs, encode=encode, scale=1.5)
    hits = source.search(QUERIES, 20)
    np.testing.assert_array_equal(hits.items.embeddings, encode(hits.items.ids))
    for i in range(6):
        far = ((np.array(encode(of_query(hits, i))) - QUERIES[i]) ** 2).sum(axis=1)
        np.testing.assert_allclose(hits.distances[hits.offsets[i] : hits.offsets[i + 1]], far, rtol=1e-6)


def test_items_are_taken_as_they_are():
    def decode(points):
        names = signs(points)
        return Items([hash(n) % 97 for n in names], points * 2, names, {"length": [len(n) for n in names]})

    source = GenerativeSource(decode, dim=3)
    hits = source.search(QUERIES[:1], 1)
    np.testing.assert_array_equal(hits.items.embeddings, QUERIES[:1] * 2)
    assert hits.items.data == {"length": [3]} and hits.items.items == signs(QUERIES[:1])


def test_remember():
    source = GenerativeSource(texts)
    found = source.search(QUERIES, 3)
    later = GenerativeSource(texts)
    with pytest.raises(InputError, match="remember"):
        later.fetch(found.ids[:1])
    later.remember(found.items)
    np.testing.assert_array_equal(later.fetch(found.ids).embeddings, source.fetch(found.ids).embeddings)
    assert list(later.fetch(found.ids).items) == list(source.fetch(found.ids).items) and len(later) == len(source)
    assert later.fetch([]).embeddings.shape[0] == 0


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (lambda p: ["a"], "wrong length"),
        (lambda p: "a" * len(p), "wrong type"),
        (lambda p: None, "wrong type"),
        (lambda p: 1 / 0, "ZeroDivisionError"),
        (lambda p: Items(range(len(p)), p[:, :2]), "wrong vectors"),
    ],
)
def test_bad_answers(decode, message):
    with pytest.raises(FunctionError, match=message):
        GenerativeSource(decode).search(QUERIES, 2)


def test_bad_arguments():
    for arguments in ({"decode": 3}, {"decode": texts, "scale": -1}, {"decode": texts, "encode": 3}):
        with pytest.raises(InputError):
            GenerativeSource(**arguments)
    with pytest.raises(FunctionError, match="wrong vectors"):
        GenerativeSource(texts, encode=lambda items: np.zeros((len(items), 2))).search(QUERIES, 2)
    with pytest.raises(InputError):
        GenerativeSource(texts, dim=4).search(QUERIES, 2)


class Place:
    pass


def test_identity():
    torch = pytest.importorskip("torch")
    x = np.arange(6.0)
    assert identity("a") == identity(np.str_("a")) == "a" and identity(np.int64(3)) == 3
    distinct = [b"a", ("a",), {"a": 1}, x, x.reshape(2, 3), x.astype(np.float32), torch.arange(6.0), 2.5, True, 2**70]
    assert len({identity(v) for v in distinct}) == len(distinct)
    assert identity(x) == identity(x.copy()) and identity((x, 1)) == identity((x.copy(), 1))
    long = np.zeros(5000)
    other = long.copy()
    other[2500] = 1
    assert identity((long,)) != identity((other,))
    with pytest.raises(InputError, match="repr"):
        identity(Place())


def test_a_norm_that_is_not_passed():
    bounded = GenerativeSource(texts, scale=3.0, max_norm=1.5)
    hits = bounded.search(QUERIES * 5, 20)
    norms = np.linalg.norm(hits.items.embeddings.astype(np.float64), axis=1)
    assert norms.max() <= 1.5 and (norms > 1.49).any() and bounded.max_norm == 1.5
    inside = QUERIES / 10
    np.testing.assert_array_equal(bounded.search(inside, 1).items.embeddings, inside)


def test_points_around_are_bounded():
    assert np.diff(GenerativeSource(texts, around=0).search(QUERIES, 9).offsets).tolist() == [1] * 6
    assert np.diff(GenerativeSource(texts, around=3).search(QUERIES, 9).offsets).tolist() == [4] * 6
    assert np.diff(GenerativeSource(texts, around=30).search(QUERIES, 2).offsets).tolist() == [2] * 6
