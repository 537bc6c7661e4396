"""Whatever the data is, every epoch gives the same batches from any place on."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from emb_opt_widgets.training.batches import Cursor, as_batches
from tests.training.towers_for_tests import pairs


class Noisy(Dataset):
    """Pairs that are drawn anew whenever they are read, from all three streams."""

    def __len__(self):
        return 20

    def __getitem__(self, row):
        return torch.full((2,), float(row)) + torch.rand(2), torch.tensor([np.random.rand(), random.random()])


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.rand(3), torch.rand(3)) for _ in range(17)])


def generated(epoch):
    for i in range(4):
        yield torch.rand(3, 2) + i, torch.rand(3, 2) + epoch


DATA = {
    "columns": lambda: pairs(23),
    "arrays": lambda: tuple(part.numpy() for part in pairs(23)),
    "mapping": lambda: {
        "query": {"a": torch.arange(23), "b": [str(i) for i in range(23)]},
        "document": torch.rand(23, 2),
    },
    "dataset": lambda: Noisy(),
    "list": lambda: [(torch.full((2,), float(i)), i) for i in range(20)],
    "loader": lambda: DataLoader(TensorDataset(*pairs(23)), batch_size=5, shuffle=True),
    "noisy loader": lambda: DataLoader(Noisy(), batch_size=5, shuffle=True),
    "stream": lambda: Stream(),
    "function": lambda: generated,
}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, (torch.Tensor, np.ndarray)) else value


def read(data, count, epoch=0, batch=0):
    cursor = Cursor(as_batches(data, 5, seed=3), 3, epoch, batch)
    out = []
    for _ in range(count):
        place = cursor.epoch, cursor.batch
        found = cursor.take()
        cursor.close_epoch()
        out.append((place, plain(found.query), plain(found.document)))
    return out


@pytest.mark.parametrize("kind", DATA)
def test_any_place_can_be_gone_on_from(kind):
    torch.manual_seed(0)
    data = DATA[kind]()
    whole = read(data, 11)
    assert whole[-1][0][0] >= 2, "more than one epoch was read"
    first, second = ([b for place, *b in whole if place[0] == epoch] for epoch in (0, 1))
    assert len(first) == len(second) and first != second, "an epoch is not the one before"
    torch.manual_seed(77)
    for at in (1, 3, 5, 9):
        assert read(data, 11 - at, *whole[at][0]) == whole[at:]


def test_an_epoch_has_every_row_at_most_once_and_only_whole_batches():
    rows = [row for place, query, _ in read((torch.arange(23), torch.arange(23)), 4) for row in query]
    assert len(rows) == 20 == len(set(rows))


def test_a_failing_read_can_be_repeated():
    wires = iter([RuntimeError("loose"), None])

    def batches(epoch):
        yield torch.zeros(1), torch.zeros(1)
        if trouble := next(wires, None):
            raise trouble
        yield torch.ones(1), torch.ones(1)

    cursor = Cursor(as_batches(batches, 1, 0), 0)
    assert cursor.take().query.item() == 0
    cursor.close_epoch()
    assert (cursor.epoch, cursor.batch) == (0, 1)
    assert cursor.take().query.item() == 1
