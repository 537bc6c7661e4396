"""What emb_opt's modules import from one another's `imports`, for code that does the same."""

from __future__ import annotations

import uuid
import warnings
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035 - emb_opt's names

import numpy as np

from emb_opt_widgets.errors import MissingDependencyError

try:
    from pydantic import BaseModel, RootModel, field_validator, model_validator
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped,unused-ignore]
except ImportError as error:
    raise MissingDependencyError(
        "emb_opt's names need pydantic and scipy", hint="pip install 'emb_opt_widgets[compat]'"
    ) from error

__all__ = [
    "Any",
    "BaseModel",
    "Callable",
    "Dict",
    "List",
    "Optional",
    "ProcessPoolExecutor",
    "RootModel",
    "ThreadPoolExecutor",
    "Tuple",
    "Union",
    "cdist",
    "defaultdict",
    "field_validator",
    "model_validator",
    "np",
    "uuid",
    "warnings",
]
