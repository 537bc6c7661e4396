"""Whatever a person hands in as `executor`, as workers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from types import ModuleType
from typing import Any, cast

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.executors.call import Workers
from emb_opt_widgets.executors.futures import FutureWorkers

__all__ = ["as_workers"]

KINDS = (
    "a concurrent.futures.Executor (threads, processes, loky, MPI), a Dask Client, the module ray, a submitit "
    "executor, or a function that makes one"
)


def as_workers(executor: object) -> Workers:
    """Workers behind the one protocol that the calls layer knows.

    Args:
        executor: One of `KINDS`, or `Workers` already.

    Raises:
        InputError: It is none of these.
    """
    return _adapted(executor, None)


def _adapted(executor: object, again: Callable[[], Any] | None) -> Workers:
    if isinstance(executor, Workers):
        return executor
    packages = {kind.__module__.split(".")[0] for kind in type(executor).__mro__}
    if "distributed" in packages:
        from emb_opt_widgets.executors.dask import DaskWorkers

        return DaskWorkers(cast(Any, executor), again)
    if "submitit" in packages:
        from emb_opt_widgets.executors.submitit import SubmititWorkers

        return SubmititWorkers(cast(Any, executor), again)
    if isinstance(executor, ModuleType) and executor.__name__ == "ray":
        from emb_opt_widgets.executors.ray import RayWorkers

        return RayWorkers(executor, again)
    if callable(getattr(executor, "submit", None)) and not isinstance(executor, type):
        return FutureWorkers(cast(Executor, executor), again)
    if callable(executor) and again is None:
        return _adapted(executor(), executor)
    raise InputError("executor is not usable", expected=KINDS, got=_named(executor, again))


def _named(executor: object, again: object) -> str:
    kind = type(executor).__name__
    return kind if again is None else f"a function that returned {kind}"
