"""A process that has imported what workers need, from which those of this machine are forked.

A worker that starts from nothing imports Dask and Arrow for a second before it can do anything, and
so does the next one. Here that happens once, while the run itself still reads its recipe.
Nothing that binds threads or devices is imported: engines are a worker's own.
"""

from __future__ import annotations

_IMPORTED = [
    "distributed.nanny",
    "pandas",  # Arrow imports it for the first array that it makes
    "pipeline.runtime.worker",
    "pyarrow.parquet",
    "schemas.arrow",
]


def open_nursery() -> None:
    """Start the process if it is not there; it ends with this one."""
    import multiprocessing
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload(_IMPORTED)
    forkserver.ensure_running()
