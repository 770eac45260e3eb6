"""A process that has imported what workers need, from which those of this machine are forked.

A worker that starts from nothing imports Dask and Arrow for a second before it can do anything, and
so does the next one; stages name what takes them long. Here that happens once, while the run
itself gets ready.
Nothing that binds threads or devices is imported: engines are a worker's own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

_IMPORTED = [
    "distributed.nanny",
    "pipeline.runtime.worker",
    "pyarrow.compute",
    "pyarrow.parquet",
    "schemas.arrow",
]


def open_nursery(preload: Iterable[str] = ()) -> None:
    """Start the process if it is not there; it ends with this one, however that ends.

    Args:
        preload: modules that it imports beside what any worker needs.
    """
    import multiprocessing
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload([*_IMPORTED, *preload])
    forkserver.ensure_running()


def stand_in_for_dask() -> None:
    """Have Dask use the process that is there as it is.

    Where it forks workers it first imports whatever its users may need, pandas too, to have the
    process import the same; ours has its own list.
    """
    from distributed import utils

    utils._forkserver_preload_set = True


def close_nursery() -> None:
    """End the process if it is there: nothing of a run is to be there a moment longer than it."""
    from multiprocessing import forkserver

    # Python's own way to end it, which it has for its tests, waits until all is imported.
    server: Any = forkserver._forkserver
    if server._forkserver_pid is not None:
        os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()
