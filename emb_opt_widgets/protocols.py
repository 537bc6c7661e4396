"""Every name that a person types who extends the product: what a part has to have, what it is given, what it answers.

Nothing need be subclassed: an object with the methods is the part. A frozen dataclass among them becomes first class by
`emb_opt_widgets.register`. `docs/extending.md` shows one of each; `emb_opt_widgets.testing` checks yours.
"""

from __future__ import annotations

from emb_opt_widgets.engine.events import Event
from emb_opt_widgets.engine.hits import Hits
from emb_opt_widgets.engine.items import Item, Items
from emb_opt_widgets.engine.protocols import (
    Asynchronous,
    Believes,
    Choose,
    Direction,
    Explains,
    FilterFunction,
    GrowingSource,
    ItemsLike,
    Numbers,
    OnError,
    Opinion,
    PlacedSource,
    Predicts,
    Prune,
    PruneLike,
    QueriesLike,
    ReadableSource,
    Reasons,
    Response,
    Responses,
    ScoreFunction,
    Source,
    SourceLike,
    Update,
    UpdateLike,
    VolatileSource,
)
from emb_opt_widgets.engine.queries import Choice, Proposals, Queries, Query
from emb_opt_widgets.engine.status import Activity, ItemStatus, NodeStatus, RunStatus, SearchStatus
from emb_opt_widgets.engine.view import SearchView
from emb_opt_widgets.strategies.portfolio.board import Board
from emb_opt_widgets.strategies.portfolio.operators import Asker, Candidates, Ground, Operator, Question
from emb_opt_widgets.strategies.portfolio.surrogates import Fitted, JointFitted, Observed, Surrogate

__all__ = [
    "Activity",
    "Asker",
    "Asynchronous",
    "Believes",
    "Board",
    "Candidates",
    "Choice",
    "Choose",
    "Direction",
    "Event",
    "Explains",
    "FilterFunction",
    "Fitted",
    "Ground",
    "GrowingSource",
    "Hits",
    "Item",
    "ItemStatus",
    "Items",
    "ItemsLike",
    "JointFitted",
    "NodeStatus",
    "Numbers",
    "Observed",
    "OnError",
    "Operator",
    "Opinion",
    "PlacedSource",
    "Predicts",
    "Proposals",
    "Prune",
    "PruneLike",
    "Queries",
    "QueriesLike",
    "Query",
    "Question",
    "ReadableSource",
    "Reasons",
    "Response",
    "Responses",
    "RunStatus",
    "ScoreFunction",
    "SearchStatus",
    "SearchView",
    "Source",
    "SourceLike",
    "Surrogate",
    "Update",
    "UpdateLike",
    "VolatileSource",
]
