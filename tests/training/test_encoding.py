"""A corpus as vectors on disk: what changed is encoded, nothing else, and a kill loses next to nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import emb_opt_widgets as eow
from emb_opt_widgets import training as tr
from emb_opt_widgets.errors import FileError, FileInUseError, InputError
from emb_opt_widgets.live.store.lock import WriterLock


class Counting(torch.nn.Module):
    """A tower that knows how many rows it saw; its first row in an `encode` is to learn the length of a vector."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
        self.rows = 0

    def forward(self, given):
        if isinstance(given, list):
            given = torch.tensor([[len(text), text.count("a"), 0.0, 1.0] for text in given])
        if isinstance(given, dict):
            given = torch.cat([given["left"], given["right"]], 1)
        self.rows += len(given)
        return self.net(given)

    def new_rows(self) -> int:
        rows, self.rows = self.rows, 0
        return max(0, rows - 1)


def corpus(n: int = 50) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0))


def plain(net: Counting, given) -> np.ndarray:
    net.eval()
    with torch.no_grad():
        out = net(given).numpy()
    net.train()
    net.rows = 0
    return out


def test_what_is_there_is_not_encoded_again(tmp_path: Path) -> None:
    net, given, path = Counting(), corpus(), tmp_path / "c.npy"
    first = tr.encode(given, net, path, batch_size=7, progress=False)
    assert isinstance(first, np.memmap) and first.dtype == np.float32 and not first.flags.writeable
    assert net.new_rows() == 50 and net.training
    np.testing.assert_allclose(first, plain(net, given), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(tr.encode(given, net, path, progress=False), first)
    assert net.rows == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.npy", "c.npy.keys"]


def test_only_what_changed_is_encoded_again(tmp_path: Path) -> None:
    net, given, path = Counting(), corpus(), tmp_path / "c.npy"
    before = tr.encode(given, net, path, progress=False)
    kept = before.copy()
    net.new_rows()
    changed = given.clone()
    changed[[3, 17]] += 1
    after = tr.encode(changed, net, path, progress=False)
    assert net.new_rows() == 2
    np.testing.assert_allclose(after, plain(net, changed), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(before, kept), "who reads the old file is not disturbed"
    moved = torch.cat([changed[10:], corpus(60)[55:], changed[:5]])
    after = tr.encode(moved, net, path, progress=False)
    assert net.new_rows() == 5
    np.testing.assert_allclose(after, plain(net, moved), rtol=1e-5, atol=1e-6)


def test_rows_can_be_named_and_another_tower_encodes_all(tmp_path: Path) -> None:
    net, given, path = Counting(), corpus(), tmp_path / "c.npy"
    tr.encode(given, net, path, progress=False)
    net.new_rows()
    tr.encode(given, net, path, again=[4, 5, 6], progress=False)
    assert net.new_rows() == 3
    tr.encode(given, net, path, progress=False)
    assert net.rows == 0
    with torch.no_grad():
        net.net[0].bias += 0.5
    after = tr.encode(given, net, path, progress=False)
    assert net.new_rows() == 50
    np.testing.assert_allclose(after, plain(net, given), rtol=1e-5, atol=1e-6)
    tr.encode(given, net, path, precision="bf16", progress=False)
    assert net.new_rows() == 50


@pytest.mark.parametrize("kind", ["list", "mapping", "array", "memory"])
def test_any_column_will_do(tmp_path: Path, kind: str) -> None:
    net, rows = Counting(), corpus()
    given = {
        "list": ["a" * (i % 9) + "b" * (i % 5) for i in range(50)],
        "mapping": {"left": rows[:, :1], "right": rows[:, 1:]},
        "array": rows.numpy(),
        "memory": rows,
    }[kind]
    path = None if kind == "memory" else tmp_path / "c.npy"
    out = tr.encode(given, net, path, batch_size=16, progress=False)
    wanted = plain(net, torch.from_numpy(given) if kind == "array" else given)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)


def test_a_source_of_a_corpus_finds_its_items(tmp_path: Path) -> None:
    net = Counting()
    texts = ["a" * i + "b" * (i % 7) for i in range(40)]
    source = tr.encoded_source(texts, net, tmp_path / "t.npy", progress=False)
    assert source.metric == "ip" and source.fetch(np.array([5])).items[0] == texts[5]
    queries = np.array(tr.encode(texts, net, progress=False))
    found = source.search(queries[:3], 1).ids
    assert found.tolist() == (queries[:3] @ queries.T).argmax(1).tolist()
    results = eow.Search(source, lambda items: items.embeddings[:, 0], budget=10).run(progress=False)
    assert len(results) == 10


KILLED = """
import sys, time
import torch
from emb_opt_widgets import training as tr

class Slow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(12.0).reshape(4, 3))
        self.rows = -1
    def forward(self, x):
        self.rows += len(x)
        time.sleep(float(sys.argv[2]))
        print("batch", flush=True)
        return x @ self.weight

net = Slow()
out = tr.encode(torch.randn(200, 4, generator=torch.Generator().manual_seed(1)), net, sys.argv[1], batch_size=5,
                progress=False, device="cpu")
print("rows", net.rows, float(out.sum()), flush=True)
"""


def test_a_killed_encoding_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "k.npy"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), "0.15"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(15):
        assert process.stdout.readline() == "batch\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not path.exists() and (tmp_path / "k.npy.part").exists()
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    _, rows, total = done.stdout.splitlines()[-1].split()
    given = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    assert 100 <= int(rows) <= 170, "what was noted as done is not done again"
    assert float(total) == pytest.approx(float((given @ torch.arange(12.0).reshape(4, 3)).sum()), rel=1e-5)


