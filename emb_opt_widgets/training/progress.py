"""What a progress bar shows of a training."""

from __future__ import annotations

import math

from emb_opt_widgets.live.progress import Bar
from emb_opt_widgets.training.state import TrainingState

__all__ = ["bar_of"]


def bar_of(state: TrainingState) -> Bar:
    """Steps, or epochs where those are what was asked for; the loss and the last accuracy."""
    config = state.config
    by_epochs = state.until is None and config["steps"] is None and config["epochs"] is not None

    def said() -> str:
        loss = state.latest("interpretable_loss")
        shown = f"loss {state.latest('loss') if math.isnan(loss) else loss:.4g}"
        if state.evaluations:
            last = state.evaluations[-1]
            at = list(last.ks).index(config["monitor"])
            shown += f", accuracy@{config['monitor']} {last.accuracy[at]:.4f}"
        return f"step {state.step}, {shown}" if by_epochs else shown

    return Bar(
        total=config["epochs"] if by_epochs else state.until or config["steps"],
        unit="epoch" if by_epochs else "step",
        done=lambda: state.epoch if by_epochs else state.step,
        said=said,
    )
