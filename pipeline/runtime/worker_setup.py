"""What runs in Dask worker processes around the tasks.

Imported before a worker takes work, so it is light. Nothing here knows how a worker was started.
"""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

Probe = Callable[[], None]
"""Raises OSError or InputError if a worker cannot reach what tasks need."""

_KEEPER = "prefmill-engine"
_TEARDOWN_S = 10

_change = threading.Condition()
_at_work = 0
"""How many tasks run in this process; changes are told by the condition."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker says of itself: how many tasks it runs at once, its Dask resources."""

    threads: int
    resources: dict[str, float]


def dask_setup(worker: Any) -> None:
    """Hook of Dask's preload: leave Ctrl-C to the process that started us.

    A terminal sends it to the whole process group, but what is in flight is to be finished.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def prepare_worker(packed: bytes) -> Facts:
    """Make a worker ready for tasks; one that we did not start is probed first.

    Args:
        packed: a pickled `Probe`, or None.

    Raises:
        OSError, InputError: what the probe raises.
    """
    from distributed import get_worker

    from pipeline.runtime.garbage import relax_collector
    from pipeline.runtime.pandas_later import leave_pandas_out
    from pipeline.runtime.watchdog import watch_over
    from pipeline.runtime.worker import POOL

    relax_collector()
    leave_pandas_out()
    watch_over(POOL.pulse)
    worker = get_worker()
    probe: Probe | None = pickle.loads(packed)
    if probe is not None:
        probe()
        if _KEEPER not in worker.plugins:
            worker.loop.add_callback(worker.plugin_add, plugin=_engine_keeper(), name=_KEEPER)
    return Facts(worker.state.nthreads, dict(worker.state.total_resources))


@contextmanager
def at_work() -> Iterator[None]:
    """While entered, this process is not released."""
    global _at_work
    with _change:
        _at_work += 1
    try:
        yield
    finally:
        with _change:
            _at_work -= 1
            _change.notify_all()


def release_worker() -> None:
    """When no task is at work, close the engine and leave the worker as it was before us."""
    from distributed import get_worker

    from pipeline.runtime.executors import close_models

    with _change:
        _change.wait_for(lambda: _at_work == 0)
    close_models()
    worker = get_worker()
    if _KEEPER in worker.plugins:
        worker.loop.add_callback(worker.plugin_remove, name=_KEEPER)


def perform_on_worker(packed: bytes, topic: str) -> tuple[list[Any], float]:
    """Perform a pickled errand, see `perform_all`, sending progress to a topic as it goes.

    Returns what its tasks returned, and the seconds that it took here.
    """
    from distributed import get_worker

    from pipeline.runtime.errands import perform_all
    from pipeline.runtime.worker import perform

    worker, tasks = get_worker(), pickle.loads(packed)

    def tell(message: dict[str, Any]) -> None:
        worker.log_event(topic, message)

    started = time.monotonic()
    with at_work():
        values = perform_all(tasks, lambda task: perform(task, tell))
    return values, time.monotonic() - started


def _engine_keeper() -> Any:
    """The plugin of a worker that is not ours: closes the engine when the worker is stopped."""
    from distributed import WorkerPlugin

    class EngineKeeper(WorkerPlugin):  # type: ignore[misc] # Dask ships no types
        def setup(self, worker: Any) -> None:
            self.before: Any = None
            # Under a nanny, it is the nanny that obeys its user's Ctrl-C and stops the worker in
            # order; ours must not reach an engine at work. Signals are the main thread's only.
            if worker.nanny is not None:
                with suppress(ValueError):
                    self.before = signal.signal(signal.SIGINT, signal.SIG_IGN)

        async def teardown(self, worker: Any) -> None:
            import asyncio

            from pipeline.runtime.executors import close_models

            if self.before is not None:
                signal.signal(signal.SIGINT, self.before)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(close_models), _TEARDOWN_S)

    return EngineKeeper()
