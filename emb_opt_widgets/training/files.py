"""Opening a training's file, to go on with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.folding import check_whole, fold
from emb_opt_widgets.live.store import Store
from emb_opt_widgets.training.assembly import Ingredients, assembled
from emb_opt_widgets.training.engine import driven
from emb_opt_widgets.training.fingerprint import differences
from emb_opt_widgets.training.frequency import FrequencyEstimator
from emb_opt_widgets.training.learner import Learner
from emb_opt_widgets.training.loop import Training
from emb_opt_widgets.training.shared_shelf import SharedShelf, opened_at
from emb_opt_widgets.training.shelf import FileShelf, Shelf
from emb_opt_widgets.training.state import TrainingState
from emb_opt_widgets.training.together import Together
from emb_opt_widgets.training.towers import chosen_device

__all__ = ["load"]


def load(
    path: str | Path,
    query_net: nn.Module,
    doc_net: nn.Module,
    data: object,
    *,
    loss: Callable[..., Any] | None = None,
    caches: object = None,
    frequency: FrequencyEstimator | None = None,
    optimizer: object = None,
    scheduler: object = None,
    validation: object = None,
    corpus: object = None,
    device: str | torch.device = "auto",
    process_group: object = "auto",
) -> Training:
    """Open a training's file and go on exactly where it stopped. Settings, parameters, the optimizer's and the caches'
    state come from the file; modules, data and functions are passed again as they were to `Training`.

    Args:
        path: The file.
        query_net, doc_net, data, loss, caches, frequency, optimizer, scheduler, validation, corpus: As they were.
        device: Where to go on.
        process_group: As in `Training`; as many processes as before.

    Raises:
        InputError: These are not the parts of the training in the file.
        FileError: The file is in use, damaged, foreign, or of a newer version.
    """
    together = Together.of(process_group, chosen_device(device))
    store = opened_at(path, together)
    try:
        state = _folded(store, Path(path).name)
        given = Ingredients(
            query_net, doc_net, data, loss, caches, frequency, optimizer, scheduler, validation, corpus, device,
            process_group,
        )  # fmt: skip
        learner, described = assembled(given, state.config)
        differing = differences(state.data, described)
        if differing:
            raise InputError(
                "These are not the parts of the training in the file",
                expected=", ".join(f"{name} {was!r}" for name, (was, _) in differing.items()),
                got=", ".join(f"{name} {now!r}" for name, (_, now) in differing.items()),
                hint="Pass what was passed to Training",
            )
        shelf: Shelf = FileShelf(Path(path)) if learner.together is None else SharedShelf(Path(path), learner.together)
        _restore(learner, shelf, state)
    except BaseException:
        store.close()
        raise
    return Training.driven_by(driven(learner, store, shelf, state))


def _folded(store: Store, name: str) -> TrainingState:
    state = TrainingState()
    for event in store.read():
        fold(state, event, name)
    check_whole(state.config, name, "training")
    return state


def _restore(learner: Learner, shelf: Shelf, state: TrainingState) -> None:
    if state.checkpoint is not None:
        learner.restore(shelf.fetch(state.checkpoint))
        shelf.tidy(state.checkpoint)
