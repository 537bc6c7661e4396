"""Towers at rest: encoding without gradients and without a trace in the tower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.training.batches import placed, rows_in, take_rows

__all__ = ["DTYPES", "chosen_device", "encoded", "encoded_batches", "evaluating"]

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_device(device: str | torch.device) -> torch.device:
    """The device of this name; "auto": a CUDA device where there is one, else the processor.

    Raises:
        InputError: There is no such device here.
    """
    try:
        if device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        found = torch.device(device)
        torch.empty(0, device=found)
    except Exception as error:
        raise InputError(
            "device is not usable", expected='"auto", "cpu", or a device that torch can use here', got=repr(device)
        ) from error
    return found


@contextmanager
def evaluating(*nets: nn.Module) -> Iterator[None]:
    """Have these in evaluation mode, and every part of them in its own mode again afterwards."""
    modes = {module: module.training for net in nets for module in net.modules()}
    try:
        for net in nets:
            net.eval()
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def encoded_batches(
    net: nn.Module, column: Any, batch_size: int, device: torch.device, precision: str, rows: Any = None
) -> Iterator[torch.Tensor]:
    """Embeddings of a column's rows, batch by batch, as the tower gives them, `(b, d)` or `(b, h, d)`.

    Args:
        net: The tower, on the device. column: What it takes: a tensor, an array, a list, or a mapping of such.
        batch_size: Rows at a time. device: Where. precision: "float32", "bf16" or "fp16".
        rows: `(n,)` which rows. None: all.
    """
    wanted = np.arange(rows_in(column)) if rows is None else rows
    for start in range(0, len(wanted), batch_size):
        part = placed(take_rows(column, wanted[start : start + batch_size]), device)
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(evaluating(net))
            stack.enter_context(torch.autocast(device.type, DTYPES[precision], enabled=precision != "float32"))
            out = net(part)
        if (
            not isinstance(out, torch.Tensor)
            or not out.is_floating_point()
            or len(out) != len(wanted[start : start + batch_size])
        ):
            got = f"{out.dtype} {tuple(out.shape)}" if isinstance(out, torch.Tensor) else type(out).__name__
            raise InputError("The tower returned no embeddings", expected="a float tensor (n, d)", got=got)
        yield out.detach()


def encoded(net: nn.Module, column: Any, batch_size: int, device: torch.device, precision: str) -> torch.Tensor:
    """All embeddings of a column."""
    return torch.cat(list(encoded_batches(net, column, batch_size, device, precision)))
