"""Who proposes what to score. One operator a file; names stand for the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping

from emb_opt_widgets.strategies.portfolio.operators.around import Around
from emb_opt_widgets.strategies.portfolio.operators.asker import Asker, Ground, Question
from emb_opt_widgets.strategies.portfolio.operators.between import Between
from emb_opt_widgets.strategies.portfolio.operators.blend import Blend
from emb_opt_widgets.strategies.portfolio.operators.coverage import Coverage
from emb_opt_widgets.strategies.portfolio.operators.explore import Explore
from emb_opt_widgets.strategies.portfolio.operators.gradient import Gradient
from emb_opt_widgets.strategies.portfolio.operators.neighbours import Neighbours
from emb_opt_widgets.strategies.portfolio.operators.only import Only
from emb_opt_widgets.strategies.portfolio.operators.operator import Candidates, Operator, Prior
from emb_opt_widgets.strategies.portfolio.operators.spread import Spread
from emb_opt_widgets.strategies.portfolio.operators.uniform import Uniform

__all__ = [
    "ASKERS", "OPERATORS", "Around", "Asker", "Between", "Blend", "Candidates", "Coverage", "Explore", "Gradient",
    "Ground", "Neighbours", "Only", "Operator", "Prior", "Question", "Spread", "Uniform",
]  # fmt: skip

OPERATORS: Mapping[str, Operator] = {
    one.name: one
    for one in (
        Blend(), Explore(), Only(("linear",)), Only(("kernel", "learned")), Neighbours(), Coverage(), Uniform(),
    )
}  # fmt: skip
"""The built-in operators by name, in the order in which they are asked."""

ASKERS: Mapping[str, Asker] = {one.name: one for one in (Gradient(), Around(), Between(), Spread())}
"""Those for sources that can only be asked."""