def test_what_cannot_be_encoded_says_so(tmp_path: Path) -> None:
    net = Counting()
    with pytest.raises(InputError, match="nothing to encode"):
        tr.encode(torch.ones(0, 4), net)
    with pytest.raises(InputError, match="nothing to encode"):
        tr.encode(torch.ones(3, 4), lambda rows: rows)
    with pytest.raises(InputError, match="row 1"):
        tr.encode(torch.tensor([[0.0] * 4, [float("nan")] * 4]), net, tmp_path / "n.npy", progress=False)
    with pytest.raises(InputError, match="again"):
        tr.encode(corpus(), net, tmp_path / "n.npy", again=[50])
    with pytest.raises(InputError, match="no vectors"):
        tr.encode(corpus(), torch.nn.Unflatten(1, (2, 2)), progress=False)
    with pytest.raises(FileError, match="npy"):
        tr.encode(corpus(), net, tmp_path / "n.bin", progress=False)
    lock = WriterLock(tmp_path / "n.npy")
    with pytest.raises(FileInUseError):
        tr.encode(corpus(), net, tmp_path / "n.npy", progress=False)
    lock.release()


@pytest.mark.parametrize("foreign", [b"hello", None])
def test_a_file_that_it_did_not_make_is_left_alone(tmp_path: Path, foreign: bytes | None) -> None:
    path = tmp_path / "mine.npy"
    if foreign is None:
        np.save(path, np.arange(6))
    else:
        path.write_bytes(foreign)
    before = path.read_bytes()
    with pytest.raises(FileError, match="did not make it.*another name"):
        tr.encode(corpus(), Counting(), path, progress=False)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["mine.npy"]


def test_a_kill_between_the_two_replacements_loses_nothing(tmp_path: Path) -> None:
    net, path, keys = Counting(), tmp_path / "c.npy", tmp_path / "c.npy.keys"
    wanted = tr.encode(corpus(), net, path, progress=False).copy()
    net.new_rows()
    keys.rename(tmp_path / "c.npy.part.keys")
    np.testing.assert_array_equal(tr.encode(corpus(), net, path, progress=False), wanted)
    assert net.rows == 0 and keys.exists()


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    net, path = Counting(), tmp_path / "c.npy"
    tr.encode(corpus(), net, path, progress=False)
    net.new_rows()
    path.write_bytes(path.read_bytes()[:60])
    assert tr.encode(corpus(), net, path, progress=False).shape == (50, 3)
    assert net.new_rows() == 50
