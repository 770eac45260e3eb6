"""Where tasks run: in this process, or in Dask worker processes.

Both take tasks, give back `Outcome`s, and pass on what tasks tell about their progress.
"""

from __future__ import annotations

import logging
import queue
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.runtime.model_pool import Tell
from pipeline.runtime.worker import PartTask, perform

_TOPIC = "prefmill-progress"
_CLOSE_TIMEOUT_S = 20
"""An engine frees its device in less; a worker that needs longer is not going to answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a task.

    Attributes:
        value: what it returned.
        error: what it raised.
        died: its worker process is gone.
    """

    task: PartTask
    value: Any = None
    error: BaseException | None = None
    died: bool = False
    cause: str = ""


class Executor(Protocol):
    """Runs tasks."""

    dashboard_link: str | None

    def workers(self) -> dict[str, int]:
        """Live workers by group."""
        ...

    def submit(self, task: PartTask) -> None:
        """Take on a task."""
        ...

    def wait(self, timeout_s: float) -> Outcome | None:
        """The next task to end; None if none did within the time."""
        ...

    def close(self) -> None:
        """Stop, closing engines."""
        ...


class InlineExecutor:
    """Runs tasks in this process, one after another: for debugging, and for tiny jobs."""

    dashboard_link: str | None = None

    def workers(self) -> dict[str, int]:
        """One: this process."""
        return {"": 1}

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._tasks: deque[PartTask] = deque()

    def submit(self, task: PartTask) -> None:
        """Queue the task."""
        self._tasks.append(task)

    def wait(self, timeout_s: float) -> Outcome | None:
        """Run the next task to its end."""
        if not self._tasks:
            return None
        task = self._tasks.popleft()
        try:
            return Outcome(task, value=perform(task, self._tell))
        except Exception as error:  # the loop decides what an error means, wherever tasks run
            return Outcome(task, error=error)

    def close(self) -> None:
        """Close the open engine."""
        close_models()


class DaskExecutor:
    """Runs tasks in worker processes of a Dask LocalCluster.

    Workers are daemonic and the engines in them have no child processes, so nothing outlives a
    worker that is killed, nor workers this process.
    """

    def __init__(self, workers: int, tell: Tell, lanes: int = 1) -> None:
        import dask
        from distributed import Client, LocalCluster

        settings = {
            # A worker that dies is our state machine's business: no silent retries.
            "distributed.scheduler.allowed-failures": 0,
            # Dask pins numeric libraries to one thread; an engine needs all its cores.
            "distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": "65536"},
        }
        with dask.config.set(settings):
            self._cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=lanes,
                processes=True,
                host="127.0.0.1",
                # Without a port Dask takes 8787, and says so where another run has it.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                memory_limit=0,  # an engine's memory is not Dask's to manage
                preload=["pipeline.runtime.worker_setup"],
                silence_logs=logging.CRITICAL,  # what matters is told by our own messages
            )
            self._client = Client(self._cluster, set_as_default=False)
        # One each: Dask blames a worker's death on every task it held, waiting ones included.
        self.slots = workers
        self.dashboard_link: str | None = None
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._in_flight = 0
        self._client.subscribe_topic(_TOPIC, lambda event: tell(event[1]))

    def workers(self) -> dict[str, int]:
        """Live workers by group."""
        return {"": self.slots}

    def submit(self, task: PartTask) -> None:
        """Send the task to a worker; its end arrives in a queue."""
        self._in_flight += 1
        future = self._client.submit(perform_on_worker, task, key=None, pure=False, retries=0)
        future.add_done_callback(lambda ended: self._outcomes.put(_outcome(task, ended)))

    def wait(self, timeout_s: float) -> Outcome | None:
        """The next outcome to arrive."""
        try:
            outcome = self._outcomes.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._in_flight -= 1
        return outcome

    def close(self) -> None:
        """Close engines, workers and the cluster; workers that are busy are killed."""
        if not self._in_flight:
            # Before Dask stops the workers, which gives them less time than an engine may need.
            self._close_models()
        self._client.close()
        self._cluster.close(timeout=30)

    def _close_models(self) -> None:
        """Ask each worker to close its model; one that is dead or hangs is not waited for."""
        from distributed import wait

        # As tasks: `Client.run` raises if a worker has died and has no timeout if one hangs.
        closing = [
            self._client.submit(
                close_models, workers=[worker], allow_other_workers=True, pure=False
            )
            for worker in self._client.nthreads()
        ]
        with self._client.as_current(), suppress(TimeoutError):
            wait(closing, timeout=_CLOSE_TIMEOUT_S)


def _outcome(task: PartTask, future: Any) -> Outcome:
    from distributed import KilledWorker

    if future.status == "finished":
        return Outcome(task, value=future.result())
    error = future.exception() if future.status == "error" else None
    return Outcome(task, error=error, died=isinstance(error, KilledWorker))


def close_models() -> None:
    """Close the model that is open in this process, freeing its device."""
    from pipeline.runtime.worker import POOL

    POOL.close()


def perform_on_worker(task: PartTask) -> Any:
    """Runs on a Dask worker: perform the task, sending progress as it goes."""
    from distributed import get_worker

    worker = get_worker()
    return perform(task, lambda message: worker.log_event(_TOPIC, message))
