"""A progress bar that follows a running training."""

from __future__ import annotations

import math

from emb_opt_widgets.training.driver import TrainingController

__all__ = ["follow"]


def follow(controller: TrainingController) -> None:
    """Show a tqdm bar until the training is at rest: steps, or epochs where those are what was asked for."""
    from tqdm.auto import tqdm

    state = controller.state
    config = state.config
    by_epochs = state.until is None and config["steps"] is None and config["epochs"] is not None

    def done() -> int:
        return state.epoch if by_epochs else state.step

    total = config["epochs"] if by_epochs else state.until or config["steps"]
    with tqdm(total=total, initial=done(), desc=config["name"], unit="epoch" if by_epochs else "step") as bar:
        resting = False
        while not resting:
            resting = controller.wait(0.1)
            with controller.lock:
                loss = state.latest("interpretable_loss")
                shown = f"loss {state.latest('loss') if math.isnan(loss) else loss:.4g}"
                if state.evaluations:
                    last = state.evaluations[-1]
                    at = list(last.ks).index(config["monitor"])
                    shown += f", accuracy@{config['monitor']} {last.accuracy[at]:.4f}"
            bar.set_postfix_str(f"step {state.step}, {shown}" if by_epochs else shown, refresh=False)
            bar.update(done() - bar.n)
        bar.refresh()
