"""What a progress bar shows of a search."""

from __future__ import annotations

from emb_opt_widgets.engine.state import State
from emb_opt_widgets.live.progress import Bar

__all__ = ["bar_of"]


def bar_of(state: State) -> Bar:
    """What is spent of the budget, in its unit, or rounds, or calls alone; and the best score."""
    by_rounds = state.config["budget"] is None and state.until is not None

    def said() -> str:
        return "" if state.best_row < 0 else f"best {state.items['score'][state.best_row]:.6g}"

    def spent() -> float:
        return int(state.spent) if float(state.spent).is_integer() else round(state.spent, 2)

    return Bar(
        total=state.until if by_rounds else state.config["budget"],
        unit="round" if by_rounds else "call" if state.unit == "calls" else f" {state.unit}",
        done=lambda: state.n_rounds if by_rounds else spent(),
        said=said,
    )
