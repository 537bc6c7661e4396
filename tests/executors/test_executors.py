"""Real executors of every kind keep the promises of workers."""

from __future__ import annotations

import multiprocessing
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
