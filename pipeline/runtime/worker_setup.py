"""Preloaded by each Dask worker process before it takes work."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the process that started us.

    A terminal sends it to the whole process group, but what is in flight is to be finished.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
