"""A progress bar that follows a running search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emb_opt_widgets.search import Search

__all__ = ["follow"]


def follow(search: Search) -> None:
    """Show a tqdm bar until the search is at rest: calls against the budget, or rounds, or calls alone."""
    from tqdm.auto import tqdm

    budget = search.settings["budget"]
    target = search.controller.state.until
    by_rounds = budget is None and target is not None
    total = target if by_rounds else budget
    done = search.n_rounds if by_rounds else search.n_scored
    with tqdm(total=total, initial=done, desc=search.name, unit="round" if by_rounds else "call") as bar:
        resting = False
        while not resting:
            resting = search.wait(0.1)
            now = search.n_rounds if by_rounds else search.n_scored
            best = search.best
            bar.set_postfix_str("" if best is None else f"best {best.score:.6g}", refresh=False)
            bar.update(now - bar.n)
        bar.refresh()
