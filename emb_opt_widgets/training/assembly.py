"""From what a person passes to the parts of a training: checked, on their device, described in plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.accuracy import TopKAccuracy
from emb_opt_widgets.training.batches import Batch, Batches, Cursor, as_batches, placed, rows_in
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.cache_loss import CacheLoss
from emb_opt_widgets.training.fingerprint import name_of, options_of
from emb_opt_widgets.training.frequency import FrequencyEstimator
from emb_opt_widgets.training.learner import HeldOut, Learner, Parts, Settings, fields_of
from emb_opt_widgets.training.objective import CacheObjective, InBatchObjective, Objective, fitting_cache, has_ids
from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
from emb_opt_widgets.training.sharded import ShardedCacheLoss
from emb_opt_widgets.training.tables import as_column, columns_of, is_sentence_model
from emb_opt_widgets.training.together import Together
from emb_opt_widgets.training.towers import DTYPES, chosen_device

__all__ = ["Ingredients", "assembled", "checked_config"]

_LEARNING_RATE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """What a file cannot hold and a person passes, the same for a new training as for one that goes on."""

    query_net: nn.Module
    doc_net: nn.Module
    data: Any
    loss: Any = None
    caches: Any = None
    frequency: FrequencyEstimator | None = None
    optimizer: Any = None
    scheduler: Any = None
    validation: Any = None
    corpus: Any = None
    device: str | torch.device = "auto"
    process_group: Any = "auto"


def checked_config(**given: Any) -> dict[str, Any]:
    """Settings as plain values.

    Raises:
        InputError: One is not usable.
    """
    least = {
        "epochs": 1, "steps": 1, "batch_size": 1, "accumulate": 1, "evaluate_every": 1, "patience": 1,
        "checkpoint_every": 1, "seed": 0, "chunk_size": 1,
    }  # fmt: skip
    optional = {"epochs", "steps", "evaluate_every", "patience", "chunk_size"}
    config = {name: _whole(name, given[name], lowest, name in optional) for name, lowest in least.items()}
    clip = given["clip_norm"]
    if clip is not None and (isinstance(clip, bool) or not isinstance(clip, (int, float)) or not clip > 0):
        raise InputError("clip_norm is not usable", expected="a number above 0, or None", got=repr(clip))
    if given["precision"] not in DTYPES:
        raise InputError(
            "precision is not usable", expected=" or ".join(map(repr, DTYPES)), got=repr(given["precision"])
        )
    ks = TopKAccuracy(given["ks"]).ks
    monitor = given["monitor"]
    watched = (10 if 10 in ks else ks[0]) if monitor is None else monitor
    if watched not in ks:
        raise InputError("monitor is not usable", expected=f"one of ks, {', '.join(map(str, ks))}", got=repr(monitor))
    name = "training" if given["name"] is None else str(given["name"])
    return config | {
        "clip_norm": clip, "precision": given["precision"], "ks": list(ks), "monitor": int(watched), "name": name,
        "default_reduction": "mean",
    }  # fmt: skip


def _whole(name: str, value: Any, least: int, optional: bool) -> int | None:
    if value is None and optional:
        return None
    found = as_whole(value, least)
    if found is None:
        also = ", or None" if optional else ""
        raise InputError(f"{name} is not usable", expected=f"a whole number, at least {least}{also}", got=repr(value))
    return found


def assembled(given: Ingredients, config: Mapping[str, Any]) -> tuple[Learner, dict[str, Any]]:
    """A learner, and the fingerprint of what it learns from.

    Raises:
        InputError: Something is not usable, or does not fit the rest.
    """
    device = chosen_device(given.device)
    together = Together.of(given.process_group, device)
    towers = {"query_net": given.query_net, "doc_net": given.doc_net}
    for name, net in towers.items():
        if not isinstance(net, nn.Module):
            raise InputError(f"{name} is not usable", expected="a torch.nn.Module", got=type(net).__name__)
        if is_sentence_model(net):
            raise InputError(
                f"{name} takes tokens and answers with a mapping", expected="a tower", got=type(net).__name__,
                hint="Wrap it: SentenceTower(model)",
            )  # fmt: skip
        net.to(device)
    part = (0, 1) if together is None else (together.peers.rank, together.peers.size)
    batches = as_batches(given.data, config["batch_size"], config["seed"], part)
    caches = _caches(given, batches, config["seed"], device)
    loss, objective = _objective(given, caches, device, config.get("default_reduction", "sum"), together)
    kept: dict[str, nn.Module] = {"loss": loss} if isinstance(loss, nn.Module) else {}
    if given.frequency is not None:
        kept["frequency"] = given.frequency
    modules = [*towers.values(), *kept.values()]
    optimizer = _optimizer(given.optimizer, modules)
    parts = Parts(
        given.query_net,
        given.doc_net,
        objective,
        optimizer,
        _scheduler(given.scheduler, optimizer),
        torch.amp.GradScaler(device.type, enabled=config["precision"] == "fp16"),
        kept,
        caches,
    )
    settings = Settings(
        config["seed"], config["batch_size"], config["accumulate"], config["clip_norm"], config["precision"], device,
        config.get("chunk_size"),
    )  # fmt: skip
    held_out = _held_out(given, config)
    described = {
        "pairs": batches.n_pairs,
        "held_out": None if held_out is None else rows_in(held_out.query),
        "parameters": sum(p.numel() for group in optimizer.param_groups for p in group["params"]),
        "loss": name_of(loss),
        "loss_options": options_of(loss),
        "caches": {name: cache.capacity for name, cache in caches.items()},
        "processes": part[1],
    }
    if together is not None:
        names = {name: [tuple(v.shape) for v in module.state_dict().values()] for name, module in towers.items()}
        together.agree_on({**config, **described, "towers": str(names)})
        together.spread([value for module in modules for value in module.state_dict().values()])
    return Learner(parts, batches, settings, held_out, together), described


def _caches(given: Ingredients, batches: Batches, seed: int, device: torch.device) -> dict[str, NegativeCache]:
    caches = given.caches
    if caches is None:
        return {}
    if isinstance(caches, NegativeCache):
        caches = {"cache": caches}
    if isinstance(caches, nn.ModuleDict):
        caches = dict(caches.items())
    if (capacity := as_whole(caches)) is not None:
        first = Cursor(batches, seed).take()
        batch = Batch(**{name: placed(value, device) for name, value in fields_of(first)})
        caches = {"cache": fitting_cache(capacity, given.doc_net, batch, given.loss)}
    usable = isinstance(caches, Mapping) and caches and all(isinstance(c, NegativeCache) for c in caches.values())
    if not usable:
        raise InputError(
            "caches are not usable",
            expected="a mapping of name to NegativeCache, one NegativeCache, or a number of rows",
            got=repr(caches) if isinstance(caches, (int, str)) else type(caches).__name__,
        )
    return {str(name): cache.to(device) for name, cache in sorted(caches.items())}


def _objective(
    given: Ingredients,
    caches: Mapping[str, NegativeCache],
    device: torch.device,
    reduction: str,
    together: Together | None,
) -> tuple[Callable[..., Any], Objective]:
    loss = given.loss
    if loss is None and caches:
        loss = CacheLoss(id_field="id" if all(map(has_ids, caches.values())) else None)
    elif loss is None:
        loss = RetrievalLoss(reduction=reduction)
    if not callable(loss):
        raise InputError("loss is not usable", expected="RetrievalLoss(…), CacheLoss(…) or a function", got=repr(loss))
    if isinstance(loss, nn.Module):
        loss.to(device)
    if caches and isinstance(loss, RetrievalLoss):
        raise InputError("This loss knows no caches", expected="a CacheLoss", got="RetrievalLoss and caches")
    if not caches and isinstance(loss, (CacheLoss, ShardedCacheLoss)):
        what = f"A {type(loss).__name__} needs caches"
        raise InputError(what, expected="caches=…, a number of rows will do", got="None")
    if given.frequency is not None and (caches or not isinstance(given.frequency, FrequencyEstimator)):
        raise InputError(
            "frequency is not usable",
            expected="a FrequencyEstimator, and a loss without caches",
            got=f"{type(given.frequency).__name__}{' and caches' if caches else ''}",
        )
    return loss, CacheObjective(loss, caches, together) if caches else InBatchObjective(loss, given.frequency, together)


def _optimizer(given: Any, modules: Sequence[nn.Module]) -> Optimizer:
    found = {id(p): p for module in modules for p in module.parameters() if p.requires_grad}
    if not found:
        raise InputError("There is nothing to train", expected="parameters that require a gradient", got="none")
    if given is None:
        return torch.optim.AdamW(list(found.values()), lr=_LEARNING_RATE)
    if not isinstance(given, Optimizer) and callable(given):
        given = given(list(found.values()))
    if not isinstance(given, Optimizer):
        raise InputError(
            "optimizer is not usable",
            expected="a torch.optim.Optimizer, or a function from parameters to one",
            got=type(given).__name__,
            hint="For example optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=1e-3)",
        )
    return given


def _scheduler(given: Any, optimizer: Optimizer) -> LRScheduler | ReduceLROnPlateau | None:
    if given is None:
        return None
    if not isinstance(given, (LRScheduler, ReduceLROnPlateau)) and callable(given):
        given = given(optimizer)
    if not isinstance(given, (LRScheduler, ReduceLROnPlateau)) or given.optimizer is not optimizer:
        raise InputError(
            "scheduler is not usable",
            expected="a scheduler of this training's optimizer, or a function from the optimizer to one",
            got=type(given).__name__,
            hint="For example scheduler=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)",
        )
    return given


def _held_out(given: Ingredients, config: Mapping[str, Any]) -> HeldOut | None:
    if given.validation is None:
        for name in ("corpus", "patience"):
            if (given.corpus if name == "corpus" else config["patience"]) is not None:
                raise InputError(
                    f"{name} needs pairs to evaluate on", expected="validation=(queries, documents)", got="None"
                )
        return None
    pairs = given.validation
    table = columns_of(pairs)
    pairs = pairs if table is None else table
    if isinstance(pairs, Mapping) and {"query", "document"} <= set(pairs):
        pairs = (pairs["query"], pairs["document"])
    if not isinstance(pairs, tuple) or len(pairs) != 2:
        raise InputError(
            "validation is not usable", expected="(queries, documents), two columns, or a table of them",
            got=type(pairs).__name__,
        )  # fmt: skip
    if not rows_in({"query": pairs[0], "document": pairs[1]}):
        raise InputError("validation has no pairs", expected="at least one", got="none")
    corpus = given.corpus if given.corpus is None or isinstance(given.corpus, list) else as_column(given.corpus)
    if corpus is not None:
        rows_in(corpus)
    return HeldOut(pairs[0], pairs[1], corpus, tuple(config["ks"]))
