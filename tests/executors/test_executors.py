"""Real executors of every kind keep the promises of workers."""

from __future__ import annotations

import multiprocessing
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.executors import Threads, as_workers
from emb_opt_widgets.testing import EXECUTOR_CHECKS, ExecutorCase

pytestmark = pytest.mark.timeout(240)


def processes(method: str) -> Callable[[], ProcessPoolExecutor]:
    return lambda: ProcessPoolExecutor(2, multiprocessing.get_context(method))


def loky_pool() -> Any:
    return pytest.importorskip("loky").get_reusable_executor(2)


class OnesOwn(Executor):
    """An executor that runs a call at once, as people write them."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def ended(pool: Any) -> None:
    pool.shutdown(wait=True)


CASES = {
    "threads": ExecutorCase(lambda: Threads(2), in_process=True),
    "pool of threads": ExecutorCase(lambda: ThreadPoolExecutor(2), ended, in_process=True),
    "one's own": ExecutorCase(OnesOwn, in_process=True, begins=False),
    "fork": ExecutorCase(processes("fork"), ended),
    "spawn": ExecutorCase(processes("spawn"), ended),
    "a function": ExecutorCase(lambda: processes("fork")),
    "loky": ExecutorCase(loky_pool),
}


@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", CASES)
def test_executors(kind: str, check: Callable[[ExecutorCase], None]) -> None:
    check(CASES[kind])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as made:
        yield made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
def test_dask(cluster: Any, check: Callable[[ExecutorCase], None]) -> None:
    check(ExecutorCase(cluster.get_client, lambda client: client.close()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
def test_submitit(tmp_path: Any, check: Callable[[ExecutorCase], None]) -> None:
    submitit = pytest.importorskip("submitit")
    check(ExecutorCase(lambda: submitit.LocalExecutor(tmp_path)))


@pytest.mark.parametrize("wrong", [4, "threads", lambda: 4, object()])
def test_what_is_no_executor_is_one_clear_error(wrong: Any) -> None:
    with pytest.raises(eow.InputError, match="concurrent.futures.Executor.*got"):
        as_workers(wrong)


class _Ref:
    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def future(self) -> Future[Any]:
        return self._future


def stand_in(processes: ProcessPoolExecutor) -> types.ModuleType:
    """What is used of Ray, over a pool of processes; it gives no more than that calls go the right way."""
    ray: Any = types.ModuleType("ray")
    names = ("TaskCancelledError", "WorkerCrashedError", "OutOfMemoryError", "RayError")
    ray.exceptions = types.SimpleNamespace(**{name: type(name, (Exception,), {}) for name in names})
    ray.is_initialized = lambda: True
    ray.put = lambda value: value
    ray.cancel = lambda ref, force=False: ref.future().cancel()
    ray.cluster_resources = lambda: {"CPU": 2.0}
    ray.remote = lambda **_: lambda run: types.SimpleNamespace(remote=lambda *a: _Ref(processes.submit(run, *a)))
    return ray


@pytest.mark.parametrize(
    "check", [c for c in EXECUTOR_CHECKS if c.__name__ != "deaths"], ids=lambda check: check.__name__
)
def test_ray_by_a_stand_in(check: Callable[[ExecutorCase], None]) -> None:
    with ProcessPoolExecutor(2) as pool:
        check(ExecutorCase(lambda: stand_in(pool)))


def test_ray_that_is_not_connected_is_one_clear_error() -> None:
    ray: Any = types.ModuleType("ray")
    ray.is_initialized = lambda: False
    with pytest.raises(eow.InputError, match="ray.init"):
        as_workers(ray)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
def test_ray(check: Callable[[ExecutorCase], None]) -> None:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    try:
        check(ExecutorCase(lambda: ray))
    finally:
        ray.shutdown()
