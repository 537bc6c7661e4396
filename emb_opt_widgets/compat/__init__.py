"""emb_opt's names over this project's engine.

Code written for emb_opt 1.0.2 runs after replacing `emb_opt` by `emb_opt_widgets.compat` in its imports. The modules
are emb_opt's own: `schemas, utils, executor, module, data_source, filter, score, prune, update, log, runner, imports`
and `plugins.{faiss, huggingface, qdrant}`, each with everything its `__all__` names.

`Runner.search` folds the events of the engine's rounds. `Batch`, `Query`, `Item`, `Log` and `QueryTree` are views: a
batch that nobody looks at is columns, and a query's results become `Item` objects when somebody asks for them. Only
what is handed to the user's own functions is made at once.

Where it differs from emb_opt, on purpose:

- An item that several queries find is filtered and scored once for a log, not once each time. So a function whose
  answer depends on the other items of its call, or on what it wrote into an item before, can answer otherwise.
- A score that is not finite removes the item ("non-finite score"); a vector that is not finite is an error.
- A function that raises leaves the log as it was before the step, and nothing is called with an empty batch.
- Arguments that cannot work raise `InputError` instead of `AssertionError`; a `Runner` needs a score function.
- The plugin classes that only describe an interface (`FilterPlugin`, …) raise where they are called, instead of
  returning None; composites and gradient wrappers also take dictionaries; `APIExecutor` sends items as JSON.
- The Qdrant plugin uses the client's present calls; emb_opt's own no longer runs with present clients.

`PluginSource` (in `compat.source`) lets a data plugin be the source of `emb_opt_widgets.Search`; filter, score, prune
and update plugins can be passed to `Search` as they are.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "1.0.2"

_MODULES = (
    "data_source", "executor", "filter", "imports", "log", "module", "plugins", "prune", "runner", "schemas", "score",
    "source", "update", "utils",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
