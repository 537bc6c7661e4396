"""A retrieval task made of what is installed: the first sentence of a docstring, and the code it describes.

Real text, nothing downloaded. Every pair is of one function; a sentence or a body that comes twice is left out.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["PACKAGES", "Pair", "docstring_pairs", "word_ids"]

PACKAGES = (
    "numpy", "scipy", "sklearn", "sympy", "networkx", "pandas", "torch", "datasets", "PIL", "IPython", "nbconvert",
    "jupyter_server", "jupyter_client", "bqplot", "mypy", "pip", "setuptools", "pyarrow", "fsspec", "tornado",
    "traitlets", "hypothesis", "faiss", "qdrant_client", "jedi", "huggingface_hub", "sentence_transformers",
    "accelerate", "aiohttp", "pygments", "babel", "joblib",
)  # fmt: skip
_SKIPPED = {"tests", "test", "testing", "__pycache__", "idlelib", "lib2to3", "site-packages"}
_LARGEST, _LONGEST = 400_000, 1_500
_WORD = re.compile(r"[A-Za-z]{2,}")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")


@dataclass(frozen=True, slots=True)
class Pair:
    """A function.

    Attributes:
        name: Package and function. says: The first paragraph of its docstring. code: Arguments and body.
    """

    name: str
    says: str
    code: str


def docstring_pairs(packages: Sequence[str] = PACKAGES, limit: int | None = None, seed: int = 0) -> list[Pair]:
    """Pairs of the standard library and of these packages, as far as they are installed, in an order by the seed.

    Args:
        packages: Top-level packages beside the standard library. limit: At most so many pairs. seed: Of the order.
    """
    paths = sysconfig.get_paths()
    roots = [Path(paths["stdlib"]), *(Path(paths["purelib"]) / name for name in packages)]
    seen: set[bytes] = set()
    found = []
    for root in roots:
        for file in _sources(root):
            for pair in _pairs_of(file, root.name if root.name in packages else "python"):
                keys = {hashlib.md5(text.lower().encode()).digest() for text in (pair.says, pair.code)}
                if not keys & seen:
                    seen |= keys
                    found.append(pair)
    order = np.random.default_rng(seed).permutation(len(found))[:limit]
    return [found[i] for i in order]


def _sources(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if name not in _SKIPPED)
        for name in sorted(files):
            path = Path(folder, name)
            if name.endswith(".py") and path.stat().st_size <= _LARGEST:
                yield path


def _pairs_of(file: Path, package: str) -> Iterator[Pair]:
    try:
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    lines = source.split("\n")
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or len(node.body) < 2:
            continue
        says = " ".join((ast.get_docstring(node) or "").strip().split("\n\n")[0].split())
        code = "\n".join(lines[node.body[1].lineno - 1 : node.end_lineno])
        if len(says.split()) >= 5 and len(says) <= 300 and len(code.split()) >= 8:
            arguments = " ".join(argument.arg for argument in node.args.args)
            yield Pair(f"{package}.{node.name}", says, f"{arguments}\n{code[:_LONGEST]}")


def word_ids(texts: Sequence[str], length: int, vocabulary: int = 1 << 14) -> npt.NDArray[np.int64]:
    """`(n, length)` each text's first different words as hashed ids from 1; 0 where there are no more."""
    out = np.zeros((len(texts), length), np.int64)
    for row, text in enumerate(texts):
        words = dict.fromkeys(word.lower() for word in _WORD.findall(_CAMEL.sub(r"\1 \2", text)))
        ids = dict.fromkeys(zlib.crc32(word.encode()) % (vocabulary - 1) + 1 for word in words)
        first = list(ids)[:length]
        out[row, : len(first)] = first
    return out
