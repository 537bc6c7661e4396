"""A nested state survives a file bit for bit; what cannot is refused."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from emb_opt_widgets.errors import DamagedFileError, FileError, InputError
from emb_opt_widgets.training.checkpoint import read_checkpoint, write_checkpoint

shared = torch.arange(6.0)
STATE = {
    "numbers": [1, 2.5, -0.0, 1e-300, 0.1 + 0.2, None, True, "text", 2**62],
    "pair": (0.9, (0.999,)),
    3: {"by number": {0: torch.tensor(2), 1: torch.tensor(3.5, dtype=torch.float64)}},
    "views": [shared, shared, shared[2:], shared.reshape(2, 3).T],
    "kinds": [torch.ones(2, dtype=d) for d in (torch.bfloat16, torch.float16, torch.bool, torch.int64, torch.uint8)],
    "nan": [math.inf, torch.tensor([math.nan, -math.inf])],
    "empty": [[], {}, (), torch.zeros(0, 3), torch.zeros(0)],
    "milestones": Counter([3, 3, 5]),
    "$tensor": "a name like ours",
    "strange/names": {"a/b": torch.ones(1), "a": {"b": torch.zeros(1)}},
}


def equal(a, b):
    if isinstance(a, torch.Tensor):
        same = a.dtype == b.dtype and a.shape == b.shape
        return (
            same and a.contiguous().reshape(-1).view(torch.uint8).tolist() == b.reshape(-1).view(torch.uint8).tolist()
            if a.numel()
            else same
        )
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    crc = write_checkpoint(tmp_path / "s.safetensors", STATE)
    assert equal(read_checkpoint(tmp_path / "s.safetensors", crc), STATE)
    assert write_checkpoint(tmp_path / "again.safetensors", STATE) == crc
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["again.safetensors", "s.safetensors"]


@pytest.mark.parametrize("value", [object(), lambda: 0, torch.eye(2).to_sparse(), {1, 2}])
def test_what_cannot_be_kept_is_refused_and_the_file_of_before_stays(tmp_path: Path, value) -> None:
    path = tmp_path / "s.safetensors"
    write_checkpoint(path, {"a": 1})
    with pytest.raises(InputError, match="deep/inside"):
        write_checkpoint(path, {"deep": {"inside": value}})
    assert read_checkpoint(path) == {"a": 1}
    with pytest.raises(FileError):
        write_checkpoint(tmp_path / "nowhere" / "s.safetensors", {"a": 1})


def test_damage_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    crc = write_checkpoint(path, STATE)
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-1], whole[:-8] + b"\x01" * 8, b""):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError):
            read_checkpoint(path, crc)
