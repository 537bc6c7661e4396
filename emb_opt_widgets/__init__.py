"""Find the highest-scoring items of a large embedding space with as few score calls as possible, live in Jupyter."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from emb_opt_widgets.errors import (
    DamagedFileError,
    EmbOptError,
    Fatal,
    FileError,
    FileInUseError,
    FunctionError,
    InputError,
    MissingDependencyError,
    NewerFileError,
    RetryLater,
    StateError,
    UnknownNodeError,
)
from emb_opt_widgets.live import display

if TYPE_CHECKING:
    from emb_opt_widgets.engine.calls import Calls
    from emb_opt_widgets.engine.config import register
    from emb_opt_widgets.engine.costs import Cost
    from emb_opt_widgets.engine.items import Item, Items
    from emb_opt_widgets.engine.status import Activity, RunStatus, SearchStatus
    from emb_opt_widgets.engine.until import Until
    from emb_opt_widgets.live.notices import Notice
    from emb_opt_widgets.search.files import load, replay
    from emb_opt_widgets.search.results import BestItem, QueryTree, Results
    from emb_opt_widgets.search.search import Search
    from emb_opt_widgets.sources import as_source
    from emb_opt_widgets.strategies import (
        GradientQueries,
        RLUpdate,
        SurrogateUpdate,
        TopKContinuousUpdate,
        TopKDiscreteUpdate,
        TopKPrune,
    )

_WHERE = {
    "Cost": "engine.costs",
    "Search": "search.search",
    "Until": "engine.until",
    "load": "search.files",
    "replay": "search.files",
    "Calls": "engine.calls",
    "Item": "engine.items",
    "Items": "engine.items",
    "Activity": "engine.status",
    "Notice": "live.notices",
    "RunStatus": "engine.status",
    "SearchStatus": "engine.status",
    "BestItem": "search.results",
    "QueryTree": "search.results",
    "Results": "search.results",
    "as_source": "sources",
    "GradientQueries": "strategies",
    "RLUpdate": "strategies",
    "SurrogateUpdate": "strategies",
    "TopKContinuousUpdate": "strategies",
    "TopKDiscreteUpdate": "strategies",
    "TopKPrune": "strategies",
    "register": "engine.config",
}
_MODULES = (
    "activations",
    "compat",
    "errors",
    "executors",
    "protocols",
    "sources",
    "strategies",
    "testing",
    "training",
    "widgets",
)

__all__ = [
    "Activity",
    "BestItem",
    "Calls",
    "Cost",
    "DamagedFileError",
    "EmbOptError",
    "Fatal",
    "FileError",
    "FileInUseError",
    "FunctionError",
    "GradientQueries",
    "InputError",
    "Item",
    "Items",
    "MissingDependencyError",
    "NewerFileError",
    "Notice",
    "QueryTree",
    "RLUpdate",
    "Results",
    "RetryLater",
    "RunStatus",
    "Search",
    "SearchStatus",
    "StateError",
    "SurrogateUpdate",
    "TopKContinuousUpdate",
    "TopKDiscreteUpdate",
    "TopKPrune",
    "UnknownNodeError",
    "Until",
    "as_source",
    "load",
    "register",
    "replay",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def _bundled(search: Any) -> Any:
    from emb_opt_widgets.widgets.showing import bundle

    return bundle(search)


def _shown(search: Any) -> bool:
    from emb_opt_widgets.widgets.showing import show

    return show(search)


def _announced(driver: Any, shell: Any) -> None:
    from emb_opt_widgets.lab.kernel import meet

    meet(driver, shell)


display.show_with(_bundled, _shown)
display.announce_to(_announced)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("emb_opt_widgets")
    if name in _WHERE:
        value = getattr(importlib.import_module(f"emb_opt_widgets.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"emb_opt_widgets.{name}")
    raise AttributeError(f"module 'emb_opt_widgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
