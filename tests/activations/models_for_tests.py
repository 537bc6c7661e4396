"""Small models with random weights, and a tokenizer of one's own."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.ln_1 = nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(0.5), nn.Linear(2 * d, d))

    def forward(self, x):
        return x + self.mlp(self.ln_1(x))


class Words(nn.Module):
    """Token numbers `(n, t)` to scores `(n, t, v)`; every token sees the mean of those up to it."""

    def __init__(self, words=29, d=12, depth=3, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.table = nn.Embedding(words, d)
        self.blocks = nn.ModuleList([Block(d) for _ in range(depth)])
        self.head = nn.Linear(d, words)
        self.eval()

    def forward(self, input_ids, attention_mask=None):
        x = self.table(input_ids)
        if attention_mask is not None:
            x = x * attention_mask[..., None]
        for block in self.blocks:
            x = block(x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None])
        return self.head(x)


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(1, 5, 3)
        self.last = nn.Linear(5, 2)
        self.unused = nn.Linear(3, 3)
        self.eval()

    def forward(self, x):
        return self.last(self.first(x).relu().mean((2, 3)))


class Tuples(nn.Module):
    """A layer that answers with a tuple, and one with a mapping."""

    class Pair(nn.Module):
        def forward(self, x):
            return x * 2, "more"

    class Named(nn.Module):
        def forward(self, x):
            return {"hidden": x[0] + 1, "other": None}

    class Nothing(nn.Module):
        def forward(self, x):
            return x["hidden"].argmax(-1)

    def __init__(self):
        super().__init__()
        self.pair, self.named, self.nothing = self.Pair(), self.Named(), self.Nothing()
        self.eval()

    def forward(self, x):
        named = self.named(self.pair(x))
        self.nothing(named)
        return named["hidden"]


class Letters:
    """A tokenizer: a letter a token, padded on the right with 0."""

    pad_token = "_"

    def __call__(self, texts, return_tensors="pt", padding=False):
        rows = [[1 + (ord(c) - ord("a")) % 28 for c in text] for text in texts]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return {"input_ids": ids, "attention_mask": mask}

    def decode(self, ids, **options):
        return "".join(chr(ord("a") + int(i) - 1) for i in ids)


def gpt2(seed=0, **options):
    """A GPT-2 of a small configuration, where transformers is installed."""
    import pytest

    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    sizes = {"vocab_size": 64, "n_positions": 32, "n_embd": 16, "n_layer": 4, "n_head": 2, "bos_token_id": 0}
    config = transformers.GPT2Config(**{**sizes, "eos_token_id": 0, **options})
    return transformers.GPT2LMHeadModel(config).eval()
