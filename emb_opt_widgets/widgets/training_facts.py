"""A training's facts: the little that pages always know, as `docs/wire.md` lists it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.report.text import plain
from emb_opt_widgets.training.engine import TrainingRun
from emb_opt_widgets.training.events import CacheAged
from emb_opt_widgets.training.state import TrainingState
from emb_opt_widgets.training.steering import TrainingSteering
from emb_opt_widgets.widgets.search_facts import Rate
from emb_opt_widgets.widgets.wording import noticed

__all__ = ["TrainingStanding", "training_facts"]


@dataclass(frozen=True, slots=True)
class TrainingStanding:
    """Where a training stands, copied under its lock.

    Attributes:
        plain: Facts as they are. config: The settings. data: What is learned from, described.
    """

    plain: dict[str, Any]
    config: dict[str, Any]
    data: Mapping[str, Any]

    @classmethod
    def of(cls, controller: TrainingRun) -> TrainingStanding:
        """Of a training, whose lock is held."""
        state, learner = controller.state, controller.engine.learner
        lr = learner.parts.optimizer.param_groups[0]["lr"] if not state.step else state.latest("lr")
        told = state.latest("interpretable_loss")
        best = {"step": state.best_step, "accuracy": state.best_accuracy, "k": state.config["monitor"]}
        return cls(
            {
                "status": str(controller.status),
                "reason": controller.reason,
                "step": state.step,
                "steps": _total(state),
                "epoch": state.epoch,
                "loss": _number(state.latest("loss") if math.isnan(told) else told),
                "best": best if state.best_step >= 0 else None,
                "can": TrainingSteering(controller).can(),
                "notices": noticed(controller.notices),
                "lr": _number(float(lr)),
                "device": str(learner.settings.device),
            },
            dict(state.config),
            state.data,
        )


def _total(state: TrainingState) -> int | None:
    """The step it runs to, as far as that is known: epochs tell it when the first is over."""
    config = state.config
    if state.until is not None and state.until >= state.step:
        return state.until
    an_epoch = state.steps_an_epoch
    by_epochs = None if config["epochs"] is None or an_epoch is None else config["epochs"] * an_epoch
    limits = [limit for limit in (config["steps"], by_epochs) if limit is not None]
    return max(state.step, min(limits)) if limits else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def training_facts(
    standing: TrainingStanding, rate: Rate, caches: Mapping[str, CacheAged], file: str | None
) -> dict[str, Any]:
    """The facts.

    Args:
        standing: Where the training stands.
        rate: Knows what was before.
        caches: Their last ages, in the order of the table's numbers.
        file: Name of the training's file.
    """
    config, data, now = standing.config, standing.data, dict(standing.plain)
    running = now["status"] == RunStatus.RUNNING.value
    speed = rate.now(now["step"], running)
    left = None if now["steps"] is None else now["steps"] - now["step"]
    lr, device = now.pop("lr"), now.pop("device")
    return {
        **now,
        "name": plain(config["name"], 120),
        "reason": plain(now["reason"], 600),
        "epochs": config["epochs"],
        "rate": speed,
        "eta": round(left / speed) if running and speed > 0 and left is not None else None,
        "ks": list(config["ks"]),
        "monitor": config["monitor"],
        "settings": {
            **{name: config[name] for name in ("batch_size", "accumulate", "precision", "patience", "seed")},
            "device": device, "lr": lr, "loss": plain(data.get("loss"), 80), "pairs": data.get("pairs"),
            "held_out": data.get("held_out"), "parameters": data.get("parameters"),
        },
        "caches": [_cache(name, capacity, caches) for name, capacity in _ordered(data["caches"], caches)],
        "file": file,
    }  # fmt: skip


def _ordered(known: Mapping[str, int], seen: Mapping[str, CacheAged]) -> list[tuple[str, int]]:
    """Caches and their rows: those that were looked at first."""
    names = [*seen, *(name for name in known if name not in seen)]
    return [(name, known[name]) for name in names]


def _cache(name: str, capacity: int, seen: Mapping[str, CacheAged]) -> dict[str, Any]:
    aged = seen.get(name)
    look = {"step": None, "rows": None} if aged is None else {"step": aged.step, "rows": aged.n_valid}
    return {"name": plain(name, 60), "capacity": capacity, **look}
