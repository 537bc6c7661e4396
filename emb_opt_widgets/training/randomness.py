"""Random numbers of a training: every draw follows from the seed, the purpose and the place, so a resume is exact.

Torch, numpy and `random` keep their random state for the whole process. A stretch of a training sets all three and puts
them back afterwards; two trainings take turns. Other code that draws at the same moment, in another thread, is the one
thing that can disturb it.
"""

from __future__ import annotations

import random
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["drawing"]

_TURN = threading.RLock()


@contextmanager
def drawing(seed: int, purpose: str, *at: int, device: torch.device | None = None) -> Iterator[None]:
    """Have all random numbers drawn inside follow from the arguments, and leave those outside as they were.

    Args:
        seed: The training's. purpose: What is drawn. at: Where: step, epoch, batch.
        device: A CUDA device whose random state is to be set, too.
    """
    key = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *at]).generate_state(2, np.uint64)
    torch_seed, other = int(key[0] >> np.uint64(1)), int(key[1] >> np.uint64(32))
    cuda = device is not None and device.type == "cuda"
    with _TURN, torch.random.fork_rng([device] if cuda else []):
        plain, arrays = random.getstate(), np.random.get_state()
        try:
            torch.default_generator.manual_seed(torch_seed)
            if cuda:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(torch_seed)
            random.seed(other)
            np.random.seed(other)
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(arrays)
