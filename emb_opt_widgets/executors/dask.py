"""A Dask `Client` as workers. Needs `distributed`.

A function goes to every worker, also to those that come later, once, by a worker plugin; that a call has begun is told
by an event. Dask repeats what its workers died of, several times: the scheduler is told of each call that begins, and a
call that begins again is answered with the death of its worker, without being run.
"""

from __future__ import annotations

import itertools
import time
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import KilledWorker, WorkerPlugin, get_worker
from distributed.utils import sync

from emb_opt_widgets.errors import StateError, WorkerDied, describe_error
from emb_opt_widgets.executors.call import Call, Reply
from emb_opt_widgets.executors.carried import Parcel, RemoteTask, Sealed, Task, hold, opened

__all__ = ["DaskWorkers"]

_FRESH = 2.0
_GRACE = 5.0
_CALM = 1.5
_calm_from = [0.0]  # in a worker: a nanny does not replace one that dies before it has been heard to start
_FETCHED = 10.0


@dataclass(frozen=True, slots=True)
class _EventAnnounce:
    topic: str
    number: int

    def begun(self) -> bool:
        worker: Any = get_worker()
        time.sleep(max(0.0, _calm_from[0] - time.monotonic()))
        keys = [self.topic, str(self.number)]
        if sync(worker.loop, worker.scheduler.get_metadata, keys=keys, default=None) is not None:
            return False
        sync(worker.loop, worker.scheduler.set_metadata, keys=keys, value=1)
        worker.log_event(self.topic, self.number)
        return True

    def ended(self) -> None:
        """The answer tells."""


class _Held(WorkerPlugin):
    """Gives a worker a function before its first call."""

    def __init__(self, token: str, data: bytes) -> None:
        self.token, self.data = token, data

    def setup(self, worker: Any) -> None:
        heartbeat = worker.periodic_callbacks.get("heartbeat")
        if heartbeat is not None and not heartbeat.is_running():
            _calm_from[0] = time.monotonic() + _CALM
        try:
            hold(self.token, self.data)
        except Exception:  # told by each call, where it costs that call only
            return


def _run(task: RemoteTask) -> Sealed:
    return task()


class DaskWorkers:
    """A Dask cluster.

    Args:
        client: Connected to it.
        again: Made it, and makes another when the cluster is gone.
    """

    def __init__(self, client: Any, again: Callable[[], Any] | None = None) -> None:
        self._again = again
        self._topic = f"eow-{uuid.uuid4().hex}"
        self._number = itertools.count()
        self._begun: dict[int, tuple[Call, Any]] = {}
        self._connect(client)

    def _connect(self, client: Any) -> None:
        self._client = client
        self._parcel: Parcel | None = None
        self._counted, self._count = 0.0, 1
        me = weakref.ref(self)

        def hear(event: Any) -> None:
            workers = me()
            if workers is not None:
                workers._begins(int(event[1]))

        client.subscribe_topic(self._topic, hear)

    @property
    def workers(self) -> int:
        now = time.monotonic()
        if now - self._counted > _FRESH:
            self._counted, self._count = now, max(1, sum(self._client.nthreads().values()))
        return self._count

    def submit(self, function: Callable[[Any], Any], argument: Any, limit: float | None = None) -> Call:
        if self._parcel is None or self._parcel.function is not function:
            self._forget()
            parcel = Parcel(function, held=True)
            self._client.register_plugin(_Held(parcel.token, parcel.data), name=parcel.token)
            self._parcel = parcel
        number = next(self._number)
        call = Call(take_back=lambda: self._take_back(number), give_up=lambda: self._drop(number), grace=_GRACE)
        self._send(Task(self._parcel, argument, call, _EventAnnounce(self._topic, number), limit), number)
        return call

    def remake(self) -> None:
        if self._client.status == "running":
            return
        if self._again is None:
            raise StateError(
                "The Dask cluster is gone", hint="Pass a function that connects to one: executor=lambda: Client(…)"
            )
        self._connect(self._again())

    def close(self) -> None:
        if self._client.status == "running":
            self._forget()
            self._client.unsubscribe_topic(self._topic)
            self._client.set_metadata([self._topic], {})
            if self._again is not None:
                self._client.close()

    def _forget(self) -> None:
        if self._parcel is not None:
            self._client.unregister_worker_plugin(self._parcel.token)
            self._parcel = None

    def _send(self, task: Task, number: int) -> None:
        self._begun[number] = (task.call, None)
        key = f"{self._topic}-{number}-{task.whole}"
        future = self._client.submit(_run, task.packed(), key=key, pure=False)
        self._begun[number] = (task.call, future)
        future.add_done_callback(lambda done: self._ended(done, task, number))

    def _begins(self, number: int) -> None:
        """In the client's loop: nothing here may wait."""
        call, _ = self._begun.get(number, (None, None))
        if call is not None:
            call.begin()

    def _ended(self, future: Any, task: Task, number: int) -> None:
        if number not in self._begun:
            return
        self._reply(future, task, number)
        if task.call.reply is not None:
            self._begun.pop(number, None)
            future.release()

    def _reply(self, future: Any, task: Task, number: int) -> None:
        """In the one thread that tells: a result that its worker took along is not waited for."""
        if future.status == "cancelled":
            task.call.end(Reply(error=WorkerDied("the cluster dropped the call", suspect=False)))
            return
        try:
            sealed = future.result(timeout=_FETCHED)
        except KilledWorker:
            task.call.end(Reply(error=WorkerDied("its worker died")))
        except Exception as error:
            lost = f"the cluster lost the call ({describe_error(error)})"
            task.call.end(Reply(error=WorkerDied(lost, suspect=False) if _is_loss(error) else error))
        else:
            if sealed.missing and not task.whole:
                task.whole = True
                self._send(task, number)
                return
            task.call.end(opened(sealed))

    def _take_back(self, number: int) -> bool:
        call, _ = self._begun.get(number, (None, None))
        return call is not None and call.begun is None and self._drop(number)

    def _drop(self, number: int) -> bool:
        _, future = self._begun.pop(number, (None, None))
        if future is None:
            return False
        future.cancel()
        return True


def _is_loss(error: Exception) -> bool:
    return type(error).__name__ in ("CancelledError", "FutureCancelledError", "CommClosedError", "TimeoutError")
