"""A progress bar that follows a running search."""

from __future__ import annotations

from emb_opt_widgets.search.controller import Controller

__all__ = ["follow"]


def follow(controller: Controller) -> None:
    """Show a tqdm bar until the search is at rest: calls against the budget, or rounds, or calls alone."""
    from tqdm.auto import tqdm

    state = controller.state
    by_rounds = state.config["budget"] is None and state.until is not None

    def done() -> int:
        return state.n_rounds if by_rounds else state.n_scored

    total = state.until if by_rounds else state.config["budget"]
    unit = "round" if by_rounds else "call"
    with tqdm(total=total, initial=done(), desc=state.config["name"], unit=unit) as bar:
        resting = False
        while not resting:
            resting = controller.wait(0.1)
            with controller.lock:
                best = "" if state.best_row < 0 else f"best {state.items['score'][state.best_row]:.6g}"
            bar.set_postfix_str(best, refresh=False)
            bar.update(done() - bar.n)
        bar.refresh()
