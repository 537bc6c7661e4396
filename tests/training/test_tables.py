"""Frames, datasets and lists of text as data, several negatives a query, and ids that reach a person's own loss."""

from __future__ import annotations

import pytest
import torch

from emb_opt_widgets import training as tr
from emb_opt_widgets.errors import EmbOptError, InputError
from emb_opt_widgets.training.batches import Cursor, as_batch, as_batches
from emb_opt_widgets.training.negatives import flat_negatives
from tests.training.towers_for_tests import pairs, tower

TEXTS = [f"word{i} and more" for i in range(40)]


class Words(torch.nn.Module):
    """A tower for text."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(64, 6)

    def forward(self, texts):
        assert all(isinstance(text, str) for text in texts), texts
        return self.table(torch.tensor([len(text) + 7 * ord(text[4]) for text in texts]) % 64)


def frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"anchor": TEXTS, "positive": TEXTS[::-1], "id": range(40)})


def dataset(**more):
    datasets = pytest.importorskip("datasets")
    return datasets.Dataset.from_dict({"query": TEXTS, "document": TEXTS[::-1], "id": list(range(40)), **more})


DATA = {
    "a frame": frame,
    "a dataset": dataset,
    "a stream": lambda: dataset().to_iterable_dataset(),
    "two lists": lambda: (TEXTS, TEXTS[::-1], list(range(40))),
    "a list of pairs": lambda: list(zip(TEXTS, TEXTS[::-1])),
    "a frame of two columns": lambda: frame()[["anchor", "positive"]].rename(columns=dict(anchor="a", positive="b")),
    "two series": lambda: (frame()["anchor"], frame()["positive"]),
}


@pytest.mark.parametrize("kind", DATA)
def test_tables_of_text_are_trained_on(kind):
    seen = []

    def loss(q, c, **options):
        seen.append(options)
        return ((q[:, None] - c[None]) ** 2).mean()

    words = Words()
    validation = frame() if kind == "a frame" else (TEXTS, TEXTS[::-1])
    training = tr.Training(words, words, DATA[kind](), loss=loss, batch_size=8, epochs=2, validation=validation)
    assert len(training.run(progress=False)["loss"]) == 10
    if kind in ("a frame", "a dataset", "a stream", "two lists"):
        assert all(len(options["candidate_ids"]) == 8 for options in seen)


@pytest.mark.parametrize("kind", [kind for kind in DATA if kind != "a stream"])
def test_a_table_goes_on_from_any_place(kind):
    def read(epoch, batch, count):
        cursor = Cursor(as_batches(DATA[kind](), 6, seed=3), 3, epoch, batch)
        return [list(cursor.take().query) for _ in range(count)]

    whole = read(0, 0, 9)
    assert whole[4:] == read(0, 4, 5) and whole[0] != whole[6]


def test_numbers_of_a_dataset_become_tensors():
    data = dataset(negative_1=[[i, i + 1] for i in range(40)], negative_2=[[i, -1] for i in range(40)])
    batch = Cursor(as_batches(data, 5, 0), 0).take()
    assert batch.negative.shape == (5, 2, 2) and batch.id.dtype == torch.int64
    assert torch.equal(batch.negative[:, 0, 0], batch.id)


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"query": TEXTS, "other": TEXTS, "document": TEXTS}, "do not say what they are"),
        ({"query": TEXTS, "anchor": TEXTS, "document": TEXTS}, "Two columns"),
        ({"a": TEXTS, "b": TEXTS, "c": TEXTS}, "do not say what they are"),
    ],
)
def test_columns_that_say_nothing_are_refused(columns, word):
    datasets = pytest.importorskip("datasets")
    with pytest.raises(InputError, match=word):
        as_batches(datasets.Dataset.from_dict(columns), 4, 0)


def test_other_names_are_known_in_mappings_too():
    columns = as_batches({"anchor": TEXTS, "positive": TEXTS[::-1], "negative_1": TEXTS, "negative_2": TEXTS}, 4, 0)
    rows = as_batches([{"anchor": a, "positive": b} for a, b in zip(TEXTS, TEXTS[::-1])], 4, 0)
    batch, same = (as_batch(next(iter(batches.epoch(0, 0)))) for batches in (columns, rows))
    assert (batch.query, batch.document) == (same.query, same.document)
    assert batch.negative == [[text, text] for text in batch.query]


def test_a_mapping_of_something_else_is_not_taken_for_pairs():
    with pytest.raises(InputError, match="A batch is not usable"):
        as_batches({"input_ids": TEXTS, "attention_mask": TEXTS}, 4, 0)


def test_columns_in_a_list_are_not_taken_for_pairs():
    with pytest.raises(InputError, match=r"Pass a tuple: \(queries, documents\)"):
        as_batches([TEXTS, TEXTS], 2, 0)


def trained(**data):
    seen = []

    def loss(q, c, **options):
        seen.append((c.detach(), options))
        return (q @ c.T).mean()

    queries, documents = pairs(30)
    data = {"query": queries, "document": documents, **data}
    tr.Training(tower(1), tower(2, 0.0).eval(), data, loss=loss, batch_size=10, epochs=1, seed=2).run(progress=False)
    return seen


def test_several_negatives_a_query_are_further_candidates():
    documents = pairs(30)[1]
    one = trained(negative=documents.flip(0), id=torch.arange(30), negative_id=torch.arange(30).flip(0))
    columns = (documents.flip(0), documents.roll(1, 0))
    ids = (torch.arange(30).flip(0), torch.arange(30).roll(1))
    both = trained(negative=columns, id=torch.arange(30), negative_id=ids)
    stacked = trained(negative=torch.stack(columns, 1), id=torch.arange(30), negative_id=torch.stack(ids, 1))
    assert one[0][0].shape == (20, 8) and both[0][0].shape == (30, 8)
    torch.testing.assert_close(both[0][1]["candidate_ids"], stacked[0][1]["candidate_ids"])
    assert torch.equal(both[0][1]["candidate_ids"][10::2], one[0][1]["candidate_ids"][10:])


def test_negatives_of_texts_and_of_parts():
    assert flat_negatives([["a", "b"], ["c", "d"]], ["x", "y"]) == ["a", "b", "c", "d"]
    assert flat_negatives(["a", "b", "c"], ["x", "y"]) == ["a", "b", "c"]
    parts = flat_negatives({"t": torch.ones(2, 3, 4)}, {"t": torch.ones(2, 4)})
    assert parts["t"].shape == (6, 4)


@pytest.mark.parametrize(
    ("negatives", "documents"),
    [
        (torch.ones(2, 3, 5), torch.ones(2, 4)),
        (torch.ones(3, 3, 4), torch.ones(2, 4)),
        (torch.ones(2, 0, 4), torch.ones(2, 4)),
        (torch.ones(2, 2, 3, 4), torch.ones(2, 4)),
        (["a"], torch.ones(2, 4)),
        ({"t": torch.ones(2, 4)}, {"u": torch.ones(2, 4)}),
        (torch.ones(2, 4), {"u": torch.ones(2, 4)}),
        ([["a"], ["b", "c"]], ["x", "y"]),
        ([["a"], "b"], ["x", "y"]),
        ([], ["x", "y"]),
        ("ab", ["x", "y"]),
    ],
)
def test_negatives_of_another_shape_are_refused(negatives, documents):
    with pytest.raises(InputError, match="negative"):
        flat_negatives(negatives, documents)


def test_ids_of_another_length_are_refused():
    with pytest.raises(InputError, match="different lengths"):
        trained(id=torch.arange(29))
    with pytest.raises(EmbOptError, match="as many ids"):
        trained(negative=torch.ones(30, 2, 12), id=torch.arange(30), negative_id=torch.arange(30))


def test_weights_are_not_dropped_without_a_word():
    queries, documents = pairs(30)
    data = {"query": queries, "document": documents, "weight": torch.ones(30)}
    training = tr.Training(tower(1), tower(2), data, loss=lambda q, c: (q * c).sum(), batch_size=10, epochs=1)
    with pytest.raises(EmbOptError, match="takes no sample_weight"):
        training.run(progress=False)
    tr.Training(tower(1), tower(2), (queries, documents, torch.arange(30)), loss=lambda q, c: (q * c).sum(),
                batch_size=10, epochs=1).run(progress=False)  # fmt: skip


class Own(torch.nn.Module):
    """Both losses, as a person may write them."""

    def __init__(self):
        super().__init__()
        self.cache, self.batch, self.seen = tr.CacheLoss(id_field="id"), tr.RetrievalLoss(reduction="mean"), []

    def forward(self, doc_net, queries, positives, caches, positive_ids=None):
        self.seen.append(positive_ids)
        out = self.cache(doc_net, queries, positives, caches, positive_ids)
        return tr.CacheLossOutput(
            out.training_loss + self.batch(queries, positives),
            out.interpretable_loss, out.staleness, out.selected, out.refresh,
        )  # fmt: skip


def test_ids_reach_a_persons_own_cache_loss():
    queries, documents = pairs(60)
    own = Own()
    training = tr.Training(
        tower(1), tower(2), (queries, documents, torch.arange(60)), loss=own, caches=30, batch_size=10, epochs=1
    )
    training.run(progress=False)
    assert sorted(torch.cat(own.seen).tolist()) == list(range(60))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"loss": tr.ShardedCacheLoss()}, "needs caches"),
        ({"validation": (torch.ones(0, 12), torch.ones(0, 12))}, "no pairs"),
        ({"validation": ([], [])}, "no pairs"),
    ],
)
def test_what_is_missing_is_said(options, word):
    with pytest.raises(InputError, match=word):
        tr.Training(tower(1), tower(2), pairs(), **options)
